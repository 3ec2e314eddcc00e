/* SPDX-License-Identifier: MIT */
/*
 * How far off what windows say of an arena may be. Each window of 256 KiB has a sum of what is resident
 * and not given out; their sums have a variance, and what was drawn stands for the whole by a factor.
 * Windows are spread evenly, so that this is more than the truth where neighbours are alike. One thread.
 */
#include "snapshot_doubt.h"

#include <math.h>

#define WINDOW_SHIFT 18
#define NORMAL_95 1.96

/* Sums over the windows of one arena. */
struct windows {
    uint64_t number; /* of the one that is being summed */
    double free, sum, squares, count;
};

static void end_window(struct windows *windows)
{
    windows->sum += windows->free;
    windows->squares += windows->free * windows->free;
    windows->count += windows->number != 0;
    windows->free = 0;
}

static void add_span(const struct kp_snapshot *snapshot, const struct kp_snapshot_span *span,
                     struct windows *windows)
{
    unsigned shift = snapshot->said.page_shift;
    uint64_t cells = kp_snapshot_span_cells(snapshot, span);

    for (uint64_t i = 0; i < cells; i++) {
        uint32_t cell = snapshot->cells[span->first_cell + i];
        uint64_t number = (span->start + (i << shift)) >> WINDOW_SHIFT;
        double free = (double)KP_CELL_PAGES(cell) * 4096.0 - KP_CELL_USED(cell);

        if (number != windows->number)
            end_window(windows);
        windows->number = number;
        windows->free += fmax(0, free);
    }
}

double kp_snapshot_doubt(const struct kp_snapshot *snapshot, uint32_t arena)
{
    double factor = kp_snapshot_factor(snapshot, arena);
    struct windows windows = {0};

    if (!(snapshot->arenas[arena].said.is_partial & KP_ARENA_DRAWN))
        return 0;
    for (size_t i = 0; i < snapshot->span_count; i++)
        if (snapshot->spans[i].arena == arena)
            add_span(snapshot, &snapshot->spans[i], &windows);
    end_window(&windows);
    if (windows.count < 2)
        return 0;
    double variance = (windows.squares - windows.sum * windows.sum / windows.count) /
                      (windows.count - 1);
    return NORMAL_95 * factor * sqrt(fmax(0, variance * windows.count * (1 - 1 / factor)));
}
