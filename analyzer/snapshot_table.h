/* SPDX-License-Identifier: MIT */
/*
 * Snapshots of the heap as they are read: records become one picture, which is held against the
 * samples that are live at that moment: what of the waste each site is to blame for.
 *
 * A snapshot speaks of all threads. That one is to come is known before any data is read (a
 * definition announces it), so that no slot is read beyond its moment before it was looked at:
 * see ingest_data.c. One thread.
 */
#ifndef KP_SNAPSHOT_TABLE_H
#define KP_SNAPSHOT_TABLE_H

#include "decode.h"
#include "live_set.h"
#include "record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KP_SNAPSHOTS_KEPT_MAX 128u /* of a process; the first and last of all go last */
#define KP_OCCUPANCY_STEPS 12u     /* empty, up to 10 %, ..., up to 100 %, full */

struct kp_snapshot_span {
    uint64_t start, end;
    uint32_t arena, first_cell; /* KP_NO_CELLS: it was not drawn to be looked at */
};
#define KP_NO_CELLS UINT32_MAX
/* Several cells are the same state of occupancy: how many, and what they have. */
struct kp_occupancy {
    uint64_t cells, resident, used;
};
struct kp_snapshot_arena {
    struct kp_rec_arena said;
    uint64_t waste; /* resident, not given out, beside something that is */
    uint64_t top_end; /* end of the highest live sample */
    struct kp_site_sums *top_site; /* that it is of; NULL: none is known */
    struct kp_occupancy occupancy[KP_OCCUPANCY_STEPS];
};
struct kp_snapshot_mapping {
    struct kp_rec_mapping said;
    char *path;
    struct kp_site_sums *site; /* RANGE: that mapped it; NULL: not known */
};

struct kp_weighed_part {
    double value, variance, largest;
};
/* What a site has to do with it. */
struct kp_snapshot_share {
    struct kp_site_sums *site;
    struct kp_weighed_part blame, pinned; /* bytes; pinned: in cells that are less than a tenth full */
    double blocks, bytes, pinned_blocks;  /* old ones */
    uint64_t samples, oldest_us, oldest_iteration;
};

struct kp_snapshot {
    struct kp_rec_snapshot said;
    uint64_t number;
    struct kp_snapshot_arena *arenas;
    struct kp_snapshot_span *spans; /* in order of start, when analysed */
    uint32_t *cells;
    struct kp_snapshot_mapping *mappings;
    struct kp_snapshot_share *shares;
    size_t arena_capacity, arena_count, span_capacity, span_count, cell_capacity, cell_count,
        mapping_capacity, mapping_count, share_capacity, share_count;
    uint64_t mappings_us; /* when they were read; 0: only RANGEs are known */
    struct kp_weighed_part live_malloc, live_object, live_mmap; /* bytes asked for */
};

/* One that was announced and not looked at yet. */
struct kp_snapshot_awaited {
    uint64_t number, time_us;
    bool is_old; /* when the last round ended */
};

/* Of a process. */
struct kp_snapshots {
    struct kp_snapshot_awaited *awaited; /* in order of number */
    size_t awaited_capacity, awaited_count;
    uint64_t last;               /* number of the last that was looked at, or given up */
    struct kp_snapshot *open;    /* being read; NULL: none */
    struct kp_snapshot **ready;  /* to be written with the next commit */
    size_t ready_capacity, ready_count;
    uint64_t newest;             /* the last one that has rows */
    uint64_t peak, peak_rss;     /* the one with the highest RSS */
    uint64_t step, stored;       /* numbers that it divides are kept; rows there are */
    bool is_thinned;
};

void kp_snapshots_release(struct kp_snapshots *snapshots);
void kp_snapshots_announce(struct kp_snapshots *snapshots, const struct kp_rec_snapshot_taken *taken);
/* No record that is later than this may be read; UINT64_MAX: any. */
uint64_t kp_snapshots_horizon(const struct kp_snapshots *snapshots);
/* The first that is awaited will not come. */
void kp_snapshots_give_up(struct kp_snapshots *snapshots);

/* A record of a snapshot, END excepted. */
void kp_snapshots_take(struct kp_snapshots *snapshots, int type, union kp_record record);
/* END: the whole, which is the caller's until it is `ready`; NULL: it is not whole. */
struct kp_snapshot *kp_snapshots_close(struct kp_snapshots *snapshots, uint64_t number);
/* It has been analysed: its rows come with the next commit. */
void kp_snapshots_ready(struct kp_snapshots *snapshots, struct kp_snapshot *snapshot);
/* They are in the database. */
void kp_snapshots_settle(struct kp_snapshots *snapshots);
/* One that the database has. */
void kp_snapshots_load(struct kp_snapshots *snapshots, uint64_t number, uint64_t rss);
bool kp_snapshots_keep(const struct kp_snapshots *snapshots, uint64_t number);

/* Cells of a span that was looked at; 0 of others. */
static inline uint64_t kp_snapshot_span_cells(const struct kp_snapshot *snapshot,
                                              const struct kp_snapshot_span *span)
{
    return span->first_cell == KP_NO_CELLS ? 0
                                           : (span->end - span->start) >> snapshot->said.page_shift;
}
/* What stands for one byte of an arena that was looked at. */
static inline double kp_snapshot_factor(const struct kp_snapshot *snapshot, uint32_t arena)
{
    uint16_t seen = snapshot->arenas[arena].said.seen;

    return seen ? (double)UINT16_MAX / seen : 1;
}
/* The span that holds the address, when they are in order; NULL: none does. */
const struct kp_snapshot_span *kp_snapshot_span_at(const struct kp_snapshot *snapshot,
                                                   uint64_t address);
/* Holds it against what is live. Process began at joined_us. */
void kp_snapshot_analyse(struct kp_snapshot *snapshot, const struct kp_live_set *live,
                         uint64_t joined_us);

#endif
