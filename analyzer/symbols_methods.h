/* SPDX-License-Identifier: MIT */
/*
 * Names that an extension module tells Python at run time: its tables of methods, getters and slots
 * are data with pointers to the functions, and no strip takes them away.
 */
#ifndef KP_SYMBOLS_METHODS_H
#define KP_SYMBOLS_METHODS_H

#include "symbols_pointers.h"
#include "symbols_ranges.h"

struct kp_methods {
    char **names; /* by function: "scanstring (method)", "Scanner.tp_call (slot)"; NULL: none */
    size_t count;
};

/* Reads the tables of a file that asks for functions of Python. -1: no memory */
int kp_methods_init(struct kp_methods *methods, const struct kp_image *image,
                    const struct kp_pointers *pointers, const struct kp_ranges *functions);
/* Names a function that has no name yet; `type` may be "". -1: no memory */
int kp_methods_set(struct kp_methods *methods, int64_t function, const char *type,
                   const char *name, const char *kind);
void kp_methods_release(struct kp_methods *methods);

#endif
