/* SPDX-License-Identifier: MIT */
/*
 * Chunks of the spool: claim, fill, hand over. Host's threads, with the guard set.
 *
 * Writing to a hole of a mapped file on a full disk would raise SIGBUS, so every page is made
 * present first, by MADV_POPULATE_WRITE, which fails instead; kernels without it (before 5.14)
 * reserve by fallocate through a descriptor that lives for three system calls. A finished chunk's
 * pages are dropped from our page tables (they stay in the page cache), so that the spool does not
 * count in the host's RSS.
 */
#include "spool.h"

#include "clock.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#define KP_MADV_POPULATE_WRITE 23
#define RETRY_US 20000
#define NAME_RECORDS_MAX 65536u
#define DEFINITION_STEP 16384u
/* What prepare() may have to write, an exact stamp, and the largest data record after them. */
#define PREPARE_BYTES (24 + 16 + 16 + 16 + 80)

struct owed {
    _Atomic uint64_t count;
    uint64_t capacity;
    uint64_t *ids;
    uint64_t epoch;
};
static struct owed owed;

static struct kp_chunk_header *chunk_at(uint32_t index)
{
    return (struct kp_chunk_header *)(kp_host.chunks + (uint64_t)index * KP_CHUNK_BYTES);
}

static uint32_t chunk_index(const struct kp_chunk_header *chunk)
{
    return (uint32_t)(((const char *)chunk - kp_host.chunks) / KP_CHUNK_BYTES);
}

static bool reserve_by_descriptor(uint64_t offset, uint64_t bytes)
{
    long fd = KP_SYS4(SYS_openat, AT_FDCWD, kp_host.spool_path, O_RDWR | O_CLOEXEC, 0);
    long result = fd;

    if (fd >= 0) {
        result = KP_SYS4(SYS_fallocate, fd, 0, offset, bytes);
        KP_SYS1(SYS_close, fd);
    }
    return result == 0;
}

/* Makes [start, start + bytes) of the mapped spool safe to write. */
static bool make_present(void *start, uint64_t bytes)
{
    long result = KP_SYS3(SYS_madvise, start, bytes, KP_MADV_POPULATE_WRITE);

    if (result == -EINVAL)
        return reserve_by_descriptor((uint64_t)((char *)start - (char *)kp_host.spool), bytes);
    return result == 0;
}

static bool try_claim(uint32_t index)
{
    uint64_t expected = atomic_load_explicit(&kp_host.directory[index], memory_order_relaxed);

    return KP_CHUNK_STATE(expected) == KP_CHUNK_FREE &&
           atomic_compare_exchange_strong(&kp_host.directory[index], &expected,
                                          KP_CHUNK_WORD(KP_CHUNK_OWNED, kp_state.pid));
}

static int64_t claim_used(struct kp_spool_header *spool)
{
    uint32_t high = atomic_load(&spool->chunk_high), hint = atomic_load(&spool->chunk_hint);

    if (high > spool->chunk_count)
        high = spool->chunk_count;
    for (uint32_t n = 0; n < high; n++) {
        uint32_t index = (hint + n) % high;

        if (try_claim(index)) {
            atomic_store(&spool->chunk_hint, index + 1 < high ? index + 1 : 0);
            return index;
        }
    }
    return -1;
}

static int64_t claim_fresh(struct kp_spool_header *spool)
{
    for (;;) {
        uint32_t high = atomic_load(&spool->chunk_high);

        if (high >= spool->chunk_count)
            return -1;
        if (atomic_compare_exchange_strong(&spool->chunk_high, &high, high + 1) && try_claim(high))
            return high;
    }
}

/* A chunk of our own with `present` bytes of it safe to write, or NULL. */
static struct kp_chunk_header *claim(unsigned kind, uint32_t present)
{
    struct kp_chunk_header *chunk;
    int64_t index;

    if (atomic_load(&kp_state.full_until_us) > kp_clock_coarse_us())
        return NULL;
    index = claim_used(kp_host.spool);
    if (index < 0)
        index = claim_fresh(kp_host.spool);
    chunk = index < 0 ? NULL : chunk_at((uint32_t)index);
    if (!chunk || !make_present(chunk, present)) {
        if (chunk)
            atomic_store(&kp_host.directory[index], KP_CHUNK_WORD(KP_CHUNK_FREE, 0));
        atomic_store(&kp_state.full_until_us, kp_clock_coarse_us() + RETRY_US);
        return NULL;
    }
    chunk->magic = 0;
    atomic_store(&chunk->used, 0);
    chunk->kind = (uint16_t)kind;
    chunk->pid = (uint32_t)kp_state.pid;
    chunk->process = kp_state.process;
    chunk->slot = 0;
    chunk->first_sample = 0;
    atomic_store_explicit(&chunk->samples, 0, memory_order_relaxed);
    chunk->seq = atomic_fetch_add(&kp_host.spool->next_seq, 1);
    return chunk;
}

static void announce(struct kp_chunk_header *chunk)
{
    __atomic_store_n(&chunk->magic, KP_CHUNK_MAGIC, __ATOMIC_RELEASE);
}

