/* SPDX-License-Identifier: MIT */
/*
 * When processes have gone. A process can tell when its own code is through, not how long the
 * kernel then takes to give its memory back: half a millisecond of a small Python. One of the last
 * things the kernel does is to close the mapping of the spool, and that can be watched without
 * privileges. Of processes that share a mapping (after a fork) only the last one's end is seen.
 *
 * A thread of the collector waits for it, so that the moment is right whatever the collector does.
 */
#ifndef KP_EXIT_WATCH_H
#define KP_EXIT_WATCH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define KP_EXITS_KEPT 1024
#define KP_EXIT_NS_MAX 20000000u /* a longer end is not believed to be one */

struct kp_exit_watch {
    bool runs;
    int notify;
    int stop; /* an event: the thread is to end */
    pthread_t thread;
    _Atomic uint64_t count; /* ever */
    _Atomic uint64_t gone_ns[KP_EXITS_KEPT]; /* CLOCK_BOOTTIME; 0: taken */
};

/* Without a thread or a watch nothing is seen. */
void kp_exit_watch_start(struct kp_exit_watch *watch, const char *spool_path);
void kp_exit_watch_stop(struct kp_exit_watch *watch);

/* The first end that was seen after this moment and nobody has taken yet, of CLOCK_BOOTTIME; 0 when
 * there is none soon after it. */
uint64_t kp_exit_watch_take(struct kp_exit_watch *watch, uint64_t after_ns);

#endif
