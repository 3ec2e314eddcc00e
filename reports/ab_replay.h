/* SPDX-License-Identifier: MIT */
/*
 * kprof-ab replay: the calls of a recorded process, done again under each allocator and setting, and
 * with one site taken out at a time. One thread.
 */
#ifndef KP_AB_REPLAY_H
#define KP_AB_REPLAY_H

#include "ab_comparison.h"
#include "emitter.h"
#include "error.h"
#include "query_replay.h"

/* What sites have in common, as a reader sees it: one line of the program. */
struct kp_ab_place {
    char *where;
    uint64_t live, blocks; /* at the worst moment */
    int64_t stack_id;      /* of one of its sites */
    uint16_t number;       /* in the log */
    bool is_replayed;      /* without it */
    struct kp_replay_result without;
};

struct kp_ab_replay {
    const char *database;
    struct kp_query *query;
    struct kp_replay_record record;
    struct kp_ab_comparison comparison; /* configurations only */
    struct kp_replay_result *results;   /* one for each; magic 0: it failed */
    char *left_out;
    unsigned worst; /* point at which the first configuration wastes most */
    uint16_t *place_of_site;
    struct kp_ab_place *places;
    size_t place_count;
    int64_t sites_wanted;
};

/* Everything behind "kprof-ab replay"; exit status. */
int kp_ab_replay_main(int argc, char **argv);

/* The parts. */
int kp_ab_replay_places(struct kp_ab_replay *replay, struct kp_error *error);
/* When `worst` is known. */
void kp_ab_replay_order(struct kp_ab_replay *replay);
void kp_ab_replay_report(struct kp_ab_replay *replay, struct kp_emitter *out);
static inline double kp_ab_replay_waste(const struct kp_replay_point *point)
{
    return (double)point->held - (double)point->live;
}

#endif