static void finish(struct kp_chunk_header *chunk)
{
    KP_SYS3(SYS_madvise, chunk, KP_CHUNK_BYTES, MADV_DONTNEED);
    atomic_store_explicit(&kp_host.directory[chunk_index(chunk)],
                          KP_CHUNK_WORD(KP_CHUNK_DONE, kp_state.pid), memory_order_release);
}

static char *data_end(struct kp_chunk_header *chunk)
{
    return (char *)(chunk + 1) + atomic_load_explicit(&chunk->used, memory_order_relaxed);
}

static bool has_room(const struct kp_slot *slot, uint32_t bytes)
{
    return kp_spool_reserve(slot, bytes) != NULL;
}

/* In this order, so that a jump out of a signal handler leaves at worst a chunk that nobody fills. */
static bool next_chunk(struct kp_slot *slot)
{
    struct kp_chunk_header *full = slot->chunk;

    slot->chunk = NULL;
    if (full) {
        atomic_fetch_add(&kp_state.info->samples, full->samples);
        finish(full);
    }
    slot->chunk = claim(KP_CHUNK_DATA, KP_CHUNK_BYTES);
    if (!slot->chunk)
        return false;
    slot->chunk->slot = (uint16_t)slot->number;
    slot->chunk->first_sample = slot->counter;
    slot->tid_written = 0;
    slot->rate = 0;
    slot->time_us = 0;
    announce(slot->chunk);
    return true;
}

struct kp_chunk_header *kp_spool_claim_counters(const struct kp_slot *slot)
{
    struct kp_chunk_header *chunk = claim(KP_CHUNK_COUNTERS, KP_CHUNK_BYTES);

    if (chunk) {
        chunk->slot = (uint16_t)slot->number;
        announce(chunk);
    }
    return chunk;
}

static void write_thread(struct kp_slot *slot, uint32_t tid)
{
    struct kp_rec_thread *record = (struct kp_rec_thread *)data_end(slot->chunk);

    *record = (struct kp_rec_thread){.type = KP_REC_THREAD, .tid = tid};
    KP_SYS2(SYS_prctl, 16 /* PR_GET_NAME */, record->name);
    if (tid != slot->tid_written)
        slot->name_records = 0;
    slot->tid_written = tid;
    kp_spool_publish(slot, sizeof *record);
}

/* A thread gets its name after its first allocations: look again at its 2nd, 4th, 8th, ... record. */
static bool name_may_have_changed(struct kp_slot *slot)
{
    uint32_t records = ++slot->name_records;

    return records <= NAME_RECORDS_MAX && (records & (records - 1)) == 0;
}

static void write_stamp(struct kp_slot *slot, uint64_t now_us, uint64_t iteration)
{
    struct kp_rec_stamp *record = (struct kp_rec_stamp *)data_end(slot->chunk);

    *record = (struct kp_rec_stamp){KP_REC_STAMP | iteration << 8, now_us};
    slot->time_us = now_us;
    slot->iteration = iteration;
    kp_spool_publish(slot, sizeof *record);
}

static void write_rate(struct kp_slot *slot, uint64_t rate)
{
    struct kp_rec_rate *record = (struct kp_rec_rate *)data_end(slot->chunk);

    *record = (struct kp_rec_rate){KP_REC_RATE, rate};
    slot->rate = rate;
    kp_spool_publish(slot, sizeof *record);
}

/* Frees that found no room earlier. Stops when the chunk is full. */
static void pay_owed(struct kp_slot *slot)
{
    if (!kp_spin_lock(&kp_state.owed_lock))
        return;
    if (owed.epoch != kp_state.epoch)
        owed.count = 0;
    while (owed.count && has_room(slot, PREPARE_BYTES + 8)) {
        *(uint64_t *)data_end(slot->chunk) = KP_REC_FREE | owed.ids[owed.count - 1] << 8;
        kp_spool_publish(slot, 8);
        owed.count--;
    }
    kp_spin_unlock(&kp_state.owed_lock);
}

void kp_spool_owe(uint64_t id)
{
    bool kept = false;

    if (!kp_spin_lock(&kp_state.owed_lock))
        return;
    if (owed.epoch != kp_state.epoch) {
        owed.epoch = kp_state.epoch;
        owed.count = 0;
    }
    if (owed.count == owed.capacity) {
        uint64_t capacity = owed.capacity ? owed.capacity * 2 : 4096;
        uint64_t *ids = kp_sys_map(capacity * sizeof *ids);

        if (ids) {
            uint64_t *old = owed.ids;
            uint64_t old_bytes = owed.capacity * sizeof *ids;

            if (owed.count)
                memcpy(ids, old, owed.count * sizeof *ids);
            owed.ids = ids;
            owed.capacity = capacity;
            if (old)
                kp_sys_unmap(old, old_bytes);
        }
    }
    if (owed.count < owed.capacity) {
        owed.ids[owed.count++] = id;
        kept = true;
    }
    kp_spin_unlock(&kp_state.owed_lock);
    if (!kept && kp_state.info)
        atomic_fetch_add(&kp_state.info->lost_frees, 1);
}

