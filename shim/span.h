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

/* A moment, and how many ticks up to then were not the program's own: spent by us, or without the
 * GIL. */
struct kp_moment {
    uint64_t ticks, off;
};

/* The conversions of one direction, or all of them. */
struct kp_stretch {
    struct kp_moment first, last;
    uint32_t count;
    uint32_t stamped; /* of the conversion that `last` is the end of */
};

struct kp_span {
    struct kp_counter_block *block;
    uint32_t node, weight, serial;
    uint32_t strings, repeated;
    bool was_away;           /* without the GIL, since the last reading of the clock */
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

/* Before and after a conversion in this direction. */
void kp_span_converts(struct kp_span *span, unsigned direction);
void kp_span_converted(struct kp_span *span, unsigned direction, uint64_t amount);

/* Is this row one that makes a short string, and is it to be looked at? */
bool kp_span_wants_text(const struct kp_span *span, unsigned row, uint64_t amount);
void kp_span_text(struct kp_span *span, const char *text, uint64_t bytes);

/* The GIL was given away for so long, and waited for. */
void kp_span_released(struct kp_span *span, uint64_t released_ticks, uint64_t waited_ticks);

/* Measures what a conversion in a timed activation costs more than in another. With the guard set,
 * when this thread has its private memory. */
void kp_span_calibrate(void);

/* Ticks as ns. */
uint64_t kp_ticks_ns(uint64_t ticks);

#endif
