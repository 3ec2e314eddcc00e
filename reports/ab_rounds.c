/* SPDX-License-Identifier: MIT */
/*
 * The runs. Interleaved, because a machine gets warmer, fuller and busier in the course of minutes:
 * ABCD DCBA spreads that evenly over the configurations. One thread.
 */
#include "ab_session.h"

#include "ab_launch.h"
#include "ab_measure.h"
#include "alloc.h"
#include "format.h"
#include "run.h"
#include "terminal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WARM_UP_TRIES 3
#define BAR_COLUMNS 20
#define ROUNDS_TO_GIVE_UP 2 /* when no run has been good until then */

struct rounds {
    struct kp_ab_session *session;
    struct kp_ab_ring ring;
    struct kp_ab_launcher launcher;
    struct kp_progress progress;
    char marks[KP_PATH_BYTES], profiler[KP_PATH_BYTES]; /* libraries */
    char directory[512]; /* for recordings */
    struct timespec began;
    size_t done, done_here, wanted; /* runs; done_here: since began */
    const char *what;
};

static double since(const struct timespec *then)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - then->tv_sec) + (double)(now.tv_nsec - then->tv_nsec) / 1e9;
}

static void show_progress(void *context)
{
    struct rounds *rounds = context;
    char text[256], bar[BAR_COLUMNS + 1], left[KP_FORMAT_BYTES] = "";
    size_t full = rounds->wanted ? BAR_COLUMNS * rounds->done / rounds->wanted : 0;
    memset(bar, ' ', BAR_COLUMNS);
    memset(bar, '=', full);
    bar[BAR_COLUMNS] = '\0';
    if (full < BAR_COLUMNS)
        bar[full] = '>';
    if (rounds->done_here > 0)
        kp_format_seconds(left, since(&rounds->began) / (double)rounds->done_here *
                                    (double)(rounds->wanted - rounds->done));
    if (rounds->wanted == 0)
        snprintf(text, sizeof text, "warming up");
    else
        snprintf(text, sizeof text, "%zu of %zu  [%s]  %s%s%.60s", rounds->done, rounds->wanted,
                 bar, left, *left ? " left  " : "", rounds->what);
    kp_progress_show(&rounds->progress, 0, 0, text);
}

static int find_libraries(struct rounds *rounds, struct kp_error *error)
{
    static const char name[] = "libkprof-marks.so";
    if (kp_run_find_library(rounds->profiler, error) != 0)
        return -1;
    int folder = (int)(strrchr(rounds->profiler, '/') - rounds->profiler);
    if ((size_t)snprintf(rounds->marks, sizeof rounds->marks, "%.*s/%s", folder, rounds->profiler,
                         name) >= sizeof rounds->marks ||
        access(rounds->marks, R_OK) != 0)
        return -kp_error_set(error, "%s is not beside %s; run make, or make install", name,
                             rounds->profiler);
    return 0;
}

/* The environment of a run; extra lines are ours. */
static char **environment_of(struct rounds *rounds, const struct kp_ab_configuration *c,
                             const char *database)
{
    char first[KP_PATH_BYTES + 32], second[32] = "KPROF_QUIET=1";
    bool as_is = kp_ab_only_sweeps(&rounds->session->comparison);
    if (database)
        snprintf(first, sizeof first, "KPROF_DB=%s", database);
    else
        snprintf(first, sizeof first, KP_MARKS_VARIABLE "=%s", rounds->ring.path);
    return kp_ab_environment(c, database ? rounds->profiler : rounds->marks, as_is,
                             (char *[]){first, second, NULL});
}

static void remove_recording(const char *database)
{
    static const char *const tails[] = {"", "-wal", "-shm", "-spool", "-journal"};
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        char name[KP_PATH_BYTES + 16];
        snprintf(name, sizeof name, "%s%s", database, tails[i]);
        unlink(name);
    }
}

