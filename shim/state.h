/* SPDX-License-Identifier: MIT */
/*
 * What the shim knows of its process. Two kinds of memory:
 *   kp_state   is zeroed by the kernel in every forked child (MADV_WIPEONFORK), also after a raw
 *              clone: epoch 0 means "this process has not joined the session yet";
 *   kp_host    is set up once and copied to children as it is.
 */
#ifndef KP_STATE_H
#define KP_STATE_H

#include "record.h"
#include "thread.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KP_SLOTS_MAX 4096
#define KP_STACK_DEPTH_MAX 4096

/* One frame of the last stack that a slot has seen, outermost first. */
struct kp_frame {
    uintptr_t slot;    /* address that holds the return address pc; 0: not known */
    uintptr_t pc;
    uintptr_t fp;      /* rbp in that frame */
    uintptr_t fp_slot; /* where that rbp was found, 0: in the register */
    uint64_t serial;   /* given anew to each frame that is kept */
    uint32_t node;     /* its id, see stacks.h */
    bool is_foreign;   /* not on the thread's own stack */
    bool uses_fp;      /* the step to its caller went by rbp */
    bool needs_fp;     /* it or a frame further out did so, with this rbp */
};

#define KP_PYTHON_DEPTH_MAX 4096

/* One Python frame of it. */
struct kp_py_frame {
    uintptr_t frame, code, place; /* as read; place: the instruction */
    uintptr_t anchor;             /* where it belongs among the native frames */
    uintptr_t name, table;        /* of the code, to know it again */
    uint64_t pc;                  /* of the node; 0: it has none of its own */
    uint32_t node;
    uint16_t imports;             /* how many imports are running in it and outside of it */
    uint8_t role;                 /* enum kp_code_role */
};

/* The same for the comparison alone: in few cache lines. */
struct kp_frame_check {
    uintptr_t slot, pc; /* slot 0: look at the frame itself */
};

/* A writer: one thread at a time owns it. It outlives threads, so that 10,000 threads one after
 * another fill one chunk. */
struct kp_slot {
    _Atomic uint32_t owner; /* tid, 0 = nobody */
    uint32_t number;
    struct kp_chunk_header *chunk; /* NULL: none claimed */
    uint64_t counter;              /* samples so far: the next one's id */
    uint64_t iteration, time_us, rate; /* what the chunk's last STAMP and RATE said */
    uint32_t tid_written, name_records; /* records since its name was first told */
    uint32_t code_deaths; /* of kp_state when py was read */
    bool abandoned; /* a handler jumped out in the middle of our code: begin afresh */
    /* for the rate: written by the owner, read by whoever adjusts */
    _Atomic uint64_t cost_ticks, probes;
    uint64_t since_adjust;
    /* the stack of the last sample; fresh is scratch */
    struct kp_frame *frames, *fresh;
    struct kp_frame_check *checks; /* of frames */
    uint64_t serial; /* of the frame kept last */
    struct kp_memo *memos;
    uint32_t depth;
    uint32_t code_epoch; /* of kp_state when frames was made */
    struct kp_py_frame *py, *py_fresh; /* its Python frames; fresh is scratch */
    uint32_t py_depth;
    uint64_t py_serial; /* rises when py changes */
    bool was_start_up; /* kp_stack_is_start_up() of the last sample */
    uint16_t flags;    /* KP_ALLOC_* of the sample that is being written */
    /* readable part of the thread's own stack, above the lowest frame seen */
    uintptr_t stack_low, stack_high;
    /* frees made by a signal handler in the middle of our code: done when it is over */
    uint32_t deferred_count;
    struct {
        void *pointer; /* NULL: the table has let it go already */
        uint64_t id;
    } deferred[16];
};

struct kp_state {
    _Atomic uint64_t epoch; /* random, not 0 once this process has joined */
    struct kp_spin start_lock, slots_lock, definitions_lock, ranges_lock, owed_lock, pymalloc_lock;
    struct kp_spin entries_lock;
    int pid;
    uint32_t process;             /* number in the session */
    struct kp_process_info *info; /* in the spool */
    struct kp_code_table *_Atomic codes; /* Python's code objects, see python_code.c */
    uint32_t code_count;
    _Atomic uint32_t code_deaths; /* of Python's code objects that had been told */
    struct kp_chunk_header *definitions; /* chunk that definitions go to */
    uint64_t definitions_ready;          /* bytes of it that are safe to write */
    _Atomic uint32_t code_epoch;         /* rises when code was unloaded */
    _Atomic uint64_t iteration;
    _Atomic uint32_t first_begun; /* the begin of iteration 1 has been told */
    _Atomic uint32_t slot_count;
    uint32_t slots_sweep_at; /* look for slots of dead threads when there are so many */
    struct kp_slot *_Atomic slots[KP_SLOTS_MAX];
    _Atomic uint64_t full_until_us; /* no chunk was to be had: don't ask again before */
    _Atomic uint32_t exit_told;
} __attribute__((aligned(4096)));

enum kp_mode { KP_MODE_NEW, KP_MODE_ON, KP_MODE_OFF };

struct kp_host {
    _Atomic int mode; /* enum kp_mode */
    struct kp_spool_header *spool;
    _Atomic uint64_t *directory;
    char *chunks;
    char spool_path[KP_SPOOL_PATH_BYTES];
    char exe[1024];
    uint64_t monotonic_to_session_ns; /* CLOCK_MONOTONIC + this = ns since the session's start */
    uint32_t last_process; /* number of the process whose memory this was before a fork */
    bool made_session;     /* by this process image, not joined */
    uintptr_t own_start, own_end; /* addresses of libkprof.so itself */
    uintptr_t main_thread; /* thread pointer of the thread that the program began with */
    bool starting;         /* our constructor is at work: what is allocated meanwhile is ours */
    bool is_shut_out; /* the parent's session may not be written any more */
    bool collector_launched;
    bool python_may_have_come; /* an object named like libpython has been seen: look for it */
    bool can_fall_back;    /* other unwinders are loaded */
    uint64_t stderr_device, stderr_inode;
};

extern struct kp_state kp_state __attribute__((visibility("hidden")));
extern struct kp_host kp_host __attribute__((visibility("hidden")));

/* Ends the recording of this process, with a note for the report. The host goes on. */
void kp_off(const char *why);

static inline bool kp_slot_stack_holds(const struct kp_slot *slot, const void *address)
{
    return (uintptr_t)address >= slot->stack_low && (uintptr_t)address < slot->stack_high;
}

/* The coarse clock may lie before the session's start: never below 0. */
static inline uint64_t kp_session_us(uint64_t monotonic_ns)
{
    int64_t ns = (int64_t)(monotonic_ns + kp_host.monotonic_to_session_ns);

    return ns > 0 ? (uint64_t)ns / 1000 : 0;
}

#endif
