/* SPDX-License-Identifier: MIT */
/*
 * How a unit test says what it protects: one line for each check, and the exit status from all of
 * them. A check in a forked child is not counted here.
 */
#ifndef KP_UNIT_CHECK_H
#define KP_UNIT_CHECK_H

#include <stdbool.h>

/* "ok - WHAT" or "not ok - WHAT: WHY". */
void kp_check(bool condition, const char *what, const char *why, ...)
    __attribute__((format(printf, 3, 4)));
/* The same where an empty text means that there is no problem. */
void kp_say(const char *what, const char *problem);
/* Exit status of the test program. */
int kp_checks_failed(void);

#endif
