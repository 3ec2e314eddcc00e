/* SPDX-License-Identifier: MIT */
/*
 * Timing. Host's threads; a span belongs to its thread, which alone writes it.
 *
 * A clock read at each conversion would cost more than most conversions. So it is read at the first,
 * then at ever rarer ones (never further apart than a 64th of those so far), at a large one, and at
 * the first since the GIL was away; the others are counted as ever. What follows the last reading
 * counts at the mean of those before. What all this costs was measured beforehand and is taken off.
 */
#include "span.h"

#include "clock.h"
#include "convert_own.h"
#include "slots.h"
#include "span_write.h"
#include "start.h"
#include "unwind.h"

#include <errno.h>
#include <string.h>

#define SHORT_BYTES 64u
#define SPARSE 64
#define DENSE 16 /* of few conversions more are timed */
#define FEW 256u
#define FIRST_COST_MAX 4000u /* ticks; what a first stack costs more than this is paid once */
#define CALLS 256
#define RUNS 24

/* Ticks by which a conversion takes longer in a timed activation than in others: one that passes,
 * one at which the clock is read, and the look at a text. */
static uint32_t cost_passing, cost_stamped, cost_text;

static struct kp_span *span_new(struct kp_convert *self)
{
    if (!self->own || self->spans >= KP_SPANS_MAX)
        return NULL;
    return &self->own->spans[self->spans++];
}

/* With the guard set. */
static void begin(struct kp_convert *self, struct kp_counter_block *block,
                  const struct kp_origin *origin, uint32_t weight)
{
    uint64_t ticks = kp_ticks();
    struct kp_slot *slot = kp_start_ready() ? kp_slot_get(&kp_self) : NULL;
    struct kp_span *span = slot ? span_new(self) : NULL;

    if (!span) {
        atomic_fetch_add(&kp_state.info->lost_activations, 1);
        return;
    }
    uint32_t serial = span->serial + 1;
    memset(span, 0, sizeof *span);
    span->serial = serial;
    span->block = block;
    span->weight = weight;
    span->until = span->gap = 1;
    span->node = kp_unwind(slot, origin, KP_KIND_MALLOC);
    for (unsigned i = 0; i < 2; i++)
        span->directions[i].before = kp_span_conversions(block, i);
    self->now.span = span;
    self->now.block = NULL;
    span->began = kp_ticks();
    span->cost = span->began - ticks < FIRST_COST_MAX ? span->began - ticks : FIRST_COST_MAX;
}

void kp_span_begin(struct kp_counter_block *block, const struct kp_origin *origin)
{
    uint32_t weight = (uint32_t)block->shim[KP_BLOCK_WEIGHT];
    int error = errno;
    uint64_t cookie;

    kp_span_draw(block);
    if (kp_guard_enter(&cookie)) {
        begin(&kp_convert, block, origin, weight);
        kp_guard_leave();
    }
    errno = error;
}

void kp_span_end(struct kp_span *span)
{
    struct kp_convert *self = &kp_convert;
    uint64_t ticks = kp_ticks(), cookie;
    int error = errno;

    self->now.span = NULL;
    span->serial++;
    if (kp_guard_enter(&cookie)) {
        kp_span_write(span, ticks);
        kp_guard_leave();
    }
    span->block->shim[KP_BLOCK_SPENT] += span->cost + kp_ticks() - ticks;
    errno = error;
}

void kp_span_converts(struct kp_span *span, unsigned direction)
{
    struct kp_stretch *stretch = &span->directions[direction & 1];

    if (direction < 2 && !stretch->first.ticks)
        stretch->first = (struct kp_moment){kp_ticks(), span->off};
}

static void pay(struct kp_span *span, uint64_t ticks)
{
    span->off += ticks;
    span->cost += ticks;
}

void kp_span_converted(struct kp_span *span, unsigned direction)
{
    uint32_t passed = (uint32_t)(span->gap - (span->until > 0 ? span->until : 0));

    if (direction > 1)
        return;
    if (passed > 1)
        pay(span, (uint64_t)(passed - 1) * cost_passing);
    span->directions[direction].last = (struct kp_moment){kp_ticks(), span->off};
    span->newest = direction;
    span->count += passed;
    span->gap = span->until = 1 + (int32_t)(span->count / (span->count < FEW ? DENSE : SPARSE));
    pay(span, cost_stamped);
}

void kp_span_text(struct kp_span *span, const char *text, uint64_t bytes)
{
    uint64_t hash = bytes * 0x9e3779b97f4a7c15u;

    if (bytes > SHORT_BYTES)
        return;
    for (uint64_t i = 0; i < bytes; i++)
        hash = (hash ^ (uint8_t)text[i]) * 0x100000001b3u;
    uint32_t found = (uint32_t)(hash >> 32) | 1;
    uint32_t *place = &kp_convert.own->recent_strings[hash >> 24 & 255];
    span->strings++;
    span->repeated += *place == found;
    *place = found;
    pay(span, cost_text + 4 * bytes);
}

void kp_span_released(struct kp_span *span, uint64_t released_ticks, uint64_t waited_ticks)
{
    span->released += released_ticks;
    span->waited += waited_ticks;
    span->off += released_ticks;
    span->gap -= span->until - 1; /* the next conversion is the one to read the clock at */
    span->until = 1;
}

static uintptr_t nothing(void)
{
    return 0;
}

/* The fastest of some runs: ticks of CALLS conversions with the clock read every `gap`. */
static uint64_t fastest(struct kp_span *span, int32_t gap)
{
    uint64_t best = UINT64_MAX;

    for (unsigned run = 0; run < RUNS; run++) {
        uint64_t ticks = kp_ticks();

        for (unsigned i = 0; i < CALLS; i++) {
            span->gap = span->until = gap;
            kp_convert_probe(0, 0, 0, 0, 0, 0);
        }
        ticks = kp_ticks() - ticks;
        best = ticks < best ? ticks : best;
    }
    return best;
}

static uint64_t fastest_text(struct kp_span *span)
{
    uint64_t best = UINT64_MAX;

    for (unsigned run = 0; run < RUNS; run++) {
        uint64_t ticks = kp_ticks();

        for (unsigned i = 0; i < CALLS; i++)
            kp_span_text(span, "", 0);
        ticks = kp_ticks() - ticks;
        best = ticks < best ? ticks : best;
    }
    return best;
}

static uint32_t above(uint64_t with, uint64_t without)
{
    return (uint32_t)(with > without ? (with - without) / CALLS : 0);
}

void kp_span_calibrate(void)
{
    struct kp_counter_block *block = kp_convert_scratch();
    struct kp_span span = {.block = block};
    struct kp_convert kept = kp_convert;
    uint64_t plain, passing, stamped;

    kp_api_real[KP_API_ROW_in_place] = (void *)nothing; /* the row of the probe */
    kp_convert.now = (struct kp_activation){.block = block, .entry = block, .epoch = kp_state.epoch};
    plain = fastest(&span, 1);
    kp_convert.now.block = NULL;
    kp_convert.now.span = &span;
    passing = fastest(&span, 1 << 30);
    stamped = fastest(&span, 1);
    cost_text = above(fastest_text(&span), 0);
    kp_convert = kept;
    cost_passing = above(passing, plain);
    cost_stamped = above(stamped, plain);
}
