/* SPDX-License-Identifier: MIT */
/*
 * A thread's private memory for conversions. It belongs to the thread's slot: the next thread that
 * takes the slot goes on with it.
 */
#ifndef KP_CONVERT_OWN_H
#define KP_CONVERT_OWN_H

#include "convert.h"
#include "span.h"

#define KP_SITES 256
#define KP_SPANS_MAX 8

struct kp_converter {
    struct kp_chunk_header *chunk; /* COUNTERS chunk with room, NULL: none */
    struct kp_span spans[KP_SPANS_MAX];
    uint32_t recent_strings[256];  /* hashes */
    struct kp_activation window;   /* what the window of a native thread replaced */
    /* Places outside of any entry that have called, and where that is counted. */
    struct {
        uintptr_t caller;
        struct kp_counter_block *block;
    } sites[KP_SITES];
    struct kp_counter_block *latest; /* that was counted in outside of any entry */
    struct kp_counter_block *blocks[KP_ENTRY_LAST + 1]; /* by entry */
};

/* What a block's private words hold. */
enum kp_block_word {
    KP_BLOCK_LEFT,   /* activations until the next that is timed */
    KP_BLOCK_WEIGHT, /* of that one */
    KP_BLOCK_SINCE,  /* ticks at which the account of costs begins */
    KP_BLOCK_SPENT,  /* ticks that timing has cost since then */
    KP_BLOCK_DRAWN,  /* ticks at the last draw */
    KP_BLOCK_DRAWN_SPENT, /* and what was spent then */
};

/* A block that nobody reads. */
struct kp_counter_block *kp_convert_scratch(void);

/* A new block for activations that are timed, at rest; NULL: no room. With the guard set. */
struct kp_counter_block *kp_convert_timed_block(struct kp_converter *own, uint32_t entry);

/* Of this thread and process; NULL when there can't be one. With the guard set. */
struct kp_converter *kp_converter_get(void);

#endif
