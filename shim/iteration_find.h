/* SPDX-License-Identifier: MIT */
/*
 * What KPROF_ITERATION names, looked up as Python would: an attribute of an imported module, of a
 * class in it. With the GIL, no exception set; runs no code of the program.
 */
#ifndef KP_ITERATION_FIND_H
#define KP_ITERATION_FIND_H

#include "iteration_api.h"

enum kp_found {
    KP_FOUND_NOTHING, /* no such module yet, or no such name in it */
    KP_FOUND_CODE,    /* Python code of that very name */
    KP_FOUND_OTHER_CODE, /* Python code of another name, which the name leads to */
    KP_FOUND_NATIVE,
    KP_FOUND_UNCOUNTABLE, /* kp_iteration.reason says why */
};

struct kp_target {
    enum kp_found how;
    void *code; /* borrowed */
    struct kp_method_definition *definition;
};

/* At install: makes the objects that names are compared with. */
bool kp_find_init(void);

struct kp_target kp_find(void);

/* Is this object the text of the name, of the module's name? */
bool kp_is_name(void *text);
bool kp_is_module(void *text);

/* The module as it stands in sys.modules, or the program itself where the name means that.
 * Borrowed, NULL. */
void *kp_find_module(void);

/* Do these globals belong to the module that is named? __main__ goes by its file's name as well. */
bool kp_is_in_module(void *globals);

#endif
