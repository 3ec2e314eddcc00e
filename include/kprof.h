/* SPDX-License-Identifier: MIT */
/*
 * kprof.h: marks for the memory profiler kprof. Nothing to link: include this and call
 *
 *     kprof_iteration();
 *
 * once per iteration (request, frame, record) of what the program does over and over, on any thread.
 * Under kprof it counts one iteration of the process; without, it is a load and a branch. A job that
 * has a name, may fail, or overlaps others is an iteration too:
 *
 *     unsigned long begun = kprof_job_begin();
 *     kprof_job_end(begun, "file.mp4", succeeded);
 *
 * where begun may be 0: since the last mark of this thread. And where only a part of the program is
 * worth a close look, kprof_rate(bytes) takes one sample per so many bytes from there on. C99 and
 * later, C++98 and later; see kprof(3).
 */
#ifndef KPROF_H
#define KPROF_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__linux__) && defined(__x86_64__)

/* The functions have names of their own in the object file, because libkprof.so exports the real
 * ones. Their addresses are taken from the GOT by hand: a plain reference to a weak symbol in an
 * executable that is not position-independent is linked to zero for good. */
#define KPROF_ADDRESS(symbol, pointer)                                                             \
    __asm__(".weak " symbol "\n\tmovq " symbol "@GOTPCREL(%%rip), %0" : "=r"(pointer))

static inline void kprof_iteration(void) __asm__("kprof_iteration_mark") __attribute__((unused));
static inline void kprof_iteration(void)
{
    void (*mark)(void);
    KPROF_ADDRESS("kprof_iteration", mark);
    if (mark)
        mark();
}

static inline unsigned long kprof_job_begin(void) __asm__("kprof_job_begin_mark")
    __attribute__((unused));
static inline unsigned long kprof_job_begin(void)
{
    unsigned long (*begin)(void);
    KPROF_ADDRESS("kprof_job_begin", begin);
    return begin ? begin() : 0;
}

static inline void kprof_job_end(unsigned long begun, const char *name, int succeeded)
    __asm__("kprof_job_end_mark") __attribute__((unused));
static inline void kprof_job_end(unsigned long begun, const char *name, int succeeded)
{
    void (*end)(unsigned long, const char *, int);
    KPROF_ADDRESS("kprof_job_end", end);
    if (end)
        end(begun, name, succeeded);
}

static inline void kprof_rate(unsigned long bytes) __asm__("kprof_rate_set")
    __attribute__((unused));
static inline void kprof_rate(unsigned long bytes)
{
    void (*set)(unsigned long);
    KPROF_ADDRESS("kprof_rate", set);
    if (set)
        set(bytes);
}

#undef KPROF_ADDRESS

#else

static inline void kprof_iteration(void) {}
static inline unsigned long kprof_job_begin(void)
{
    return 0;
}
static inline void kprof_job_end(unsigned long begun, const char *name, int succeeded)
{
    (void)begun, (void)name, (void)succeeded;
}
static inline void kprof_rate(unsigned long bytes)
{
    (void)bytes;
}

#endif

#ifdef __cplusplus
}
#endif

#endif
