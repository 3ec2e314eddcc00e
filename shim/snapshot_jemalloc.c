/* SPDX-License-Identifier: MIT */
/*
 * jemalloc by mallctl: arenas, and the bins of all arenas together (index 4096). What lies in thread
 * caches is not given out. Figures of an allocator that was built without them stay unknown. Host's
 * threads, without the guard.
 */
#include "put.h"
#include "snapshot_others.h"
#include "totals_malloc.h"

#define PAGE_BYTES 4096u
#define ARENAS_MAX 256u
#define BINS_MAX 128u

/* "stats.arenas." + number + ".resident" */
static uint64_t figure(const char *before, unsigned number, const char *behind)
{
    char name[96], digits[12], *at = digits + sizeof digits - 1;
    const char *end = name + sizeof name - 1;
    size_t value = 0, bytes = sizeof value;

    *at = 0;
    do
        *--at = (char)('0' + number % 10);
    while (number /= 10);
    kp_put(kp_put(kp_put(name, end, before), end, at), end, behind);
    return kp_malloc_calls()->mallctl(name, &value, &bytes, NULL, 0) == 0 ? value
                                                                          : KP_TOTAL_UNKNOWN;
}

static uint64_t or_nothing(uint64_t value)
{
    return value == KP_TOTAL_UNKNOWN ? 0 : value;
}

static uint64_t of_arena(unsigned arena, const char *what)
{
    return figure("stats.arenas.", arena, what);
}

static void add_arena(struct kp_heap *heap, unsigned number)
{
    uint64_t active = of_arena(number, ".pactive"), small = of_arena(number, ".small.allocated");
    uint64_t dirty = or_nothing(of_arena(number, ".pdirty")) + or_nothing(of_arena(number, ".pmuzzy"));
    uint64_t cached = or_nothing(of_arena(number, ".tcache_bytes"));
    struct kp_rec_arena *arena;

    if (active == KP_TOTAL_UNKNOWN || small == KP_TOTAL_UNKNOWN || (!active && !dirty))
        return;
    arena = kp_heap_arena(heap, KP_ARENA_JEMALLOC);
    if (!arena)
        return;
    arena->size = (active + dirty) * PAGE_BYTES;
    arena->in_use = small + or_nothing(of_arena(number, ".large.allocated"));
    arena->in_use -= cached < arena->in_use ? cached : arena->in_use;
    arena->free = arena->size > arena->in_use ? arena->size - arena->in_use : 0;
    arena->resident = arena->size;
    arena->trimmable = dirty * PAGE_BYTES;
}

static void add_bin(struct kp_heap *heap, unsigned number)
{
    uint64_t size = figure("arenas.bin.", number, ".size");
    uint64_t slab = figure("arenas.bin.", number, ".slab_size");
    uint64_t regions = figure("stats.arenas.4096.bins.", number, ".curregs");
    uint64_t slabs = figure("stats.arenas.4096.bins.", number, ".curslabs");
    struct kp_rec_arena *bin;

    if (size == KP_TOTAL_UNKNOWN || slab == KP_TOTAL_UNKNOWN || regions == KP_TOTAL_UNKNOWN ||
        slabs == KP_TOTAL_UNKNOWN || !slabs)
        return;
    bin = kp_heap_arena(heap, KP_ARENA_JEMALLOC_BIN);
    if (!bin)
        return;
    bin->unit = size;
    bin->size = bin->resident = slabs * slab;
    bin->in_use = regions * size;
    bin->free = bin->size > bin->in_use ? bin->size - bin->in_use : 0;
}

static unsigned count_of(const char *name)
{
    unsigned count = 0;
    size_t bytes = sizeof count;

    return kp_malloc_calls()->mallctl(name, &count, &bytes, NULL, 0) == 0 ? count : 0;
}

bool kp_snapshot_jemalloc(struct kp_heap *heap)
{
    uint64_t epoch = 1;
    unsigned before = heap->arena_count;

    kp_malloc_calls()->mallctl("epoch", NULL, NULL, &epoch, sizeof epoch);
    unsigned arenas = count_of("arenas.narenas"), bins = count_of("arenas.nbins");
    for (unsigned i = 0; i < arenas && i < ARENAS_MAX; i++)
        add_arena(heap, i);
    for (unsigned i = 0; i < bins && i < BINS_MAX; i++)
        add_bin(heap, i);
    return heap->arena_count != before;
}
