/* SPDX-License-Identifier: MIT */
/* The log of tests/targets/logger.c, a sparse file: tests/tools/show_log prints it. */
#ifndef KP_LOGGER_H
#define KP_LOGGER_H

#include <stdint.h>

#define LOG_ENTRIES 4000000
#define LOG_THREADS 2

struct log_entry {
    uint64_t address;
    uint64_t size;    /* 0: about to be freed */
    uint64_t time_us; /* CLOCK_BOOTTIME */
};
struct log {
    uint64_t done; /* 1: all that was meant to be done has been done */
    struct log_thread {
        uint64_t count;
        struct log_entry entry[LOG_ENTRIES];
    } thread[LOG_THREADS];
};

#endif
