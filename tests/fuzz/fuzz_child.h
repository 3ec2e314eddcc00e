/* SPDX-License-Identifier: MIT */
/*
 * One input put to the test: it is laid out in a directory and read by two reports of
 * kprof-report (or by a collector that follows) in a child process, with limits on its time and
 * memory. What must hold then:
 *
 *   no crash, no report of a sanitizer, no hang; the status is 0 or 1; with 1 there are one to
 *   three lines on stderr and nothing on stdout; what is printed holds no control characters, and
 *   JSON is valid; a database alone is left as it was, and so is everything when the status is 1;
 *   no other file is left behind.
 */
#ifndef KP_FUZZ_CHILD_H
#define KP_FUZZ_CHILD_H

#include "fuzz_case.h"

enum kp_fuzz_way {
    KP_FUZZ_REPORTS, /* as kprof-report does */
    KP_FUZZ_FOLLOW,  /* as kprof-collect does */
    KP_FUZZ_COPY,    /* as kprof-report does where nothing can be written */
    KP_FUZZ_WAYS
};

/* What to do with the case; from a random source, so that it is found again by the seed. */
struct kp_fuzz_plan {
    enum kp_fuzz_way way;
    unsigned report;  /* the first one, see fuzz_reports.c */
    unsigned format;  /* 0 text, 1 JSON, 2 CSV */
    unsigned options; /* which of the other options, as bits */
};
struct kp_fuzz_plan kp_fuzz_plan(struct kp_fuzz_random *random, const struct kp_fuzz_case *one);

struct kp_fuzz_verdict {
    bool failed;
    char text[4096]; /* why, with what the child has said */
    int status;      /* of the first report */
};
/* `directory` is empty before and after. */
void kp_fuzz_child_run(const struct kp_fuzz_case *one, const struct kp_fuzz_plan *plan,
                       const char *directory, struct kp_fuzz_verdict *verdict);

/* The part that runs in the child, in its working directory: NULL, or what is wrong. */
const char *kp_fuzz_go(const struct kp_fuzz_plan *plan, int *status);
/* Did it have the right to change the files? */
bool kp_fuzz_may_change(const struct kp_fuzz_plan *plan, const struct kp_fuzz_case *one,
                        int status);

#endif
