/* SPDX-License-Identifier: MIT */
/*
 * The verdict at the edges of its rule, baselines of a grid, what failing runs count for, and the
 * database: what is written comes back, and what somebody has damaged is refused or left out.
 */
#include "ab_store.h"
#include "ab_summary.h"
#include "unit_check.h"

#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void add_runs(struct kp_ab_comparison *c, size_t configuration, size_t count, double memory,
                     double time, const char *outcome)
{
    for (size_t i = 0; i < count; i++) {
        struct kp_ab_run *run = kp_ab_add_run(c);
        run->configuration = (int64_t)configuration;
        run->round = (int64_t)i;
        strcpy(run->outcome, outcome);
        run->figures[KP_AB_STEADY_RSS] = memory * (1 + 0.001 * (double)i);
        run->figures[KP_AB_WALL] = time * (1 + 0.001 * (double)i);
    }
}

static struct kp_ab_verdict judge(const struct kp_ab_comparison *c)
{
    struct kp_ab_row rows[8];
    for (size_t i = 0; i < c->configuration_count; i++)
        kp_ab_summarise(c, i, &rows[i]);
    return kp_ab_judge(c, rows);
}

/* A baseline of 100 in 10 s, and another configuration; what is the verdict? */
static struct kp_ab_verdict verdict_of(size_t runs, double memory, double time, size_t failed)
{
    struct kp_ab_comparison c = {.command = NULL};
    kp_ab_add_configuration(&c, "glibc");
    kp_ab_add_configuration(&c, "other");
    add_runs(&c, 0, runs, 100, 10, "ok");
    add_runs(&c, 1, runs, memory, time, "ok");
    add_runs(&c, 1, failed, 1, 1, "exit 3");
    struct kp_ab_verdict verdict = judge(&c);
    kp_ab_comparison_release(&c);
    return verdict;
}

static void test_rule(void)
{
    static const struct {
        const char *what;
        size_t runs;
        double memory, time;
        size_t failed;
        enum kp_ab_verdict_kind kind;
    } cases[] = {
        {"half the memory in the same time: switch", 5, 50, 10, 0, KP_AB_SWITCH},
        {"the upper end of memory below 0.9: switch", 5, 89, 10, 0, KP_AB_SWITCH},
        {"the upper end of memory above 0.9: no evidence", 5, 89.9, 10, 0, KP_AB_NO_EVIDENCE},
        {"the upper end of time below 1.03: switch", 5, 50, 10.2, 0, KP_AB_SWITCH},
        {"the upper end of time above 1.03: no evidence", 5, 50, 10.29, 0, KP_AB_NO_EVIDENCE},
        {"more memory: no evidence", 5, 150, 5, 0, KP_AB_NO_EVIDENCE},
        {"a configuration that fails now and then is never advised", 5, 50, 10, 1,
         KP_AB_NO_EVIDENCE},
        {"three runs prove nothing", 3, 50, 10, 0, KP_AB_TOO_FEW},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kp_ab_verdict v =
            verdict_of(cases[i].runs, cases[i].memory, cases[i].time, cases[i].failed);
        kp_check(v.kind == cases[i].kind && v.choice == (v.kind == KP_AB_SWITCH), cases[i].what,
                 "verdict %d, choice %zu", v.kind, v.choice);
    }
}

static void test_leak(void)
{
    struct kp_ab_comparison c = {.command = NULL};
    kp_ab_add_configuration(&c, "glibc");
    kp_ab_add_configuration(&c, "glibc, recorded")->is_recorded = true;
    add_runs(&c, 0, 5, 100, 10, "ok");
    add_runs(&c, 1, 5, 10, 11, "ok");
    for (size_t i = 5; i < 10; i++)
        c.runs[i].figures[KP_AB_LIVE_SLOPE] = 1000 + (double)i;
    struct kp_ab_verdict v = judge(&c);
    kp_check(v.is_leak && v.live_slope.value == 1007, "live memory that grows in every run: a leak",
             "%d, %g", v.is_leak, v.live_slope.value);
    kp_check(v.kind == KP_AB_TOO_FEW && v.choice == 0, "a recorded configuration is no candidate",
             "verdict %d, choice %zu", v.kind, v.choice);
    c.runs[6].figures[KP_AB_LIVE_SLOPE] = c.runs[7].figures[KP_AB_LIVE_SLOPE] = 0;
    v = judge(&c);
    kp_check(!v.is_leak, "in some runs only: none", "a leak");
    kp_ab_comparison_release(&c);
}

