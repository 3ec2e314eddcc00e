/* SPDX-License-Identifier: MIT */
/*
 * kprof.h: marks for the memory profiler kprof. Nothing to link: include this and call
 *
 *     kprof_iteration();
 *
 * once per iteration (request, frame, record) of what the program does over and over, on any thread.
 * Under kprof it counts one iteration of the process; without, it is a load and a branch. C99 and
 * later, C++98 and later; see kprof(3).
 */
#ifndef KPROF_H
#define KPROF_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__linux__) && defined(__x86_64__)

/* The function has a name of its own in the object file, because libkprof.so exports the real
 * kprof_iteration. Its address is taken from the GOT by hand: a plain reference to a weak symbol
 * in an executable that is not position-independent is linked to zero for good. */
static inline void kprof_iteration(void) __asm__("kprof_iteration_mark") __attribute__((unused));
static inline void kprof_iteration(void)
{
    void (*mark)(void);
    __asm__(".weak kprof_iteration\n\tmovq kprof_iteration@GOTPCREL(%%rip), %0" : "=r"(mark));
    if (mark)
        mark();
}

#else

static inline void kprof_iteration(void) {}

#endif

#ifdef __cplusplus
}
#endif

#endif
