/* SPDX-License-Identifier: MIT */
/*
 * From the spool to the database: what kprof-collect does while the program runs, and what
 * kprof-report does with a spool that was left behind. It is the same code, so that it does not
 * matter who does it. It takes an exclusive flock() on the spool for as long as it works, runs on
 * the calling thread, and prints nothing.
 */
#ifndef KP_COLLECT_H
#define KP_COLLECT_H

#include "error.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

enum kp_collect_status {
    KP_COLLECT_FINISHED = 0,   /* everything is in the database, the spool is gone */
    KP_COLLECT_FAILED = 1,     /* see the error; what was committed stays, the spool stays */
    KP_COLLECT_BUSY = 2,       /* another collector holds the lock; nothing was done */
    KP_COLLECT_UNFINISHED = 3, /* what was there is committed; processes run, or we were stopped */
};

/* `phase` is "reading samples" (in bytes) or "resolving symbols" (in locations). */
typedef void kp_collect_progress(void *context, uint64_t done, uint64_t total, const char *phase);

struct kp_collect_options {
    const char *spool_path;
    const char *database_path;  /* NULL: the one that the spool's header names */
    bool follow;                /* true: until every process has ended; false: what is there now */
    const volatile sig_atomic_t *stop; /* may be NULL; != 0: commit, leave the spool, return */
    kp_collect_progress *progress;     /* may be NULL */
    void *progress_context;
    uint64_t batch_bytes; /* 0: as is best; records read between commits, for tests */
};

/* Returns enum kp_collect_status. */
int kp_collect_run(const struct kp_collect_options *options, struct kp_error *error);

/* The same for a recording that cannot be finished where it is (read-only, full disk): makes
 * `copy_path`, a new database with everything that `database_path` (may not exist) and the spool
 * hold, and leaves those two as they are. `options->database_path` must be set. The copy is
 * complete when FINISHED is returned, a snapshot when UNFINISHED is. The caller deletes it. */
int kp_collect_to_copy(const struct kp_collect_options *options, const char *copy_path,
                       struct kp_error *error);

enum kp_recording_state {
    KP_RECORDING_NO_SPOOL,        /* only the database: complete, if session.finished says so */
    KP_RECORDING_COLLECTED_LIVE,  /* a collector is at work, processes run */
    KP_RECORDING_COLLECTED_ENDED, /* a collector is at work, all have ended: wait for it */
    KP_RECORDING_LEFT_LIVE,       /* no collector, processes run: kp_collect_run(follow = false) */
    KP_RECORDING_LEFT_ENDED,      /* no collector, all ended: kp_collect_run finishes it */
    KP_RECORDING_DAMAGED,         /* there is a spool that cannot be read: see problem */
};

struct kp_recording {
    enum kp_recording_state state;
    char spool_path[4096];
    uint32_t processes_alive; /* of those that have joined */
    uint32_t processes;       /* that have joined this spool */
    uint64_t session;         /* the spool's, 0: no spool */
    struct kp_error problem;
};

/* Looks at the recording of which `database_path` is or will be the database. Changes nothing. */
enum kp_recording_state kp_recording_probe(const char *database_path,
                                           struct kp_recording *recording);

#endif
