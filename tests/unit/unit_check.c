/* SPDX-License-Identifier: MIT */
/*
 * See unit_check.h. Each line is written out at once: a test that crashes later has still said what
 * held before, and a child that is forked has nothing of its parent's to write again.
 */
#include "unit_check.h"

#include <stdarg.h>
#include <stdio.h>

static int failed;

void kp_check(bool condition, const char *what, const char *why, ...)
{
    va_list arguments;

    if (condition) {
        printf("ok - %s\n", what);
    } else {
        failed = 1;
        printf("not ok - %s: ", what);
        va_start(arguments, why);
        vprintf(why, arguments);
        va_end(arguments);
        putchar('\n');
    }
    fflush(stdout);
}

void kp_say(const char *what, const char *problem)
{
    kp_check(!*problem, what, "%s", problem);
}

int kp_checks_failed(void)
{
    return failed;
}
