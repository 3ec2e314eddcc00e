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

__thread struct kp_convert kp_convert __attribute__((visibility("hidden")));
void *kp_api_real[KP_API_ROWS] __attribute__((visibility("hidden")));

const uint8_t kp_row_direction[KP_API_ROWS] = {
#define ROW(name, class, direction, objects, copies, unit, read) KP_##direction,
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
    memset(&kp_convert, 0, sizeof kp_convert);
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

static struct kp_counter_block *block_new(struct kp_converter *own, uint32_t entry)
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
    block->shim[KP_BLOCK_WEIGHT] = 1;
    block->shim[KP_BLOCK_SINCE] = block->shim[KP_BLOCK_DRAWN] = kp_ticks();
    atomic_store_explicit(&own->chunk->used, own->chunk->used + (uint32_t)sizeof *block,
                          memory_order_release);
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

struct kp_counter_row *kp_convert_begin(unsigned row, uint64_t amount, uintptr_t caller)
{
    struct kp_convert *self = &kp_convert;
    struct kp_counter_block *block = kp_convert_block(caller);
    struct kp_counter_row *counted = &block->rows[row];

    counted->calls++;
    counted->amount += amount;
    self->now.last = counted;
    if (self->now.span)
        kp_span_converts(self->now.span, kp_row_direction[row]);
    else if (!self->now.entry)
        self->outside = block;
    return counted;
}

void kp_convert_end(unsigned row)
{
    struct kp_convert *self = &kp_convert;

    if (self->now.span)
        kp_span_converted(self->now.span, kp_row_direction[row]);
    else if (!self->now.entry)
        self->outside = NULL;
}

static bool fills(unsigned row)
{
    return row == KP_API_ROW_PyBytes_FromStringAndSize ||
           row == KP_API_ROW_PyByteArray_FromStringAndSize;
}

/* A figure on top of the row's own: bytes that are filled in place, or copied though many. */
static void count_fill(struct kp_counter_block *block, uintptr_t from, uint64_t bytes)
{
    unsigned row = from ? KP_API_ROW_large_copies : KP_API_ROW_in_place;

    if (from && bytes <= KP_LARGE_COPY)
        return;
    block->rows[row].calls++;
    block->rows[row].amount += bytes;
}

uintptr_t kp_convert_slowly(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t e,
                            uintptr_t f)
{
    struct kp_convert *self = &kp_convert;
    unsigned row = self->row;
    uint64_t amount = self->amount;
    uintptr_t result;
    struct kp_counter_row *counted =
        kp_convert_begin(row, amount, (uintptr_t)__builtin_return_address(0));
    if (fills(row))
        count_fill(kp_row_block(counted, row), a, amount);
    if (self->now.span && a && kp_span_makes_text(row))
        kp_span_text(self->now.span, (const char *)a, amount);
    result = KP_CALL(row, uintptr_t (*)(uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t,
                                        uintptr_t), a, b, c, d, e, f);
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
    if (self->now.last) {
        flags = KP_ALLOC_CONVERTING;
        if (kp_row_direction[self->now.last - block->rows] == KP_FROM_PYTHON)
            flags |= KP_ALLOC_FROM_PYTHON;
    }
    return KP_ALLOC_FLAGS(block->entry, flags);
}
