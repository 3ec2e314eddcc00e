/* SPDX-License-Identifier: MIT */
/*
 * The processes of the program that runs, seen from outside: everything below kprof-ab, which adopts
 * orphans, but for the profiler's own collector. One thread.
 */
#ifndef KP_AB_TREE_H
#define KP_AB_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct kp_ab_tree {
    pid_t *pids;
    size_t capacity, count, most;
    int python;                /* one of them ran Python: 3.x is x + 1; 0: none did */
    uint64_t looked_ns, cost_ns; /* the last look for new processes, and what it took */
};

void kp_ab_tree_reset(struct kp_ab_tree *tree);
void kp_ab_tree_release(struct kp_ab_tree *tree);
/* Looks for processes that are new or gone. */
void kp_ab_tree_look(struct kp_ab_tree *tree, uint64_t now_ns);
/* Is it time for that? New children are found within 50 ms, in 2 % of the time. */
bool kp_ab_tree_is_due(const struct kp_ab_tree *tree, uint64_t now_ns);
/* The largest resident set that one of them has had in its present program, as far as it is known. */
double kp_ab_tree_largest(const struct kp_ab_tree *tree);
/* Resident bytes of all; pages of files are counted once. 0: nobody there. */
double kp_ab_tree_rss(const struct kp_ab_tree *tree);

#endif
