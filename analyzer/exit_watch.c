/* SPDX-License-Identifier: MIT */
/*
 * See exit_watch.h. The thread writes moments into a ring and the collector's loop takes them out;
 * what is overwritten before it was taken is not known, and that is all.
 */
#include "exit_watch.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#define STACK_BYTES (128u << 10)

static uint64_t boottime_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* False: it is time to stop. */
static bool wait_for_news(const struct kp_exit_watch *watch)
{
    struct pollfd both[] = {{.fd = watch->notify, .events = POLLIN},
                            {.fd = watch->stop, .events = POLLIN}};

    return poll(both, 2, -1) > 0 && !both[1].revents;
}

static void *wait_for_ends(void *context)
{
    struct kp_exit_watch *watch = context;
    _Alignas(struct inotify_event) char events[4096];
    ssize_t bytes;

    while (wait_for_news(watch) && (bytes = read(watch->notify, events, sizeof events)) > 0) {
        uint64_t now_ns = boottime_now_ns();

        for (size_t at = 0; at < (size_t)bytes;) {
            const struct inotify_event *event = (const struct inotify_event *)(events + at);

            if (event->mask & IN_CLOSE_WRITE)
                watch->gone_ns[watch->count++ % KP_EXITS_KEPT] = now_ns;
            at += sizeof *event + event->len;
        }
    }
    return NULL;
}

/* Signals are for the collector's own thread. */
static bool start_thread(struct kp_exit_watch *watch)
{
    pthread_attr_t attributes;
    sigset_t all, before;

    if (pthread_attr_init(&attributes) != 0)
        return false;
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool is_started = pthread_create(&watch->thread, &attributes, wait_for_ends, watch) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return is_started;
}

static void close_both(const struct kp_exit_watch *watch)
{
    if (watch->notify >= 0)
        close(watch->notify);
    if (watch->stop >= 0)
        close(watch->stop);
}

void kp_exit_watch_start(struct kp_exit_watch *watch, const char *spool_path)
{
    *watch = (struct kp_exit_watch){.notify = inotify_init1(IN_CLOEXEC),
                                    .stop = eventfd(0, EFD_CLOEXEC)};
    watch->runs = watch->notify >= 0 && watch->stop >= 0 &&
                  inotify_add_watch(watch->notify, spool_path, IN_CLOSE_WRITE) >= 0 &&
                  start_thread(watch);
    if (!watch->runs)
        close_both(watch);
}

void kp_exit_watch_stop(struct kp_exit_watch *watch)
{
    if (!watch->runs)
        return;
    eventfd_write(watch->stop, 1);
    pthread_join(watch->thread, NULL);
    close_both(watch);
    watch->runs = false;
}

uint64_t kp_exit_watch_take(struct kp_exit_watch *watch, uint64_t after_ns)
{
    _Atomic uint64_t *first = NULL;
    uint64_t count = watch->runs ? atomic_load(&watch->count) : 0, first_ns = 0;

    for (uint64_t i = count < KP_EXITS_KEPT ? 0 : count - KP_EXITS_KEPT; i < count; i++) {
        uint64_t gone_ns = watch->gone_ns[i % KP_EXITS_KEPT];

        if (gone_ns < after_ns || gone_ns - after_ns > KP_EXIT_NS_MAX)
            continue;
        if (!first || gone_ns < first_ns) {
            first = &watch->gone_ns[i % KP_EXITS_KEPT];
            first_ns = gone_ns;
        }
    }
    if (first)
        *first = 0;
    return first_ns;
}