bool kp_spool_prepare(struct kp_slot *slot, uint64_t rate_bytes)
{
    uint64_t now_us = kp_host.spool->keeps_all ? kp_clock_us() : kp_clock_coarse_us();
    uint64_t iteration = atomic_load_explicit(&kp_state.iteration, memory_order_relaxed);
    uint32_t tid = atomic_load_explicit(&slot->owner, memory_order_relaxed);

    if (slot->abandoned) {
        slot->abandoned = false;
        slot->depth = 0;
        if (!next_chunk(slot))
            return false;
    }
    if (!has_room(slot, PREPARE_BYTES) && !next_chunk(slot))
        return false;
    if (tid != slot->tid_written || name_may_have_changed(slot))
        write_thread(slot, tid);
    if (now_us < slot->time_us) /* the coarse clock lies behind an exact stamp */
        now_us = slot->time_us;
    if (now_us != slot->time_us || iteration != slot->iteration)
        write_stamp(slot, now_us, iteration);
    if (rate_bytes != slot->rate && rate_bytes)
        write_rate(slot, rate_bytes);
    if (__builtin_expect(atomic_load_explicit(&owed.count, memory_order_relaxed) != 0, 0))
        pay_owed(slot);
    return true;
}

bool kp_spool_make_room(struct kp_slot *slot, uint32_t bytes)
{
    return kp_spool_prepare(slot, slot->rate) &&
           (has_room(slot, bytes) || (next_chunk(slot) && kp_spool_prepare(slot, slot->rate) &&
                                      has_room(slot, bytes)));
}

void kp_spool_stamp(struct kp_slot *slot)
{
    uint64_t now_us = kp_clock_us();

    if (now_us != slot->time_us && has_room(slot, sizeof(struct kp_rec_stamp)))
        write_stamp(slot, now_us, slot->iteration);
}

/* Under definitions_lock: the chunk has room, and the pages are there. */
static bool definition_room(uint32_t bytes)
{
    struct kp_chunk_header *chunk = kp_state.definitions;
    uint64_t end = (uint64_t)(data_end(chunk) - (char *)chunk) + bytes;
    uint64_t ready = kp_state.definitions_ready;

    if (chunk->kind == KP_CHUNK_PROCESS)
        end += sizeof(struct kp_process_info);
    if (end <= ready)
        return true;
    if (end > KP_CHUNK_BYTES)
        return false;
    ready = (end + DEFINITION_STEP - 1) / DEFINITION_STEP * DEFINITION_STEP;
    if (!make_present((char *)chunk + kp_state.definitions_ready, ready - kp_state.definitions_ready))
        return false;
    kp_state.definitions_ready = ready;
    return true;
}

static char *definition_end(void)
{
    struct kp_chunk_header *chunk = kp_state.definitions;
    size_t info = chunk->kind == KP_CHUNK_PROCESS ? sizeof(struct kp_process_info) : 0;

    return data_end(chunk) + info;
}

void *kp_spool_define(uint32_t bytes)
{
    struct kp_chunk_header *next;

    if (definition_room(bytes))
        return definition_end();
    next = claim(KP_CHUNK_DEFINITION, DEFINITION_STEP);
    if (!next)
        return NULL;
    /* The process's chunk is kept for its counters; the reader takes OWNED and DONE alike. */
    if (kp_state.definitions->kind == KP_CHUNK_DEFINITION)
        finish(kp_state.definitions);
    kp_state.definitions = next;
    kp_state.definitions_ready = DEFINITION_STEP;
    announce(next);
    return definition_room(bytes) ? definition_end() : NULL;
}

void kp_spool_defined(uint32_t bytes)
{
    struct kp_chunk_header *chunk = kp_state.definitions;

    atomic_store_explicit(&chunk->used, chunk->used + bytes, memory_order_release);
}

void kp_spool_text(unsigned what, const char *text, uint32_t bytes)
{
    uint32_t whole = (uint32_t)sizeof(struct kp_rec_text) + ((bytes + 7) & ~7u);

    if (!kp_state.definitions || !kp_spin_lock(&kp_state.definitions_lock))
        return;
    struct kp_rec_text *record = kp_spool_define(whole);
    if (record) {
        memset(record, 0, whole);
        *record = (struct kp_rec_text){KP_REC_TEXT | whole << 8, (uint16_t)what, (uint16_t)bytes};
        memcpy(record + 1, text, bytes);
        kp_spool_defined(whole);
    }
    kp_spin_unlock(&kp_state.definitions_lock);
}

bool kp_spool_join(uint32_t process)
{
    struct kp_chunk_header *chunk;

    kp_state.process = process;
    chunk = claim(KP_CHUNK_PROCESS, DEFINITION_STEP);
    if (!chunk) {
        atomic_fetch_add(&kp_host.spool->lost_processes, 1);
        return false;
    }
    kp_state.definitions = chunk;
    kp_state.definitions_ready = DEFINITION_STEP;
    kp_state.info = (struct kp_process_info *)(chunk + 1);
    memset(kp_state.info, 0, sizeof *kp_state.info);
    return true;
}

void kp_spool_joined(void)
{
    announce(kp_state.definitions);
}
