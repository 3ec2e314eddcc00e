/* SPDX-License-Identifier: MIT */
/*
 * Which code objects are the function that KPROF_ITERATION names. With the GIL, no exception set.
 */
#ifndef KP_ITERATION_MATCH_H
#define KP_ITERATION_MATCH_H

#include <stdbool.h>
#include <stdint.h>

enum kp_match { KP_MATCH_UNKNOWN, KP_MATCH_NO, KP_MATCH_YES };

#define KP_CODE_OPTIMIZED 0x1 /* a function, not the body of a class or a module */
#define KP_CODE_RESUMES 0x2a0 /* of a generator, a coroutine, an async generator */

/* What was found out about this code before; reads a small table. */
enum kp_match kp_match_known(const void *code);

/* Finds it out: the code starts to run with these globals. */
enum kp_match kp_match_decide(void *code, void *globals);

/* An import has come to its end: looks the name up, if that is still to be done. */
void kp_match_after_import(void);

/* The code that runs when an import has come to its end, NULL. */
void *kp_match_import_end(void);

#endif
