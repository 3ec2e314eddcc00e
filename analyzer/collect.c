/* SPDX-License-Identifier: MIT */
/*
 * The loop of a collector, see collect.h: look at the processes, read what they have published,
 * commit, give room back; when all have ended and nobody can join any more, name the symbols and
 * leave one file. Being killed anywhere in here loses nothing: the next collector goes on.
 */
#include "collect.h"

#include "exit_watch.h"
#include "ingest.h"
#include "recording_alive.h"
#include "symbolise.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define COMMIT_US 300000u       /* between commits while samples come in */
#define QUIET_COMMIT_US 1000000u /* while only /proc is read */
#define WATCH_US 100000u
#define WATCH_SHARE 200 /* at most 1/200 of the time goes into looking at processes */
#define NAP_CROWDED_US 1000u
#define NAP_MIN_US 20000u
#define NAP_MAX_US 200000u
#define JOIN_GRACE_US 2000000u /* for a process that is in the middle of joining */
#define SPAWN_GRACE_US 50000u   /* for a child whose parent has ended right after it was spawned */
#define HANDOVER_GRACE_US 500000u
#define SYMBOLS_SLICE_MS 50
#define ENDED_BATCHES 4 /* nobody waits for room: fewer, larger transactions */
#define LOCK_PATIENCE_MS 300

struct collector {
    const struct kp_collect_options *options;
    struct kp_error *error;
    struct kp_spool spool;
    struct kp_store store;
    struct kp_ingest ingest;
    struct kp_symboliser symboliser;
    struct kp_exit_watch exits;
    bool has_committed; /* since we opened the database */
    uint64_t watch_due_us, committed_us, drained_us, nap_us, read_bytes;
    uint64_t batch_limit;
    uint32_t turns;
};

static uint64_t clock_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static void nap(uint64_t us)
{
    struct timespec t = {(time_t)(us / 1000000u), (long)(us % 1000000u) * 1000};

    nanosleep(&t, NULL);
}

static bool is_stopped(const struct collector *c)
{
    return c->options->stop && *c->options->stop;
}

static void tell_progress(const struct collector *c, uint64_t done, uint64_t total,
                          const char *phase)
{
    if (c->options->progress)
        c->options->progress(c->options->progress_context, done, total, phase);
}

static void watch(struct collector *c)
{
    uint64_t began = clock_us(), detail_us = c->ingest.detail_us;
    bool is_due = began >= c->watch_due_us;

    kp_ingest_watch(&c->ingest, is_due);
    if (!is_due)
        return;
    detail_us = c->ingest.detail_us - detail_us;
    uint64_t pause = (clock_us() - began - detail_us) * WATCH_SHARE;
    c->watch_due_us = began + (pause > WATCH_US ? pause : WATCH_US);
}

static bool is_any_alive(const struct collector *c)
{
    for (uint32_t i = 0; i < c->ingest.process_count; i++)
        if (!c->ingest.processes[i]->watched.dead)
            return true;
    return false;
}

/* Room that free chunks hold on a full disk is worth more to the database. Waits until the commit
 * succeeds or no process runs any more. */
static int outlast_full_disk(struct collector *c)
{
    int status = KP_STORE_FULL;

    while (status == KP_STORE_FULL && c->options->follow && !is_stopped(c)) {
        kp_spool_punch_free(&c->spool);
        kp_store_shrink(&c->store);
        nap(1000000);
        kp_ingest_watch(&c->ingest, true);
        c->error->text[0] = 0;
        status = kp_ingest_flush(&c->ingest, c->error);
        if (!is_any_alive(c))
            break;
    }
    return status;
}

static int commit(struct collector *c)
{
    int status = kp_ingest_flush(&c->ingest, c->error);

    if (status == KP_STORE_FULL)
        status = outlast_full_disk(c);
    if (status == KP_STORE_OK) {
        c->error->text[0] = 0;
        c->has_committed = true;
        c->committed_us = clock_us();
    }
    return status;
}

static bool is_commit_due(const struct collector *c)
{
    const struct kp_ingest *ingest = &c->ingest;
    uint64_t since = clock_us() - c->committed_us;
    bool is_crowded = ingest->chunks_in_use * 2 > c->spool.opened.chunk_count;

    if (!ingest->is_changed)
        return false;
    return ingest->has_more || ingest->batch_bytes >= ingest->batch_limit || is_crowded ||
           !c->options->follow || !is_any_alive(c) || since >= (ingest->batch_bytes ? COMMIT_US : QUIET_COMMIT_US);
}

/* One turn: everything that is there now is read, and committed when that is due. */
static int turn(struct collector *c)
{
    watch(c);
    if (!c->options->batch_bytes)
        c->ingest.batch_limit = is_any_alive(c) ? c->batch_limit : c->batch_limit * ENDED_BATCHES;
    if (kp_ingest_round(&c->ingest, c->error))
        return KP_COLLECT_FAILED;
    kp_ingest_fault("round");
    if (is_commit_due(c) && commit(c) != KP_STORE_OK)
        return KP_COLLECT_FAILED;
    tell_progress(c, c->ingest.total_bytes,
                  c->ingest.total_bytes + kp_ingest_unread_bytes(&c->ingest), "reading samples");
    return 0;
}

