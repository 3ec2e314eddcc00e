/* SPDX-License-Identifier: MIT */
/*
 * The text of /proc/PID/smaps, mapping by mapping, and whose each of them is. The shim reads its own
 * at the end of a process, the collector those of others while they run. Pure functions on a text.
 *
 * A stack of a thread has no name: it is known by the guard below it, an inaccessible mapping that
 * ends where it begins. (An arena of glibc has its inaccessible part above.)
 */
#ifndef KP_SMAPS_H
#define KP_SMAPS_H

#include "record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kp_smaps {
    const char *text; /* ends with a NUL */
    size_t bytes, at;
    uint64_t guard_end; /* of the mapping before, if it may be a guard */
    uint64_t data_end;  /* of the mapping before, if it is data of a file */
};

struct kp_smaps_mapping {
    uint64_t start, end, rss, pss, private_bytes, anonymous, swap;
    bool is_writable, is_guard, has_file;
    bool follows_guard, follows_data;
    const char *path; /* in the text */
    size_t path_bytes;
};

/* The next mapping; false: there is none. */
bool kp_smaps_next(struct kp_smaps *smaps, struct kp_smaps_mapping *mapping);

/* `is_own`: lies in memory that is kprof's; `is_heap`: holds a piece of an arena. */
enum kp_mapping_kind kp_smaps_kind(const struct kp_smaps_mapping *mapping, bool is_own,
                                   bool is_heap);

#endif
