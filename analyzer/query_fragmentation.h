/* SPDX-License-Identifier: MIT */
/*
 * What a snapshot of the heap says: arenas, where RSS goes, and who keeps memory from being given
 * back. Sizes in bytes; less than 0 where the allocator does not tell. One thread.
 */
#ifndef KP_QUERY_FRAGMENTATION_H
#define KP_QUERY_FRAGMENTATION_H

#include "query.h"

enum kp_snapshot_choice { KP_AT_END, KP_AT_PEAK };

#define KP_HEAP_CUT 2   /* in_use is an estimate: not all free pieces were looked at */
#define KP_HEAP_DRAWN 4 /* a part of it was looked at, and stands for the whole */
struct kp_heap_arena {
    const char *kind; /* as in table arena */
    int64_t arena, unit, size, in_use, free, largest_free, top, resident, trimmable, large_free,
        waste, top_stack_id;
    bool is_python;   /* of Python's own allocator */
    bool is_class;    /* of blocks that another row holds already */
    int partial; /* 1: not all could be read; KP_HEAP_CUT; KP_HEAP_DRAWN */
    double doubt; /* bytes that what is resident and free may be off by, as it was drawn */
};

#define KP_HEAP_STEPS 12
struct kp_heap_step {
    int64_t cells, resident, used;
};

/* Old blocks that keep memory, by the line that tells most. */
struct kp_heap_blame {
    int64_t stack_id; /* of the heaviest of them */
    int64_t members;
    struct kp_sum bytes;
    double pinned_bytes, blocks, live_bytes;
    double oldest_s;
    int64_t oldest_iteration; /* 0: before the first */
};

/* Memory that a module maps by itself. */
struct kp_heap_opaque {
    const char *module;
    const char *allocator; /* that it has built in, by the texts in its file; "": none known */
    double bytes;          /* resident */
};

/* Where RSS goes: these add up to `rss`, but for rounding and for what is less than nothing. */
struct kp_heap_rss {
    double live, held_malloc, held_python, opaque, mapped, files, data, shared, stacks, kprof, other;
    bool has_mappings; /* the last six are known one by one; else files holds what the kernel says */
};

struct kp_heap_picture {
    int64_t process_id, pid, number, rss, rss_file, cell_bytes, trim_threshold, mmap_threshold;
    double time_s, cost_s;
    const char *why; /* "": there is no snapshot */
    bool partial;
    struct kp_sum live_malloc, live_object; /* asked for */
    double live_mmap;
    double mappings_s; /* when the mappings were read, if they were */
    struct kp_heap_arena *arenas;
    size_t arena_count;
    struct kp_heap_step steps[2][KP_HEAP_STEPS]; /* [1]: of Python's own allocator */
    struct kp_heap_blame *blame; /* heaviest first */
    size_t blame_count;
    struct kp_heap_opaque *opaque; /* heaviest first */
    size_t opaque_count;
    struct kp_heap_rss where;
    /* sums over arenas that are no classes */
    double in_use[2], held[2], resident[2], unused[2]; /* [1]: Python; unused: resident, not given out */
    double trimmable, top, large_free, thread_free; /* of glibc; thread_free: unused in all but main */
    double peak_resident; /* the most that heap snapshots have seen resident */
};

/* Processes with a snapshot, and their RSS then, highest first. */
struct kp_heap_process {
    int64_t process_id, pid, rss;
};
struct kp_heap_processes {
    struct kp_heap_process *items;
    size_t count;
};
int kp_query_heap_processes(struct kp_query *query, const struct kp_filter *filter,
                            enum kp_snapshot_choice choice, struct kp_heap_processes *processes,
                            struct kp_error *error);
void kp_heap_processes_release(struct kp_heap_processes *processes);

int kp_query_heap(struct kp_query *query, int64_t process_id, enum kp_snapshot_choice choice,
                  struct kp_heap_picture *picture, struct kp_error *error);
void kp_heap_picture_release(struct kp_heap_picture *picture);

/* usable - requested; 1 - used / held; (most ever resident - used) / used. */
double kp_heap_internal_bytes(const struct kp_heap_picture *picture);
double kp_heap_external(const struct kp_heap_picture *picture);
double kp_heap_realised(const struct kp_heap_picture *picture);
/* Bytes that what is in use, and what is held free, may be off by (95 %); 0: they are exact. */
double kp_heap_doubt(const struct kp_heap_picture *picture);
bool kp_heap_is_partial(const struct kp_heap_picture *picture, int bit);

#endif