static void test_baselines(void)
{
    static const char *const values[] = {"1", "1", "2", "2"};
    struct kp_ab_comparison c = {.command = NULL};
    size_t found[4];
    for (size_t i = 0; i < 4; i++)
        kp_ab_add_setting(kp_ab_add_configuration(&c, i % 2 ? "jemalloc" : "glibc"), "WORKERS",
                          values[i], true);
    for (size_t i = 0; i < 4; i++)
        found[i] = kp_ab_baseline(&c, i);
    kp_check(found[0] == 0 && found[1] == 0 && found[2] == 2 && found[3] == 2,
             "in a grid each is compared with the baseline of the same values", "%zu %zu %zu %zu",
             found[0], found[1], found[2], found[3]);
    kp_ab_comparison_release(&c);
}

static void fill(struct kp_ab_comparison *c)
{
    c->command = strdup("[\"app\", \"a b\"]");
    c->directory = strdup("/home");
    c->warm_iterations = 42;
    kp_ab_add_setting(kp_ab_add_configuration(c, "glibc"), "A", "1 \"2\"", false);
    kp_ab_add_configuration(c, "recorded")->is_recorded = true;
}

static void test_store(const char *path)
{
    struct kp_error error = {""};
    struct kp_ab_comparison c = {.command = NULL}, back = {.command = NULL};
    struct kp_ab_store *store = kp_ab_store_open(path, &error);
    fill(&c);
    struct kp_ab_run *run = kp_ab_add_run(&c);
    run->configuration = 1;
    strcpy(run->outcome, "signal 9");
    strcpy(run->said, "it's over");
    run->figures[KP_AB_WALL] = 1.5;
    int failed = !store || kp_ab_store_plan(store, &c, &error) || kp_ab_store_add(store, run, &error);
    char **words = store ? kp_ab_store_words(store, c.command) : NULL;
    kp_check(words && words[0] && !strcmp(words[1], "a b") && !words[2],
             "a command comes back as its words", "%s", error.text);
    kp_ab_store_close(store);
    store = failed ? NULL : kp_ab_store_open(path, &error);
    failed = !store || kp_ab_store_load(store, &back, &error);
    kp_ab_store_close(store);
    kp_check(!failed && back.configuration_count == 2 && back.configurations[1].is_recorded &&
                 back.warm_iterations == 42 &&
                 !strcmp(kp_ab_setting(&back.configurations[0], "A"), "1 \"2\""),
             "configurations come back", "%s", error.text);
    kp_check(!failed && back.run_count == 1 && !strcmp(back.runs[0].said, "it's over") &&
                 back.runs[0].figures[KP_AB_WALL] == 1.5 &&
                 isnan(back.runs[0].figures[KP_AB_CPU]) && !kp_ab_run_is_good(&back.runs[0]),
             "so do runs, and what is not known stays so", "%s", error.text);
    for (char **w = words; w && *w; w++)
        free(*w);
    free(words);
    kp_ab_comparison_release(&c);
    kp_ab_comparison_release(&back);
}

/* Runs a statement on the database, then loads it. True: it could be loaded. */
static bool loads_after(const char *path, const char *sql, struct kp_ab_comparison *c)
{
    struct kp_error error = {""};
    sqlite3 *db = NULL;
    *c = (struct kp_ab_comparison){.command = NULL};
    if (sqlite3_open(path, &db) == SQLITE_OK)
        sqlite3_exec(db, sql, NULL, NULL, NULL);
    sqlite3_close(db);
    struct kp_ab_store *store = kp_ab_store_open(path, &error);
    bool loaded = store && kp_ab_store_load(store, c, &error) == 0;
    kp_ab_store_close(store);
    return loaded;
}

static void test_damage(const char *path)
{
    struct kp_ab_comparison c;
    bool loaded = loads_after(path, "INSERT INTO run (configuration_id, round, outcome, said) VALUES "
                                    "(99, 0, 'ok', ''), (-1, 0, 'ok', ''); "
                                    "INSERT INTO setting VALUES (77, 'X', 'Y', 0)",
                              &c);
    kp_check(loaded && c.run_count == 1, "rows that belong to no configuration are left out",
             "%zu runs", c.run_count);
    kp_ab_comparison_release(&c);
    loaded = loads_after(path, "ALTER TABLE run DROP COLUMN cpu_s", &c);
    kp_check(!loaded, "a table that has lost a column is refused", "it was loaded");
    kp_ab_comparison_release(&c);
    loaded = loads_after(path, "PRAGMA user_version = 99", &c);
    kp_check(!loaded, "another version is refused", "it was loaded");
    kp_ab_comparison_release(&c);
}

int main(void)
{
    char path[] = "comparison.XXXXXX"; /* in the directory of the test */
    int fd = mkstemp(path);
    close(fd);
    test_rule();
    test_leak();
    test_baselines();
    test_store(path);
    test_damage(path);
    unlink(path);
    return kp_checks_failed();
}
