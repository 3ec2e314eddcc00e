/* SPDX-License-Identifier: MIT */
/*
 * libkprof-marks.so: the marks of libkprof.so and nothing else, for kprof-ab, whose timed runs must
 * be the program's own: it stands in front of no function, starts nothing, holds no descriptor, and
 * takes 400 KB of shared memory once. A mark is two reads of the clock and 96 bytes. Host's threads.
 */
#include "mark_ring.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT void kprof_iteration(void);
EXPORT uint64_t kprof_job_begin(void);
EXPORT void kprof_job_end(uint64_t begun, const char *name, int succeeded);

static struct kp_mark_ring *ring;
static uint32_t own_pid;
static __thread uint32_t own_tid;  /* 0: this thread has made no mark */
static __thread uint64_t last_ns;  /* its last mark, at first its start */
static __thread bool is_first;

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* When this thread was started: field 22 of its stat, in ticks. 0: cannot be read. */
static uint64_t thread_start_ns(uint32_t tid)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/self/task/%u/stat", tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t bytes = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
    if (fd >= 0)
        close(fd);
    text[bytes > 0 ? bytes : 0] = '\0';
    const char *at = strrchr(text, ')');
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at ? strtoull(at, NULL, 10) * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK)) : 0;
}

static void forget_thread(void)
{
    own_pid = (uint32_t)getpid();
    own_tid = 0;
}

static void know_thread(void)
{
    own_tid = (uint32_t)syscall(SYS_gettid);
    last_ns = thread_start_ns(own_tid);
    is_first = true;
}

static void rest(void)
{
    struct timespec left = {(time_t)(ring->rest_ns / 1000000000u),
                            (long)(ring->rest_ns % 1000000000u)};
    atomic_store(&ring->rest_from_ns, now_ns());
    while (nanosleep(&left, &left) != 0)
        continue;
    atomic_store(&ring->rest_to_ns, now_ns());
}

/* begun_ns 0: since the thread's last mark. */
static void mark(uint64_t begun_ns, const char *name, bool succeeded)
{
    uint64_t end_ns = now_ns();
    if (!own_tid)
        know_thread();
    uint64_t number = atomic_fetch_add(&ring->head, 1);
    struct kp_mark_entry *entry = &ring->entries[number % KP_MARK_RING_ENTRIES];
    atomic_store_explicit(&entry->sequence, 0, memory_order_release);
    entry->begin_ns = begun_ns ? begun_ns : last_ns ? last_ns : end_ns;
    entry->end_ns = end_ns;
    entry->pid = own_pid;
    entry->tid = own_tid;
    entry->flags =
        (succeeded ? 0 : KP_MARK_FAILED) | (is_first && !begun_ns ? KP_MARK_GUESSED : 0);
    strncpy(entry->name, name ? name : "", sizeof entry->name - 1);
    atomic_store_explicit(&entry->sequence, number + 1, memory_order_release);
    if (ring->rest_at == number + 1)
        rest();
    last_ns = now_ns();
    is_first = false;
}

void kprof_iteration(void)
{
    if (ring)
        mark(0, NULL, true);
}

uint64_t kprof_job_begin(void)
{
    return now_ns();
}

void kprof_job_end(uint64_t begun, const char *name, int succeeded)
{
    if (ring)
        mark(begun, name, succeeded);
}

__attribute__((constructor)) static void open_ring(void)
{
    const char *path = getenv(KP_MARKS_VARIABLE);
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    struct kp_mark_ring *mapped =
        mmap(NULL, sizeof *mapped, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped == MAP_FAILED)
        return;
    if (mapped->magic != KP_MARK_RING_MAGIC) {
        munmap(mapped, sizeof *mapped);
        return;
    }
    forget_thread();
    pthread_atfork(NULL, NULL, forget_thread);
    ring = mapped;
}