static uint32_t joined(const struct collector *c)
{
    return c->spool.header->joined & ~KP_JOINED_CLOSED;
}

/* Processes that have taken a number and shown nothing yet, and forks whose child has not come. */
static bool is_somebody_joining(const struct collector *c)
{
    uint64_t shown = c->ingest.processes_seen + c->spool.header->lost_processes;

    return joined(c) > shown || c->ingest.unannounced > 0 ||
           c->spool.header->forks != c->spool.header->forks_arrived;
}

static bool root_runs(struct collector *c)
{
    struct kp_watched root = {.pid = c->spool.opened.root_pid};

    root.joined_ns = 10000000000u;
    return kp_watch_is_alive(&c->ingest.watch, &root);
}

/* All that joined is in the database. Can we make sure that nobody joins any more? */
static bool close_session(struct collector *c)
{
    uint64_t grace = c->options->follow ? JOIN_GRACE_US : JOIN_GRACE_US / 10;
    uint32_t count = c->spool.header->joined;

    if (!c->drained_us)
        c->drained_us = clock_us();
    if (is_somebody_joining(c) && clock_us() - c->drained_us < grace)
        return false;
    if (c->options->follow && clock_us() - c->drained_us < SPAWN_GRACE_US)
        return false;
    if (joined(c) == 0 && root_runs(c))
        return false;
    if (!c->spool.writable || count & KP_JOINED_CLOSED)
        return true;
    return atomic_compare_exchange_strong(&c->spool.header->joined, &count,
                                          count | KP_JOINED_CLOSED);
}

static int name_symbols(struct collector *c)
{
    uint32_t total = kp_symboliser_left(&c->symboliser), left = total;

    while (left) {
        int status = kp_symboliser_run(&c->symboliser, SYMBOLS_SLICE_MS, c->error);

        if (status != KP_STORE_OK)
            return KP_COLLECT_FAILED;
        left = kp_symboliser_left(&c->symboliser);
        tell_progress(c, total - left, total, "resolving symbols");
        if (is_stopped(c))
            return KP_COLLECT_UNFINISHED;
    }
    return 0;
}

/* The database is complete: the spool goes. */
static int drop_spool(struct collector *c)
{
    if (kp_store_finish(&c->store, c->error))
        return KP_COLLECT_FAILED;
    kp_ingest_fault("closed");
    if (!c->spool.writable)
        return KP_COLLECT_FINISHED;
    atomic_store(&c->spool.header->finished, 1);
    if (unlink(c->spool.path))
        return kp_error_set(c->error, "cannot remove %s: %s", c->spool.path, strerror(errno));
    return KP_COLLECT_FINISHED;
}

static int finish(struct collector *c)
{
    int status = name_symbols(c);

    if (status)
        return status;
    kp_store_begin(&c->store);
    kp_store_run(&c->store, KP_SQL_SESSION, "ii", (int64_t)1,
                 (int64_t)c->spool.header->lost_processes);
    kp_store_run(&c->store, KP_SQL_CURSORS_GONE, "");
    kp_ingest_fault("before finish");
    if (kp_store_commit(&c->store, c->error) != KP_STORE_OK)
        return KP_COLLECT_FAILED;
    kp_ingest_fault("finished");
    return drop_spool(c);
}

/* Process 1 of a container waits for us, and everything dies with it: if others still run, let it
 * go on; the spool then holds what they do until then. */
static bool must_hand_over(struct collector *c)
{
    if (c->spool.opened.root_pid != 1 || !c->drained_us)
        return false;
    return clock_us() - c->drained_us > HANDOVER_GRACE_US;
}

static void note_whether_root_has_gone(struct collector *c)
{
    const struct kp_recorded *root = kp_ingest_process(&c->ingest, 1);

    if (c->spool.opened.root_pid == 1 && joined(c) > 0 && (!root || root->watched.dead)) {
        if (!c->drained_us)
            c->drained_us = clock_us();
    } else if (c->ingest.process_count) {
        c->drained_us = 0;
    }
}

/* Naps are short while there is something to read and grow when there is not; then is the time for
 * symbols. */
static int rest(struct collector *c)
{
    bool is_crowded = c->ingest.chunks_in_use * 2 > c->spool.opened.chunk_count;
    bool has_read = c->ingest.total_bytes != c->read_bytes;

    c->read_bytes = c->ingest.total_bytes;
    if (c->ingest.has_more)
        return 0;
    if (is_crowded && has_read)
        c->nap_us = NAP_CROWDED_US;
    else if (has_read || c->nap_us < NAP_MIN_US)
        c->nap_us = NAP_MIN_US;
    else if (c->nap_us < NAP_MAX_US)
        c->nap_us += NAP_MIN_US;
    if (has_read || !c->options->follow || !kp_symboliser_left(&c->symboliser)) {
        nap(c->options->follow ? c->nap_us : NAP_CROWDED_US);
        return 0;
    }
    int status = kp_symboliser_run(&c->symboliser, SYMBOLS_SLICE_MS, c->error);
    if (status == KP_STORE_FULL) {
        c->error->text[0] = 0;
        nap(NAP_MAX_US);
    }
    return status == KP_STORE_FAILED ? KP_COLLECT_FAILED : 0;
}

