/* SPDX-License-Identifier: MIT */
/*
 * Book-keeping of a snapshot, see snapshot_heap.h. The memory is mapped without reserve: only what a
 * heap needs of it becomes resident (0.1 ‰ of the heap with cells of 64 KiB). mincore tells what is
 * resident for about 1 ns a page, without the text that smaps would make of it. Host's threads.
 */
#include "snapshot_heap.h"

#include "clock.h"
#include "sys.h"

#include <emmintrin.h>
#include <string.h>

#define PAGE_SHIFT 12
#define PAGE (1ull << PAGE_SHIFT)
#define GROUP_SHIFT 4 /* of pages that are looked at together; a cell of 64 KiB has as many */
#define GROUP (1ull << GROUP_SHIFT)
#define WINDOW_SHIFT 18
#define WINDOW (1ull << WINDOW_SHIFT)
#define LOOKS_LEAST 4u /* at a mapping */

struct kp_heap *kp_heap_new(unsigned shift, uint64_t end_cpu_us)
{
    struct kp_heap *heap = kp_sys_map(sizeof *heap);

    if (heap) {
        heap->shift = shift;
        heap->end_cpu_us = end_cpu_us;
        heap->chance = UINT32_MAX;
        heap->first = (uint32_t)(kp_ticks() * 0x9e3779b97f4a7c15u >> 32);
    }
    return heap;
}

void kp_heap_draw(struct kp_heap *heap, uint64_t bytes, uint64_t whole, uint64_t drawn)
{
    heap->chance = UINT32_MAX;
    if (bytes > whole && heap->end_cpu_us != UINT64_MAX)
        heap->chance = (uint32_t)((double)drawn / (double)bytes * UINT32_MAX);
}

/* Multiples of the golden ratio spread neighbours evenly, whatever the distance between them. */
static bool is_drawn(const struct kp_heap *heap, uint32_t arena, uint64_t address)
{
    return (uint32_t)(address >> WINDOW_SHIFT) * 0x9e3779b9u - heap->first <=
           heap->drawn[arena].chance;
}

uint64_t kp_heap_stretch(const struct kp_heap *heap, uint32_t arena, uint64_t start, uint64_t end,
                         bool *is_seen)
{
    uint64_t at = start;

    *is_seen = true;
    if (heap->drawn[arena].chance == UINT32_MAX)
        return end;
    *is_seen = is_drawn(heap, arena, start);
    do
        at = (at | (WINDOW - 1)) + 1;
    while (at < end && is_drawn(heap, arena, at) == *is_seen);
    return at < end ? at : end;
}

uint64_t kp_heap_time(const struct kp_heap *heap, double share)
{
    if (heap->end_cpu_us == UINT64_MAX)
        return UINT64_MAX;
    uint64_t now_us = kp_clock_cpu_us(),
             left_us = now_us < heap->end_cpu_us ? heap->end_cpu_us - now_us : 0;
    return now_us + (uint64_t)((double)left_us * share);
}

bool kp_heap_is_over(uint64_t end_cpu_us)
{
    return end_cpu_us != UINT64_MAX && kp_clock_cpu_us() >= end_cpu_us;
}

void kp_heap_free(struct kp_heap *heap)
{
    kp_sys_unmap(heap, sizeof *heap);
}

struct kp_rec_arena *kp_heap_arena(struct kp_heap *heap, enum kp_arena_kind kind)
{
    struct kp_rec_arena *arena;

    if (heap->arena_count == KP_HEAP_ARENAS_MAX) {
        heap->is_partial = true;
        return NULL;
    }
    arena = &heap->arenas[heap->arena_count];
    heap->drawn[heap->arena_count] =
        (struct kp_heap_drawn){.chance = heap->chance, .first_span = heap->span_count};
    *arena = (struct kp_rec_arena){.index = heap->arena_count++,
                                   .kind = (uint8_t)kind,
                                   .largest_free = KP_TOTAL_UNKNOWN,
                                   .top = KP_TOTAL_UNKNOWN,
                                   .resident = KP_TOTAL_UNKNOWN,
                                   .trimmable = KP_TOTAL_UNKNOWN,
                                   .large_free = KP_TOTAL_UNKNOWN};
    return arena;
}

static struct kp_heap_cell *cell_of(struct kp_heap *heap, const struct kp_heap_span *span,
                                    uint64_t address)
{
    uint64_t base = span->start >> heap->shift;

    return &heap->cells[span->first_cell + ((address >> heap->shift) - base)];
}

/* The lowest bit of each byte of a group, side by side. */
static unsigned low_bits(const unsigned char *bytes)
{
    __m128i group = _mm_loadu_si128((const __m128i *)(const void *)bytes);

    return (unsigned)_mm_movemask_epi8(_mm_slli_epi16(group, 7));
}

