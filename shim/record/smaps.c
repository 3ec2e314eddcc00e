/* SPDX-License-Identifier: MIT */
/*
 * Reading smaps, see smaps.h. In the shim inside of any of the host's threads: nothing here
 * allocates, and the text is trusted to be the kernel's.
 */
#include "smaps.h"

#include <string.h>

#define GUARD_BYTES_MAX (1u << 20)

static uint64_t number(const char **at, unsigned base)
{
    uint64_t value = 0;

    for (;; (*at)++) {
        unsigned c = (unsigned char)**at;
        unsigned digit = c - '0' < 10 ? c - '0' : c - 'a' < 6 ? c - 'a' + 10 : 99;

        if (digit >= base)
            return value;
        value = value * base + digit;
    }
}

static void skip_blanks(const char **at)
{
    while (**at == ' ' || **at == '\t')
        (*at)++;
}

static void read_head(const char *at, struct kp_smaps_mapping *mapping)
{
    mapping->start = number(&at, 16);
    at += *at == '-';
    mapping->end = number(&at, 16);
    skip_blanks(&at);
    mapping->is_writable = at[0] && at[1] == 'w';
    mapping->is_guard = at[0] == '-' && at[1] == '-';
    for (unsigned field = 0; field < 3; field++) { /* rights, offset, device */
        at += strcspn(at, " \n");
        skip_blanks(&at);
    }
    mapping->has_file = number(&at, 10) != 0;
    skip_blanks(&at);
    mapping->path = at;
    mapping->path_bytes = strcspn(at, "\n");
}

static void read_field(const char *line, struct kp_smaps_mapping *mapping)
{
    const struct {
        const char *name;
        uint64_t *sum;
    } fields[] = {{"Rss:", &mapping->rss},
                  {"Pss:", &mapping->pss},
                  {"Private_Clean:", &mapping->private_bytes},
                  {"Private_Dirty:", &mapping->private_bytes},
                  {"Anonymous:", &mapping->anonymous},
                  {"Swap:", &mapping->swap}};

    for (unsigned i = 0; i < sizeof fields / sizeof *fields; i++) {
        size_t length = strlen(fields[i].name);

        if (strncmp(line, fields[i].name, length) == 0) {
            line += length;
            skip_blanks(&line);
            *fields[i].sum += number(&line, 10) * 1024;
            return;
        }
    }
}

/* Field lines begin with a capital letter, mappings with an address. */
bool kp_smaps_next(struct kp_smaps *smaps, struct kp_smaps_mapping *mapping)
{
    const char *text = smaps->text;

    if (smaps->at >= smaps->bytes)
        return false;
    *mapping = (struct kp_smaps_mapping){0};
    read_head(text + smaps->at, mapping);
    do {
        smaps->at += strcspn(text + smaps->at, "\n") + 1;
        if (smaps->at < smaps->bytes)
            read_field(text + smaps->at, mapping);
    } while (smaps->at < smaps->bytes && text[smaps->at] >= 'A' && text[smaps->at] <= 'Z');
    mapping->follows_guard = mapping->start == smaps->guard_end;
    mapping->follows_data = mapping->start == smaps->data_end;
    smaps->data_end = mapping->has_file && mapping->is_writable ? mapping->end : 0;
    smaps->guard_end = mapping->is_guard && !mapping->has_file &&
                               mapping->end - mapping->start <= GUARD_BYTES_MAX
                           ? mapping->end
                           : 0;
    return true;
}

static bool begins(const struct kp_smaps_mapping *mapping, const char *piece)
{
    size_t length = strlen(piece);

    return mapping->path_bytes >= length && memcmp(mapping->path, piece, length) == 0;
}

static bool ends(const struct kp_smaps_mapping *mapping, const char *piece)
{
    size_t length = strlen(piece);

    return mapping->path_bytes >= length &&
           memcmp(mapping->path + mapping->path_bytes - length, piece, length) == 0;
}

enum kp_mapping_kind kp_smaps_kind(const struct kp_smaps_mapping *mapping, bool is_own,
                                   bool is_heap)
{
    if (is_own || ends(mapping, "-spool"))
        return KP_MAPPING_KPROF;
    if (begins(mapping, "/dev/shm/") || begins(mapping, "/memfd:") ||
        begins(mapping, "/dev/zero") || begins(mapping, "/SYSV"))
        return KP_MAPPING_SHARED;
    if (mapping->has_file)
        return mapping->is_writable ? KP_MAPPING_DATA : KP_MAPPING_FILE;
    if (begins(mapping, "[stack"))
        return KP_MAPPING_STACK;
    if (is_heap || begins(mapping, "[heap]"))
        return KP_MAPPING_HEAP;
    if (mapping->is_writable && mapping->follows_data)
        return KP_MAPPING_DATA;
    if (mapping->is_writable && mapping->follows_guard)
        return KP_MAPPING_STACK;
    return KP_MAPPING_OTHER;
}