/* Marks until which a run is active; behind the last one it rests, if asked for. */
static uint64_t rest_at(const struct rounds *rounds)
{
    double marks = rounds->session->comparison.warm_iterations;
    return rounds->session->comparison.idle_s > 0 && marks > 0 ? (uint64_t)marks : 0;
}

/* One run of a configuration into `run`. 1: the user has had enough, and there is none. */
static int run_once(struct rounds *rounds, const struct kp_ab_configuration *c,
                    struct kp_ab_run *run, struct kp_error *error)
{
    struct kp_ab_watch watch = {.samples = NULL};
    char database[544];
    snprintf(database, sizeof database, "%s/recording.db", rounds->directory);
    char **environment = environment_of(rounds, c, c->is_recorded ? database : NULL);
    kp_ab_ring_reset(&rounds->ring, run->round >= 0 ? rest_at(rounds) : 0,
                     (uint64_t)rounds->session->comparison.idle_s * 1000000000u);
    rounds->what = c->name;
    int result = kp_ab_launch(&rounds->launcher, environment, &watch, error);
    if (result == 0 && watch.interrupted)
        result = 1;
    if (result == 0) {
        kp_ab_measure(&watch, &rounds->ring, &rounds->launcher.tree, run);
        if (c->is_recorded && kp_ab_run_is_good(run))
            kp_ab_measure_recording(database, run);
    }
    if (c->is_recorded) {
        kp_ab_launch_rest();
        remove_recording(database);
    }
    kp_ab_watch_release(&watch);
    kp_ab_words_free(environment);
    return result;
}

/* Runs and stores. */
static int measure(struct rounds *rounds, size_t configuration, int64_t round,
                   struct kp_error *error)
{
    struct kp_ab_comparison *comparison = &rounds->session->comparison;
    struct kp_ab_run *run = kp_ab_add_run(comparison);
    run->configuration = (int64_t)configuration;
    run->round = round;
    int result = run_once(rounds, &comparison->configurations[configuration], run, error);
    if (result == 0)
        result = kp_ab_store_add(rounds->session->store, run, error);
    if (result != 0)
        kp_ab_drop_last_run(comparison);
    return result;
}

static bool is_measured(const struct kp_ab_comparison *comparison, size_t configuration,
                        int64_t round)
{
    for (size_t i = 0; i < comparison->run_count; i++)
        if ((size_t)comparison->runs[i].configuration == configuration &&
            comparison->runs[i].round == round)
            return true;
    return false;
}

/* Nothing has worked so far: going on would only take time. */
static int check_any_good(const struct kp_ab_comparison *comparison, struct kp_error *error)
{
    const struct kp_ab_run *last = &comparison->runs[comparison->run_count - 1];
    for (size_t i = 0; i < comparison->run_count; i++)
        if (kp_ab_run_is_good(&comparison->runs[i]))
            return 0;
    return -kp_error_set(error, "every run of the command fails (%s)%s%.160s", last->outcome,
                         *last->said ? "; it says: " : "", last->said);
}

/* Loads what a run needs into the page cache, tells how many iterations there are, and whether it is
 * Python. */
static int warm_up(struct rounds *rounds, const struct kp_ab_configuration *c,
                   struct kp_error *error)
{
    struct kp_ab_comparison *comparison = &rounds->session->comparison;
    int result = 0;
    for (int tries = 0; result == 0 && tries < WARM_UP_TRIES; tries++) {
        struct kp_ab_run *run = kp_ab_add_run(comparison);
        run->round = -1;
        result = run_once(rounds, c, run, error);
        bool good = result == 0 && kp_ab_run_is_good(run);
        if (good) {
            rounds->session->python = rounds->launcher.tree.python;
            comparison->is_python = rounds->launcher.tree.python > 0;
            comparison->warm_iterations = run->figures[KP_AB_ITERATIONS];
        } else if (result == 0 && tries + 1 == WARM_UP_TRIES) {
            result = check_any_good(comparison, error);
        }
        if (good || result != 0)
            break;
    }
    while (comparison->run_count > 0)
        kp_ab_drop_last_run(comparison);
    return result;
}

