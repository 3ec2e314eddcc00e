/* SPDX-License-Identifier: MIT */
/*
 * What becomes of a span. Host's threads, with the guard set but for the draw.
 *
 * The number of activations to the next timed one is geometric: each is drawn with probability
 * 1/weight whatever its shape, so that no rhythm of the program can hide anything. The weight is
 * such that timing costs a 128th of the time that passes, by what the last one cost and how fast
 * they came; it is fixed before the activations that it applies to are known, so that the estimate
 * stays without bias.
 */
#include "span_write.h"

#include "clock.h"
#include "convert_own.h"
#include "gap.h"
#include "slots.h"
#include "spool.h"

#define SHARE 128u            /* one part of the time may be spent */
#define CREDIT_TICKS 2000000u /* of each block, so that short programs have samples too */
#define WEIGHT_MAX (1u << 20)
#define ACCOUNT_TICKS (1ull << 32)
#define CALIBRATE_TICKS (1u << 22)

static struct {
    uint64_t ticks, ns, due;
    double ns_per_tick;
} scale;

/* Two threads may do this at once: each writes sense. */
static void calibrate(uint64_t ticks)
{
    uint64_t ns = kp_sys_clock_ns(CLOCK_MONOTONIC);

    if (scale.ticks && ticks > scale.ticks)
        scale.ns_per_tick = (double)(ns - scale.ns) / (double)(ticks - scale.ticks);
    if (!scale.ticks) {
        scale.ns = ns;
        scale.ticks = ticks;
    }
    scale.due = ticks + CALIBRATE_TICKS + (ticks - scale.ticks) / 4;
}

uint64_t kp_ticks_ns(uint64_t ticks)
{
    uint64_t now = kp_ticks();

    if (now >= scale.due)
        calibrate(now);
    double ns_per_tick = scale.ns_per_tick;
    return (uint64_t)((double)ticks * (ns_per_tick > 0 ? ns_per_tick : 0.4));
}

static uint64_t conversions(const struct kp_span *span, unsigned direction)
{
    uint64_t sum = 0;

    for (unsigned row = 0; row < KP_API_ROWS; row++)
        if (kp_row_kinds[row].direction == direction)
            sum += span->counts[row];
    return sum;
}

/* Ticks of the program's own. Of the activations that this one stands for, it alone has paid for
 * being timed. */
static uint64_t own_ticks(const struct kp_span *span, struct kp_moment from, struct kp_moment to)
{
    uint64_t spent = to.spent - from.spent, off = spent - spent / span->weight;

    off += to.released - from.released;
    return to.ticks > from.ticks + off ? to.ticks - from.ticks - off : 0;
}

/* The end of a direction: what was not timed behind the last reading is taken like what was. */
static struct kp_moment end_of(const struct kp_span *span, const struct kp_stretch *stretch,
                               struct kp_moment ended)
{
    struct kp_moment end = stretch->last;
    uint64_t more = span->counts[stretch->row] - stretch->count;

    if (stretch->is_open)
        return ended;
    if (!more)
        return end;
    end.ticks += own_ticks(span, stretch->first, end) / stretch->count * more;
    return end.ticks < ended.ticks ? end : ended;
}

static void fill_times(struct kp_rec_activation *record, const struct kp_span *span,
                       struct kp_moment ended)
{
    struct kp_moment first = ended, last = {0};

    for (unsigned i = 0; i < 2; i++) {
        const struct kp_stretch *stretch = &span->directions[i];

        if (!stretch->last.ticks)
            continue;
        struct kp_moment end = end_of(span, stretch, ended);
        record->direction_ns[i] = kp_ticks_ns(own_ticks(span, stretch->first, end));
        if (stretch->first.ticks < first.ticks)
            first = stretch->first;
        if (end.ticks > last.ticks)
            last = end;
    }
    if (last.ticks)
        record->converting_ns = kp_ticks_ns(own_ticks(span, first, last));
    /* Time without the GIL is part of the whole. */
    ended.released = 0;
    record->total_ns = kp_ticks_ns(own_ticks(span, (struct kp_moment){.ticks = span->began}, ended));
}

