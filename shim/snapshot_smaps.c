/* SPDX-License-Identifier: MIT */
/*
 * RSS and mappings from /proc/self. Host's threads. smaps is read in one go and looked at when it is
 * written down; what the kernel has merged into one mapping is one here too, so that sampled
 * mappings are looked at one by one as well.
 */
#include "snapshot_smaps.h"

#include "ranges.h"
#include "smaps.h"
#include "state.h"
#include "sys.h"

#define TEXT_BYTES (8u << 20)
#define PAGE_BYTES 4096u
#define PATH_BYTES_MAX 512u
#define WHOLE_BYTES (128ull << 20) /* of sampled mappings: each page is looked for */
#define DRAWN_BYTES (32ull << 20)  /* of more */

struct kp_snapshot_text {
    const struct kp_heap *heap;
    struct kp_smaps smaps;
    char text[TEXT_BYTES];
};

static uint64_t number(const char **at)
{
    uint64_t value = 0;

    while (**at == ' ')
        (*at)++;
    for (; **at >= '0' && **at <= '9'; (*at)++)
        value = value * 10 + (uint64_t)(**at - '0');
    return value;
}

void kp_snapshot_read_rss(struct kp_snapshot_rss *rss)
{
    char text[128];
    const char *at = text;
    long bytes = kp_sys_read_file("/proc/self/statm", text, sizeof text - 1);

    text[bytes > 0 ? bytes : 0] = 0;
    number(&at);
    rss->all = number(&at) * PAGE_BYTES;
    rss->file = number(&at) * PAGE_BYTES;
}

void kp_snapshot_ranges(struct kp_heap *heap)
{
    const struct kp_range *range;
    uint64_t bytes = 0, cookie;

    if (!kp_ranges_lock(&cookie))
        return;
    for (size_t i = 0; (range = kp_ranges_at(i)); i++)
        bytes += range->is_arena ? 0 : range->end - range->start;
    kp_heap_draw(heap, bytes, WHOLE_BYTES, DRAWN_BYTES);
    for (size_t i = 0; heap->range_count < KP_HEAP_RANGES_MAX && (range = kp_ranges_at(i)); i++)
        if (!range->is_arena)
            heap->ranges[heap->range_count++] =
                (struct kp_heap_range){range->start, range->end,
                                       kp_heap_resident_outside(heap, range->start, range->end)};
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
    text->smaps = (struct kp_smaps){text->text, bytes > 0 ? (size_t)bytes : 0, 0, 0, 0};
}

static bool is_in_heap(const struct kp_heap *heap, const struct kp_smaps_mapping *mapping)
{
    for (uint32_t i = 0; i < heap->span_count; i++)
        if (heap->spans[i].start < mapping->end && heap->spans[i].end > mapping->start)
            return true;
    return false;
}

static bool is_own(const struct kp_smaps_mapping *mapping)
{
    return (kp_sys_is_own(mapping->start) && !mapping->has_file) ||
           (mapping->start >= kp_host.own_start && mapping->start < kp_host.own_end);
}

bool kp_snapshot_smaps_next(struct kp_snapshot_text *text, struct kp_rec_mapping *record,
                            const char **path)
{
    struct kp_smaps_mapping mapping;

    do {
        if (!kp_smaps_next(&text->smaps, &mapping))
            return false;
    } while (mapping.rss + mapping.swap == 0);
    *record = (struct kp_rec_mapping){
        .kind = kp_smaps_kind(&mapping, is_own(&mapping), is_in_heap(text->heap, &mapping)),
        .path_bytes =
            (uint16_t)(mapping.path_bytes < PATH_BYTES_MAX ? mapping.path_bytes : PATH_BYTES_MAX),
        .start = mapping.start,
        .end = mapping.end,
        .rss = mapping.rss,
        .anonymous = mapping.anonymous,
        .swap = mapping.swap};
    *path = mapping.path;
    return true;
}
