/* SPDX-License-Identifier: MIT */
/*
 * See outside.h. Sums over the mappings are what smaps_rollup would say, for about the same time of
 * the kernel's: it looks at each page of the process either way. One thread.
 */
#include "outside.h"

#include "alloc.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOM_BYTES (64u << 10)

/* The whole text; NULL: it cannot be had. The kernel gives a page or so at a time. */
static char *read_text(uint32_t pid, size_t *bytes)
{
    size_t capacity = ROOM_BYTES, used = 0;
    char path[64], *text = kp_alloc(capacity);
    ssize_t got = -1;

    snprintf(path, sizeof path, "/proc/%u/smaps", pid);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    while (file >= 0 && (got = read(file, text + used, capacity - used - 1)) > 0) {
        used += (size_t)got;
        text = kp_array_grow(text, &capacity, used + ROOM_BYTES, 1);
    }
    if (file >= 0)
        close(file);
    text[used] = '\0';
    *bytes = used;
    if (got == 0 && used)
        return text;
    free(text);
    return NULL;
}

static void forget(struct kp_outside *outside)
{
    while (outside->count)
        free(outside->all[--outside->count].path);
}

static void add(struct kp_outside *outside, const struct kp_smaps_mapping *said)
{
    outside->all = kp_array_grow(outside->all, &outside->capacity, outside->count + 1,
                                 sizeof *outside->all);
    struct kp_outside_mapping *mapping = &outside->all[outside->count++];
    *mapping = (struct kp_outside_mapping){*said, kp_copy_text(said->path, said->path_bytes)};
    mapping->said.path = mapping->path;
}

bool kp_outside_read(struct kp_outside *outside, uint32_t outer_pid, struct kp_reading *reading)
{
    struct kp_smaps smaps = {0};
    struct kp_smaps_mapping said;
    char *text = read_text(outer_pid, &smaps.bytes);

    if (!text)
        return false;
    smaps.text = text;
    forget(outside);
    outside->time_us = reading->time_us;
    reading->has_detail = true;
    reading->rss = 0;
    while (kp_smaps_next(&smaps, &said)) {
        reading->rss += said.rss;
        reading->pss += said.pss;
        reading->private_bytes += said.private_bytes;
        reading->anonymous += said.anonymous;
        reading->swap += said.swap;
        if (said.rss + said.swap)
            add(outside, &said);
    }
    free(text);
    return true;
}

void kp_outside_release(struct kp_outside *outside)
{
    forget(outside);
    free(outside->all);
    *outside = (struct kp_outside){0};
}

/* ---- into a snapshot ---- */

static bool is_own_range(const struct kp_snapshot_mapping *mapping)
{
    return mapping->said.kind == KP_MAPPING_KPROF && mapping->said.swap == KP_TOTAL_UNKNOWN;
}

static bool is_own(const struct kp_snapshot_mapping *ranges, size_t count, uint64_t address)
{
    for (size_t i = 0; i < count; i++)
        if (is_own_range(&ranges[i]) && ranges[i].said.start <= address &&
            address < ranges[i].said.end)
            return true;
    return false;
}

static bool is_in_heap(const struct kp_snapshot *snapshot, const struct kp_smaps_mapping *mapping)
{
    for (size_t i = 0; i < snapshot->span_count; i++)
        if (snapshot->spans[i].start < mapping->end && snapshot->spans[i].end > mapping->start)
            return true;
    return false;
}

static void give(struct kp_snapshot *snapshot, const struct kp_outside_mapping *mapping,
                 enum kp_mapping_kind kind)
{
    const struct kp_smaps_mapping *said = &mapping->said;

    snapshot->mappings = kp_array_grow(snapshot->mappings, &snapshot->mapping_capacity,
                                       snapshot->mapping_count + 1, sizeof *snapshot->mappings);
    snapshot->mappings[snapshot->mapping_count++] =
        (struct kp_snapshot_mapping){.said = {.kind = (uint16_t)kind,
                                              .number = snapshot->number,
                                              .start = said->start,
                                              .end = said->end,
                                              .rss = said->rss,
                                              .anonymous = said->anonymous,
                                              .swap = said->swap},
                                     .path = kp_copy_text(mapping->path, said->path_bytes)};
}

/* Our own memory in the ranges that the shim told, or in the mappings; `first` of them is told. */
static uint64_t own_bytes(struct kp_snapshot *snapshot, bool in_ranges,
                          struct kp_snapshot_mapping **first)
{
    uint64_t bytes = 0;

    for (size_t i = snapshot->mapping_count; i-- > 0;) {
        struct kp_snapshot_mapping *mapping = &snapshot->mappings[i];

        if (mapping->said.kind != KP_MAPPING_KPROF || is_own_range(mapping) != in_ranges)
            continue;
        bytes += mapping->said.anonymous;
        *first = mapping;
    }
    return bytes;
}

/* It grows with what is recorded, also after the mappings were read: the first one gets the rest. */
static void add_own_growth(struct kp_snapshot *snapshot)
{
    struct kp_snapshot_mapping *first = NULL;
    uint64_t now = own_bytes(snapshot, true, &first), then = own_bytes(snapshot, false, &first);

    if (now <= then)
        return;
    if (is_own_range(first))
        first->said.rss = first->said.anonymous = first->said.swap = 0;
    first->said.rss += now - then;
    first->said.anonymous += now - then;
}

static void drop_own_ranges(struct kp_snapshot *snapshot)
{
    size_t kept = 0;

    for (size_t i = 0; i < snapshot->mapping_count; i++) {
        if (is_own_range(&snapshot->mappings[i]))
            free(snapshot->mappings[i].path);
        else
            snapshot->mappings[kept++] = snapshot->mappings[i];
    }
    snapshot->mapping_count = kept;
}

static bool has_mappings(const struct kp_snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->mapping_count; i++)
        if (snapshot->mappings[i].said.kind != KP_MAPPING_RANGE &&
            !is_own_range(&snapshot->mappings[i]))
            return true;
    return false;
}

void kp_outside_give(const struct kp_outside *outside, struct kp_snapshot *snapshot)
{
    size_t before = snapshot->mapping_count;

    if (has_mappings(snapshot)) {
        snapshot->mappings_us = snapshot->said.time_us;
    } else if (outside->count) {
        snapshot->mappings_us = outside->time_us;
        for (size_t i = 0; i < outside->count; i++) {
            const struct kp_smaps_mapping *said = &outside->all[i].said;

            give(snapshot, &outside->all[i],
                 kp_smaps_kind(said, is_own(snapshot->mappings, before, said->start),
                               is_in_heap(snapshot, said)));
        }
    }
    add_own_growth(snapshot);
    drop_own_ranges(snapshot);
}