/* `count` pages, whole groups, from this one on: their bits into the cells. */
static uint64_t take_window(struct kp_heap *heap, const struct kp_heap_span *span, uint64_t page,
                            uint64_t count)
{
    bool is_cell = heap->shift == PAGE_SHIFT + GROUP_SHIFT;
    uint64_t pages = 0;

    for (uint64_t i = 0; i < count; i += GROUP) {
        unsigned bits = low_bits(heap->window + i);

        pages += (unsigned)__builtin_popcount(bits);
        if (is_cell && bits)
            cell_of(heap, span, (page + i) << PAGE_SHIFT)->resident = bits;
        for (; !is_cell && bits; bits &= bits - 1)
            cell_of(heap, span, (page + i + (unsigned)__builtin_ctz(bits)) << PAGE_SHIFT)
                ->resident = 1;
    }
    return pages;
}

/* A bit for each page of a stretch; returns their number. Windows begin at whole groups; what they
 * have before and behind the stretch is made empty. */
static uint64_t look_for_pages(struct kp_heap *heap, const struct kp_heap_span *span,
                               uint64_t stretch_start, uint64_t stretch_end)
{
    uint64_t first = stretch_start >> PAGE_SHIFT, end = (stretch_end + PAGE - 1) >> PAGE_SHIFT;
    uint64_t pages = 0;

    for (uint64_t page = first & ~(GROUP - 1); page < end; page += sizeof heap->window) {
        uint64_t from = page > first ? page : first, skip = from - page;
        uint64_t to = end - page < sizeof heap->window ? end : page + sizeof heap->window;
        uint64_t count = (to - page + GROUP - 1) & ~(GROUP - 1);

        memset(heap->window, 0, skip);
        memset(heap->window + (to - page), 0, count - (to - page));
        if (KP_SYS3(SYS_mincore, from << PAGE_SHIFT, (to - from) << PAGE_SHIFT,
                    heap->window + skip) == 0)
            pages += take_window(heap, span, page, count);
    }
    return pages;
}

static uint64_t resident_outside(struct kp_heap *heap, uint64_t start, uint64_t end)
{
    uint64_t pages = 0;

    for (uint64_t from = start & ~(PAGE - 1); from < end; from += sizeof heap->window * PAGE) {
        uint64_t left = (end - from + PAGE - 1) >> PAGE_SHIFT;
        uint64_t count = left < sizeof heap->window ? left : sizeof heap->window;

        memset(heap->window + (count & ~(GROUP - 1)), 0, count & (GROUP - 1) ? GROUP : 0);
        if (KP_SYS3(SYS_mincore, from, count << PAGE_SHIFT, heap->window) != 0)
            continue;
        for (uint64_t i = 0; i < count; i += GROUP)
            pages += (unsigned)__builtin_popcount(low_bits(heap->window + i));
    }
    return pages << PAGE_SHIFT;
}

/* Windows at equal distances. */
uint64_t kp_heap_resident_outside(struct kp_heap *heap, uint64_t start, uint64_t end)
{
    uint64_t looks = ((end - start) >> WINDOW_SHIFT) * heap->chance >> 32;
    uint64_t step = (end - start) / (looks < LOOKS_LEAST ? LOOKS_LEAST : looks) & ~(PAGE - 1);
    uint64_t resident = 0, seen = 0;

    if (heap->chance == UINT32_MAX || step <= WINDOW)
        return resident_outside(heap, start, end);
    for (uint64_t at = start + (heap->first % step & ~(PAGE - 1)); at < end; at += step) {
        uint64_t to = end - at < WINDOW ? end : at + WINDOW;

        resident += resident_outside(heap, at, to);
        seen += to - at;
    }
    return seen ? (uint64_t)((double)resident / (double)seen * (double)(end - start)) : 0;
}

/* Adds or takes bytes in all cells of a stretch that is looked at. */
static void count_seen(struct kp_heap *heap, const struct kp_heap_span *span, uint64_t start,
                       uint64_t bytes, bool is_used)
{
    uint64_t cell_bytes = 1ull << heap->shift;

    while (bytes) {
        uint64_t rest = cell_bytes - (start & (cell_bytes - 1));
        uint32_t part = (uint32_t)(bytes < rest ? bytes : rest);
        struct kp_heap_cell *cell = cell_of(heap, span, start);

        if (is_used)
            cell->used += part;
        else
            cell->used -= part < cell->used ? part : cell->used;
        start += part;
        bytes -= part;
    }
}

