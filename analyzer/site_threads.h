/* SPDX-License-Identifier: MIT */
/*
 * Which threads a site's samples came from, freed ones too: counted by name, for the threads that
 * are not the main one. Few sites have more than one name, and a pool of workers shares its own. A
 * count lasts until it is in the database, which adds it up. One thread.
 */
#ifndef KP_SITE_THREADS_H
#define KP_SITE_THREADS_H

#include <stdint.h>

#define KP_THREAD_NAME_BYTES 16
#define KP_SITE_THREADS 4

struct kp_site_threads {
    struct {
        char name[KP_THREAD_NAME_BYTES];
        uint64_t samples; /* 0: this row and those behind it are free */
    } rows[KP_SITE_THREADS];
    uint64_t others; /* of further names until the next commit */
};

/* One sample more. Makes *threads where it is NULL. */
void kp_site_threads_count(struct kp_site_threads **threads,
                           const char name[KP_THREAD_NAME_BYTES]);

#endif
