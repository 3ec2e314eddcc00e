/* SPDX-License-Identifier: MIT */
/*
 * The filter and the table of live samples. Any thread, with the guard set; a look-up that misses
 * takes no lock: it reads under a sequence count, and old tables stay mapped (empty) so that a
 * late reader meets zeros and not a fault.
 */
#include "live.h"

#include "settings.h"
#include "state.h"
#include "sys.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#define SHARDS 64
#define ENTRIES_FIRST 64u
#define ENTRIES_SECOND 256u /* a page: what is left behind can be given back */
#define ENTRIES_ROOMY 16384u /* 16 MiB in all shards */
#define HUGE_PAGE (2u << 20)
/* A byte of the filter: 0, nobody; 1 to 64, one sample at that place less one; above, so many whose
 * places are not known; at the end of its range it is never counted down again. */
#define FILTER_PLACES 64
#define FILTER_STUCK 255
/* A KiB has that many entries of its own, as a power of two: all its places, or one cache line
 * where samples are far from each other and most look-ups are for their neighbours. */
#define SPREAD_DENSE 6
#define SPREAD_SPARSE 2
#define DENSE_RATE 512

struct entry {
    void *pointer; /* NULL: free */
    uint64_t id;
};

struct shard {
    struct kp_spin lock;
    _Atomic uint32_t sequence; /* odd while the table is being changed */
    struct entry *_Atomic entries;
    _Atomic uint64_t mask;
    _Atomic uint64_t count;
} __attribute__((aligned(64)));

uint8_t kp_filter[KP_FILTER_BYTES]
    __attribute__((aligned(4096), visibility("hidden")));
static struct {
    struct shard shards[SHARDS];
    /* By the binary logarithm of their entries, the tables of all shards one behind another; NULL:
     * no shard has grown to them yet. */
    struct entry *_Atomic tables[64];
    struct entry first[SHARDS][ENTRIES_FIRST]; /* the table that each begins with */
} *live;
static unsigned spread = SPREAD_SPARSE;

static uintptr_t filter_index(const void *pointer)
{
    return (uintptr_t)pointer >> KP_FILTER_BLOCK_SHIFT & (KP_FILTER_BYTES - 1);
}

/* By the filter's index, so that the lock of a shard is the lock of its filter bytes as well. */
static struct shard *shard_of(const void *pointer)
{
    return &live->shards[(filter_index(pointer) >> 2) * 0x9e3779b97f4a7c15u >> 58];
}

static unsigned place_of(const void *pointer)
{
    return (uintptr_t)pointer >> 4 & (FILTER_PLACES - 1);
}

/* Neighbours in the heap are neighbours here: the entries of a KiB stand together, in a random
 * place (of the upper half of the product: in the lower one the KiBs of a heap are not spread, and
 * tens of entries were probed where it is two). In larger groups clashes make longer probes.
 * Two groups in one place have their blocks at other steps, since most heaps have theirs at
 * multiples of 32 or 64. */
static uint64_t home_of(const void *pointer, uint64_t mask)
{
    uint64_t group = ((uintptr_t)pointer >> KP_FILTER_BLOCK_SHIFT) * 0x9e3779b97f4a7c15u >> 32;
    uint64_t within = (place_of(pointer) ^ (group >> 20 & 3)) & ((1u << spread) - 1);

    return (group << spread | within) & mask;
}

