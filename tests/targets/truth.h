/* SPDX-License-Identifier: MIT */
/* The file of tests/targets/lib/truth.c: written there, printed by tests/tools/show_truth. */
#ifndef KP_TRUTH_H
#define KP_TRUTH_H

#include <stdint.h>

#define TRUTH_ROWS 2000

enum truth_family { TRUTH_MALLOC, TRUTH_CALLOC, TRUTH_REALLOC, TRUTH_ALIGNED, TRUTH_FAMILIES };

struct truth {
    uint32_t rows, unused;
    struct truth_row {
        uint64_t pid;
        uint64_t count[TRUTH_FAMILIES];
        uint64_t bytes[TRUTH_FAMILIES];
        uint64_t live_count; /* allocated in this process and not freed in it */
        uint64_t live_bytes;
    } row[TRUTH_ROWS];
};

#endif
