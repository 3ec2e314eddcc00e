/* SPDX-License-Identifier: MIT */
/*
 * KPROF_ITERATION=module:function, or module:Class.method: each call of that function of a Python
 * program is one iteration. Nothing here does anything when the variable is not set.
 *
 *   iteration_spec.c     the variable
 *   iteration.c          when it begins and ends: our constructor, the first safe moment inside
 *                        Python, the note at the end when nothing was ever called
 *   iteration_api.c      the functions of Python's C API that the others call
 *   iteration_find.c     what the name means, by looking it up in the imported module
 *   iteration_match.c    is this code the function? (it may run before its module is through)
 *   iteration_monitor.c  seeing functions start: sys.monitoring, 3.12 and later
 *   iteration_eval.c     the same by the frame evaluation hook, 3.9 to 3.11
 *   iteration_native.c   functions and methods of native code
 *   iteration_hint.c     what else the user may have meant
 */
#ifndef KP_ITERATION_H
#define KP_ITERATION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct kp_iteration {
    char module[256];
    char name[256];        /* function, or Class.method */
    const char *last;      /* its last part */
    bool is_watching;
    bool is_resolved;      /* the name was found in its module: no need to look it up again */
    bool is_by_lookup;     /* what the name leads to is of another name: only that code counts */
    const void *other_code; /* then that code */
    bool is_displaced;     /* another library has taken the hook that we watch by */
    _Atomic uint64_t calls;
    _Atomic uint64_t replaced; /* marks of the program that were not counted */
    char reason[768];      /* why it is not counted, or what else was meant; for the note */
};
extern struct kp_iteration kp_iteration __attribute__((visibility("hidden")));

/* "a.b:c" or "a.b:C.d": into the struct. False: makes no sense. */
bool kp_iteration_parse(const char *text);

/* The function is called. Any thread. */
void kp_iteration_called(void);

/* The program marks an iteration itself. False, and counted: what was named counts in its place, once
 * it has been called. */
bool kp_iteration_takes_mark(void);

/* With the guard set, at the end of the process: the note, if there is need for one. */
void kp_iteration_finish(void);

#endif
