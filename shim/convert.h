/* SPDX-License-Identifier: MIT */
/*
 * Conversions between Python and native code: extensions call Python's C API through hooks
 * (convert_hooks.c) that count in a block of the entry that runs (entry.c, gil.c). What each thread
 * carries for that is here; all of it is restored by value when an entry is left, so that stacks
 * may be switched or unwound in between.
 */
#ifndef KP_CONVERT_H
#define KP_CONVERT_H

#include "record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kp_converter;
struct kp_slot;
struct kp_span;

/* What an activation of an entry replaces, and brings back at its end. */
struct kp_activation {
    /* Where a call is counted first, see kp_counts_call(): the entry's block, that of the span, or
     * kp_convert_trap. */
    struct kp_counter_block *block;
    struct kp_counter_block *entry; /* of the entry that runs, NULL: none */
    struct kp_span *span;           /* its times, NULL: this one is not timed */
    uintptr_t frame;                /* on the stack: what lies below was called by the entry */
    uint64_t last_row;              /* of the last conversion in it, 0: none yet */
    uint64_t released_ticks;        /* when it gave the GIL away, 0: it has it */
    uint64_t epoch;                 /* of the process that all this is good for */
    uint64_t entries;               /* numbers of the innermost four that run, 16 bits each */
};

#define KP_NO_ACTIVATION(epoch_) {.block = &kp_convert_trap, .epoch = (epoch_)}

struct kp_convert {
    struct kp_activation now;
    struct kp_converter *own;
    struct kp_counter_block *outside; /* of the call that runs outside of any entry */
    uint64_t amount;                  /* argument of kp_convert_slowly() */
    uintptr_t filling;      /* bytes made to be filled, or resized, last */
    uint64_t filling_bytes; /* what was counted for them */
    uint32_t spans;        /* of this thread that are running */
    uint32_t windows;      /* PyGILState_Ensure without its Release, in a native thread */
    uint64_t window_ticks; /* when it got the GIL */
};
extern __thread struct kp_convert kp_convert __attribute__((visibility("hidden")));

/* Where calls are counted while no entry runs: each row says that more is to be done. */
extern struct kp_counter_block kp_convert_trap __attribute__((visibility("hidden")));

/* Counts a call; true when more is to be done than that: its row has come to 2^63. That never
 * happens in an entry's block, always in the trap, and in a span's block when the clock is to be
 * read. So activations that are timed take the same way as all others. */
static inline bool kp_counts_call(struct kp_counter_row *row)
{
    bool negative;

    __asm__("addq $1, %[calls]" : [calls] "+m"(row->calls), "=@ccs"(negative));
    return __builtin_expect(negative, 0);
}

/* In the constructor, and when a module is about to be initialised: hooks what has been loaded.
 * Without the guard, where the loader may be asked. */
void kp_convert_look(void);

/* In a forked child: nothing of the parent's is good. */
void kp_convert_forget(void);

/* Copies of more bytes than this are counted apart, too. */
#define KP_LARGE_COPY 65536u
/* A call that is asked for more has failed, or been given a size below 0: its bytes count nothing. */
#define KP_AMOUNT_MAX (1ull << 46)

/* The block that has this row. */
static inline struct kp_counter_block *kp_row_block(struct kp_counter_row *counted, unsigned row)
{
    return (struct kp_counter_block *)((char *)(counted - row) -
                                       offsetof(struct kp_counter_block, rows));
}

/* A call that can't simply be counted but has been, in now.block: now.last_row, kp_convert.amount.
 * Calls the function with these arguments. */
uintptr_t kp_convert_slowly(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t e,
                            uintptr_t f);

/* The same in two halves, but for the amount. `caller` is an address in the code that called. */
struct kp_counter_row *kp_convert_begin(unsigned row, uintptr_t caller);
void kp_convert_end(unsigned row);

/* Block of the entry that runs, or of the module that this address belongs to. Never NULL. */
struct kp_counter_block *kp_convert_block(uintptr_t caller);

/* This thread's block of an entry, NULL when there can't be one. Keeps errno. */
struct kp_counter_block *kp_convert_block_of(uint32_t entry);

/* KP_ALLOC_* of an allocation by a function whose stack pointer was `sp`. In a sample, after the
 * stack was walked. */
uint16_t kp_convert_flags(const struct kp_slot *slot, uintptr_t sp);

/* A hook for no function: to measure what hooks cost. */
uintptr_t kp_convert_probe(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t e,
                           uintptr_t f);

/* As the table says. */
struct kp_row_kind {
    uint8_t direction; /* enum kp_direction */
    bool makes, copies;
};
extern const struct kp_row_kind kp_row_kinds[KP_API_ROWS] __attribute__((visibility("hidden")));

/* No function's row, but a figure of our own. */
static inline bool kp_row_is_own(unsigned row)
{
    return row < KP_API_ROW_PyBytes_FromStringAndSize; /* the first behind them */
}

/* The functions behind the hooks, by row. */
extern void *kp_api_real[KP_API_ROWS] __attribute__((visibility("hidden")));
#define KP_CALL(row, type, ...) (((type)kp_api_real[row])(__VA_ARGS__))

#endif
