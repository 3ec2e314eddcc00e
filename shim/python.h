/* SPDX-License-Identifier: MIT */
/*
 * The CPython of this process: where it is, which version, and how to come by the calling
 * thread's state. Found in the constructor, or later when a program loads libpython itself. No
 * call of Python's API here touches an object, a reference count or the GIL.
 */
#ifndef KP_PYTHON_H
#define KP_PYTHON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct link_map;

enum kp_python_frames {
    KP_FRAMES_TESTED, /* the first walks look twice at everything */
    KP_FRAMES_TRUSTED,
    KP_FRAMES_OFF, /* not this version, or what we found was not what we know: native stacks alone */
};

struct kp_python {
    bool is_found;
    bool is_free_threaded;
    bool tells_code_deaths; /* code objects that die are noticed: kp_state.code_deaths */
    int minor; /* of 3.minor */
    char version[24];
    struct link_map *object; /* that has the interpreter: the program, or libpython */
    uintptr_t start, end;    /* its addresses */
    uintptr_t code_type, text_type, bytes_type, bytearray_type;
    uintptr_t loop_start, loop_end; /* _PyEval_EvalFrameDefault */
    void *(*attached_state)(void);  /* state of the thread that holds the GIL: this one's, or NULL */
    void *(*own_state)(void);       /* by thread-specific data */
    int (*is_initialised)(void);
    int frames; /* enum kp_python_frames */
};
extern struct kp_python kp_python __attribute__((visibility("hidden")));

/* Looks for an interpreter; true when there is one. Idempotent. With the guard set. */
bool kp_python_find(void);

/* A function or variable of the interpreter, NULL when it does not export it. */
void *kp_python_symbol(const char *name);

/* The calling thread's PyThreadState, NULL: it has none (now). */
static inline const char *kp_python_state(void)
{
    void *state = kp_python.attached_state ? kp_python.attached_state() : NULL;

    if (!state && kp_python.own_state)
        state = kp_python.own_state();
    return state;
}

#endif