static void count_used(struct kp_heap *heap, const struct kp_heap_span *span, uint64_t start,
                       uint64_t end, bool is_used)
{
    bool is_seen;

    for (uint64_t at = start, next; at < end; at = next) {
        next = kp_heap_stretch(heap, span->arena, at, end, &is_seen);
        if (is_seen)
            count_seen(heap, span, at, next - at, is_used);
    }
}

/* Counts what is resident; its arena has the sum. */
static void look_at_span(struct kp_heap *heap, struct kp_rec_arena *arena,
                         const struct kp_heap_span *span)
{
    struct kp_heap_drawn *drawn = &heap->drawn[arena->index];
    bool is_seen;

    if (arena->resident == KP_TOTAL_UNKNOWN)
        arena->resident = 0;
    drawn->all += span->end - span->start;
    for (uint64_t at = span->start, next; at < span->end; at = next) {
        next = kp_heap_stretch(heap, span->arena, at, span->end, &is_seen);
        if (!is_seen)
            continue;
        arena->resident += look_for_pages(heap, span, at, next) << PAGE_SHIFT;
        drawn->seen += next - at;
    }
}

uint32_t kp_heap_span(struct kp_heap *heap, struct kp_rec_arena *arena, uint64_t start, uint64_t end)
{
    uint64_t cells = ((end - 1) >> heap->shift) - (start >> heap->shift) + 1;
    struct kp_heap_span *span;

    if (end <= start || heap->span_count == KP_HEAP_SPANS_MAX ||
        cells > KP_HEAP_CELLS_MAX - heap->cell_count) {
        heap->is_partial = true;
        return KP_HEAP_NO_SPAN;
    }
    span = &heap->spans[heap->span_count];
    *span = (struct kp_heap_span){start, end, arena->index, heap->cell_count, (uint32_t)cells};
    heap->cell_count += (uint32_t)cells;
    count_used(heap, span, start, end, true);
    look_at_span(heap, arena, span);
    return heap->span_count++;
}

double kp_heap_factor(const struct kp_heap *heap, const struct kp_rec_arena *arena)
{
    const struct kp_heap_drawn *drawn = &heap->drawn[arena->index];

    return drawn->seen ? (double)drawn->all / (double)drawn->seen : 1;
}

static void multiply(uint64_t *figure, double factor)
{
    if (*figure != KP_TOTAL_UNKNOWN)
        *figure = (uint64_t)((double)*figure * factor);
}

/* An arena of which no window was drawn is a small one: it counts as resident. */
void kp_heap_complete(struct kp_heap *heap, struct kp_rec_arena *arena)
{
    const struct kp_heap_drawn *drawn = &heap->drawn[arena->index];
    double factor = kp_heap_factor(heap, arena);

    if (drawn->seen == drawn->all)
        return;
    if (!drawn->seen)
        arena->resident = drawn->all;
    multiply(&arena->resident, factor);
    multiply(&arena->trimmable, factor);
    multiply(&arena->large_free, factor);
    arena->seen = (uint16_t)(UINT16_MAX / factor);
    arena->is_partial |= KP_ARENA_DRAWN;
}

uint32_t kp_heap_find(const struct kp_heap *heap, uint32_t arena, uint64_t address, uint32_t last)
{
    if (last < heap->span_count && address >= heap->spans[last].start &&
        address < heap->spans[last].end)
        return last;
    for (uint32_t i = heap->drawn[arena].first_span;
         i < heap->span_count && heap->spans[i].arena == arena; i++)
        if (address >= heap->spans[i].start && address < heap->spans[i].end)
            return i;
    return KP_HEAP_NO_SPAN;
}

static uint64_t end_within(const struct kp_heap_span *span, uint64_t start, uint64_t bytes)
{
    return bytes > span->end - start ? span->end : start + bytes;
}

void kp_heap_is_free(struct kp_heap *heap, uint32_t which, uint64_t start, uint64_t bytes)
{
    const struct kp_heap_span *span = &heap->spans[which];

    count_used(heap, span, start, end_within(span, start, bytes), false);
}

uint64_t kp_heap_resident(struct kp_heap *heap, uint32_t which, uint64_t start, uint64_t bytes)
{
    const struct kp_heap_span *span = &heap->spans[which];
    uint64_t page = (start + PAGE - 1) >> PAGE_SHIFT;
    uint64_t end = end_within(span, start, bytes) >> PAGE_SHIFT, pages = 0, next;
    unsigned in_cell = 1u << (heap->shift - PAGE_SHIFT);

    for (; page < end; page = next) {
        unsigned first = page & (in_cell - 1);

        next = page - first + in_cell < end ? page - first + in_cell : end;
        pages += (unsigned)__builtin_popcount(cell_of(heap, span, page << PAGE_SHIFT)->resident >>
                                              first & ((1u << (next - page)) - 1));
    }
    return pages << PAGE_SHIFT;
}
