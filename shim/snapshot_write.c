/* SPDX-License-Identifier: MIT */
/*
 * Records of a snapshot, one behind another in the chunks of one slot. That it is there is told in
 * a definition afterwards: the reader takes definitions first, so that it can bring all slots to
 * the moment of the snapshot before it looks at what is live. Host's threads, with the guard set.
 */
#include "snapshot_write.h"

#include "clock.h"
#include "spool.h"
#include "sys.h"

#include <string.h>

#define CELLS_AT_ONCE 4000u
#define OWN_WHOLE_BYTES (256ull << 20) /* of our own memory: each page is looked for */
#define OWN_DRAWN_BYTES (32ull << 20)  /* of more */

/* Room for a record of any size. */
static void *reserve(struct kp_slot *slot, uint32_t bytes)
{
    return kp_spool_make_room(slot, bytes) ? kp_spool_reserve(slot, bytes) : NULL;
}

static bool write_words(struct kp_slot *slot, const void *record, uint32_t bytes)
{
    void *place = reserve(slot, bytes);

    if (!place)
        return false;
    memcpy(place, record, bytes);
    kp_spool_publish(slot, bytes);
    return true;
}

static bool write_arenas(struct kp_slot *slot, uint64_t number, struct kp_heap *heap)
{
    for (uint32_t i = 0; i < heap->arena_count; i++) {
        heap->arenas[i].type_number = KP_REC_ARENA | number << 8;
        if (!write_words(slot, &heap->arenas[i], sizeof heap->arenas[i]))
            return false;
    }
    return true;
}

static uint32_t packed(const struct kp_heap_cell *cell)
{
    return (cell->used & 0xffffffu) | (uint32_t)__builtin_popcount(cell->resident) << 24;
}

static bool write_cells(struct kp_slot *slot, uint64_t number, const struct kp_heap *heap,
                        const struct kp_heap_span *span, uint32_t first, uint32_t count)
{
    uint32_t bytes = (uint32_t)sizeof(struct kp_rec_span) + ((count * 4 + 7) & ~7u);
    struct kp_rec_span *record = reserve(slot, bytes);

    if (!record)
        return false;
    uint32_t *cells = (uint32_t *)(record + 1);
    *record = (struct kp_rec_span){.type_bytes = KP_REC_SPAN | bytes << 8,
                                   .arena = span->arena,
                                   .number = number,
                                   .start = ((span->start >> heap->shift) + first) << heap->shift,
                                   .cells = count};
    for (uint32_t i = 0; i < count; i++)
        cells[i] = packed(&heap->cells[span->first_cell + first + i]);
    if (count & 1)
        cells[count] = 0;
    kp_spool_publish(slot, bytes);
    return true;
}

static bool write_seen(struct kp_slot *slot, uint64_t number, const struct kp_heap *heap,
                       const struct kp_heap_span *span, uint64_t start, uint64_t end)
{
    uint64_t base = span->start >> heap->shift;
    uint32_t first = (uint32_t)((start >> heap->shift) - base),
             last = (uint32_t)(((end - 1) >> heap->shift) - base);

    for (; first <= last; first += CELLS_AT_ONCE)
        if (!write_cells(slot, number, heap, span, first,
                         last - first < CELLS_AT_ONCE ? last - first + 1 : CELLS_AT_ONCE))
            return false;
    return true;
}

/* Stretches that are not looked at, as long as each is a neighbour of those before it. */
struct unseen {
    uint64_t start, end;
    uint32_t arena;
};

static bool write_unseen(struct kp_slot *slot, uint64_t number, const struct kp_heap *heap,
                         const struct unseen *unseen)
{
    uint64_t first = unseen->start >> heap->shift, last = (unseen->end - 1) >> heap->shift;
    struct kp_rec_span record = {.type_bytes = KP_REC_SPAN | (uint32_t)sizeof record << 8,
                                 .arena = unseen->arena,
                                 .number = number,
                                 .start = first << heap->shift,
                                 .cells = (uint32_t)(last - first + 1),
                                 .is_unseen = 1};

    return unseen->start == unseen->end || write_words(slot, &record, sizeof record);
}

static bool is_joined(struct unseen *unseen, uint32_t arena, uint64_t start, uint64_t end)
{
    if (unseen->arena != arena || (unseen->start != end && unseen->end != start))
        return false;
    if (unseen->start == end)
        unseen->start = start;
    else
        unseen->end = end;
    return true;
}

