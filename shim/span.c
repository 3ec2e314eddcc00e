/* SPDX-License-Identifier: MIT */
/*
 * Timing. Host's threads; a span belongs to its thread, which alone writes it.
 *
 * A clock read at each conversion would cost more than most conversions. So it is read at the first
 * of each row, then at ever rarer ones; what follows the last reading counts at the mean of those
 * before. The others take the way that all calls take in any other activation: they are counted in
 * a block of the span's own, whose rows come to 2^63 when the clock is to be read. The entry's block
 * has counted them ahead, so that the sum of both is right at any moment.
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
#define DENSE 16      /* at first, one more reading of the clock for so many calls */
#define SPARSE 64     /* later it is read when so much more of the time has passed... */
#define APART 40000.0 /* ...but not before so many ticks, which is a hundred times its price */
#define SHARING 4     /* rows that share that; of more, each takes as much again */
#define FIRST_COST_MAX 4000u /* ticks; what a first stack costs more than this is paid once */
#define CALLS 256
#define RUNS 24

/* Ticks that it takes to read the clock at a conversion, and to look at a text. */
static uint32_t cost_stamped, cost_text;

/* What was counted ahead of this row and not called is taken back. */
static void settle(struct kp_span *span, unsigned row)
{
    struct kp_counter_row *ahead = &span->ahead->rows[row], *counted = &span->block->rows[row];
    uint64_t left = KP_TIMED_REST - ahead->calls;

    span->counts[row] -= left;
    counted->calls -= left;
    ahead->calls = KP_TIMED_REST;
    counted->amount += ahead->amount;
    ahead->amount = 0;
}

static void settle_all(struct kp_span *span)
{
    for (unsigned row = 0; row < KP_API_ROWS; row++)
        if (span->ahead->rows[row].calls != KP_TIMED_REST || span->ahead->rows[row].amount)
            settle(span, row);
    span->is_running = false;
}

/* So many calls of this row are to pass. */
static void count_ahead(struct kp_span *span, unsigned row, uint64_t calls)
{
    settle(span, row);
    span->counts[row] += calls;
    span->block->rows[row].calls += calls;
    span->ahead->rows[row].calls = KP_TIMED_REST - calls;
}

/* Half as many at least and half as many more at most, lest a rhythm of the program be met. */
static uint64_t about(struct kp_span *span, double calls)
{
    span->random = span->random * 6364136223846793005u + 1442695040888963407u;
    return (uint64_t)(calls * (0.5 + (double)(span->random >> 40) * 0x1p-24));
}

/* How many may pass now. Each row has its own readings, but a moment serves them all. */
static uint64_t gap(struct kp_span *span, unsigned row, uint64_t now)
{
    double rows = span->rows < SHARING ? span->rows : SHARING;
    double count = rows * (double)span->counts[row], passed = (double)(now - span->began);
    double apart = passed / SPARSE > APART ? passed / SPARSE : APART;
    double by_time = count * apart / passed, by_count = count / DENSE;

    return about(span, by_time < by_count ? by_time : by_count);
}

/* One that nobody uses, with a block. What is left in it of an activation that was never left (its
 * stack is gone) is settled. */
static struct kp_span *span_new(struct kp_convert *self, uint32_t entry)
{
    struct kp_span *span;

    if (!self->own || self->spans >= KP_SPANS_MAX)
        return NULL;
    span = &self->own->spans[self->spans];
    if (span->is_running)
        settle_all(span);
    if (!span->ahead)
        span->ahead = kp_convert_timed_block(self->own, entry);
    if (!span->ahead)
        return NULL;
    span->ahead->entry = (uint16_t)entry;
    self->spans++;
    return span;
}

/* Deep in a recursion, where no room is left: that it was called is all there is to tell. */
static void tell_call(const struct kp_span *span, uint64_t began)
{
    kp_span_write(span, began);
    span->block->shim[KP_BLOCK_SPENT] += kp_ticks() - began;
}