static int make_plan(struct kp_ab_session *session, struct kp_error *error)
{
    const struct kp_ab_options *o = session->options;
    struct kp_ab_plan wanted = {.allocators = o->allocators,
                                .sweeps = o->sweeps,
                                .python = session->python,
                                .with_probe = !o->no_probe};
    return kp_ab_plan_make(&wanted, &session->comparison, &session->left_out, &session->usage,
                           error);
}

/* Which allocators are compared depends on what the program is, and a sweep needs its variables from
 * the first run on. */
static int prepare(struct rounds *rounds, struct kp_error *error)
{
    static const struct kp_ab_configuration plain = {.name = (char *)"to warm up"};
    struct kp_ab_session *session = rounds->session;
    bool is_sweep = session->options->sweeps.count > 0;
    bool is_planned = session->comparison.configuration_count > 0;
    if (is_planned && !session->is_changed)
        return 0;
    if (is_planned)
        return kp_ab_store_plan(session->store, &session->comparison, error);
    int result = is_sweep ? make_plan(session, error) : 0;
    if (result == 0)
        result = warm_up(rounds, is_sweep ? &session->comparison.configurations[0] : &plain, error);
    if (result == 0 && !is_sweep)
        result = make_plan(session, error);
    return result == 0 ? kp_ab_store_plan(session->store, &session->comparison, error) : result;
}

static int all_rounds(struct rounds *rounds, struct kp_error *error)
{
    struct kp_ab_comparison *comparison = &rounds->session->comparison;
    int result = prepare(rounds, error);
    size_t configurations = comparison->configuration_count;
    rounds->wanted = configurations * (size_t)comparison->wanted_runs;
    for (size_t i = 0; i < comparison->run_count; i++)
        rounds->done += comparison->runs[i].round < comparison->wanted_runs;
    clock_gettime(CLOCK_MONOTONIC, &rounds->began);
    for (int64_t round = 0; result == 0 && round < comparison->wanted_runs; round++) {
        for (size_t i = 0; result == 0 && i < configurations; i++) {
            size_t which = round % 2 == 0 ? i : configurations - 1 - i;
            if (is_measured(comparison, which, round))
                continue;
            result = measure(rounds, which, round, error);
            rounds->done++;
            rounds->done_here++;
        }
        if (result == 0 && round + 1 == ROUNDS_TO_GIVE_UP)
            result = check_any_good(comparison, error);
    }
    return result;
}

int kp_ab_session_run(struct kp_ab_session *session, struct kp_error *error)
{
    struct rounds rounds = {.session = session, .what = ""};
    int result = find_libraries(&rounds, error);
    kp_ab_temporary(rounds.directory, sizeof rounds.directory, "/tmp");
    if (result == 0 && !mkdtemp(rounds.directory))
        return -kp_error_set(error, "cannot make a directory in TMPDIR or /tmp");
    if (result == 0)
        result = kp_ab_ring_open(&rounds.ring, error);
    if (result == 0) {
        rounds.launcher = (struct kp_ab_launcher){.command = session->command,
                                                  .timeout_s = (double)session->comparison.timeout_s,
                                                  .keep_output = session->comparison.keeps_output != 0,
                                                  .ring = &rounds.ring,
                                                  .tick = show_progress,
                                                  .tick_context = &rounds};
        kp_ab_launch_prepare();
        kp_progress_start(&rounds.progress);
        result = all_rounds(&rounds, error);
        kp_progress_end(&rounds.progress);
        kp_ab_tree_release(&rounds.launcher.tree);
        rmdir(rounds.directory);
    }
    kp_ab_ring_close(&rounds.ring);
    session->is_interrupted = result > 0;
    return result < 0 ? -1 : 0;
}
