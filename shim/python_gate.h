/* SPDX-License-Identifier: MIT */
/*
 * The gates in front of Python's own allocator: what each malloc and free of a small object passes.
 * Host's threads.
 *
 * They are written in assembler, because they must be able to stand elsewhere: a processor follows a
 * jump badly whose target is beyond 4 GiB, and an interpreter that is linked statically lies 100 TiB
 * from its libraries. There and back for each object took 9 % of a service's time; from a page beside
 * the interpreter the same instructions take 2 %. So a gate reaches all that it needs through its
 * first argument and can be copied. Where no such page is to be had it works from our own text.
 */
#ifndef KP_PYTHON_GATE_H
#define KP_PYTHON_GATE_H

#include "record.h"

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

/* One of Python's domains. The first argument of its functions; the assembler knows the places. */
struct kp_gate {
    struct kp_py_allocator next;
    uintptr_t code_type;  /* of blocks that are code objects; UINTPTR_MAX: none are known by it */
    int64_t left_offset;  /* the thread's countdown, from the thread's pointer */
    const uint8_t *filter;
    void *(*slow_malloc)(const struct kp_gate *, size_t); /* the countdown has ended */
    void (*slow_free)(const struct kp_gate *, void *);    /* perhaps a sample, or code */
    enum kp_kind kind;
};

/* Where the gates stand for an interpreter whose image begins at `image`. */
struct kp_gate_calls {
    void *(*malloc)(void *, size_t);
    void (*free)(void *, void *);
};
struct kp_gate_calls kp_gates_beside(uintptr_t image);

/* Fills in what is the same for each gate. */
void kp_gate_prepare(struct kp_gate *gate);

#endif
