/* SPDX-License-Identifier: MIT */
/*
 * The gates in front of Python's own allocator: what each request for a small object passes.
 * Host's threads.
 *
 * They are code that stands near the interpreter (near_code.h): there and back to our own text for
 * each object took 9 % of the time of a service on an interpreter that is linked statically. What
 * they must know is written into them, so that all they touch is the thread's countdown or the
 * filter of live samples.
 */
#ifndef KP_PYTHON_GATE_H
#define KP_PYTHON_GATE_H

#include "record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KP_GATE_SMALL_MAX 512

/* As in Python's headers, which are not needed to build us. */
struct kp_py_allocator {
    void *context;
    void *(*malloc)(void *, size_t);
    void *(*calloc)(void *, size_t, size_t);
    void *(*realloc)(void *, void *, size_t);
    void (*free)(void *, void *);
};

/* One of Python's domains: the context of all functions that we give it. */
struct kp_gate {
    struct kp_py_allocator next;
    /* Where the gates leave the short way, with this as context: malloc and calloc when the
     * countdown has ended, realloc when it is not plain, free when it may be a sample or code. */
    struct kp_py_allocator slow;
    uintptr_t code_type; /* of blocks that are code objects; UINTPTR_MAX: none are known by it */
    enum kp_kind kind;
};

/* Makes gates near the interpreter whose image begins at `image`, in front of pymalloc's functions
 * `next`, and sets *gates to them. False where no code can be made: *gates is as it was. */
bool kp_gates_make(uintptr_t image, const struct kp_py_allocator *next, uintptr_t code_type,
                   struct kp_py_allocator *gates);

#endif
