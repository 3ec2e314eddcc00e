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
    uint64_t ticks, spent, released;
};

/* From the begin of the first conversion in a direction to the end of the last, as far as the clock
 * was read. */
struct kp_stretch {
    struct kp_moment first, last; /* ticks 0: none */
    uint32_t row;    /* of the last */
    bool is_open;    /* nobody will say when the last has ended */
    uint64_t count;  /* calls of that row in the activation, with the last */
};

struct kp_span {
    struct kp_counter_block *block; /* of the entry */
    struct kp_counter_block *ahead; /* timed: where calls are counted before the clock is read */
    uint32_t node, weight, serial;
    uint32_t strings, repeated;
    uint32_t rows; /* that have been called in the activation */
    bool is_running;
    bool is_inner; /* of the same entry as one that it runs in: its time is that one's */
    uint64_t began;
    uint64_t spent, released; /* ticks that were not the program's own, so far */
    uint64_t waited;
    uint64_t cost;            /* ticks that the timing has taken */
    uint64_t random;
    struct kp_stretch directions[2];
    uint64_t counts[KP_API_ROWS]; /* calls of each row in the activation */
};

/* The countdown of this block has ended in an activation that begins: time it, if possible. The
 * activation's state is in kp_convert; `origin` is who called it. Keeps errno. */
void kp_span_begin(struct kp_counter_block *block, const struct kp_origin *origin, bool is_inner);

/* The activation is over. Keeps errno. */
void kp_span_end(struct kp_span *span);

/* Before and after a conversion at which the clock is read. It is not counted yet. */
void kp_span_converts(struct kp_span *span, unsigned row);
void kp_span_converted(struct kp_span *span, unsigned row);

/* Instead of the latter, as the conversion is about to begin, if nobody will see its end. */
void kp_span_leaves_open(struct kp_span *span, unsigned row);

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
