/* SPDX-License-Identifier: MIT */
/*
 * RSS and mappings from /proc/self. Host's threads. smaps is read in one go and looked at when it is
 * written down; what the kernel has merged into one mapping is one here too, so that sampled
 * mappings are looked at one by one as well.
 *
 * A stack of a thread has no name: it is known by the guard below it, an inaccessible mapping that
 * ends where it begins. (An arena of glibc has its inaccessible part above.)
 */
#include "snapshot_smaps.h"

#include "ranges.h"
#include "state.h"
#include "sys.h"

#include <string.h>

#define TEXT_BYTES (8u << 20)
#define PAGE_BYTES 4096u
#define GUARD_BYTES_MAX (1u << 20)
#define PATH_BYTES_MAX 512u

struct kp_snapshot_text {
    const struct kp_heap *heap;
    size_t bytes;
    uint64_t guard_end; /* of the mapping before, if it may be a guard */
    uint64_t data_end;  /* of the mapping before, if it is data of a file */
    char text[TEXT_BYTES];
};

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

void kp_snapshot_read_rss(struct kp_snapshot_rss *rss)
{
    char text[128];
    const char *at = text;
    long bytes = kp_sys_read_file("/proc/self/statm", text, sizeof text - 1);

    text[bytes > 0 ? bytes : 0] = 0;
    number(&at, 10);
    skip_blanks(&at);
    rss->all = number(&at, 10) * PAGE_BYTES;
    skip_blanks(&at);
    rss->file = number(&at, 10) * PAGE_BYTES;
}

void kp_snapshot_ranges(struct kp_heap *heap)
{
    uint64_t cookie, start, end;

    if (!kp_ranges_lock(&cookie))
        return;
    for (size_t i = 0; heap->range_count < KP_HEAP_RANGES_MAX && kp_ranges_at(i, &start, &end); i++)
        heap->ranges[heap->range_count++] =
            (struct kp_heap_range){start, end, kp_heap_resident_outside(heap, start, end)};
    kp_ranges_unlock();
}

struct kp_snapshot_text *kp_snapshot_text_new(void)
{
    return kp_sys_map(sizeof(struct kp_snapshot_text));
}

void kp_snapshot_text_free(struct kp_snapshot_text *text)
{
    kp_sys_unmap(text, sizeof *text);
}

void kp_snapshot_smaps(const struct kp_heap *heap, struct kp_snapshot_text *text)
{
    long bytes = kp_sys_read_file("/proc/self/smaps", text->text, sizeof text->text - 1);

    text->heap = heap;
    text->bytes = bytes > 0 ? (size_t)bytes : 0;
}

/* A mapping as its lines say. */
struct lines {
    uint64_t start, end, rss, anonymous, swap;
    bool is_writable, is_guard, has_file;
    const char *path;
    size_t path_bytes;
};

static void read_head(const char *at, struct lines *lines)
{
    lines->start = number(&at, 16);
    at++;
    lines->end = number(&at, 16);
    skip_blanks(&at);
    lines->is_writable = at[1] == 'w';
    lines->is_guard = at[0] == '-' && at[1] == '-';
    for (unsigned field = 0; field < 3; field++) { /* rights, offset, device */
        at += strcspn(at, " ");
        skip_blanks(&at);
    }
    lines->has_file = number(&at, 10) != 0;
    skip_blanks(&at);
    lines->path = at;
    lines->path_bytes = strcspn(at, "\n");
}

static void read_field(const char *line, struct lines *lines)
{
    static const char *const names[] = {"Rss:", "Anonymous:", "Swap:"};
    uint64_t *const values[] = {&lines->rss, &lines->anonymous, &lines->swap};

    for (unsigned i = 0; i < 3; i++) {
        size_t length = strlen(names[i]);

        if (strncmp(line, names[i], length) == 0) {
            line += length;
            skip_blanks(&line);
            *values[i] = number(&line, 10) * 1024;
        }
    }
}

/* Field lines begin with a capital letter, mappings with an address. */
static bool read_lines(const struct kp_snapshot_text *text, size_t *at, struct lines *lines)
{
    memset(lines, 0, sizeof *lines);
    if (*at >= text->bytes)
        return false;
    read_head(text->text + *at, lines);
    do {
        *at += strcspn(text->text + *at, "\n") + 1;
        if (*at < text->bytes)
            read_field(text->text + *at, lines);
    } while (*at < text->bytes && text->text[*at] >= 'A' && text->text[*at] <= 'Z');
    return true;
}

static bool path_has(const struct lines *lines, const char *piece, bool at_start)
{
    size_t length = strlen(piece);

    if (lines->path_bytes < length)
        return false;
    return memcmp(at_start ? lines->path : lines->path + lines->path_bytes - length, piece,
                  length) == 0;
}

static bool is_in_heap(const struct kp_heap *heap, const struct lines *lines)
{
    for (uint32_t i = 0; i < heap->span_count; i++)
        if (heap->spans[i].start < lines->end && heap->spans[i].end > lines->start)
            return true;
    return false;
}

static bool is_shared(const struct lines *lines)
{
    return path_has(lines, "/dev/shm/", true) || path_has(lines, "/memfd:", true) ||
           path_has(lines, "/dev/zero", true) || path_has(lines, "/SYSV", true);
}

static enum kp_mapping_kind kind_of(const struct kp_snapshot_text *text, const struct lines *lines)
{
    if (path_has(lines, "-spool", false) || (kp_sys_is_own(lines->start) && !lines->has_file) ||
        (lines->start >= kp_host.own_start && lines->start < kp_host.own_end))
        return KP_MAPPING_KPROF;
    if (is_shared(lines))
        return KP_MAPPING_SHARED;
    if (lines->has_file)
        return lines->is_writable ? KP_MAPPING_DATA : KP_MAPPING_FILE;
    if (path_has(lines, "[stack", true))
        return KP_MAPPING_STACK;
    if (is_in_heap(text->heap, lines) || path_has(lines, "[heap]", true))
        return KP_MAPPING_HEAP;
    if (lines->is_writable && lines->start == text->data_end)
        return KP_MAPPING_DATA;
    if (lines->is_writable && lines->start == text->guard_end)
        return KP_MAPPING_STACK;
    return KP_MAPPING_OTHER;
}

bool kp_snapshot_smaps_next(const struct kp_snapshot_text *constant, size_t *at,
                            struct kp_smaps_mapping *mapping)
{
    struct kp_snapshot_text *text = (struct kp_snapshot_text *)constant;
    struct lines lines;

    do {
        if (!read_lines(text, at, &lines))
            return false;
        mapping->record = (struct kp_rec_mapping){.kind = kind_of(text, &lines),
                                                  .start = lines.start,
                                                  .end = lines.end,
                                                  .rss = lines.rss,
                                                  .anonymous = lines.anonymous,
                                                  .swap = lines.swap};
        bool is_data = lines.has_file && lines.is_writable;
        text->data_end = is_data ? lines.end : 0;
        text->guard_end = lines.is_guard && !lines.has_file &&
                                  lines.end - lines.start <= GUARD_BYTES_MAX
                              ? lines.end
                              : 0;
    } while (lines.rss + lines.swap == 0);
    mapping->path = lines.path;
    mapping->record.path_bytes =
        (uint16_t)(lines.path_bytes < PATH_BYTES_MAX ? lines.path_bytes : PATH_BYTES_MAX);
    return true;
}
