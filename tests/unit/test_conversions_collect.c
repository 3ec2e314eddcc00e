/* SPDX-License-Identifier: MIT */
/*
 * Tables entry, conversion and activation as a collector writes them, also one that is killed at
 * each of its steps: counts of all slots are added up once, however often they are read; sums over
 * activations are those of all that were drawn; sites know the entry that allocated.
 */
#include "collect.h"
#include "collect_case.h"

#include <stdio.h>
#include <string.h>

#define PID KP_FAKE_DEAD_PID(1)
#define ENTRIES 40 /* more than one chunk of counters has room for */
#define ACTIVATIONS 300

struct program {
    struct kp_fake *fake;
    uint32_t process, module, line;
};

static void define(struct program *program)
{
    struct kp_fake *fake = program->fake;
    char name[32];

    program->module = kp_fake_module(fake, program->process, "/srv/engine.so", "\1", 1, 0x1000);
    uint32_t code = kp_fake_code(fake, program->process, "/srv/app.py", "send", 7, KP_LINES_NONE, "", 0);
    program->line = kp_fake_node(fake, program->process, 0, 0, KP_FAKE_PYTHON_PC(code, 0));
    for (uint16_t id = 1; id <= ENTRIES; id++) {
        snprintf(name, sizeof name, "Engine.m%u", id);
        kp_fake_entry(fake, program->process, id, KP_ENTRY_METHOD, program->module, name);
    }
    kp_fake_entry(fake, program->process, 700, KP_ENTRY_THREAD, 0, "engine-blocking");
}

/* Two slots that count the same. */
static void count(struct program *program)
{
    for (unsigned slot = 0; slot < 2; slot++) {
        for (uint16_t id = 1; id <= ENTRIES; id++) {
            struct kp_counter_block *block =
                kp_fake_block(program->fake, program->process, slot, id);
            block->rows[KP_API_ROW_entry_calls].calls = id;
            block->rows[KP_API_ROW_PyList_New].calls = 10 * id;
            block->rows[KP_API_ROW_PyList_New].amount = 1000u * id;
            block->rows[KP_API_ROW_PyBytes_FromStringAndSize].calls = 3;
            block->rows[KP_API_ROW_PyBytes_FromStringAndSize].amount = 500;
            block->rows[KP_API_ROW__PyBytes_Resize].amount = (uint64_t)-100;
            block->rows[KP_API_ROW_in_place].calls = 1;
        }
        kp_fake_block(program->fake, program->process, slot, 700)->rows[KP_API_ROW_gil_wait].amount =
            2500000000u;
    }
}

static void draw(struct program *program)
{
    for (uint32_t i = 0; i < ACTIVATIONS; i++) {
        uint16_t entry = i % 3 ? 2 : 700;
        kp_fake_activation(program->fake, program->process, i % 2,
                           (struct kp_rec_activation){.entry = entry,
                                                      .node = entry == 2 ? program->line : 0,
                                                      .weight = 10,
                                                      .strings = 4,
                                                      .repeated = 3,
                                                      .total_ns = 2000,
                                                      .converting_ns = 1500,
                                                      .direction_ns = {1000, 500},
                                                      .conversions = {7, 5},
                                                      .wait_ns = 100,
                                                      .released_ns = 200});
        kp_fake_flags(program->fake, program->process, 0,
                      KP_ALLOC_FLAGS(2, i % 2 ? KP_ALLOC_CONVERTING : 0));
        kp_fake_alloc(program->fake, program->process, 0, KP_KIND_MALLOC, program->line, 100);
        kp_fake_flags(program->fake, program->process, 0,
                      KP_ALLOC_FLAGS(700, KP_ALLOC_CONVERTING | KP_ALLOC_FROM_PYTHON));
        kp_fake_alloc(program->fake, program->process, 0, KP_KIND_MALLOC, program->line, 10);
    }
}

static void run(struct program *program, struct kp_case *test)
{
    program->fake = kp_case_begin_process(test, 64, &program->process);
    kp_fake_info(program->fake, program->process)->conversions = KP_CONVERSIONS_ON;
    kp_fake_info(program->fake, program->process)->patched_modules = 1;
    define(program);
    count(program);
    draw(program);
    kp_fake_exit(program->fake, program->process, 5000000);
    kp_fake_close(program->fake);
}

static void same(const struct kp_case *test, const char *how, const char *what, const char *sql,
                 const char *wanted)
{
    char title[160];
    const char *text = kp_case_text(test, sql);

    snprintf(title, sizeof title, "%s, %s", what, how);
    kp_check(!strcmp(text, wanted), title, "%s, not %s", text, wanted);
}

