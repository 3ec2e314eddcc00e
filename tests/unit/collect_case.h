/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the collector share: a place of their own, running a collector in a child with
 * a fault, and asking the database.
 */
#ifndef KP_COLLECT_CASE_H
#define KP_COLLECT_CASE_H

#include "spool_fake.h"
#include "unit_check.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct kp_case {
    char directory[64];
    char database[128], spool[128];
};

/* Makes the directory; kp_case_end() removes it. */
void kp_case_begin(struct kp_case *test);
void kp_case_end(struct kp_case *test);
/* The same with a spool of so many chunks, in which one process that has ended is the root. */
struct kp_fake *kp_case_begin_process(struct kp_case *test, uint32_t chunks, uint32_t *process);
/* A process to be recorded that waits until it is killed. */
pid_t kp_case_sleeping_child(void);

/* kp_collect_run() without follow; returns its status. Its error stands in kp_case_error. */
int kp_case_collect(struct kp_case *test, uint64_t batch_bytes);
extern char kp_case_error[512];
/* Closes the spool and collects it to its end; a check fails when it is not finished. */
void kp_case_finish(struct kp_case *test, struct kp_fake *fake);
/* The same in a child that is killed at the n-th fault point. Returns its status, or -1 when it was
 * killed. */
int kp_case_collect_killed(struct kp_case *test, uint64_t batch_bytes, unsigned n);

/* First column of the first row, NAN when there is none. */
double kp_case_number(const struct kp_case *test, const char *sql);
/* The same as text, in a static buffer. */
const char *kp_case_text(const struct kp_case *test, const char *sql);
bool kp_case_exists(const char *path);

#endif