static void change_begin(struct shard *shard)
{
    /* Odd, also after a change that a signal handler has jumped out of. */
    atomic_store_explicit(&shard->sequence, (shard->sequence + 1) | 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
}

static void change_end(struct shard *shard)
{
    atomic_store_explicit(&shard->sequence, shard->sequence + 1, memory_order_release);
}

/* Under the shard's lock; others read it without. */
static void count_entries(struct shard *shard, int by)
{
    uint64_t count = atomic_load_explicit(&shard->count, memory_order_relaxed);

    atomic_store_explicit(&shard->count, count + (uint64_t)by, memory_order_relaxed);
}

static uint8_t one_more(uint8_t seen, const void *pointer)
{
    if (seen == 0)
        return (uint8_t)(place_of(pointer) + 1);
    if (seen <= FILTER_PLACES)
        return FILTER_PLACES + 2;
    return seen == FILTER_STUCK ? seen : (uint8_t)(seen + 1);
}

static uint8_t one_less(uint8_t seen)
{
    if (seen <= FILTER_PLACES + 1)
        return 0;
    return seen == FILTER_STUCK ? seen : (uint8_t)(seen - 1);
}

/* Under the shard's lock. The fast path reads the byte as plain memory, so that it is not of an
 * atomic type. */
static void filter_change(const void *pointer, bool comes)
{
    uint8_t *byte = &kp_filter[filter_index(pointer)];
    uint8_t seen = __atomic_load_n(byte, __ATOMIC_RELAXED);

    __atomic_store_n(byte, comes ? one_more(seen, pointer) : one_less(seen), __ATOMIC_RELAXED);
}

/* The byte is for one sample, at another place. Our own pointer can't come to be in the table while
 * we look, so that a byte that others change says no less. */
static bool is_beside_the_only_one(const void *pointer)
{
    uint8_t seen = __atomic_load_n(&kp_filter[filter_index(pointer)], __ATOMIC_RELAXED);

    return seen <= FILTER_PLACES && seen != place_of(pointer) + 1;
}

bool kp_live_init(void)
{
    live = kp_sys_map_wiped(sizeof *live);
    if (!live)
        return false;
    if (kp_settings.rate_bytes && kp_settings.rate_bytes < DENSE_RATE)
        spread = SPREAD_DENSE;
    KP_SYS3(SYS_madvise, kp_filter, sizeof kp_filter, MADV_WIPEONFORK);
    KP_SYS3(SYS_madvise, kp_filter, sizeof kp_filter, MADV_NOHUGEPAGE);
    return true;
}

static void place(struct entry *entries, uint64_t mask, void *pointer, uint64_t id)
{
    uint64_t i = home_of(pointer, mask);

    while (entries[i].pointer)
        i = (i + 1) & mask;
    entries[i] = (struct entry){pointer, id};
}

static void use_table(struct shard *shard, struct entry *entries, uint64_t count)
{
    change_begin(shard);
    atomic_store(&shard->entries, entries);
    atomic_store(&shard->mask, count - 1);
    change_end(shard);
}

/* Tables of so many entries for all shards. Where all is sampled most look-ups meet another page of
 * them: as soon as they fill two huge pages these are asked for. (Not from the start, since to clear
 * them costs a short program more than they spare; where there are none, small ones serve.) */
static struct entry *map_tables(uint64_t entries)
{
    uint64_t bytes = SHARDS * entries * sizeof(struct entry);
    char *memory;

    if (spread != SPREAD_DENSE || bytes < 2 * HUGE_PAGE)
        return kp_sys_map_wiped(bytes);
    memory = kp_sys_map_wiped(bytes + HUGE_PAGE);
    if (!memory)
        return NULL;
    memory += -(uintptr_t)memory & (HUGE_PAGE - 1);
    KP_SYS3(SYS_madvise, memory, bytes, MADV_HUGEPAGE);
    return (struct entry *)memory;
}

/* The shard's table of so many entries, all free; NULL when no memory was to be had. Shards grow at
 * about the same time, since pointers are spread over them evenly. */
static struct entry *table_of(const struct shard *shard, uint64_t entries)
{
    struct entry *_Atomic *tables = &live->tables[__builtin_ctzll(entries)];
    struct entry *old = atomic_load(tables);

    if (!old) {
        struct entry *new = map_tables(entries);

        /* Another shard may have been faster: then ours are never touched, and cost nothing. */
        if (new && atomic_compare_exchange_strong(tables, &old, new))
            old = new;
    }
    return old ? old + (shard - live->shards) * entries : NULL;
}

/* Entries in use of five, at most. Where all is sampled whole groups clash: at two of five a churn
 * through small objects takes 5 % longer. Large tables are not worth that much memory. */
static unsigned fullness(uint64_t entries)
{
    return spread == SPREAD_DENSE && entries <= ENTRIES_ROOMY ? 1 : 2;
}

/* Under the lock: makes room for one more entry. */
static bool grow(struct shard *shard)
{
    struct entry *first = live->first[shard - live->shards], *old = shard->entries, *new;
    uint64_t entries = shard->mask + 1, wanted;

    if (!old) {
        use_table(shard, first, ENTRIES_FIRST);
        return true;
    }
    if ((shard->count + 1) * 5 <= entries * fullness(entries))
        return true;
    wanted = old == first ? ENTRIES_SECOND : 2 * entries;
    new = table_of(shard, wanted);
    if (!new)
        return false;
    memset(new, 0, wanted * sizeof *new); /* a signal handler may have jumped out of filling it */
    for (uint64_t i = 0; i < entries; i++)
        if (old[i].pointer)
            place(new, wanted - 1, old[i].pointer, old[i].id);
    use_table(shard, new, wanted);
    if (old != first)
        KP_SYS3(SYS_madvise, old, entries * sizeof *old, MADV_DONTNEED);
    return true;
}

/* Index of the pointer's entry, or of the free one where it would stand. */
static uint64_t probe(const struct entry *entries, uint64_t mask, const void *pointer)
{
    uint64_t i = home_of(pointer, mask);

    while (entries[i].pointer && entries[i].pointer != pointer)
        i = (i + 1) & mask;
    return i;
}

void kp_live_expect(const void *pointer)
{
    const struct shard *shard = shard_of(pointer);
    const struct entry *entries = atomic_load_explicit(&shard->entries, memory_order_relaxed);
    uint64_t mask = atomic_load_explicit(&shard->mask, memory_order_relaxed);

    __builtin_prefetch(&kp_filter[filter_index(pointer)], 1);
    __builtin_prefetch(entries + home_of(pointer, mask), 1);
}

bool kp_live_insert(void *pointer, uint64_t id, uint64_t *stale)
{
    struct shard *shard = shard_of(pointer);
    bool done = false;

    *stale = 0;
    if (!kp_spin_lock(&shard->lock))
        return false;
    if (grow(shard)) {
        struct entry *entry = &shard->entries[probe(shard->entries, shard->mask, pointer)];

        change_begin(shard);
        if (entry->pointer)
            *stale = entry->id;
        *entry = (struct entry){pointer, id};
        change_end(shard);
        if (!*stale) {
            count_entries(shard, 1);
            filter_change(pointer, true);
        }
        done = true;
    }
    kp_spin_unlock(&shard->lock);
    return done;
}

/* Closes the gap at i: each entry behind it that may move up does. */
static void shift_back(struct entry *entries, uint64_t mask, uint64_t i)
{
    for (uint64_t j = (i + 1) & mask; entries[j].pointer; j = (j + 1) & mask) {
        uint64_t home = home_of(entries[j].pointer, mask);

        if (((j - home) & mask) >= ((j - i) & mask)) {
            entries[i] = entries[j];
            i = j;
        }
    }
    entries[i].pointer = NULL;
}

uint64_t kp_live_take(void *pointer, uint64_t only)
{
    struct shard *shard = shard_of(pointer);
    uint64_t id = 0;

    if (!kp_spin_lock(&shard->lock))
        return 0;
    if (shard->entries) {
        uint64_t i = probe(shard->entries, shard->mask, pointer);
        struct entry *entry = &shard->entries[i];

        if (entry->pointer && (!only || entry->id == only)) {
            id = entry->id;
            change_begin(shard);
            shift_back(shard->entries, shard->mask, i);
            change_end(shard);
            count_entries(shard, -1);
            filter_change(pointer, false);
        }
    }
    kp_spin_unlock(&shard->lock);
    return id;
}

static bool misses_in_table(const void *pointer)
{
    struct shard *shard = shard_of(pointer);
    uint32_t before = atomic_load_explicit(&shard->sequence, memory_order_acquire);
    uint64_t mask = atomic_load_explicit(&shard->mask, memory_order_relaxed);
    const struct entry *entries = atomic_load_explicit(&shard->entries, memory_order_relaxed);

    atomic_thread_fence(memory_order_acquire);
    if (before & 1 || atomic_load_explicit(&shard->sequence, memory_order_relaxed) != before)
        return false;
    if (!entries)
        return true;
    uint64_t i = home_of(pointer, mask);
    for (uint64_t steps = 0; steps <= mask; steps++, i = (i + 1) & mask) {
        const void *found = ((const volatile struct entry *)entries)[i].pointer;

        if (found == pointer)
            return false;
        if (!found)
            break;
    }
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&shard->sequence, memory_order_relaxed) == before;
}

bool kp_live_misses(void *pointer)
{
    return is_beside_the_only_one(pointer) || misses_in_table(pointer);
}

bool kp_live_is_held_by_us(void *pointer)
{
    return atomic_load(&shard_of(pointer)->lock.owner) == &kp_self;
}

uint64_t kp_live_peek(void *pointer)
{
    struct shard *shard = shard_of(pointer);
    const struct entry *entry;

    if (!shard->entries)
        return 0;
    entry = &shard->entries[probe(shard->entries, shard->mask, pointer)];
    return entry->pointer ? entry->id : 0;
}

uint64_t kp_live_count(void)
{
    uint64_t count = 0;

    for (unsigned i = 0; i < SHARDS; i++)
        count += atomic_load_explicit(&live->shards[i].count, memory_order_relaxed);
    return count;
}
