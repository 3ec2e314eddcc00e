/* SPDX-License-Identifier: MIT */
/*
 * The settings of this process, read once from its environment by the table of
 * record/settings_table.h. A wrong value: one line on stderr, and the default.
 */
#ifndef KP_SETTINGS_H
#define KP_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

struct kp_settings {
    char database[3072];   /* absolute, %p and %e replaced */
    uint64_t rate_bytes;   /* 0: auto */
    uint64_t budget_ppm;
    uint64_t spool_max_bytes;
    unsigned follow;       /* enum kp_follow */
    unsigned unwinder;     /* enum kp_unwinder that is tried first */
    bool quiet;
    unsigned keep; /* 1: all, freed allocations too */
    bool pages; /* snapshots tell of each page of the heap */
    bool conversions;
    const char *conversions_skip; /* names, a comma between them */
    const char *iteration;
    const char *session;   /* spool of the session to join, NULL */
};
extern struct kp_settings kp_settings __attribute__((visibility("hidden")));

/* Needs kp_host.exe. `env` is the environment; complaints only when `loud`. */
void kp_settings_read(char **env, bool loud);

/* One line on stderr: "kprof: " and the parts. */
void kp_say(const char *a, const char *b, const char *c, const char *d);

#endif
