/* SPDX-License-Identifier: MIT */
/*
 * Does a process leak, how much an iteration, and where? Places by survivor cohorts
 * (leak_cohorts.h), the whole by the valleys of what the allocators said at iteration marks
 * (leak_trend.h), and a verdict on both. How each verdict is made: docs/reading-reports.md. One
 * thread.
 */
#ifndef KP_QUERY_LEAKS_H
#define KP_QUERY_LEAKS_H

#include "leak_cohorts.h"
#include "leak_trend.h"
#include "query.h"

enum kp_leak_verdict { /* the worst last */
    KP_LEAK_NONE,
    KP_LEAK_CACHE,
    KP_LEAK_SLOWING,
    KP_LEAK_UNSURE, /* not enough evidence */
    KP_LEAK_PROBABLE,
    KP_LEAK_SURE,
};
const char *kp_leak_verdict_name(enum kp_leak_verdict verdict);

enum kp_leak_side { KP_SIDE_PYTHON, KP_SIDE_BRIDGE, KP_SIDE_NATIVE };
const char *kp_leak_side_name(enum kp_leak_side side);

/* PLACE: the line that a stack is told by and the native code that it called. */
enum kp_leak_group {
    KP_LEAK_BY_PLACE,
    KP_LEAK_BY_LINE,
    KP_LEAK_BY_FUNCTION,
    KP_LEAK_BY_MODULE,
    KP_LEAK_BY_SIDE,
};

struct kp_leak_request {
    int64_t pid;          /* 0: the process with the most iterations */
    enum kp_leak_group group;
    double since, until; /* iterations (without marks: seconds); until 0: the last */
};

struct kp_leak_site {
    enum kp_leak_verdict verdict;
    struct kp_cohort cohort;
    enum kp_leak_side side;
    int64_t stack_id, process_id; /* of the member with the most survivors */
    unsigned kinds;
    bool starts_thread;        /* by pthread_create() */
    double live_bytes;         /* of births in the window */
    bool balanced;             /* looks like a leak, but as much goes elsewhere */
    const struct kp_frame *group; /* what it was grouped by; NULL by place and side */
    const char *module;        /* of native code: path; "" none */
};

enum kp_leak_cause { /* what grows; KP_CAUSE_NONE: nothing */
    KP_CAUSE_NONE,
    KP_CAUSE_LIVE,     /* live memory; without a leak no place could be named */
    KP_CAUSE_HELD,     /* free memory that the allocator keeps */
    KP_CAUSE_OTHER,    /* mappings that no allocator has told of */
    KP_CAUSE_THREADS,  /* the same, and there are ever more threads; a leak or none */
    KP_CAUSE_OWN,      /* mappings of a module that brings its own allocator */
    KP_CAUSE_UNKNOWN,  /* RSS grows, and nobody has said why */
};

enum { KP_LEAK_MALLOC, KP_LEAK_OBJECTS, KP_LEAK_ALLOCATORS }; /* malloc, Python's own */
enum { KP_LEAK_RSS, KP_LEAK_LIVE, KP_LEAK_HELD, KP_LEAK_OTHER, KP_LEAK_SERIES };

struct kp_leak_extra { /* see query_leaks_sites.c */
    double at, bytes, blocks;
};

#define KP_OUTSIDE_SHARE 0.5 /* of the growth of RSS: then it is named */
struct kp_leak_outside { /* the module whose mappings grow most; see query_leaks_outside.c */
    const char *module, *allocator; /* path, "" none; what is built into it, "" nothing known */
    int64_t stack_id;               /* that mapped most of it */
    double bytes, rss_bytes;        /* by which it and RSS grew between two snapshots */
};

#define KP_LEAK_MARKS_LEAST 16
struct kp_leaks {
    int64_t process_id, pid, other_processes; /* others with iterations */
    int64_t marks;           /* so many iterations were marked */
    bool has_marks;          /* and these are enough to go by */
    double iterations;       /* N */
    double slice_s;          /* without marks it goes by slices of this width; in the answer the */
                             /* unit is then the second, below and in the sites */
    double start_up_s;       /* and so much of the beginning is left out */
    double per_second;       /* iterations; 0 unknown */
    double begin, end;       /* of the window */
    double gap;              /* bytes between two samples, on average over time */
    struct kp_trend rss, live, held, other;
    struct kp_trend_start start; /* where what is live goes along one line from */
    double asked[KP_LEAK_ALLOCATORS]; /* bytes asked for per byte that is counted as used */
    double asked_error[KP_LEAK_ALLOCATORS]; /* how well that is known: relative */
    double live_error;       /* the same, of the growth of what is live */
    double object_bytes;     /* mean of a block of Python's own allocator */
    struct kp_rate_at *rates; /* of sampling, over the window */
    size_t rate_count;
    struct kp_leak_extra *extras;
    size_t extra_count;
    struct kp_leak_outside outside;
    double rss_bytes;        /* at the last reading */
    struct kp_reading_point *points[KP_LEAK_SERIES]; /* of the window, see query_leaks_series.c */
    int64_t readings;        /* so many */
    bool has_totals;         /* the allocators have said what is in use; else RSS is all there is */
    int64_t threads_first, threads_last; /* as counted from outside, now and then */
    int64_t stacks;          /* of threads, also of those that nobody joined; 0: unknown */
    double stacks_rss;       /* RSS when so many were counted */
    double stack_bytes;      /* resident in them */
    enum kp_leak_verdict verdict;
    enum kp_leak_cause cause;
    struct kp_estimate rate; /* of the leak, bytes per iteration; 0 without one */
    struct kp_measured measured; /* the same, to compare with another run */
    bool exact;              /* the rate is the allocators' own, not of samples */
    struct kp_estimate named; /* what the leaking places explain, bytes per iteration */
    double onset;            /* of the leak; without one where the warm-up ends */
    double detectable;       /* the smallest leak that the run could have named; INFINITY: none */
    double needed;           /* iterations that would be enough; 0: these are */
    struct kp_leak_site *sites; /* worst verdict first, then by rate */
    struct kp_cohort_input *inputs; /* what they were judged by, before they were sorted */
    struct kp_birth *births;        /* of all inputs */
    size_t site_count;
};

int kp_query_leaks(struct kp_query *query, const struct kp_leak_request *request,
                   struct kp_leaks *leaks, struct kp_error *error);
void kp_leaks_release(struct kp_leaks *leaks);

/* The parts, for query_leaks*.c only. */
int kp_leaks_load_series(struct kp_query *query, struct kp_leaks *leaks, struct kp_error *error);
int kp_leaks_load_sites(struct kp_query *query, struct kp_leaks *leaks, struct kp_error *error);
int kp_leaks_load_outside(struct kp_query *query, struct kp_leaks *leaks, struct kp_error *error);
void kp_leaks_judge_series(struct kp_leaks *leaks, double from);
void kp_leaks_decide(struct kp_leaks *leaks);
void kp_leaks_to_seconds(struct kp_leaks *leaks);
void kp_leaks_sort(struct kp_leaks *leaks);
int kp_leaks_group(struct kp_query *query, enum kp_leak_group group, struct kp_leaks *leaks,
                   struct kp_error *error);

#endif
