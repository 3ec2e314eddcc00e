/* SPDX-License-Identifier: MIT */
/*
 * Finds glibc's main arena, whose symbol is not exported: in libc's writable data, by what no other
 * data looks like. Empty bins point to themselves, the arenas form a ring through it, and its
 * figures agree with each other. malloc's parameters stand near: they hold the address where the
 * heap begins. Once in each process image; one thread at a time.
 */
#include "glibc_arena.h"

#include "scope.h"
#include "sys.h"

#include <stdlib.h>

#define RING_MAX 4096
#define EMPTY_BINS_MIN 24
#define ADDRESSES (1ull << 47)

/* Of struct malloc_par, from the address of the field that holds the heap's begin backwards. */
enum { PAR_BEGIN = 0, PAR_MAPPED_MAX = -1, PAR_MAPPED = -2 };
/* To its first field: with thp_pagesize, hp_pagesize and hp_flags, from 2.35 on, and without. */
static const int par_words[] = {12, 9};

static bool writable_data(struct link_map *object, uintptr_t *start, uintptr_t *end)
{
    struct kp_segments segments = kp_scope_segments(object);

    for (unsigned i = 0; i < segments.count; i++) {
        const ElfW(Phdr) *segment = &segments.table[i];

        if (segment->p_type == PT_LOAD && segment->p_flags & PF_W) {
            *start = (object->l_addr + segment->p_vaddr + 15) & ~15ul;
            *end = object->l_addr + segment->p_vaddr + segment->p_memsz;
            return true;
        }
    }
    return false;
}

static unsigned empty_bins(struct kp_glibc_arena *arena)
{
    unsigned count = 0;

    for (unsigned bin = 0; bin < KP_GLIBC_BINS; bin++) {
        const struct kp_glibc_chunk *header = kp_glibc_bin(arena, bin);

        count += arena->bins[bin * 2] == header && arena->bins[bin * 2 + 1] == header;
    }
    return count;
}

static bool is_ring(const struct kp_glibc_arena *arena)
{
    const struct kp_glibc_arena *at = arena->next;

    for (unsigned steps = 0; at != arena; steps++, at = at->next)
        if (steps == RING_MAX || !at || (uintptr_t)at & 7 || (uintptr_t)at < 4096 ||
            !kp_sys_is_readable((uintptr_t)&at->next))
            return false;
    return true;
}

static bool is_arena(struct kp_glibc_arena *arena)
{
    return (unsigned)arena->lock <= 2 && (unsigned)arena->flags < 8 &&
           (uintptr_t)arena->top > 4096 && ((uintptr_t)arena->top & 15) == 0 && arena->next &&
           arena->attached_threads > 0 && arena->system_bytes % 4096 == 0 &&
           arena->system_bytes > 0 && arena->system_bytes <= arena->system_bytes_max &&
           empty_bins(arena) >= EMPTY_BINS_MIN && is_ring(arena);
}

static struct kp_glibc_arena *find_main(uintptr_t start, uintptr_t end)
{
    for (uintptr_t at = start; at + sizeof(struct kp_glibc_arena) <= end; at += 16)
        if (is_arena((struct kp_glibc_arena *)at))
            return (struct kp_glibc_arena *)at;
    return NULL;
}

static bool is_parameters(const size_t *begin, int words)
{
    const size_t *first = begin - words;

    /* trim_threshold, top_pad, mmap_threshold, arena_test */
    return first[0] >= 4096 && first[2] >= 512 && first[2] <= ADDRESSES && first[3] <= 64;
}

static void find_parameters(struct kp_glibc *glibc, uintptr_t start, uintptr_t end)
{
    const struct kp_glibc_arena *main = glibc->main;
    uintptr_t heap = (uintptr_t)main->top + kp_glibc_chunk_bytes(main->top) - main->system_bytes;

    for (const size_t *at = (const size_t *)start + 16; (uintptr_t)(at + 1) <= end; at++) {
        if (at[PAR_BEGIN] != heap || at[PAR_MAPPED] > at[PAR_MAPPED_MAX])
            continue;
        for (unsigned i = 0; i < sizeof par_words / sizeof *par_words; i++)
            if (is_parameters(at, par_words[i])) {
                glibc->mapped_bytes = &at[PAR_MAPPED];
                glibc->trim_threshold = at - par_words[i];
                glibc->mmap_threshold = at - par_words[i] + 2;
                return;
            }
    }
}

bool kp_glibc_find(struct kp_glibc *glibc)
{
    struct link_map *libc = NULL;
    uintptr_t start, end;
    const char *(*version)(void);

    *(void **)&version = kp_scope_find_from(kp_scope_program(), "gnu_get_libc_version", &libc);
    if (!version || !writable_data(libc, &start, &end))
        return false;
    int minor = atoi(version() + 2);
    if (minor < 27 || version()[0] != '2')
        return false;
    glibc->mangles_links = minor >= 32;
    glibc->main = find_main(start, end);
    if (!glibc->main)
        return false;
    find_parameters(glibc, start, end);
    return true;
}
