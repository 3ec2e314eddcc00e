/* SPDX-License-Identifier: MIT */
/*
 * What is measured is what malloc holds, so that nothing here asks malloc for anything once it has
 * begun: events, pointers and results are mapped and touched before the first call. Each page of a
 * block is written to, as a program that uses its memory would. The first thread is the main thread,
 * as glibc has an arena of another sort for it; others begin with their first event and end behind
 * their last. One thread runs at a time, and the clock says when the program made the call.
 */
#include "ab_replay_worker.h"

#include "replay_log.h"

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096u
#define WALK_BELOW (128u << 20)
#define SPINS 2000 /* about 50 us */
#define THREAD_STACK (256u << 10)

struct turn {
    sem_t mine;
    uint64_t last; /* event of this thread */
    bool is_begun;
};

static struct {
    const struct kp_replay_header *header;
    const struct kp_replay_event *events;
    void **blocks;
    uint64_t *sizes;
    struct turn *turns;
    struct kp_replay_result *result;
    uint64_t live, start_rss, began_ns;
    uint64_t next_point; /* event behind which the next point is taken */
    unsigned point;
    sem_t all_done;
} replay;

/* Mapped, zeroed and resident. */
static void *resident(size_t bytes)
{
    void *memory = mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static uint64_t figure_of(const char *path, const char *label)
{
    char text[4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
    if (fd >= 0)
        close(fd);
    text[got > 0 ? got : 0] = '\0';
    const char *line = strstr(text, label);
    return line ? 1024 * strtoull(line + strlen(label), NULL, 10) : 0;
}

/* The page walk is exact and takes 20 ms for a gigabyte; the kernel's counter is off by some hundred
 * KiB. */
static uint64_t resident_bytes(void)
{
    uint64_t counted = figure_of("/proc/self/status", "\nVmRSS:");
    return counted < WALK_BELOW ? figure_of("/proc/self/smaps_rollup", "\nRss:") : counted;
}

static uint64_t above_start(uint64_t rss)
{
    return rss > replay.start_rss ? rss - replay.start_rss : 0;
}

static void take_point(void)
{
    uint64_t rss = resident_bytes();
    replay.result->points[replay.point++] =
        (struct kp_replay_point){replay.live, above_start(rss)};
    replay.next_point = (replay.point + 1) * replay.header->events / KP_REPLAY_POINTS;
}

static void touch(char *block, uint64_t size)
{
    for (uint64_t at = 0; at < size; at += PAGE)
        ((volatile char *)block)[at] = 1;
    if (size > 0)
        ((volatile char *)block)[size - 1] = 1;
}

uint64_t kp_ab_replay_now_ns;

/* Between threads the events' times are only nearly in order: the clock never goes back. */
static void set_clock(uint64_t time_us)
{
    uint64_t first_us = replay.events[0].time_us,
             now_ns = replay.began_ns + (time_us > first_us ? time_us - first_us : 0) * 1000;

    if (now_ns > kp_ab_replay_now_ns)
        kp_ab_replay_now_ns = now_ns;
}

static void do_event(const struct kp_replay_event *event)
{
    set_clock(event->time_us);
    if (event->site == replay.header->skip && event->site != KP_REPLAY_NO_SITE)
        return;
    if (event->size == KP_REPLAY_FREE) {
        replay.live -= replay.sizes[event->block];
        free(replay.blocks[event->block]);
        return;
    }
    char *block = malloc(event->size);
    replay.blocks[event->block] = block;
    replay.sizes[event->block] = block ? event->size : 0;
    if (!block) {
        replay.result->failed++;
        return;
    }
    touch(block, event->size);
    replay.live += event->size;
    if (replay.live > replay.result->peak_live)
        replay.result->peak_live = replay.live;
}

static void *run_thread(void *number);

/* Lets the thread of event `at` go on; begins it when it is its first. */
static void hand_over(uint64_t at)
{
    unsigned thread = at < replay.header->events ? replay.events[at].thread : 0;
    struct turn *turn = &replay.turns[thread];
    if (thread > 0 && !turn->is_begun) {
        pthread_t started;
        pthread_attr_t attributes;
        turn->is_begun = true;
        pthread_attr_init(&attributes);
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        pthread_attr_setstacksize(&attributes, THREAD_STACK);
        if (pthread_create(&started, &attributes, run_thread, (void *)(uintptr_t)thread) != 0)
            _exit(3);
    }
    sem_post(&turn->mine);
}

/* Threads that run at the same time hand over every microsecond: sleeping each time would stretch the
 * replay many times over. */
static void wait_for_turn(sem_t *turn)
{
    for (unsigned tries = 0; tries < SPINS; tries++) {
        if (sem_trywait(turn) == 0)
            return;
        __builtin_ia32_pause();
    }
    while (sem_wait(turn) != 0)
        continue;
}

static uint64_t position; /* the next event; only whose turn it is touches it */

/* A thread's turns, until its last event is done. */
static void *run_thread(void *number)
{
    unsigned thread = (unsigned)(uintptr_t)number;
    struct turn *turn = &replay.turns[thread];
    uint64_t events = replay.header->events;
    for (;;) {
        wait_for_turn(&turn->mine);
        while (position < events && replay.events[position].thread == thread) {
            do_event(&replay.events[position++]);
            if (position > replay.next_point)
                take_point();
        }
        bool is_over = thread == 0 ? position >= events : position > turn->last;
        if (position >= events && thread == 0)
            return NULL;
        hand_over(position);
        if (is_over)
            return NULL;
    }
}

static bool load(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t bytes = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
    char *memory = bytes > 0 ? resident((size_t)bytes) : NULL;
    off_t at = 0;
    for (ssize_t got = 1; memory && at < bytes && got > 0; at += got)
        got = pread(fd, memory + at, (size_t)(bytes - at), at);
    if (fd >= 0)
        close(fd);
    replay.header = (const void *)memory;
    return memory && at == bytes && (size_t)bytes >= sizeof *replay.header &&
           replay.header->magic == KP_REPLAY_MAGIC &&
           (size_t)bytes == sizeof *replay.header +
                                replay.header->events * sizeof(struct kp_replay_event);
}

static bool prepare(void)
{
    replay.events = (const void *)(replay.header + 1);
    replay.blocks = resident(replay.header->blocks * sizeof *replay.blocks);
    replay.sizes = resident(replay.header->blocks * sizeof *replay.sizes);
    replay.turns = resident(replay.header->threads * sizeof *replay.turns);
    replay.result = resident(sizeof *replay.result);
    if (!replay.blocks || !replay.sizes || !replay.turns || !replay.result)
        return false;
    for (uint64_t i = 0; i < replay.header->events; i++)
        replay.turns[replay.events[i].thread].last = i;
    for (uint32_t t = 0; t < replay.header->threads; t++)
        sem_init(&replay.turns[t].mine, 0, 0);
    replay.next_point = replay.header->events / KP_REPLAY_POINTS;
    return true;
}

/* VmHWM counts from now on. */
static void reset_peak(void)
{
    int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, "5", 1) < 0)
        replay.result->failed = 0;
    if (fd >= 0)
        close(fd);
    replay.start_rss = resident_bytes();
}

static int write_result(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool done = fd >= 0 && write(fd, replay.result, sizeof *replay.result) ==
                               (ssize_t)sizeof *replay.result;
    if (fd >= 0)
        close(fd);
    return done ? 0 : 1;
}

int kp_ab_replay_worker(const char *log_path, const char *result_path)
{
    struct timespec began;
    if (!load(log_path) || !prepare())
        return 1;
    reset_peak();
    clock_gettime(CLOCK_MONOTONIC, &began);
    replay.began_ns = (uint64_t)began.tv_sec * 1000000000u + (uint64_t)began.tv_nsec;
    hand_over(0);
    if (replay.header->events > 0)
        run_thread(NULL);
    while (replay.point < KP_REPLAY_POINTS)
        take_point();
    replay.result->peak_held = above_start(figure_of("/proc/self/status", "\nVmHWM:"));
    replay.result->magic = KP_REPLAY_MAGIC;
    return write_result(result_path);
}
