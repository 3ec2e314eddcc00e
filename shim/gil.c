/* SPDX-License-Identifier: MIT */
/*
 * The GIL, as extensions take it and give it away: how long they wait for it, hold it, do without.
 * Host's threads, in hooks that extensions call.
 *
 * A native thread (one that Python does not know) has no entry that Python called: from the
 * PyGILState_Ensure that makes it known to the Release that ends this, it is in an entry of its own,
 * named like the thread. Such windows are timed like activations of other entries.
 */
#include "clock.h"
#include "convert_own.h"
#include "entry.h"
#include "hook_table.h"
#include "python.h"
#include "start.h"

#include <errno.h>

#define CALLER ((uintptr_t)__builtin_return_address(0))
#define UNLOCKED 1 /* PyGILState_UNLOCKED: the thread did not have the GIL */

static void add(struct kp_counter_block *block, unsigned row, uint64_t ticks)
{
    block->rows[row].calls++;
    block->rows[row].amount += kp_ticks_ns(ticks);
}

static void count(unsigned row, uintptr_t caller)
{
    kp_convert_block(caller)->rows[row].calls++;
}

/* The thread's block for its windows, NULL: no room. */
static struct kp_counter_block *block_of_thread(void)
{
    uint32_t number = 0;
    uint64_t cookie;

    if (kp_guard_enter(&cookie)) {
        number = kp_start_ready() ? kp_entry_of_thread() : 0;
        kp_guard_leave();
    }
    return number ? kp_convert_block_of(number) : NULL;
}

/* The thread has just got the GIL. */
static void open_window(const struct kp_origin *caller)
{
    struct kp_convert *self = &kp_convert;
    int error = errno;
    struct kp_counter_block *block = block_of_thread();

    if (block) {
        self->now.block = self->now.entry = block;
        self->now.last_row = 0;
        self->now.span = NULL;
        self->now.frame = UINTPTR_MAX; /* there is nothing below it that is not called by it */
        self->now.released_ticks = 0;
        self->spans = 0;
        self->windows = 1;
        block->rows[KP_API_ROW_entry_calls].calls++;
        if (block->shim[KP_BLOCK_LEFT]-- == 0)
            kp_span_begin(block, caller, false);
        self->window_ticks = kp_ticks();
    }
    errno = error;
}

/* It is about to give it back for good. */
static void close_window(void)
{
    struct kp_convert *self = &kp_convert;

    if (self->now.entry)
        add(self->now.entry, KP_API_ROW_gil_hold, kp_ticks() - self->window_ticks);
    if (self->now.span)
        kp_span_end(self->now.span);
    self->now = (struct kp_activation)KP_NO_ACTIVATION(self->now.epoch);
    self->windows = 0;
}

static int (*real_ensure)(void);
static void (*real_release)(int);
static void *(*real_save)(void);
static void (*real_restore)(void *);

static bool is_native_thread(void)
{
    return !kp_convert.now.entry && kp_python.own_state && !kp_python.own_state();
}

static KP_SLOW int ensure(void)
{
    struct kp_convert *self = &kp_convert;
    const struct kp_origin caller = KP_ORIGIN_HERE();
    bool is_native = is_native_thread();
    uint64_t ticks = kp_ticks();
    int state = real_ensure();

    ticks = kp_ticks() - ticks;
    if (is_native)
        open_window(&caller);
    else if (self->windows)
        self->windows++;
    else if (state == UNLOCKED)
        self->window_ticks = kp_ticks();
    count(KP_API_ROW_PyGILState_Ensure, caller.pc);
    if (state == UNLOCKED) {
        add(kp_convert_block(caller.pc), KP_API_ROW_gil_wait, ticks);
        if (self->now.span && !is_native)
            kp_span_released(self->now.span, 0, ticks);
    }
    return state;
}

static void release(int state)
{
    struct kp_convert *self = &kp_convert;

    count(KP_API_ROW_PyGILState_Release, CALLER);
    if (self->windows && --self->windows == 0)
        close_window();
    else if (!self->windows && state == UNLOCKED && self->now.released_ticks)
        /* An entry that has released the GIL had it again for a while. */
        self->now.released_ticks += kp_ticks() - self->window_ticks;
    real_release(state);
}

static void *save(void)
{
    struct kp_convert *self = &kp_convert;

    count(KP_API_ROW_PyEval_SaveThread, CALLER);
    self->now.last_row = 0;
    self->now.released_ticks = kp_ticks();
    if (self->windows == 1)
        add(kp_convert_block(CALLER), KP_API_ROW_gil_hold,
            self->now.released_ticks - self->window_ticks);
    return real_save();
}

static void restore(void *state)
{
    struct kp_convert *self = &kp_convert;
    uint64_t from = self->now.released_ticks, began = kp_ticks(), ended;
    struct kp_counter_block *block = kp_convert_block(CALLER);

    real_restore(state);
    ended = kp_ticks();
    block->rows[KP_API_ROW_PyEval_RestoreThread].calls++;
    add(block, KP_API_ROW_gil_wait, ended - began);
    if (from)
        add(block, KP_API_ROW_gil_released, ended - from);
    if (self->now.span)
        kp_span_released(self->now.span, from ? ended - from : 0, ended - began);
    self->now.released_ticks = 0;
    self->window_ticks = ended;
}

const struct kp_hook kp_gil_hooks[] = {
    {"PyGILState_Ensure", (void *)ensure, (void **)&real_ensure},
    {"PyGILState_Release", (void *)release, (void **)&real_release},
    {"PyEval_SaveThread", (void *)save, (void **)&real_save},
    {"PyEval_RestoreThread", (void *)restore, (void **)&real_restore},
    {NULL, NULL, NULL},
};
