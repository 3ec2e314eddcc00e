/* SPDX-License-Identifier: MIT */
/*
 * Python's code objects, told to the reader once each. Memory of one that is gone may hold another
 * one later: a look-up compares what makes it what it is, not its address alone.
 */
#ifndef KP_PYTHON_CODE_H
#define KP_PYTHON_CODE_H

#include <stdbool.h>
#include <stdint.h>

enum kp_code_role {
    KP_CODE_PROGRAM,   /* anybody's */
    KP_CODE_MACHINERY, /* runs at the interpreter's start, or is the import system */
    KP_CODE_IMPORT,    /* the function of the import system that every import goes through */
};

struct kp_py_code {
    uint64_t pc; /* KP_PC_PYTHON | id << 32; 0: can't be told */
    uint8_t role; /* enum kp_code_role */
};

/* With the guard set; takes definitions_lock only for code not seen yet. */
struct kp_py_code kp_python_code(uintptr_t code);

/* The code object at this address is about to be freed: whoever stands there next is another one.
 * Keeps errno, any state of the guard. */
void kp_python_code_gone(uintptr_t code);

#endif