/* Without follow: what was there is read, and somebody goes on writing. */
static bool has_enough(const struct collector *c, bool is_drained)
{
    if (c->options->follow || c->ingest.has_more)
        return false;
    if (is_drained)
        return clock_us() - c->drained_us > JOIN_GRACE_US / 2;
    return is_any_alive(c) && c->turns > 1;
}

static int leave(struct collector *c)
{
    if (c->ingest.is_changed && commit(c) != KP_STORE_OK)
        return KP_COLLECT_FAILED;
    return KP_COLLECT_UNFINISHED;
}

static int loop(struct collector *c)
{
    for (;;) {
        int status = turn(c);

        if (status)
            return status;
        c->turns++;
        note_whether_root_has_gone(c);
        bool is_drained = kp_ingest_is_drained(&c->ingest);
        if (is_drained && close_session(c))
            return finish(c);
        if (is_stopped(c) || must_hand_over(c) || has_enough(c, is_drained))
            return leave(c);
        status = rest(c);
        if (status)
            return status;
    }
}

/* A disk that is full from the start may have room later. */
static int open_store(struct collector *c, const char *path)
{
    enum kp_store_readers readers =
        c->options->follow || kp_recording_alive(&c->spool) ? KP_STORE_READ : KP_STORE_ALONE;
    int status = kp_store_open(&c->store, path, &c->spool.opened, readers, c->error);

    while (status == KP_STORE_FULL && c->options->follow && !is_stopped(c) &&
           kp_recording_alive(&c->spool)) {
        nap(1000000);
        c->error->text[0] = 0;
        status = kp_store_open(&c->store, path, &c->spool.opened, readers, c->error);
    }
    return status;
}

static int work(struct collector *c)
{
    if (kp_ingest_open(&c->ingest, &c->spool, &c->store, c->error))
        return KP_COLLECT_FAILED;
    c->ingest.exits = &c->exits;
    c->batch_limit = c->ingest.batch_limit;
    if (c->options->batch_bytes)
        c->ingest.batch_limit = c->options->batch_bytes;
    int status = KP_COLLECT_FAILED;
    if (!kp_symboliser_open(&c->symboliser, &c->store, &c->ingest.tree, c->error))
        status = loop(c);
    kp_symboliser_close(&c->symboliser);
    kp_ingest_close(&c->ingest);
    return status;
}

/* The spool is open, checked and ours. */
static int collect(struct collector *c, const char *path)
{
    uint32_t before = c->spool.header->collector_pid;
    int status = KP_COLLECT_FAILED;

    if (c->spool.writable)
        atomic_store(&c->spool.header->collector_pid, (uint32_t)getpid());
    if (open_store(c, path) == KP_STORE_OK) {
        kp_ingest_fault("opened");
        bool is_new = c->store.was_created;
        status = c->store.was_finished ? drop_spool(c) : work(c);
        kp_store_close(&c->store);
        if (status == KP_COLLECT_FAILED && is_new && !c->has_committed)
            kp_store_remove(path);
    }
    if (c->spool.writable)
        atomic_store(&c->spool.header->collector_pid, c->has_committed ? 0 : before);
    return status;
}

static int open_spool(struct collector *c, bool writable)
{
    if (kp_spool_open(&c->spool, c->options->spool_path, writable, c->error))
        return KP_COLLECT_FAILED;
    if (kp_spool_lock(&c->spool, LOCK_PATIENCE_MS) != KP_SPOOL_LOCK_HELD)
        return KP_COLLECT_BUSY;
    return kp_spool_check(&c->spool, c->error) ? KP_COLLECT_FAILED : KP_COLLECT_FINISHED;
}

static int run(const struct kp_collect_options *options, const char *copy_path,
               struct kp_error *error)
{
    struct collector c = {.options = options, .error = error, .spool = {.file = -1}};

    error->text[0] = 0;
    int status = open_spool(&c, !copy_path);
    if (status == KP_COLLECT_FINISHED && options->follow)
        kp_exit_watch_start(&c.exits, options->spool_path);
    if (status == KP_COLLECT_FINISHED && copy_path)
        status = kp_store_copy(options->database_path, copy_path, error);
    if (status == KP_COLLECT_FINISHED)
        status = collect(&c, copy_path                ? copy_path
                             : options->database_path ? options->database_path
                                                      : c.spool.opened.database_path);
    kp_exit_watch_stop(&c.exits);
    kp_spool_close(&c.spool);
    return status;
}

int kp_collect_run(const struct kp_collect_options *options, struct kp_error *error)
{
    return run(options, NULL, error);
}

int kp_collect_to_copy(const struct kp_collect_options *options, const char *copy_path,
                       struct kp_error *error)
{
    struct kp_collect_options once = *options;

    once.follow = false;
    return run(&once, copy_path, error);
}
