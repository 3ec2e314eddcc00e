/* SPDX-License-Identifier: MIT */
/*
 * How the analyzer reports a failure: functions return an int, 0 is success, and the reason stands
 * in the caller's struct kp_error as one line in lower case that says what happened and what to
 * do. The analyzer prints nothing; main prints the line once.
 */
#ifndef KP_ERROR_H
#define KP_ERROR_H

struct kp_error {
    char text[512];
};

/* Sets the text (a later failure does not hide an earlier one: reset it yourself) and returns 1. */
int kp_error_set(struct kp_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
