/* SPDX-License-Identifier: MIT */
/*
 * Memory stays bounded by keeping one of two, of four, ... marks once there are many: quantiles of
 * 100,000 durations are as good as of all. One thread.
 */
#include "ab_ring.h"

#include "alloc.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MARKS_MAX 200000

void kp_ab_temporary(char *out, size_t out_bytes, const char *place)
{
    const char *wanted = getenv("TMPDIR");
    snprintf(out, out_bytes, "%.400s/kprof-ab-XXXXXX", wanted && *wanted ? wanted : place);
}

int kp_ab_ring_open(struct kp_ab_ring *ring, struct kp_error *error)
{
    static const char *const places[] = {"/dev/shm", "/tmp"};
    int fd = -1;
    *ring = (struct kp_ab_ring){.step = 1};
    for (size_t i = 0; i < 2 && fd < 0; i++) {
        kp_ab_temporary(ring->path, sizeof ring->path, places[i]);
        fd = mkstemp(ring->path);
    }
    if (fd < 0 || ftruncate(fd, sizeof *ring->ring) != 0)
        return -kp_error_set(error, "cannot make a file in TMPDIR, /dev/shm or /tmp for the marks");
    ring->ring = mmap(NULL, sizeof *ring->ring, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (ring->ring == MAP_FAILED) {
        ring->ring = NULL;
        return -kp_error_set(error, "cannot map %s for the marks", ring->path);
    }
    ring->ring->magic = KP_MARK_RING_MAGIC;
    return 0;
}

static void forget_marks(struct kp_ab_ring *ring)
{
    for (size_t i = 0; i < ring->count; i++)
        free(ring->marks[i].name);
    ring->count = 0;
}

void kp_ab_ring_close(struct kp_ab_ring *ring)
{
    forget_marks(ring);
    free(ring->marks);
    if (*ring->path)
        unlink(ring->path);
    if (ring->ring)
        munmap(ring->ring, sizeof *ring->ring);
    *ring = (struct kp_ab_ring){.ring = NULL};
}

void kp_ab_ring_reset(struct kp_ab_ring *ring, uint64_t rest_at, uint64_t rest_ns)
{
    forget_marks(ring);
    memset(ring->ring, 0, sizeof *ring->ring);
    ring->ring->magic = KP_MARK_RING_MAGIC;
    ring->ring->rest_at = rest_at;
    ring->ring->rest_ns = rest_ns;
    ring->read = 0;
    ring->step = 1;
}

static void thin_out(struct kp_ab_ring *ring)
{
    size_t kept = 0;
    ring->step *= 2;
    for (size_t i = 0; i < ring->count; i++) {
        if (i % 2 == 0)
            ring->marks[kept++] = ring->marks[i];
        else
            free(ring->marks[i].name);
    }
    ring->count = kept;
}

static void keep(struct kp_ab_ring *ring, const struct kp_mark_entry *entry)
{
    if (ring->count >= MARKS_MAX)
        thin_out(ring);
    ring->marks =
        kp_array_grow(ring->marks, &ring->capacity, ring->count + 1, sizeof *ring->marks);
    ring->marks[ring->count++] = (struct kp_ab_mark){
        entry->begin_ns, entry->end_ns, (uint64_t)entry->pid << 32 | entry->tid, entry->flags,
        *entry->name ? kp_copy_text(entry->name, strnlen(entry->name, sizeof entry->name)) : NULL};
}

/* An entry that is being written ends the round: it is read in the next one. Entries of writers who
 * were killed in the middle are overtaken when the ring comes round. */
void kp_ab_ring_drain(struct kp_ab_ring *ring)
{
    uint64_t head = atomic_load(&ring->ring->head);
    if (head - ring->read > KP_MARK_RING_ENTRIES)
        ring->read = head - KP_MARK_RING_ENTRIES;
    for (; ring->read < head; ring->read++) {
        struct kp_mark_entry *from = &ring->ring->entries[ring->read % KP_MARK_RING_ENTRIES];
        uint64_t sequence = atomic_load_explicit(&from->sequence, memory_order_acquire);
        if (sequence <= ring->read)
            return;
        struct kp_mark_entry copy = *from;
        atomic_thread_fence(memory_order_acquire);
        if (sequence == ring->read + 1 && atomic_load(&from->sequence) == sequence &&
            ring->read % ring->step == 0)
            keep(ring, &copy);
    }
}

uint64_t kp_ab_ring_made(const struct kp_ab_ring *ring)
{
    return atomic_load(&ring->ring->head);
}
