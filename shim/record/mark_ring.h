/* SPDX-License-Identifier: MIT */
/*
 * The ring through which libkprof-marks.so tells kprof-ab of iterations while the program runs: one
 * file of fixed size, mapped MAP_SHARED by every process of the tree. Writers claim an entry by
 * counting `head` up and publish it by its sequence number; the reader comes by every few
 * milliseconds, and what was overwritten before that is counted, not known. Depends on nothing.
 */
#ifndef KP_MARK_RING_H
#define KP_MARK_RING_H

#include <stdatomic.h>
#include <stdint.h>

#define KP_MARKS_VARIABLE "KPROF_MARKS" /* path of the ring */
#define KP_MARK_RING_MAGIC 0x6b726d6670726b01ULL
#define KP_MARK_RING_ENTRIES 4096u
#define KP_MARK_NAME_BYTES 56

enum kp_mark_flag {
    KP_MARK_FAILED = 1,  /* the job did not succeed */
    KP_MARK_GUESSED = 2, /* its begin is the start of its thread: the first mark of that */
};

struct kp_mark_entry {
    _Atomic uint64_t sequence;  /* 1 + its number when it is whole */
    uint64_t begin_ns, end_ns;  /* CLOCK_BOOTTIME */
    uint32_t pid, tid;
    uint32_t flags;             /* enum kp_mark_flag */
    char name[KP_MARK_NAME_BYTES]; /* NUL-terminated, cut */
    uint8_t reserved[4];
};
_Static_assert(sizeof(struct kp_mark_entry) == 96, "mark entry");

struct kp_mark_ring {
    uint64_t magic;
    _Atomic uint64_t head;  /* marks ever made */
    /* The thread that makes this mark rests for so long: what the allocator gives back when nothing
     * happens is read meanwhile. 0: none does. */
    uint64_t rest_at, rest_ns;
    _Atomic uint64_t rest_from_ns, rest_to_ns; /* CLOCK_BOOTTIME, 0: not yet */
    uint8_t reserved[16];
    struct kp_mark_entry entries[KP_MARK_RING_ENTRIES];
};

#endif
