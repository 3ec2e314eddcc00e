/* SPDX-License-Identifier: MIT */
/*
 * The shim's own unwinder against libgcc's, which reads the same tables by other code: in plain
 * calls, recursion, functions with alloca and with realigned stacks, callbacks from libc, signal
 * handlers and threads, every step from the innermost frame outwards must give the same pc.
 */
#include "cfi.h"

#include <alloca.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unwind.h>

#define DEPTH 400

static int compared, different, unknown;

struct trace {
    uintptr_t pc[DEPTH];
    int count;
};

static _Unwind_Reason_Code add(struct _Unwind_Context *context, void *data)
{
    struct trace *trace = data;

    if (trace->count < DEPTH)
        trace->pc[trace->count++] = _Unwind_GetIP(context);
    return _URC_NO_REASON;
}

/* The steps that shim/unwind.c makes, without its checks and its memory of the last stack. */
static int step(uintptr_t *pc, uintptr_t *sp, uintptr_t *fp, bool *exact)
{
    struct kp_rule rule = kp_cfi_rule(*pc, *exact);
    bool from_fp = rule.cfa == KP_CFA_FP || rule.cfa == KP_CFA_FP_MEM;
    uintptr_t cfa = (from_fp ? *fp : *sp) + (uintptr_t)(intptr_t)rule.offset;

    if (rule.cfa == KP_CFA_END || rule.cfa == KP_CFA_NONE)
        return 0;
    if (rule.cfa == KP_CFA_UNKNOWN) {
        unknown++;
        return 0;
    }
    if (rule.cfa == KP_CFA_SIGNAL) {
        const ucontext_t *context = (const ucontext_t *)*sp;

        *pc = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
        *fp = (uintptr_t)context->uc_mcontext.gregs[REG_RBP];
        *sp = (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
        *exact = true;
        return 1;
    }
    if (rule.cfa == KP_CFA_SP_MEM || rule.cfa == KP_CFA_FP_MEM)
        cfa = *(uintptr_t *)cfa;
    if (rule.fp_offset == KP_FP_AT_FP)
        *fp = *(uintptr_t *)*fp;
    else if (rule.fp_offset)
        *fp = *(uintptr_t *)(cfa + (uintptr_t)(intptr_t)rule.fp_offset);
    *pc = ((uintptr_t *)cfa)[-1];
    *sp = cfa;
    *exact = false;
    return *pc != 0;
}

static __attribute__((noinline)) void compare(void)
{
    struct trace trace = {.count = 0};
    uintptr_t *frame = __builtin_frame_address(0);
    uintptr_t pc = frame[1], sp = (uintptr_t)(frame + 2), fp = frame[0];
    bool exact = false;
    int i = 0;

    _Unwind_Backtrace(add, &trace);
    while (i < trace.count && trace.pc[i] != pc)
        i++;
    do {
        compared++;
        different += i >= trace.count || trace.pc[i] != pc;
        i++;
    } while (step(&pc, &sp, &fp, &exact) && i < DEPTH);
    /* libgcc shows the outermost frame's return address 0 as one more frame, or stops before it */
    different += trace.count - i > 1;
}

static __attribute__((noinline)) void recurse(int depth)
{
    volatile char pad[40];

    pad[0] = (char)depth;
    if (depth)
        recurse(depth - 1);
    else
        compare();
    pad[1] = pad[0];
}

static __attribute__((noinline)) void with_alloca(int bytes)
{
    volatile char *room = alloca((size_t)bytes);

    room[0] = 1;
    recurse(3);
    room[bytes - 1] = room[0];
}

static __attribute__((noinline)) void realigned(int bytes)
{
    volatile char aligned[128] __attribute__((aligned(64)));
    volatile char *room = alloca((size_t)bytes);

    aligned[0] = room[0] = 1;
    compare();
    aligned[1] = aligned[0];
}

static int callback(const void *a, const void *b)
{
    compare();
    return *(const int *)a - *(const int *)b;
}

static void handler(int signal)
{
    (void)signal;
    recurse(2);
}

static void *thread(void *unused)
{
    recurse(5);
    return unused;
}

static void report(const char *what)
{
    printf("%s - %s: %d frames, %d different, %d not understood\n",
           compared > 3 && !different && !unknown ? "ok" : "not ok", what, compared, different, unknown);
    compared = different = unknown = 0;
}

int main(void)
{
    int numbers[] = {3, 1, 2, 9, 4};
    pthread_t other;

    compare();
    recurse(100);
    report("plain calls and recursion");
    for (int i = 1; i < 300; i += 7)
        with_alloca(i);
    report("frames of a size known at run time only");
    for (int i = 1; i < 300; i += 7)
        realigned(i);
    report("realigned stacks");
    qsort(numbers, 5, sizeof *numbers, callback);
    report("callbacks from libc");
    signal(SIGUSR1, handler);
    raise(SIGUSR1);
    report("signal handlers");
    pthread_create(&other, NULL, thread, NULL);
    pthread_join(other, NULL);
    report("threads");
    kp_cfi_forget();
    recurse(10);
    report("after the cache was emptied");
    return 0;
}
