/* SPDX-License-Identifier: MIT */
/*
 * Figures as people read them: sizes with three digits (KB = 1000 bytes), rates as powers of two
 * (KiB), exact counts with separators, times in the two largest units. Each writes into `out`,
 * which must hold KP_FORMAT_BYTES, and returns it. Pure functions, any thread.
 */
#ifndef KP_FORMAT_H
#define KP_FORMAT_H

#include "estimate.h"

#include <stddef.h>
#include <stdint.h>

#define KP_FORMAT_BYTES 64

char *kp_format_size(char *out, double bytes); /* "74 B", "1.22 KB", "402 MB" */
char *kp_format_size_range(char *out,
                           const struct kp_estimate *bytes); /* "(1.05 to 1.39)", "" when narrow */
char *kp_format_spread(char *out, const struct kp_estimate *e, char *(*format)(char *, double));
char *kp_format_count(char *out, double count);  /* "48,211", "463 k", "4.90 M" */
char *kp_format_whole(char *out, int64_t count); /* "48,211,004" */
/* "1 stack cut", "120 stacks cut"; out must hold 256 bytes. */
char *kp_format_plural(char *out, int64_t count, const char *noun, const char *behind);
char *kp_format_rate(char *out, double bytes);      /* "4 KiB", "512 B" */
char *kp_format_seconds(char *out, double seconds); /* "138 ms", "5 min 12 s" */
char *kp_format_share(char *out, double share);     /* "26 %", "<1 %" */

/* A size as a user types it: "100", "4K" and "4KiB" (1024), "4KB" (1000). -1: not a size. */
int64_t kp_parse_size(const char *text);

#endif
