/* SPDX-License-Identifier: MIT */
/*
 * A user asks for the report while the last rows are still on their way, after a crash that took
 * the collector along, or on a disk that is full. He gets the same answer each time, if need be
 * from a copy. One thread.
 */
#include "recording.h"
#include "collect.h"
#include "terminal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define POLL_MS 20
#define WAIT_MAX_S 600 /* a collector that takes longer is stuck: report what is committed */

static void show_progress(void *progress, uint64_t done, uint64_t total, const char *phase)
{
    kp_progress_show(progress, done, total, phase);
}

/* Into a new directory below TMPDIR, so that the -wal of the copy is ours too. */
static int finish_copy(struct kp_collect_options *options, const char *database,
                       struct kp_settled *settled, struct kp_error *error)
{
    const char *place = getenv("TMPDIR");
    snprintf(settled->path, sizeof settled->path, "%.3000s/kprof-report-XXXXXX",
             place && *place ? place : "/tmp");
    if (!mkdtemp(settled->path))
        return -kp_error_set(
            error, "cannot finish the recording of %.200s, and no room for a copy in %.200s",
            database, settled->path);
    settled->is_copy = true;
    strcat(settled->path, "/copy.db");
    options->database_path = database;
    int status = kp_collect_to_copy(options, settled->path, error);
    return status == KP_COLLECT_FINISHED || status == KP_COLLECT_UNFINISHED ? 0 : -1;
}

/* What to do next: 0 read it, 1 look again, -1 failed. */
static int collect(const char *database, const char *spool, struct kp_progress *progress,
                   struct kp_settled *settled, struct kp_error *error)
{
    struct kp_collect_options options = {.spool_path = spool,
                                         .database_path = database,
                                         .progress = show_progress,
                                         .progress_context = progress};
    switch (kp_collect_run(&options, error)) {
    case KP_COLLECT_FINISHED:
    case KP_COLLECT_UNFINISHED: return 0;
    case KP_COLLECT_BUSY: return 1;
    default: break;
    }
    struct kp_error copy_error = {""};
    if (finish_copy(&options, database, settled, &copy_error) == 0)
        return 0;
    return -1; /* why it could not be finished in place tells more than why the copy failed */
}

static int settle(const char *database, bool no_wait, struct kp_progress *progress,
                  struct kp_settled *settled, struct kp_error *error)
{
    struct kp_recording recording = {.state = KP_RECORDING_NO_SPOOL};
    for (int waited_ms = 0;; waited_ms += POLL_MS) {
        int next = 0;
        switch (kp_recording_probe(database, &recording)) {
        case KP_RECORDING_DAMAGED: return -kp_error_set(error, "%s", recording.problem.text);
        case KP_RECORDING_LEFT_LIVE:
        case KP_RECORDING_LEFT_ENDED:
            next = no_wait ? 0 : collect(database, recording.spool_path, progress, settled, error);
            break;
        case KP_RECORDING_COLLECTED_ENDED: next = !no_wait; break;
        default: break;
        }
        if (next <= 0 || waited_ms > WAIT_MAX_S * 1000)
            return next < 0 ? -1 : 0;
        kp_progress_show(progress, 0, 0, "waiting for the collector to finish");
        nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
    }
}

int kp_recording_settle(const char *database, bool no_wait, struct kp_settled *settled,
                        struct kp_error *error)
{
    struct kp_progress progress;
    *settled = (struct kp_settled){.is_copy = false};
    kp_progress_start(&progress);
    int result = settle(database, no_wait, &progress, settled, error);
    kp_progress_end(&progress);
    if (!settled->is_copy && (size_t)snprintf(settled->path, sizeof settled->path, "%s",
                                              database) >= sizeof settled->path)
        return -kp_error_set(error, "the name of the database is too long");
    return result;
}

void kp_settled_release(struct kp_settled *settled)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    if (!settled->is_copy)
        return;
    for (unsigned i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char name[sizeof settled->path + 16];
        snprintf(name, sizeof name, "%s%s", settled->path, suffixes[i]);
        unlink(name);
    }
    *strrchr(settled->path, '/') = '\0';
    rmdir(settled->path);
    settled->is_copy = false;
}
