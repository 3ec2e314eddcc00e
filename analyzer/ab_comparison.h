/* SPDX-License-Identifier: MIT */
/*
 * A comparison: one command, several configurations, runs of each, and what was measured in each run
 * from outside. Lives in memory as kprof-ab works on it, and in a database (ab_store.h). One thread.
 */
#ifndef KP_AB_COMPARISON_H
#define KP_AB_COMPARISON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one run is measured by. X(NAME, column of table run): sizes in bytes, times in seconds. */
#define KP_AB_FIGURES(X)                                                                           \
    X(WALL, wall_s)                                                                                \
    X(CPU, cpu_s)                                                                                  \
    X(MINOR_FAULTS, minor_faults)                                                                  \
    X(PEAK_RSS, peak_rss)                                                                          \
    X(STEADY_RSS, steady_rss)     /* median of the last quarter */                                 \
    X(IDLE_RSS, idle_rss)         /* after a rest, see --idle */                                   \
    X(RSS_SLOPE, rss_slope)       /* bytes per iteration, in the second half */                    \
    X(RSS_SLOPE_S, rss_slope_s)   /* bytes per second, likewise */                                 \
    X(LIVE_SLOPE, live_slope)     /* bytes per iteration, of recorded runs */                      \
    X(ITERATIONS, iterations)                                                                      \
    X(FAILED, failed_iterations)                                                                   \
    X(TIME, iteration_s)          /* from the first to the last, by their number */                \
    X(TIME_P50, iteration_p50_s)                                                                   \
    X(TIME_P95, iteration_p95_s)                                                                   \
    X(TIME_P99, iteration_p99_s)                                                                   \
    X(THROUGHPUT, iterations_per_s)                                                                \
    X(WORKERS, workers)           /* threads that have marked */                                   \
    X(JOB_TOTAL, jobs_s)          /* sum of the iterations' times */                               \
    X(JOB_LONGEST, longest_job_s)                                                                  \
    X(PROCESSES, processes)       /* at most at the same time */
enum kp_ab_figure {
#define FIGURE(name, column) KP_AB_##name,
    KP_AB_FIGURES(FIGURE)
#undef FIGURE
    KP_AB_FIGURE_COUNT
};

struct kp_ab_setting {
    char *name, *value; /* of an environment variable */
    bool is_swept;
};

struct kp_ab_sample {
    double time_s, rss;
};

struct kp_ab_job {
    char *name;
    double begin_s, seconds;
    bool failed;
};

struct kp_ab_run {
    int64_t configuration; /* index */
    int64_t round;         /* from 0; -1: to warm up */
    char outcome[32];      /* "ok", "exit 3", "signal 9", "timeout" */
    char said[160];        /* last line on stderr of a run that failed */
    double figures[KP_AB_FIGURE_COUNT]; /* NAN: not known */
    struct kp_ab_sample *samples;       /* not loaded again */
    size_t sample_count;
    struct kp_ab_job *jobs; /* those that have names */
    size_t job_count;
};

struct kp_ab_configuration {
    char *name;
    struct kp_ab_setting *settings;
    size_t setting_count;
    bool is_recorded; /* with the profiler: what that costs, and how live memory grows */
};

struct kp_ab_comparison {
    char *command; /* JSON list */
    char *directory;
    bool is_python;
    double warm_iterations; /* marks of the run to warm up */
    int64_t wanted_runs;    /* of each configuration */
    int64_t idle_s, timeout_s; /* --idle and --timeout, 0: none */
    int64_t keeps_output;      /* --keep-output was given */
    struct kp_ab_configuration *configurations;
    size_t configuration_count;
    struct kp_ab_run *runs;
    size_t run_count;
};

void kp_ab_comparison_release(struct kp_ab_comparison *comparison);
/* The new configuration or run is zeroed (figures NAN); pointers to earlier ones end. */
struct kp_ab_configuration *kp_ab_add_configuration(struct kp_ab_comparison *comparison,
                                                    const char *name);
struct kp_ab_run *kp_ab_add_run(struct kp_ab_comparison *comparison);
void kp_ab_drop_last_run(struct kp_ab_comparison *comparison);
void kp_ab_add_setting(struct kp_ab_configuration *configuration, const char *name,
                       const char *value, bool is_swept);
const char *kp_ab_setting(const struct kp_ab_configuration *configuration, const char *name);

/* Values are swept and nothing else: what the user has in his environment concerns all alike. */
bool kp_ab_only_sweeps(const struct kp_ab_comparison *comparison);

bool kp_ab_run_is_good(const struct kp_ab_run *run);
/* Good runs of a configuration that are measured, and the others that are no warm-up. */
size_t kp_ab_good_runs(const struct kp_ab_comparison *comparison, size_t configuration);
size_t kp_ab_failed_runs(const struct kp_ab_comparison *comparison, size_t configuration);
/* The figure in each good run where it is known, into out, which has room for run_count. */
size_t kp_ab_values(const struct kp_ab_comparison *comparison, size_t configuration,
                    enum kp_ab_figure figure, double *out);

#endif
