/* SPDX-License-Identifier: MIT */
/*
 * The parts of kprof-report DB fragmentation, and its line in the summary.
 */
#ifndef KP_FRAGMENTATION_VIEW_H
#define KP_FRAGMENTATION_VIEW_H

#include "query_fragmentation.h"
#include "report.h"

struct kp_fragmentation {
    struct kp_report_context *context;
    struct kp_heap_processes processes; /* that have a snapshot */
    struct kp_heap_picture picture;     /* of the first of them */
    char allocator[128];                /* "glibc", "jemalloc", ... */
};

/* "RSS 1.21 GB = 881 MB live + ..." and what can be said in a sentence. */
void kp_fragmentation_rss(const struct kp_fragmentation *f);
/* What would be given back, by what; what stops the rest. */
void kp_fragmentation_remedies(const struct kp_fragmentation *f);
/* The table of arenas. */
int kp_fragmentation_arenas(const struct kp_fragmentation *f, struct kp_error *error);
/* The line of the highest block of an arena; "" when it is not known. */
const char *kp_fragmentation_top(const struct kp_fragmentation *f,
                                 const struct kp_heap_arena *arena, char *out, size_t out_bytes);

/* "main", "thread 2", "bin of 48", ... */
char *kp_arena_name(const struct kp_heap_picture *picture, const struct kp_heap_arena *arena,
                    char *out, size_t out_bytes);

/* What a setting of the allocator would give back at most. */
struct kp_malloc_setting {
    const char *setting, *why;
    double bytes;
};
#define KP_MALLOC_SETTINGS 4
size_t kp_malloc_settings(const struct kp_fragmentation *f,
                          struct kp_malloc_setting settings[KP_MALLOC_SETTINGS]);

#endif
