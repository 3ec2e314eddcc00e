/* SPDX-License-Identifier: MIT */
/*
 * What makes a fuzzer: its seeds and its damage. fuzz_spool.c and fuzz_database.c define one each;
 * fuzz_main.c (fork per input, no tool needed) and fuzz_libfuzzer.c (clang) run it.
 */
#ifndef KP_FUZZ_TARGET_H
#define KP_FUZZ_TARGET_H

#include "fuzz_case.h"

#define KP_FUZZ_SEEDS_MAX 64

struct kp_fuzz_seeds {
    struct kp_fuzz_case cases[KP_FUZZ_SEEDS_MAX];
    size_t count;
};

/* Damage that was too much once. It is done to every seed. */
struct kp_fuzz_regression {
    const char *name; /* NULL ends a table of these */
    void (*damage)(struct kp_fuzz_case *one);
    const char *sql; /* if there is no function */
};

struct kp_fuzz_target {
    const char *name;
    const struct kp_fuzz_regression *regressions;
    /* Turns a recording (one that was made here, or one that the caller has brought) into seeds. */
    void (*add_seeds)(struct kp_fuzz_seeds *seeds, const struct kp_fuzz_case *recording,
                      const char *directory);
    void (*damage)(struct kp_fuzz_random *random, const struct kp_fuzz_seeds *seeds,
                   struct kp_fuzz_case *one);
};
extern const struct kp_fuzz_target kp_fuzz_target;

/* Seeds from recordings made here and from those at these paths (NULL ends them). */
void kp_fuzz_seeds_make(struct kp_fuzz_seeds *seeds, const char *directory,
                        char *const *recordings);
/* Copies it to the seeds; what is beyond their number is left out. */
void kp_fuzz_seeds_add(struct kp_fuzz_seeds *seeds, const struct kp_fuzz_case *one);
void kp_fuzz_seeds_free(struct kp_fuzz_seeds *seeds);

#endif
