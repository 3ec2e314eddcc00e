/* SPDX-License-Identifier: MIT */
/*
 * The parts of the leak report: its first lines, which answer whether it leaks, how much and where;
 * the rows of places; what a machine reads. One thread.
 */
#ifndef KP_LEAKS_VIEW_H
#define KP_LEAKS_VIEW_H

#include "query_leaks.h"
#include "report.h"

struct kp_leaks_view {
    struct kp_report_context *context;
    const struct kp_leaks *leaks;
    enum kp_leak_group group;
    double limit_bytes; /* how far memory may grow: for the time that is left */
    bool has_before;
    const char *before; /* the older database */
    char program[256], program_before[256]; /* what ran */
    struct kp_welch against;
    const char *unsure; /* which recording shows no rate that could be compared; NULL: both do */
};

/* "1.22 KB (1.05 to 1.39) per iteration", per second where there are no marks. */
#define KP_LEAKS_RATE_BYTES 192
const char *kp_leaks_unit(const struct kp_leaks *leaks);
char *kp_leaks_rate(const struct kp_leaks *leaks, const struct kp_estimate *rate, char *out);
/* What memory runs out by: the leak, or all of RSS where it is stacks of threads, too. */
const struct kp_estimate *kp_leaks_pace(const struct kp_leaks *leaks);
void kp_leaks_place(const struct kp_leaks_view *view, int64_t stack_id, char *out,
                    size_t out_bytes, char *shorter, size_t shorter_bytes);
void kp_leaks_where(const struct kp_leaks_view *view, const struct kp_leak_site *site, char *out,
                    size_t out_bytes, char *shorter, size_t shorter_bytes);
/* "on the bridge", "in native code of keeper.so", "in Python". */
void kp_leaks_side(const struct kp_leak_site *site, char *out, size_t out_bytes);

void kp_leaks_headline(const struct kp_leaks_view *view);
void kp_leaks_footer(const struct kp_leaks_view *view);
void kp_leaks_values(const struct kp_leaks_view *view);
void kp_leaks_table(const struct kp_leaks_view *view);

/* Loads what `before` is compared with; the line that says it, with one more where it is of another
 * program. */
int kp_leaks_baseline(struct kp_leaks_view *view, const struct kp_leak_request *request,
                      struct kp_error *error);
void kp_leaks_baseline_line(const struct kp_leaks_view *view);

/* The memory that this machine, or the control group that we are in, has. */
double kp_memory_limit(void);

/* One line of the summary; nothing without iterations. */
void kp_leaks_summary(struct kp_report_context *context, const struct kp_leaks *leaks);

#endif
