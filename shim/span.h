/* SPDX-License-Identifier: MIT */
/*
 * The times of one activation of an entry, or of one window of a native thread: from its begin to
 * its end, and in it from the first conversion to the last. Few activations are timed; which ones
 * is drawn at random, so that their weighted sums estimate those of all without bias.
 */
#ifndef KP_SPAN_H
#define KP_SPAN_H

#include "convert.h"
#include "sample.h"

#include <stdbool.h>
#include <stdint.h>

#define KP_SPAN_SMALL 1024u /* bytes: a larger conversion takes its time */

/* A moment, and how many ticks up to then were not the program's own: spent by us, or without the
 * GIL. */
struct kp_moment {
    uint64_t ticks, off;
};

/* From the begin of the first conversion in a direction to the end of the last, as far as the clock
 * was read. */
struct kp_stretch {
    struct kp_moment first, last; /* ticks 0: none */
    uint64_t before; /* conversions of the entry in this direction, when the activation began */
};

struct kp_span {
    struct kp_counter_block *block;
    uint32_t node, weight, serial;
    uint32_t strings, repeated;
    int32_t until;           /* conversions until the clock is read again */
    int32_t gap;             /* what that began at */
    uint32_t count;          /* conversions up to the last reading */
    uint32_t newest;         /* its direction */
    uint64_t began;
    uint64_t off;            /* ticks that were not the program's own, so far */
    uint64_t waited, released; /* ticks */
    uint64_t cost;           /* ticks that the timing has taken */
    struct kp_stretch directions[2];
};

/* The countdown of this block has ended in an activation that begins: time it, if possible. The
 * activation's state is in kp_convert; `origin` is who called it. Keeps errno. */
void kp_span_begin(struct kp_counter_block *block, const struct kp_origin *origin);

/* The activation is over. Keeps errno. */
void kp_span_end(struct kp_span *span);

/* A conversion in a timed activation need only be counted, like any other. */
static inline bool kp_span_passes(struct kp_span *span, uint64_t amount)
{
    return span && --span->until > 0 && amount <= KP_SPAN_SMALL;
}

/* Before and after a conversion in this direction that does not. */
void kp_span_converts(struct kp_span *span, unsigned direction);
void kp_span_converted(struct kp_span *span, unsigned direction);

/* A conversion is about to make a string of this text: has it been made before? */
void kp_span_text(struct kp_span *span, const char *text, uint64_t bytes);

/* The GIL was given away for so long, and waited for. */
void kp_span_released(struct kp_span *span, uint64_t released_ticks, uint64_t waited_ticks);

/* Measures what a conversion in a timed activation costs more than in another. With the guard set,
 * when this thread has its private memory. */
void kp_span_calibrate(void);

/* Ticks as ns. */
uint64_t kp_ticks_ns(uint64_t ticks);

#endif
