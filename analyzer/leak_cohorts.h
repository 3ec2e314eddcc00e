/* SPDX-License-Identifier: MIT */
/*
 * Survivor cohorts: is what one place allocated, and what is still there, a leak?
 *
 * Whoever looks at how much is live cannot tell a leak from a warm-up, a cache or a sawtooth. Here
 * each block is looked at by its birth. N iterations; the age guard A is what the freed blocks of
 * the place have lived, at most; a block born before E = N - A that is still there is a survivor.
 *
 *   A      clip(q95 of the ages of freed samples + 1, max(2, N/50), N/3)
 *   g      different iterations with survivors; below 8 nothing can be said
 *   onset  one change point of a Poisson process: maximise n1 ln(n1/c) + n2 ln(n2/(E-c)) - n ln(n/E)
 *          over c <= E/2; taken where twice the gain is above 2 ln n + 2. At most three times, each
 *          time behind the last: a warm-up may end before a leak begins. Of few samples it may be
 *          chance: where totals tell when memory begins to grow, places are judged again from there
 *   shape  Kolmogorov-Smirnov of the births since the onset against uniform; the halves g1, g2:
 *          (g1 - g2)/sqrt(g1 + g2) above 1.645 is slowing down
 *   cache  freed when older than A / (those + survivors) surely above 5 %: kept long, but reclaimed
 *   rate   8 equal batches of [onset, E): mean +- t sd/sqrt(8), and no narrower than what sampling
 *          alone makes of it (Horvitz and Thompson, J. Am. Stat. Assoc. 47, 1952); with fewer than 20
 *          survivors the exact Poisson interval where it is wider
 *
 * False alarms and coverage are measured by tests/unit/test_leak_shapes.c. Pure functions, any
 * thread.
 */
#ifndef KP_LEAK_COHORTS_H
#define KP_LEAK_COHORTS_H

#include "leak_exposure.h"
#include "leak_math.h"

#define KP_COHORT_BATCHES 8
#define KP_COHORT_GENERATIONS_MIN 8 /* fewer: not enough evidence */
#define KP_COHORT_SURVIVORS_SURE 20 /* fewer: at most probable */
#define KP_COHORT_AGES 64

struct kp_birth {
    double at;    /* iteration; or the number of its slice of time, with a fraction */
    double bytes; /* that it stands for */
    double blocks;
};

/* One place. Births of what is still there, in order of `at`; ages of what was freed, by powers of
 * two as in table lifetime, in units of iterations. */
struct kp_cohort_input {
    const struct kp_birth *births;
    size_t count;
    double freed[KP_COHORT_AGES]; /* samples freed at an age of [2^(n-1), 2^n) units; [0]: age 0 */
    double age_unit;              /* iterations a unit: 1, or that of a microsecond */
    double begin, end;            /* the window: births in [begin, end) count; N = end */
    double grows_from;            /* the onset, where something else has told it; 0: to be found */
    double gap;                   /* bytes between two samples: what may have been missed */
    const struct kp_rate_at *rates; /* of sampling, if it changed; births are then judged in */
    size_t rate_count;              /* stretched time, see leak_exposure.h */
    const struct kp_exposure *exposure; /* of births that are in stretched time already, else NULL */
};

enum kp_cohort_shape {
    KP_COHORT_NOTHING,  /* no survivors, or too few to say anything */
    KP_COHORT_CACHE,    /* kept long, but reclaimed */
    KP_COHORT_SLOWING,  /* not full yet, or warm-up */
    KP_COHORT_UNEVEN,   /* in steps or bursts */
    KP_COHORT_LINEAR,   /* as a leak does; p says how surely */
};

struct kp_cohort {
    enum kp_cohort_shape shape;
    double guard;           /* A */
    double onset;           /* iteration */
    double first;           /* the first survivor's, since the onset */
    size_t survivors;       /* since the onset */
    size_t generations;     /* g */
    double old_share;       /* freed when older than A / (those + survivors) */
    double p;               /* of a rate of 0 */
    struct kp_estimate rate; /* bytes per iteration; without survivors [0, 3 gap/(E - begin)] */
    double error;           /* standard error of the rate, KP_COHORT_BATCHES - 1 degrees */
    bool is_doubtful;       /* SLOWING or UNEVEN: it may have begun unseen, or be so by chance; */
    bool needs_company;     /* rather beside a leak: alone only where the totals are very clear */
    double full_after;      /* SLOWING: iteration where 95 % will be there; 0 unknown */
    double needed;          /* iterations after which there would be enough evidence; 0 unknown */
};
struct kp_cohort kp_cohort_judge(const struct kp_cohort_input *input);

#endif
