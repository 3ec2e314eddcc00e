/* SPDX-License-Identifier: MIT */
/*
 * The helpers behind collect_case.h.
 */
#include "collect_case.h"

#include "collect.h"
#include "ingest.h"

#include <ftw.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define STATUS_KILLED 99

char kp_case_error[512];
static unsigned points_left;

void kp_case_begin(struct kp_case *test)
{
    const char *place = getenv("TMPDIR");

    snprintf(test->directory, sizeof test->directory, "%s/kprof-case-XXXXXX",
             place && strlen(place) < 40 ? place : "/tmp");
    if (!mkdtemp(test->directory)) {
        perror("mkdtemp");
        exit(1);
    }
    snprintf(test->database, sizeof test->database, "%s/x.db", test->directory);
    snprintf(test->spool, sizeof test->spool, "%s/x.db-spool", test->directory);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status;
    (void)type;
    (void)ftw;
    return remove(path);
}

void kp_case_end(struct kp_case *test)
{
    nftw(test->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

struct kp_fake *kp_case_begin_process(struct kp_case *test, uint32_t chunks, uint32_t *process)
{
    kp_case_begin(test);
    struct kp_fake *fake = kp_fake_new(test->spool, test->database, chunks);
    *process = kp_fake_process(fake, KP_FAKE_DEAD_PID(1), KP_ORIGIN_ROOT, 0);
    return fake;
}

pid_t kp_case_sleeping_child(void)
{
    pid_t child = fork();

    if (child == 0)
        for (;;)
            pause();
    return child;
}

int kp_case_collect(struct kp_case *test, uint64_t batch_bytes)
{
    struct kp_collect_options options = {.spool_path = test->spool, .batch_bytes = batch_bytes};
    struct kp_error error = {0};
    int status = kp_collect_run(&options, &error);

    snprintf(kp_case_error, sizeof kp_case_error, "%s", error.text);
    return status;
}

static void maybe_die(const char *point)
{
    (void)point;
    if (--points_left == 0)
        _exit(STATUS_KILLED);
}

void kp_case_finish(struct kp_case *test, struct kp_fake *fake)
{
    kp_fake_close(fake);
    int status = kp_case_collect(test, 0);
    if (status != KP_COLLECT_FINISHED)
        kp_check(false, "the recording is finished", "status %d: %s", status, kp_case_error);
}

int kp_case_collect_killed(struct kp_case *test, uint64_t batch_bytes, unsigned n)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        points_left = n;
        kp_ingest_fault_hook = maybe_die;
        _exit(kp_case_collect(test, batch_bytes));
    }
    waitpid(child, &status, 0);
    if (!WIFEXITED(status))
        return -2;
    return WEXITSTATUS(status) == STATUS_KILLED ? -1 : WEXITSTATUS(status);
}

const char *kp_case_text(const struct kp_case *test, const char *sql)
{
    static char text[4096];
    sqlite3 *db = NULL;
    sqlite3_stmt *query = NULL;
    const char *value = NULL;

    if (sqlite3_open_v2(test->database, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(db, sql, -1, &query, NULL) == SQLITE_OK &&
        sqlite3_step(query) == SQLITE_ROW)
        value = (const char *)sqlite3_column_text(query, 0);
    snprintf(text, sizeof text, "%s", value ? value : "");
    sqlite3_finalize(query);
    sqlite3_close(db);
    return text;
}

double kp_case_number(const struct kp_case *test, const char *sql)
{
    const char *text = kp_case_text(test, sql);

    return *text ? atof(text) : NAN;
}

bool kp_case_exists(const char *path)
{
    return access(path, F_OK) == 0;
}
