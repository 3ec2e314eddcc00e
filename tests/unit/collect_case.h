/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the collector share: a place of their own, running a collector in a child with
 * a fault, and asking the database. A check prints its one line and is counted.
 */
#ifndef KP_COLLECT_CASE_H
#define KP_COLLECT_CASE_H

#include "spool_fake.h"

#include <stdbool.h>
#include <stdint.h>

struct kp_case {
    char directory[64];
    char database[128], spool[128];
};

/* Makes the directory; kp_case_end() removes it. */
void kp_case_begin(struct kp_case *test);
void kp_case_end(struct kp_case *test);

/* "ok - WHAT" or "not ok - WHAT: WHY". */
void kp_check(bool condition, const char *what, const char *why, ...)
    __attribute__((format(printf, 3, 4)));
/* Exit status of the test program. */
int kp_checks_failed(void);

/* kp_collect_run() without follow; returns its status. Its error stands in kp_case_error. */
int kp_case_collect(struct kp_case *test, uint64_t batch_bytes);
extern char kp_case_error[512];
/* The same in a child that is killed at the n-th fault point. Returns its status, or -1 when it was
 * killed. */
int kp_case_collect_killed(struct kp_case *test, uint64_t batch_bytes, unsigned n);

/* First column of the first row, NAN when there is none. */
double kp_case_number(const struct kp_case *test, const char *sql);
/* The same as text, in a static buffer. */
const char *kp_case_text(const struct kp_case *test, const char *sql);
bool kp_case_exists(const char *path);

#endif