/* With the guard set. */
static void begin(struct kp_convert *self, struct kp_counter_block *block,
                  const struct kp_origin *origin, uint32_t weight, bool is_inner)
{
    uint64_t ticks = kp_ticks();
    struct kp_slot *slot = kp_start_ready() ? kp_slot_get(&kp_self) : NULL;
    struct kp_span *span = slot ? span_new(self, block->entry) : NULL;
    struct kp_span fresh = {.block = block,
                            .weight = weight,
                            .is_running = true,
                            .is_inner = is_inner,
                            .random = ticks,
                            .node = slot ? kp_unwind(slot, origin, KP_KIND_MALLOC) : 0};

    if (!span) {
        if (slot && is_inner)
            tell_call(&fresh, ticks);
        else
            atomic_fetch_add(&kp_state.info->lost_activations, 1);
        return;
    }
    fresh.ahead = span->ahead;
    fresh.serial = span->serial + 1;
    *span = fresh;
    self->now.span = span;
    self->now.block = span->ahead;
    span->began = kp_ticks();
    span->cost = span->began - ticks < FIRST_COST_MAX ? span->began - ticks : FIRST_COST_MAX;
}

void kp_span_begin(struct kp_counter_block *block, const struct kp_origin *origin, bool is_inner)
{
    uint32_t weight = (uint32_t)block->shim[KP_BLOCK_WEIGHT];
    int error = errno;
    uint64_t cookie;

    kp_span_draw(block);
    if (kp_guard_enter(&cookie)) {
        begin(&kp_convert, block, origin, weight, is_inner);
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
    settle_all(span);
    if (kp_guard_enter(&cookie)) {
        kp_span_write(span, ticks);
        kp_guard_leave();
    }
    span->block->shim[KP_BLOCK_SPENT] += span->cost + kp_ticks() - ticks;
    errno = error;
}

static struct kp_moment moment_now(const struct kp_span *span)
{
    return (struct kp_moment){kp_ticks(), span->spent, span->released};
}

static void pay(struct kp_span *span, uint64_t ticks)
{
    span->spent += ticks;
    span->cost += ticks;
}

void kp_span_converts(struct kp_span *span, unsigned row)
{
    struct kp_stretch *stretch = &span->directions[kp_row_kinds[row].direction & 1];

    settle(span, row);
    span->rows += span->counts[row]++ == 0;
    if (!stretch->first.ticks)
        stretch->first = moment_now(span);
}

void kp_span_converted(struct kp_span *span, unsigned row)
{
    struct kp_stretch *stretch = &span->directions[kp_row_kinds[row].direction & 1];

    settle(span, row);
    stretch->last = moment_now(span);
    stretch->row = row;
    stretch->count = span->counts[row];
    stretch->is_open = false;
    count_ahead(span, row, gap(span, row, stretch->last.ticks));
    pay(span, cost_stamped);
}

void kp_span_leaves_open(struct kp_span *span, unsigned row)
{
    kp_span_converted(span, row);
    span->directions[kp_row_kinds[row].direction & 1].is_open =
        kp_row_kinds[row].direction == KP_TO_PYTHON;
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
}

static uintptr_t nothing(void)
{
    return 0;
}

/* The fastest of some runs: ticks of CALLS conversions. */
static uint64_t fastest(struct kp_span *span)
{
    uint64_t best = UINT64_MAX;

    for (unsigned run = 0; run < RUNS; run++) {
        uint64_t ticks = kp_ticks();

        for (unsigned i = 0; i < CALLS; i++) {
            kp_convert_probe(0, 0, 0, 0, 0, 0);
            settle(span, KP_API_ROW_in_place);
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
    static struct kp_counter_block ahead;
    struct kp_counter_block *block = kp_convert_scratch();
    struct kp_span span = {.block = block, .ahead = &ahead};
    struct kp_convert kept = kp_convert;
    uint64_t plain;

    ahead.rows[KP_API_ROW_in_place].calls = KP_TIMED_REST;
    kp_api_real[KP_API_ROW_in_place] = (void *)nothing; /* the row of the probe */
    kp_convert.now = (struct kp_activation){.block = block, .entry = block, .epoch = kp_state.epoch};
    plain = fastest(&span);
    kp_convert.now.block = &ahead;
    kp_convert.now.span = &span;
    cost_stamped = above(fastest(&span), plain);
    cost_text = above(fastest_text(&span), 0);
    kp_convert = kept;
}
