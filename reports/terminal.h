/* SPDX-License-Identifier: MIT */
/*
 * What the terminal is like, and a progress line on stderr for work that takes long. One thread.
 */
#ifndef KP_TERMINAL_H
#define KP_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Columns of stdout when it is a terminal, else COLUMNS, else 100. */
size_t kp_terminal_width(void);

/* Shows itself only on a terminal, and only when the work takes longer than half a second. */
struct kp_progress {
    struct timespec started, shown;
    bool visible;
};
void kp_progress_start(struct kp_progress *progress);
void kp_progress_show(struct kp_progress *progress, uint64_t done, uint64_t total,
                      const char *what);
void kp_progress_end(struct kp_progress *progress); /* wipes the line */

#endif