void kp_span_write(const struct kp_span *span, uint64_t ended)
{
    struct kp_slot *slot = kp_slot_get(&kp_self);
    bool ready = slot && kp_spool_prepare(slot, 0);
    struct kp_rec_activation *record = ready ? kp_spool_reserve(slot, sizeof *record) : NULL;

    if (!record) {
        atomic_fetch_add(&kp_state.info->lost_activations, 1);
        return;
    }
    *record = (struct kp_rec_activation){.type = KP_REC_ACTIVATION,
                                         .entry = span->block->entry,
                                         .node = span->node,
                                         .weight = span->weight,
                                         .conversions = {(uint32_t)conversions(span, 0),
                                                         (uint32_t)conversions(span, 1)},
                                         .wait_ns = kp_ticks_ns(span->waited),
                                         .released_ns = kp_ticks_ns(span->released),
                                         .strings = span->strings,
                                         .repeated = span->repeated};
    if (!span->is_inner)
        fill_times(record, span, (struct kp_moment){ended, span->spent, span->released});
    kp_spool_publish(slot, sizeof *record);
    atomic_fetch_add(&kp_state.info->activations, 1);
}

/* What is long ago is half forgotten. */
static void age(uint64_t *word, uint64_t now)
{
    if (now - word[KP_BLOCK_SINCE] <= ACCOUNT_TICKS)
        return;
    word[KP_BLOCK_SINCE] = now - ACCOUNT_TICKS / 2;
    word[KP_BLOCK_SPENT] /= 2;
    word[KP_BLOCK_DRAWN_SPENT] = word[KP_BLOCK_SPENT];
}

/* The weight at which the last one's cost is the allowed share of the time that passes. */
static uint64_t fitting_weight(const uint64_t *word, uint64_t now)
{
    uint64_t cost = word[KP_BLOCK_SPENT] - word[KP_BLOCK_DRAWN_SPENT];
    uint64_t passed = now - word[KP_BLOCK_DRAWN];
    double each = (double)passed / (double)word[KP_BLOCK_WEIGHT];
    double weight = (double)cost * SHARE / (each > 1 ? each : 1);

    return weight < 1 ? 1 : weight > WEIGHT_MAX ? WEIGHT_MAX : (uint64_t)weight;
}

void kp_span_draw(struct kp_counter_block *block)
{
    uint64_t *word = block->shim, now = kp_ticks(), weight = 1, allowed;

    age(word, now);
    allowed = (now - word[KP_BLOCK_SINCE]) / SHARE;
    if (word[KP_BLOCK_SPENT] > CREDIT_TICKS / 2)
        weight = fitting_weight(word, now);
    if (word[KP_BLOCK_SPENT] > CREDIT_TICKS + allowed && weight < WEIGHT_MAX)
        weight *= 2;
    word[KP_BLOCK_WEIGHT] = weight;
    word[KP_BLOCK_DRAWN] = now;
    word[KP_BLOCK_DRAWN_SPENT] = word[KP_BLOCK_SPENT];
    word[KP_BLOCK_LEFT] = weight > 1 ? kp_gap_geometric(&kp_self, weight) : 0;
}

bool kp_span_makes_text(unsigned row)
{
    switch (row) {
    case KP_API_ROW_PyUnicode_FromStringAndSize:
    case KP_API_ROW_PyUnicode_FromString:
    case KP_API_ROW_PyUnicode_DecodeUTF8:
    case KP_API_ROW_PyUnicode_DecodeUTF8Stateful:
    case KP_API_ROW_PyUnicode_DecodeLatin1:
    case KP_API_ROW_PyUnicode_DecodeASCII: return true;
    default: return false;
    }
}