static void check(const struct kp_case *test, const char *how)
{
    same(test, how, "an entry has its kind, module and threads",
         "SELECT kind || ' ' || name || ' ' || m.path || ' ' || threads FROM entry "
         "JOIN module m ON m.id = module_id WHERE entry = 9",
         "method Engine.m9 /srv/engine.so 2");
    same(test, how, "counts of all slots are added up once",
         "SELECT group_concat(api || ' ' || calls || ' ' || amount || ' ' || unit, ', ') FROM "
         "(SELECT * FROM conversion WHERE entry = 9 ORDER BY api)",
         "PyBytes_FromStringAndSize 6 1000 bytes, PyList_New 180 18000 items, _PyBytes_Resize 0 "
         "-200 bytes, entry_calls 18 0 , in_place 2 0 bytes");
    same(test, how, "the view has copies without those in place, and bytes as they became",
         "SELECT direction || ' ' || calls || ' ' || conversions || ' ' || objects || ' ' || copies "
         "|| ' ' || bytes FROM v_conversions WHERE entry = 9",
         "to_python 18 186 186 4 800");
    same(test, how, "activations are summed with their weight",
         "SELECT samples || ' ' || calls || ' ' || round(total_s * 1e6) || ' ' || "
         "round(converting_s * 1e6) || ' ' || round(to_python_s * 1e6) || ' ' || "
         "round(from_python_s * 1e6) || ' ' || round(wait_s * 1e6) || ' ' || round(released_s * "
         "1e6) || ' ' || to_python || ' ' || from_python || ' ' || strings || ' ' || repeated "
         "FROM activation WHERE entry = 2",
         "200 2000.0 4000.0 3000.0 2000.0 1000.0 200.0 400.0 14000.0 10000.0 8000.0 6000.0");
    same(test, how, "with their variance",
         "SELECT round(total_s_var * 1e12) || ' ' || round(total_s_cov * 1e6) || ' ' || calls_var "
         "FROM activation WHERE entry = 2",
         "72000.0 36000.0 18000.0");
    same(test, how, "they know the line that called",
         "SELECT f.function || ' ' || f.line FROM activation a JOIN stack s ON s.id = a.stack_id "
         "JOIN frame f ON f.location_id = s.location_id WHERE a.entry = 2",
         "send 7");
    same(test, how, "sites are kept apart by entry and direction",
         "SELECT group_concat(entry || ' ' || converting || ' ' || allocated_bytes, ', ') FROM "
         "(SELECT * FROM site ORDER BY entry, converting)",
         "2 0 15000.0, 2 1 15000.0, 700 2 3000.0");
    same(test, how, "the state of the process is told",
         "SELECT state || ' ' || patched_modules FROM conversion_state", "on 1");
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
    check(&test, "in one go");
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
    while (kp_case_collect_killed(&test, 2000, 1 + kills % 9) == -1 && kills < 1000)
        kills++;
    kp_check(kills > 3, "the collectors were killed", "%u times", kills);
    check(&test, "after kills");
    kp_case_end(&test);
}

/* Values that are read while the program runs are put right later. */
static void running(void)
{
    struct kp_case test;
    struct program program;
    int64_t calls = 0;

    program.fake = kp_case_begin_process(&test, 64, &program.process);
    define(&program);
    struct kp_counter_block *block = kp_fake_block(program.fake, program.process, 0, 1);
    for (int i = 0; i < 3; i++) {
        block->rows[KP_API_ROW_PyDict_New].calls += 7;
        calls += 7;
        if (i < 2)
            kp_case_collect_killed(&test, 0, 3);
    }
    kp_fake_exit(program.fake, program.process, 5000000);
    kp_case_finish(&test, program.fake);
    double counted = kp_case_number(&test, "SELECT calls FROM conversion WHERE api = 'PyDict_New'");
    kp_check(counted == (double)calls, "counts that rise between two readings", "%g", counted);
    kp_case_end(&test);
}

/* An activation was being timed when the process ended: of 50 calls that were counted ahead 20 were
 * made; its block says what is missing. */
static void timed(void)
{
    struct kp_case test;
    struct program program;

    program.fake = kp_case_begin_process(&test, 64, &program.process);
    define(&program);
    kp_fake_block(program.fake, program.process, 0, 1)->rows[KP_API_ROW_PyDict_New].calls = 1050;
    struct kp_counter_block *block = kp_fake_block(program.fake, program.process, 0, 1);
    block->is_timed = true;
    for (unsigned row = 0; row < KP_API_ROWS; row++)
        block->rows[row].calls = KP_TIMED_REST;
    block->rows[KP_API_ROW_PyDict_New].calls = KP_TIMED_REST - 30;
    kp_fake_exit(program.fake, program.process, 5000000);
    kp_case_finish(&test, program.fake);
    double counted = kp_case_number(&test, "SELECT calls FROM conversion WHERE api = 'PyDict_New'");
    double rows = kp_case_number(&test, "SELECT count(*) FROM conversion");
    double threads = kp_case_number(&test, "SELECT max(threads) FROM entry");
    kp_check(counted == 1020 && rows == 1, "calls that were counted ahead and not made",
             "%g calls in %g rows", counted, rows);
    kp_check(threads == 1, "a timed block is no other thread's", "%g", threads);
    kp_case_end(&test);
}

int main(void)
{
    whole();
    killed();
    running();
    timed();
    return kp_checks_failed();
}
