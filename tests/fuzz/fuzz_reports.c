/* SPDX-License-Identifier: MIT */
/*
 * What the child of a fuzzer does, see fuzz_child.h: it calls the main() of kprof-report for two
 * of its reports, and looks at what that printed: stdout and stderr are files in memory.
 */
#include "fuzz_child.h"

#include "collect.h"
#include "fuzz_clock.h"
#include "store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_LINES 3
#define MOST_SLEEP_S 300

int kp_report_main(int argc, char **argv); /* main() of reports/report_main.c */

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *const names[] = {"summary", "sites", "tree", "processes", "timeline"};

/* What has been written to this descriptor since the last time; the file is empty afterwards. */
static void take_output(int fd, struct kp_fuzz_bytes *bytes)
{
    off_t size = lseek(fd, 0, SEEK_END);
    kp_fuzz_bytes_free(bytes);
    kp_fuzz_bytes_resize(bytes, size > 0 ? (size_t)size : 0);
    if (size <= 0 || pread(fd, bytes->at, bytes->size, 0) != size || ftruncate(fd, 0) != 0)
        bytes->size = 0;
    lseek(fd, 0, SEEK_SET);
}

static size_t lines_in(const struct kp_fuzz_bytes *bytes)
{
    size_t lines = 0;
    for (size_t i = 0; i < bytes->size; i++)
        lines += bytes->at[i] == '\n';
    return lines;
}

/* The lines of CSV end as RFC 4180 has it. */
static bool is_plain(const struct kp_fuzz_bytes *bytes)
{
    for (size_t i = 0; i < bytes->size; i++) {
        bool ends_line = bytes->at[i] == '\r' && i + 1 < bytes->size && bytes->at[i + 1] == '\n';
        if ((bytes->at[i] < ' ' && bytes->at[i] != '\n' && !ends_line) || bytes->at[i] == 127)
            return false;
    }
    return true;
}

static bool is_json(const struct kp_fuzz_bytes *bytes)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *question = NULL;
    bool valid = false;
    if (sqlite3_open(":memory:", &db) == SQLITE_OK &&
        sqlite3_prepare_v2(db, "SELECT json_valid(?1)", -1, &question, NULL) == SQLITE_OK) {
        sqlite3_bind_text(question, 1, (const char *)bytes->at, (int)bytes->size, SQLITE_STATIC);
        valid = sqlite3_step(question) == SQLITE_ROW && sqlite3_column_int(question, 0) == 1;
    }
    sqlite3_finalize(question);
    sqlite3_close(db);
    return valid;
}

static const char *judge(int status, bool json, const struct kp_fuzz_bytes *out,
                         const struct kp_fuzz_bytes *err)
{
    size_t lines = lines_in(err);
    if (status != 0 && status != 1)
        return "the exit status is neither 0 nor 1";
    if (status == 1 && lines == 0)
        return "it fails without a word";
    if (lines > MOST_LINES)
        return "it says too much on stderr";
    if (status == 1 && out->size)
        return "it fails and prints a report";
    if (!is_plain(err))
        return "control characters on stderr";
    if (status == 0 && out->size == 0)
        return "it succeeds and prints nothing";
    if (!is_plain(out))
        return "control characters on stdout";
    return status == 0 && json && !is_json(out) ? "the JSON is not valid" : NULL;
}

/* The second one also asks for what may not be there: site 1. */
static int arguments(const struct kp_fuzz_plan *plan, const char *report, bool is_second,
                     char **argv)
{
    static char *const formats[] = {NULL, (char *)"--json", (char *)"--csv"};
    int argc = 0;
    argv[argc++] = (char *)"kprof-report";
    argv[argc++] = (char *)"x.db";
    argv[argc++] = (char *)report;
    if (formats[plan->format])
        argv[argc++] = formats[plan->format];
    if (plan->options & 1)
        argv[argc++] = (char *)"--wide";
    if (plan->options & 2 && strcmp(report, "tree") == 0)
        argv[argc++] = (char *)"--bottom-up";
    if (plan->options & 4 && strcmp(report, "sites") == 0)
        argv[argc++] = (char *)"--group=function";
    if (plan->options & 8 && is_second && strcmp(report, "sites") == 0)
        argv[argc++] = (char *)"--site=1";
    if (plan->options & 16)
        argv[argc++] = (char *)"--top=5";
    argv[argc] = NULL;
    return argc;
}

static const char *run_reports(const struct kp_fuzz_plan *plan, int *first)
{
    struct kp_fuzz_bytes out = {0}, err = {0};
    const char *wrong = NULL;
    for (size_t i = 0; i < 2 && !wrong; i++) {
        char *argv[16];
        int argc = arguments(plan, names[(plan->report + i) % COUNT(names)], i == 1, argv);
        kp_fuzz_clock_start(MOST_SLEEP_S, MOST_SLEEP_S);
        int status = kp_report_main(argc, argv);
        fflush(stdout);
        take_output(STDOUT_FILENO, &out);
        take_output(STDERR_FILENO, &err);
        wrong = judge(status, plan->format == 1, &out, &err);
        if (wrong &&
            write(STDERR_FILENO, err.at, err.size) + write(STDERR_FILENO, out.at, out.size) < 0)
            wrong = "it cannot be told";
        if (i == 0)
            *first = status;
        else if (!wrong && status == 1 && *first == 0 && plan->options & 32)
            wrong = "one report works, another does not";
    }
    kp_fuzz_bytes_free(&out);
    kp_fuzz_bytes_free(&err);
    return wrong;
}

static const char *collect(bool copy, int *status)
{
    struct kp_error error = {""};
    struct kp_collect_options options = {.spool_path = "x.db-spool",
                                         .database_path = "x.db",
                                         .follow = !copy,
                                         .stop = &kp_fuzz_clock_rang};
    kp_fuzz_clock_start(MOST_SLEEP_S / 10, MOST_SLEEP_S);
    *status = copy ? kp_collect_to_copy(&options, "tmp/copy.db", &error)
                   : kp_collect_run(&options, &error);
    if (copy)
        kp_store_remove("tmp/copy.db");
    return *status == KP_COLLECT_FAILED && !error.text[0] ? "it fails without a word" : NULL;
}

const char *kp_fuzz_go(const struct kp_fuzz_plan *plan, int *status)
{
    return plan->way == KP_FUZZ_REPORTS ? run_reports(plan, status)
                                        : collect(plan->way == KP_FUZZ_COPY, status);
}

/* A report that fails has changed nothing, nor has one on a database that is alone. */
bool kp_fuzz_may_change(const struct kp_fuzz_plan *plan, const struct kp_fuzz_case *one, int status)
{
    return plan->way == KP_FUZZ_FOLLOW ||
           (plan->way == KP_FUZZ_REPORTS && status == 0 && one->files[KP_FUZZ_SPOOL].at);
}
