/* SPDX-License-Identifier: MIT */
/*
 * Where calls are counted. Host's threads, in a hook; what takes a lock or room in the spool runs
 * with the guard set. Counting itself needs neither: a block has one writer.
 *
 * A call that finds no entry running comes from a module whose functions are not wrapped (Cython's
 * are not), or from code that runs at import. It is counted for the module that the call's return
 * address belongs to, which a small table of the thread remembers for each place.
 */
#include "convert.h"

#include "clock.h"
#include "convert_own.h"
#include "entry.h"
#include "got.h"
#include "slots.h"
#include "span_write.h"
#include "spool.h"
#include "start.h"

#include <errno.h>
#include <string.h>

__thread struct kp_convert kp_convert __attribute__((visibility("hidden"))) = {
    .now = KP_NO_ACTIVATION(0)};
struct kp_counter_block kp_convert_trap = {
    .rows = {[0 ... KP_API_ROWS - 1] = {.calls = (uint64_t)INT64_MIN}}};
void *kp_api_real[KP_API_ROWS] __attribute__((visibility("hidden")));

const struct kp_row_kind kp_row_kinds[KP_API_ROWS] = {
#define ROW(name, class, direction, objects, copies, unit, read) {KP_##direction, objects, copies},
    KP_CONVERSION_API(ROW)
#undef ROW
};

/* What finds no room is counted here, for nobody. */
static struct kp_counter_block lost = {.shim = {[KP_BLOCK_LEFT] = UINT64_MAX / 2}};
static struct kp_converter **converters; /* by slot; wiped in forked children */

struct kp_counter_block *kp_convert_scratch(void)
{
    return &lost;
}

void kp_convert_forget(void)
{
    kp_convert = (struct kp_convert){.now = KP_NO_ACTIVATION(0)};
}

static struct kp_converter *converter_of(const struct kp_slot *slot)
{
    if (!converters)
        converters = kp_sys_map_wiped(KP_SLOTS_MAX * sizeof *converters);
    if (converters && !converters[slot->number])
        converters[slot->number] = kp_sys_map_wiped(sizeof **converters);
    return converters ? converters[slot->number] : NULL;
}

struct kp_converter *kp_converter_get(void)
{
    struct kp_convert *self = &kp_convert;
    struct kp_slot *slot;

    if (self->own && self->now.epoch == kp_state.epoch)
        return self->own;
    if (!kp_start_ready())
        return NULL;
    kp_convert_forget();
    slot = kp_slot_get(&kp_self);
    self->own = slot ? converter_of(slot) : NULL;
    self->now.epoch = self->own ? kp_state.epoch : 0;
    return self->own;
}

static bool chunk_has_room(const struct kp_chunk_header *chunk)
{
    return chunk && sizeof *chunk + chunk->used + sizeof(struct kp_counter_block) <= KP_CHUNK_BYTES;
}

/* Of an entry that the reader knows. It is published when its thread is through with the making. */
static struct kp_counter_block *block_begin(struct kp_converter *own, uint32_t entry)
{
    struct kp_slot *slot = kp_slot_get(&kp_self);

    if (!slot || !kp_entry_tell(entry))
        return NULL;
    if (!chunk_has_room(own->chunk)) {
        struct kp_chunk_header *chunk = kp_spool_claim_counters(slot);

        if (!chunk)
            return NULL;
        own->chunk = chunk;
    }
    struct kp_counter_block *block =
        (struct kp_counter_block *)((char *)(own->chunk + 1) + own->chunk->used);
    memset(block, 0, sizeof *block);
    block->entry = (uint16_t)entry;
    block->tid = (uint32_t)kp_sys_gettid();
    return block;
}

static void block_publish(struct kp_converter *own, const struct kp_counter_block *block)
{
    atomic_store_explicit(&own->chunk->used, own->chunk->used + (uint32_t)sizeof *block,
                          memory_order_release);
}

static struct kp_counter_block *block_new(struct kp_converter *own, uint32_t entry)
{
    struct kp_counter_block *block = block_begin(own, entry);

    if (!block)
        return NULL;
    block->shim[KP_BLOCK_WEIGHT] = 1;
    block->shim[KP_BLOCK_SINCE] = block->shim[KP_BLOCK_DRAWN] = kp_ticks();
    block_publish(own, block);
    return block;
}

struct kp_counter_block *kp_convert_timed_block(struct kp_converter *own, uint32_t entry)
{
    struct kp_counter_block *block = block_begin(own, entry);

    if (!block)
        return NULL;
    block->is_timed = true;
    for (unsigned row = 0; row < KP_API_ROWS; row++)
        block->rows[row].calls = KP_TIMED_REST;
    block_publish(own, block);
    return block;
}

/* With the guard set. */
static struct kp_counter_block *block_make(uint32_t entry)
{
    struct kp_converter *own = kp_converter_get();

    if (!own || !entry)
        return NULL;
    if (!own->blocks[entry]) {
        own->blocks[entry] = block_new(own, entry);
        if (!own->blocks[entry])
            atomic_fetch_add(&kp_state.info->lost_blocks, 1);
    }
    return own->blocks[entry];
}

struct kp_counter_block *kp_convert_block_of(uint32_t entry)
{
    struct kp_convert *self = &kp_convert;
    struct kp_counter_block *block = NULL;
    int error = errno;
    uint64_t cookie;

