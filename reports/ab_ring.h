/* SPDX-License-Identifier: MIT */
/*
 * The reader's side of the ring of marks (mark_ring.h): one file for all runs, emptied between them.
 * One thread.
 */
#ifndef KP_AB_RING_H
#define KP_AB_RING_H

#include "error.h"
#include "mark_ring.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kp_ab_mark {
    uint64_t begin_ns, end_ns; /* CLOCK_BOOTTIME */
    uint64_t thread;           /* pid << 32 | tid */
    uint32_t flags;            /* enum kp_mark_flag */
    char *name;                /* NULL: none */
};

struct kp_ab_ring {
    struct kp_mark_ring *ring;
    char path[512];
    uint64_t read; /* marks that were read or are lost */
    struct kp_ab_mark *marks;
    size_t capacity, count;
    uint64_t step; /* of so many marks one is kept */
};

/* The template of a temporary name: below TMPDIR, where that is set, else below `place`. */
void kp_ab_temporary(char *out, size_t out_bytes, const char *place);

int kp_ab_ring_open(struct kp_ab_ring *ring, struct kp_error *error);
void kp_ab_ring_close(struct kp_ab_ring *ring);
/* Before a run. The thread that makes mark rest_at rests; 0: none. */
void kp_ab_ring_reset(struct kp_ab_ring *ring, uint64_t rest_at, uint64_t rest_ns);
/* Often during a run, and after it. */
void kp_ab_ring_drain(struct kp_ab_ring *ring);
/* Marks ever made in this run, known or not. */
uint64_t kp_ab_ring_made(const struct kp_ab_ring *ring);

#endif