static bool write_spans(struct kp_slot *slot, uint64_t number, const struct kp_heap *heap)
{
    struct unseen unseen = {0, 0, 0};
    bool is_seen;

    for (uint32_t i = 0; i < heap->span_count; i++) {
        const struct kp_heap_span *span = &heap->spans[i];

        for (uint64_t at = span->start, next; at < span->end; at = next) {
            next = kp_heap_stretch(heap, span->arena, at, span->end, &is_seen);
            if (is_seen && !write_seen(slot, number, heap, span, at, next))
                return false;
            if (is_seen || is_joined(&unseen, span->arena, at, next))
                continue;
            if (!write_unseen(slot, number, heap, &unseen))
                return false;
            unseen = (struct unseen){at, next, span->arena};
        }
    }
    return write_unseen(slot, number, heap, &unseen);
}

/* Record and path; all but type and size of it are filled. */
static bool write_mapping(struct kp_slot *slot, const struct kp_rec_mapping *said, const char *path)
{
    uint32_t bytes = (uint32_t)sizeof *said + ((said->path_bytes + 7u) & ~7u);
    struct kp_rec_mapping *record = reserve(slot, bytes);

    if (!record)
        return false;
    memset((char *)record + bytes - 8, 0, 8);
    *record = *said;
    record->type_bytes = KP_REC_MAPPING | bytes << 8;
    memcpy(record + 1, path, said->path_bytes);
    kp_spool_publish(slot, bytes);
    return true;
}

static bool write_ranges(struct kp_slot *slot, uint64_t number, const struct kp_heap *heap)
{
    for (uint32_t i = 0; i < heap->range_count; i++) {
        const struct kp_heap_range *range = &heap->ranges[i];

        if (!write_mapping(slot,
                           &(struct kp_rec_mapping){.kind = KP_MAPPING_RANGE,
                                                    .number = number,
                                                    .start = range->start,
                                                    .end = range->end,
                                                    .rss = range->resident},
                           ""))
            return false;
    }
    return true;
}

static bool write_smaps(struct kp_slot *slot, uint64_t number, struct kp_snapshot_text *smaps)
{
    struct kp_rec_mapping mapping;
    const char *path;

    while (kp_snapshot_smaps_next(smaps, &mapping, &path)) {
        mapping.number = number;
        if (!write_mapping(slot, &mapping, path))
            return false;
    }
    return true;
}

/* What is ours, for the collector, which reads smaps from outside. Of the library's own file nothing
 * is said to be resident. */
static bool write_own(struct kp_slot *slot, uint64_t number, struct kp_heap *heap)
{
    struct kp_rec_mapping own = {.kind = KP_MAPPING_KPROF,
                                 .number = number,
                                 .start = kp_host.own_start,
                                 .end = kp_host.own_end,
                                 .swap = KP_TOTAL_UNKNOWN};
    uint64_t bytes = 0, start, end;

    for (uint32_t i = 0; kp_sys_own_next(&i, &start, &end);)
        bytes += end - start;
    kp_heap_draw(heap, bytes, OWN_WHOLE_BYTES, OWN_DRAWN_BYTES);
    for (uint32_t i = 0; write_mapping(slot, &own, "");) {
        if (!kp_sys_own_next(&i, &own.start, &own.end))
            return true;
        own.rss = own.anonymous = kp_heap_resident_outside(heap, own.start, own.end);
    }
    return false;
}

static void tell_taken(uint64_t number, uint64_t time_us)
{
    struct kp_rec_snapshot_taken *record;

    if (!kp_spin_lock(&kp_state.definitions_lock))
        return;
    record = kp_spool_define(sizeof *record);
    if (record) {
        *record = (struct kp_rec_snapshot_taken){KP_REC_SNAPSHOT_TAKEN | number << 8, time_us};
        kp_spool_defined(sizeof *record);
    }
    kp_spin_unlock(&kp_state.definitions_lock);
}

void kp_snapshot_write(struct kp_slot *slot, const struct kp_rec_snapshot *snapshot,
                       struct kp_heap *heap, struct kp_snapshot_text *smaps)
{
    uint64_t number = snapshot->type_number >> 8, end = KP_REC_SNAPSHOT_END | number << 8;

    if (slot && write_words(slot, snapshot, sizeof *snapshot) &&
        write_arenas(slot, number, heap) && write_spans(slot, number, heap) &&
        write_ranges(slot, number, heap) &&
        (smaps ? write_smaps(slot, number, smaps) : write_own(slot, number, heap)) &&
        write_words(slot, &end, sizeof end))
        tell_taken(number, kp_clock_us());
}