    if (self->own && self->now.epoch == kp_state.epoch && self->own->blocks[entry])
        return self->own->blocks[entry];
    if (kp_guard_enter(&cookie)) {
        block = block_make(entry);
        kp_guard_leave();
    }
    errno = error;
    return block;
}

static void remember(struct kp_converter *own, uintptr_t caller, struct kp_counter_block *block)
{
    own->sites[(caller >> 2) % KP_SITES].caller = caller;
    own->sites[(caller >> 2) % KP_SITES].block = block;
    own->latest = block;
}

/* A call may come by a jump, as the last thing that a function does: then the return address is
 * that of the interpreter, and the module that called last is the likely one. */
static struct kp_counter_block *block_of_caller(uintptr_t caller)
{
    struct kp_counter_block *block = NULL;
    int error = errno;
    uint64_t cookie;

    if (kp_guard_enter(&cookie)) {
        uint32_t entry = kp_got_module_entry(caller);

        block = entry ? block_make(entry) : kp_converter_get() ? kp_convert.own->latest : NULL;
        if (block && entry)
            remember(kp_convert.own, caller, block);
        kp_guard_leave();
    }
    errno = error;
    return block ? block : &lost;
}

struct kp_counter_block *kp_convert_block(uintptr_t caller)
{
    struct kp_convert *self = &kp_convert;

    if (self->now.epoch == kp_state.epoch && self->own) {
        if (self->now.entry)
            return self->now.entry;
        if (self->own->sites[(caller >> 2) % KP_SITES].caller == caller)
            return self->own->sites[(caller >> 2) % KP_SITES].block;
    }
    return block_of_caller(caller);
}

struct kp_counter_row *kp_convert_begin(unsigned row, uintptr_t caller)
{
    struct kp_convert *self = &kp_convert;

    self->now.block->rows[row].calls--;
    struct kp_counter_block *block = kp_convert_block(caller);
    struct kp_counter_row *counted = &block->rows[row];
    if (self->now.span && self->now.span->block != block) {
        /* On a stack that was left and came back: it has become another activation's. */
        self->now.span = NULL;
        self->now.block = block;
    }
    if (self->now.span)
        kp_span_converts(self->now.span, row);
    else if (!self->now.entry)
        self->outside = block;
    counted->calls++;
    self->now.last_row = row;
    return counted;
}

void kp_convert_end(unsigned row)
{
    struct kp_convert *self = &kp_convert;

    if (self->now.span)
        kp_span_converted(self->now.span, row);
    else if (!self->now.entry)
        self->outside = NULL;
}

static bool fills(unsigned row)
{
    return row == KP_API_ROW_PyBytes_FromStringAndSize ||
           row == KP_API_ROW_PyByteArray_FromStringAndSize;
}

/* Figures on top of the row's own: bytes that are filled in place, or copied though many. */
static void count_apart(struct kp_counter_block *block, unsigned row, uintptr_t from, uint64_t bytes)
{
    bool in_place = fills(row) && !from;
    struct kp_counter_row *counted =
        &block->rows[in_place ? KP_API_ROW_in_place : KP_API_ROW_large_copies];

    if (!in_place && (!kp_row_kinds[row].copies || bytes <= KP_LARGE_COPY ||
                      kp_row_kinds[row].direction != KP_TO_PYTHON))
        return;
    counted->calls++;
    counted->amount += bytes;
}

uintptr_t kp_convert_slowly(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t e,
                            uintptr_t f)
{
    struct kp_convert *self = &kp_convert;
    unsigned row = (unsigned)self->now.last_row;
    uint64_t amount = self->amount;
    struct kp_counter_row *counted =
        kp_convert_begin(row, (uintptr_t)__builtin_return_address(0));
    uintptr_t result;

    if (self->now.span && a && kp_span_makes_text(row))
        kp_span_text(self->now.span, (const char *)a, amount);
    result = KP_CALL(row, uintptr_t (*)(uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t,
                                        uintptr_t), a, b, c, d, e, f);
    if (amount <= KP_AMOUNT_MAX && (result || !kp_row_kinds[row].makes)) {
        counted->amount += amount;
        count_apart(kp_row_block(counted, row), row, a, amount);
    }
    if (row == KP_API_ROW_PyBytes_FromStringAndSize && !a) {
        self->filling = result;
        self->filling_bytes = amount;
    }
    kp_convert_end(row);
    return result;
}

/* Python code that an entry has called makes its own allocations, not the entry's. */
static bool python_runs_inside(const struct kp_slot *slot, uintptr_t frame)
{
    return slot->py_depth && slot->py[slot->py_depth - 1].anchor < frame;
}

uint16_t kp_convert_flags(const struct kp_slot *slot, uintptr_t sp)
{
    const struct kp_convert *self = &kp_convert;
    const struct kp_counter_block *block = self->now.entry ? self->now.entry : self->outside;
    unsigned flags = 0;

    if (!block || self->now.epoch != kp_state.epoch || block == &lost)
        return 0;
    if (self->now.entry && (sp > self->now.frame || python_runs_inside(slot, self->now.frame)))
        return 0;
    if (self->now.last_row) {
        flags = KP_ALLOC_CONVERTING;
        if (kp_row_kinds[self->now.last_row].direction == KP_FROM_PYTHON)
            flags |= KP_ALLOC_FROM_PYTHON;
    }
    return KP_ALLOC_FLAGS(block->entry, flags);
}
