/* SPDX-License-Identifier: MIT */
/*
 * Which objects are none of ours to change.
 */
#ifndef KP_GOT_SKIP_H
#define KP_GOT_SKIP_H

#include <link.h>
#include <stdbool.h>

/* The standard library's own modules, what KPROF_CONVERSIONS_SKIP names, the vdso. */
bool kp_got_skips(const char *path);

/* Cython's modules find out by comparing function pointers whether a method was overridden: theirs
 * must stay what they are. */
bool kp_got_compares_functions(const struct dl_phdr_info *info);

#endif
