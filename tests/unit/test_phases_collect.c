/* SPDX-License-Identifier: MIT */
/*
 * Tables phase and import as a collector writes them, also one that is killed at each of its steps:
 * the times add up to the life of the process, the bytes to those of its sites.
 */
#include "collect.h"
#include "collect_case.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define PID KP_FAKE_DEAD_PID(1)
#define BOOTSTRAP "<frozen importlib._bootstrap>"
#define MODULES 30
#define ITERATIONS 50
#define STEP_US 100

struct program {
    struct kp_fake *fake;
    uint32_t process, main, finding, bodies[MODULES], site;
    uint64_t time_us;
};

static uint32_t python(struct program *program, uint32_t parent, const char *file,
                       const char *function)
{
    uint32_t code =
        kp_fake_code(program->fake, program->process, file, function, 1, KP_LINES_NONE, "", 0);

    return kp_fake_node(program->fake, program->process, parent, 0, KP_FAKE_PYTHON_PC(code, 0));
}

static void define(struct program *program)
{
    char file[64];

    program->main = python(program, 0, "/srv/app.py", "<module>");
    program->site = python(program, 0, "<frozen site>", "main");
    program->finding = python(program, program->main, BOOTSTRAP, "_find_and_load");
    for (int i = 0; i < MODULES; i++) {
        snprintf(file, sizeof file, "/usr/lib/python3.11/m%d.py", i);
        program->bodies[i] = python(program, program->finding, file, "<module>");
    }
}

static void sample(struct program *program, uint32_t node, uint64_t marks)
{
    program->time_us += STEP_US;
    kp_fake_stamp(program->fake, program->process, 0, program->time_us, marks);
    kp_fake_alloc(program->fake, program->process, 0, KP_KIND_OBJECT, node, 100);
}

/* From -1 ms on: 2 ms and 10 samples of start-up, 30 imports, 50 iterations. */
static void run(struct program *program, struct kp_case *test)
{
    program->fake = kp_fake_new(test->spool, test->database, 64);
    program->process = kp_fake_process(program->fake, PID, KP_ORIGIN_ROOT, 1000000);
    kp_fake_info(program->fake, program->process)->before_join_ns = 2000000;
    kp_fake_text(program->fake, program->process, KP_TEXT_PYTHON, "3.11.2", 6);
    kp_fake_thread(program->fake, program->process, 0, PID, "python");
    program->time_us = 1000;
    define(program);
    for (int i = 0; i < 10; i++)
        sample(program, program->site, 0);
    sample(program, program->main, 0);
    for (int i = 0; i < MODULES; i++) {
        sample(program, program->finding, 0);
        sample(program, program->bodies[i], 0);
    }
    for (uint64_t i = 1; i <= ITERATIONS; i++) {
        for (int j = 0; j < 10; j++)
            sample(program, program->main, i - 1);
        kp_fake_mark(program->fake, program->process, 0, i, program->time_us);
    }
    kp_fake_exit(program->fake, program->process, (program->time_us + 3 * STEP_US) * 1000);
    kp_fake_close(program->fake);
}

static void check_sums(const struct kp_case *test, const struct program *program, const char *how)
{
    double life = (double)(program->time_us + 3 * STEP_US + 1000) / 1e6, time, bytes, imports;
    char what[128];

    time = kp_case_number(test, "SELECT sum(seconds) FROM phase");
    snprintf(what, sizeof what, "times of phases add up to the life, %s", how);
    kp_check(fabs(time - life) < 1e-6, what, "%f, not %f s", time, life);
    bytes = kp_case_number(test, "SELECT (SELECT sum(allocated_bytes) FROM phase) - "
                                 "(SELECT sum(allocated_bytes) FROM site)");
    snprintf(what, sizeof what, "bytes of phases are those of the sites, %s", how);
    kp_check(fabs(bytes) < 1e-3, what, "%f more", bytes);
    imports = kp_case_number(test, "SELECT (SELECT sum(seconds) FROM import) - seconds + "
                                   "(SELECT sum(allocated_bytes) FROM import) - allocated_bytes "
                                   "FROM phase WHERE phase = 'imports'");
    snprintf(what, sizeof what, "modules add up to the imports, %s", how);
    kp_check(fabs(imports) < 1e-3, what, "%f more", imports);
}

static void check_figures(const struct kp_case *test)
{
    const char *text = kp_case_text(
        test, "SELECT group_concat(phase || ' ' || cast(round(seconds * 1e6) AS INTEGER) || ' ' || "
              "cast(allocated_bytes AS INTEGER), ', ') FROM (SELECT * FROM phase ORDER BY phase)");
    kp_check(!strcmp(text, "cold 1050 1100, imports 6000 6000, other 300 0, start-up 3050 1000, "
                           "warm 49000 49000"),
             "each phase has its time and its bytes", "%s", text);
    text = kp_case_text(test, "SELECT count(*) || ' ' || min(seconds) || ' ' || max(seconds) || ' '"
                              " || min(allocated_bytes) || ' ' || max(module) FROM import");
    kp_check(!strcmp(text, "30 0.0002 0.0002 200.0 m9"), "each module has its own", "%s", text);
}

static void whole(void)
{
    struct kp_case test;
    struct program program;

    kp_case_begin(&test);
    run(&program, &test);
    int status = kp_case_collect(&test, 0);
    kp_check(status == KP_COLLECT_FINISHED, "the recording is finished", "status %d: %s", status,
             kp_case_error);
    check_sums(&test, &program, "in one go");
    check_figures(&test);
    kp_case_end(&test);
}

/* A batch is a few records; each collector dies at another step. */
static void killed(void)
{
    struct kp_case test;
    struct program program;
    unsigned kills = 0;

    kp_case_begin(&test);
    run(&program, &test);
    while (kp_case_collect_killed(&test, 200, 1 + kills % 9) == -1 && kills < 1000)
        kills++;
    kp_check(kills > 3, "the collectors were killed", "%u times", kills);
    check_sums(&test, &program, "after kills");
    kp_case_end(&test);
}

int main(void)
{
    whole();
    killed();
    return kp_checks_failed();
}
