/* SPDX-License-Identifier: MIT */
/*
 * The table of entries. It is made at import time under a lock, and inherited by forked children as
 * it is; what was told to the reader is another matter in each process.
 */
#include "entry.h"

#include "modules.h"
#include "spool.h"
#include "state.h"
#include "sys.h"

#include <string.h>

#define CHAINS 4096u
#define NAME_BYTES_MAX 200u
#define TEXT_BLOCK_BYTES 65536u

struct kp_entry *kp_entries __attribute__((visibility("hidden")));

static struct {
    uint32_t *chains;     /* first entry of each */
    uint32_t thunks;      /* entries with a thunk so far */
    uint32_t others;      /* and without */
    char *text;           /* room for names */
    uint32_t text_left;
    uint8_t *told;        /* by number; wiped in forked children */
} table;

static bool ready(void)
{
    if (kp_entries)
        return true;
    table.chains = kp_sys_map(CHAINS * sizeof *table.chains);
    table.told = kp_sys_map_wiped(KP_ENTRY_LAST + 1);
    if (table.chains && table.told)
        kp_entries = kp_sys_map((KP_ENTRY_LAST + 1) * sizeof *kp_entries);
    return kp_entries != NULL;
}

static const char *keep_text(const char *text, uint32_t bytes)
{
    if (bytes > table.text_left) {
        table.text = kp_sys_map(TEXT_BLOCK_BYTES);
        table.text_left = table.text ? TEXT_BLOCK_BYTES : 0;
    }
    if (!table.text)
        return NULL;
    char *kept = table.text;
    memcpy(kept, text, bytes);
    table.text += bytes;
    table.text_left -= bytes;
    return kept;
}

/* "prefix.name", cut between characters. */
static uint32_t join(char *to, const char *prefix, const char *name)
{
    uint32_t bytes = 0;

    for (const char *c = prefix; c && *c && bytes < NAME_BYTES_MAX / 2; c++)
        to[bytes++] = *c;
    if (bytes)
        to[bytes++] = '.';
    for (const char *c = name; c && *c && bytes < NAME_BYTES_MAX; c++)
        to[bytes++] = *c;
    while (bytes == NAME_BYTES_MAX && (to[bytes - 1] & 0xc0) == 0x80)
        bytes--;
    return bytes;
}

static uint32_t *chain_of(const void *address, const char *name, uint32_t bytes)
{
    uint64_t hash = (uintptr_t)address;

    for (uint32_t i = 0; i < bytes; i++)
        hash = (hash ^ (uint8_t)name[i]) * 0x100000001b3u;
    return &table.chains[(hash ^ hash >> 32) % CHAINS];
}

/* A slot's function is one entry, whichever types have it: slots that were equal must stay so. */
static bool is_like(const struct kp_entry *entry, const struct kp_entry *other)
{
    if (other->kind == KP_ENTRY_SLOT)
        return entry->kind == KP_ENTRY_SLOT && entry->address == other->address;
    return entry->address == other->address && entry->kind == other->kind &&
           entry->name_bytes == other->name_bytes &&
           memcmp(entry->name, other->name, other->name_bytes) == 0;
}

static uint32_t next_number(const struct kp_entry *like)
{
    if (like->kind == KP_ENTRY_METHOD || like->kind == KP_ENTRY_SLOT)
        return table.thunks < KP_THUNKS ? ++table.thunks : 0;
    return table.others < KP_ENTRY_LAST - KP_THUNKS ? KP_THUNKS + ++table.others : 0;
}

uint32_t kp_entry_number(enum kp_entry_kind kind, void *address, const char *prefix,
                         const char *name)
{
    char text[NAME_BYTES_MAX + 1];
    struct kp_entry like = {.address = address, .name = text, .kind = (uint16_t)kind};

    if (!ready())
        return 0;
    like.name_bytes = (uint16_t)join(text, prefix, name);
    uint32_t *chain = chain_of(address, text, kind == KP_ENTRY_SLOT ? 0 : like.name_bytes);
    uint32_t number;
    for (number = *chain; number; number = kp_entries[number].next)
        if (is_like(&kp_entries[number], &like))
            return number;
    like.name = keep_text(text, like.name_bytes);
    number = like.name ? next_number(&like) : 0;
    if (!number)
        return 0;
    like.next = *chain;
    kp_entries[number] = like;
    *chain = number;
    return number;
}

static uint32_t number_locked(enum kp_entry_kind kind, void *address, const char *name)
{
    uint32_t number = 0;

    if (kp_spin_lock(&kp_state.entries_lock)) {
        number = kp_entry_number(kind, address, NULL, name);
        kp_spin_unlock(&kp_state.entries_lock);
    }
    return number;
}

uint32_t kp_entry_of_thread(void)
{
    char name[17] = "";

    KP_SYS2(SYS_prctl, 16 /* PR_GET_NAME */, name);
    return number_locked(KP_ENTRY_THREAD, NULL, name);
}

uint32_t kp_entry_of_module(uintptr_t start, const char *path)
{
    return number_locked(KP_ENTRY_MODULE, (void *)start, path);
}

/* Under definitions_lock. */
static bool tell(uint32_t number)
{
    const struct kp_entry *entry = &kp_entries[number];
    uintptr_t place = (uintptr_t)entry->address;
    uint32_t name_bytes = entry->kind == KP_ENTRY_MODULE ? 0 : entry->name_bytes;
    uint32_t module = place ? kp_module_of(place) : 0;
    uint32_t whole = (uint32_t)sizeof(struct kp_rec_entry) + ((name_bytes + 7) & ~7u);
    struct kp_rec_entry *record = kp_spool_define(whole);

    if (!record)
        return false;
    memset(record, 0, whole);
    *record = (struct kp_rec_entry){.type_bytes = KP_REC_ENTRY | whole << 8,
                                    .id = (uint16_t)number,
                                    .kind = entry->kind,
                                    .module = module,
                                    .name_bytes = (uint16_t)name_bytes};
    memcpy(record + 1, entry->name, name_bytes);
    kp_spool_defined(whole);
    return true;
}

bool kp_entry_tell(uint32_t number)
{
    if (!kp_entries || number > KP_ENTRY_LAST)
        return false;
    if (!table.told[number] && kp_spin_lock(&kp_state.definitions_lock)) {
        if (!table.told[number])
            table.told[number] = tell(number);
        kp_spin_unlock(&kp_state.definitions_lock);
    }
    return table.told[number];
}
