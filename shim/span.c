/* SPDX-License-Identifier: MIT */
/*
 * Timing. Host's threads; a span belongs to its thread, which alone writes it.
 *
 * A clock read at each conversion would cost as much as the conversion. So the clock is read before
 * the first, after each of the first 64, and then after ever rarer ones (never further apart than a
 * 64th of those so far), after a large one, and after the first since the GIL was away. What is
 * left behind the last reading counts at the mean of those before. What the readings themselves
 * have cost was measured beforehand (kp_span_calibrate) and is taken off.
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

#define DENSE 64u          /* conversions that are stamped one by one */
#define LARGE_BYTES 1024u  /* a conversion that takes its time */
#define SHORT_BYTES 64u
#define CALLS 256
#define RUNS 16
#define ROW_OF_NOTHING KP_API_ROW_in_place /* no function of Python, but with a direction */

/* Ticks by which a conversion takes longer: with a reading of the clock after it, and without. */
static uint32_t cost_stamped, cost_plain;

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
    span->node = kp_unwind(slot, origin, KP_KIND_MALLOC);
    self->now.span = span;
    self->now.block = NULL;
    span->began = kp_ticks();
    span->cost = span->began - ticks;
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

    if (direction > 1 || stretch->count++)
        return;
    stretch->first = (struct kp_moment){kp_ticks(), span->off};
}

static bool is_due(const struct kp_stretch *stretch)
{
    return stretch->count <= DENSE ||
           stretch->count - stretch->stamped >= stretch->count / DENSE;
}

void kp_span_converted(struct kp_span *span, unsigned direction, uint64_t amount)
{
    struct kp_stretch *stretch = &span->directions[direction & 1];
    uint32_t cost = cost_plain;

    if (direction > 1)
        return;
    if (is_due(stretch) || amount > LARGE_BYTES || span->was_away) {
        span->was_away = false;
        stretch->last = (struct kp_moment){kp_ticks(), span->off};
        stretch->stamped = stretch->count;
        cost = cost_stamped;
    }
    span->off += cost;
    span->cost += cost;
}

bool kp_span_wants_text(const struct kp_span *span, unsigned row, uint64_t amount)
{
    const struct kp_stretch *stretch = &span->directions[KP_TO_PYTHON];

    return amount <= SHORT_BYTES && kp_span_makes_text(row) && is_due(stretch);
}

void kp_span_text(struct kp_span *span, const char *text, uint64_t bytes)
{
    uint64_t ticks = kp_ticks(), spent, hash = bytes * 0x9e3779b97f4a7c15u;

    for (uint64_t i = 0; i < bytes; i++)
        hash = (hash ^ (uint8_t)text[i]) * 0x100000001b3u;
    uint32_t found = (uint32_t)(hash >> 32) | 1;
    uint32_t *place = &kp_convert.own->recent_strings[hash >> 24 & 255];
    span->strings++;
    span->repeated += *place == found;
    *place = found;
    spent = kp_ticks() - ticks;
    span->off += spent;
    span->cost += spent;
}

void kp_span_released(struct kp_span *span, uint64_t released_ticks, uint64_t waited_ticks)
{
    span->released += released_ticks;
    span->waited += waited_ticks;
    span->off += released_ticks;
    span->was_away = true;
}

static uintptr_t nothing(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t e,
                         uintptr_t f)
{
    return a + b + c + d + e + f;
}

typedef uintptr_t six_words(uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t);

/* The fastest of some runs: ticks of CALLS calls. */
static uint64_t fastest(six_words *volatile call, struct kp_stretch *stretch, bool dense)
{
    uint64_t best = UINT64_MAX;

    for (unsigned run = 0; run < RUNS; run++) {
        uint64_t ticks = kp_ticks();

        for (unsigned i = 0; i < CALLS; i++) {
            kp_convert.row = ROW_OF_NOTHING;
            kp_convert.amount = 0;
            stretch->count = stretch->stamped = dense ? 1 : 1u << 30;
            call(0, 0, 0, 0, 0, 0);
        }
        ticks = kp_ticks() - ticks;
        best = ticks < best ? ticks : best;
    }
    return best;
}

void kp_span_calibrate(void)
{
    struct kp_counter_block *block = kp_convert_scratch();
    struct kp_span span = {.block = block};
    struct kp_convert kept = kp_convert;
    struct kp_stretch *stretch = &span.directions[KP_TO_PYTHON];
    uint64_t plain, dense, without = fastest(nothing, stretch, false);

    kp_api_real[ROW_OF_NOTHING] = (void *)nothing;
    kp_convert.now = (struct kp_activation){
        .entry = block, .span = &span, .epoch = kp_state.epoch};
    plain = fastest(kp_convert_slowly, stretch, false);
    dense = fastest(kp_convert_slowly, stretch, true);
    kp_convert = kept;
    cost_plain = (uint32_t)((plain > without ? plain - without : 0) / CALLS);
    cost_stamped = (uint32_t)((dense > without ? dense - without : 0) / CALLS);
}
