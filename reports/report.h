/* SPDX-License-Identifier: MIT */
/*
 * What a report is: a row in kp_reports[] (report_table.c) and a function that asks the query and
 * tells the emitter. To add one: write report_<name>.c, declare it here, add its row. One thread.
 */
#ifndef KP_REPORT_H
#define KP_REPORT_H

#include "emitter.h"
#include "error.h"
#include "options.h"
#include "query.h"

#include <stdbool.h>
#include <stdint.h>

/* Which reports an option concerns; bits of kp_option.groups. */
enum kp_report_bit {
    KP_REPORT_SUMMARY = 1,
    KP_REPORT_SITES = 2,
    KP_REPORT_TREE = 4,
    KP_REPORT_PROCESSES = 8,
    KP_REPORT_TIMELINE = 16,
    KP_REPORT_LEAKS = 32,
    KP_REPORT_CONVERSIONS = 64,
    KP_REPORT_FRAGMENTATION = 128,
    KP_REPORT_EACH = 255,
};

struct kp_report_options {
    bool json, csv, wide, no_wait, all_frames, help, version;
    int64_t top;                         /* -1: what fits */
    int64_t pid, min_bytes, depth, site; /* 0: not given */
    int64_t since, until, limit;         /* of leaks; 0: not given */
    int64_t fail_above;                  /* bytes per iteration; -1: no gate */
    const char *baseline;                /* an older database; NULL: none */
    int64_t entry; /* of conversions; 0: not given */
    const char *kind;
    int sort; /* enum kp_sort, -1: not given */
    int group, bottom_up;
    int at; /* enum kp_snapshot_choice */
};

struct kp_report_context {
    struct kp_query *query;
    struct kp_emitter *out;
    const struct kp_report_options *options;
    struct kp_filter filter;
    enum kp_sort sort;    /* as asked for, or allocated where next to nothing is live */
    const char *database; /* as the user named it */
    struct kp_summary summary;
    struct kp_processes processes; /* that pass the filter */
    bool gate_is_exceeded;         /* exit status 3, and `gate` says why */
    char gate[160];
};

struct kp_report {
    const char *name, *help;
    unsigned bit;
    const char *csv_table; /* the table that its CSV is of; NULL: key and value */
    int (*run)(struct kp_report_context *context, struct kp_error *error);
};
extern const struct kp_report
    kp_reports[]; /* ends with a row without a name; the first is the default */
extern const struct kp_option kp_report_option_table[];

int kp_report_summary(struct kp_report_context *context, struct kp_error *error);
int kp_report_sites(struct kp_report_context *context, struct kp_error *error);
int kp_report_tree(struct kp_report_context *context, struct kp_error *error);
int kp_report_processes(struct kp_report_context *context, struct kp_error *error);
int kp_report_fragmentation(struct kp_report_context *context, struct kp_error *error);
int kp_report_conversions(struct kp_report_context *context, struct kp_error *error);
int kp_report_timeline(struct kp_report_context *context, struct kp_error *error);
int kp_report_leaks(struct kp_report_context *context, struct kp_error *error);

/* Rows to show when --top is not given: `fits` in text, all in JSON and CSV. */
size_t kp_report_top(const struct kp_report_context *context, size_t fits);

/* The columns as this report shows them: of several estimates in bytes, only the one that orders
 * the rows has its spread beside it. */
void kp_report_columns(const struct kp_report_context *context, const struct kp_column *from,
                       size_t count, struct kp_column *to);

/* The last line: what to type next, and what that shows. The arguments come after the database. */
void kp_report_next(struct kp_report_context *context, const char *arguments, const char *shows);

/* The line of the program: database, program, processes, time, allocator. */
void kp_report_program(struct kp_report_context *context);
/* What was lost, could not be seen or should be known: lines in text (and an empty one behind them,
 * with `apart`), "lost" and "notes" in JSON. */
void kp_report_losses(struct kp_report_context *context, bool apart);
/* The arguments and the options that the present list depends on, so that numbers still hold. */
const char *kp_report_again(const struct kp_report_context *context, const char *arguments,
                            char *out, size_t out_bytes);
/* "glibc 2.36" for the file that serves malloc; the version only if the file is still the same. */
void kp_allocator_name(const char *path, const char *build_id, char *out, size_t out_bytes);

/* How many processes there were, an exec not being a new one; and the last image of the first. */
size_t kp_process_count(const struct kp_processes *processes);
const struct kp_process *kp_process_main(const struct kp_processes *processes);
/* "app.py" for an interpreter that runs app.py, "sh -c ls" for one that runs code, else the name of
 * the program. */
void kp_process_program(const struct kp_process *process, char *out, size_t out_bytes);
/* NULL: it is not there. */
const struct kp_process *kp_process_of(const struct kp_processes *processes, int64_t id);
/* What to type to run it again; "COMMAND" when that is not known, or too much for a line. */
const char *kp_process_command(const struct kp_process *process);

#endif
