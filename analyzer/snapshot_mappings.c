/* SPDX-License-Identifier: MIT */
/*
 * Whose the mappings of a snapshot are: a sampled mapping is that of the site that made it, and an
 * anonymous one in which blocks of malloc lie is the allocator's. One thread.
 */
#include "snapshot_cells.h"
#include "site_table.h"

/* Mappings come in order of address. */
static struct kp_snapshot_mapping *other_at(struct kp_snapshot *snapshot, size_t first,
                                            uint64_t address)
{
    size_t low = first, high = snapshot->mapping_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (snapshot->mappings[middle].said.end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low < snapshot->mapping_count && snapshot->mappings[low].said.start <= address &&
                   snapshot->mappings[low].said.kind == KP_MAPPING_OTHER
               ? &snapshot->mappings[low]
               : NULL;
}

/* What holds blocks of malloc and is in no arena that we know is of the allocator all the same. */
static void name_blocks(struct kp_snapshot *snapshot, const struct kp_live_set *live)
{
    size_t first = 0;

    while (first < snapshot->mapping_count &&
           snapshot->mappings[first].said.kind == KP_MAPPING_RANGE)
        first++;
    for (uint32_t at = 0; live->places && at <= live->mask && first < snapshot->mapping_count;
         at++) {
        const struct kp_live_sample *sample =
            live->places[at].sample ? kp_live_set_at(live, live->places[at].sample) : NULL;
        struct kp_snapshot_mapping *mapping =
            sample && kp_snapshot_is_block(sample->site->kind)
                ? other_at(snapshot, first, sample->address)
                : NULL;

        if (mapping)
            mapping->said.kind = KP_MAPPING_BLOCKS;
    }
}

static void name_ranges(struct kp_snapshot *snapshot, const struct kp_live_set *live)
{
    for (uint32_t at = 0; live->places && at <= live->mask; at++) {
        const struct kp_live_sample *sample =
            live->places[at].sample ? kp_live_set_at(live, live->places[at].sample) : NULL;

        if (!sample || kp_snapshot_is_block(sample->site->kind))
            continue;
        for (size_t i = 0; i < snapshot->mapping_count; i++) {
            struct kp_snapshot_mapping *mapping = &snapshot->mappings[i];

            if (mapping->said.kind == KP_MAPPING_RANGE && mapping->said.start >= sample->address &&
                mapping->said.start < sample->address + sample->size)
                mapping->site = sample->site;
        }
    }
}

void kp_snapshot_name_mappings(struct kp_snapshot *snapshot, const struct kp_live_set *live)
{
    name_ranges(snapshot, live);
    name_blocks(snapshot, live);
}
