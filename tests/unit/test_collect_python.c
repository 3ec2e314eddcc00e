/* SPDX-License-Identifier: MIT */
/*
 * Python in a recording: places in code become lines with their names, shared by all processes
 * that run the same file; what the allocators said at a mark stands with the mark; texts and
 * counters of a process are in its row. Also over the death of the collector.
 */
#include "collect.h"
#include "collect_case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct kp_rec_totals some_totals = {0, 1000, 700, 900, KP_TOTAL_UNKNOWN, 500, 33};

/* Two functions of a file that call each other through native code; one sample at the end. */
static void run_program(struct kp_fake *fake, uint32_t p, unsigned others)
{
    static const char lines[] = "\x04\x01\x04\x02\x04\x03"; /* 3.10: first_line + 1, 3, 6 */
    uint64_t bias = 0x10000u * p;

    for (unsigned i = 0; i < others; i++) /* what this process has seen before */
        kp_fake_code(fake, p, "/srv/other.py", "other", i + 1, KP_LINES_NONE, "", 0);
    uint32_t m = kp_fake_module(fake, p, "/usr/bin/python3", "\1\2", 2, bias);
    uint32_t outer =
        kp_fake_code(fake, p, "/srv/app.py", "main", 10, KP_LINES_PEP626, lines, sizeof lines - 1);
    uint32_t inner = kp_fake_code(fake, p, "/srv/app.py", "Größe.<locals>.f", 20, KP_LINES_PEP626,
                                  lines, sizeof lines - 1);
    uint32_t node = kp_fake_node(fake, p, 0, m, bias + 0x101);
    node = kp_fake_node(fake, p, node, 0, KP_FAKE_PYTHON_PC(outer, 4));
    node = kp_fake_node(fake, p, node, m, bias + 0x101);
    uint32_t first = kp_fake_node(fake, p, node, 0, KP_FAKE_PYTHON_PC(inner, 8));
    uint32_t same_line = kp_fake_node(fake, p, node, 0, KP_FAKE_PYTHON_PC(inner, 10));
    uint32_t not_begun = kp_fake_node(fake, p, node, 0, KP_FAKE_PYTHON_PC(inner, UINT32_MAX));
    kp_fake_alloc(fake, p, 0, KP_KIND_OBJECT, first, 40);
    kp_fake_alloc(fake, p, 0, KP_KIND_OBJECT, same_line, 60);
    kp_fake_alloc(fake, p, 0, KP_KIND_MEM, not_begun, 80);
    kp_fake_alloc(fake, p, 0, KP_KIND_ARENA, not_begun, 1 << 20);
    kp_fake_mark(fake, p, 0, 1, 500);
    kp_fake_totals(fake, p, 0, 1, some_totals);
}

static void check_rows(const struct kp_case *test)
{
    const char *text = kp_case_text(
        test, "SELECT group_concat(file || ' ' || function || ' ' || first_line, ', ') FROM "
              "(SELECT * FROM code WHERE file = '/srv/app.py' ORDER BY id)");
    kp_check(!strcmp(text, "/srv/app.py main 10, /srv/app.py Größe.<locals>.f 20"),
             "processes share their code", "%s", text);
    text = kp_case_text(test, "SELECT group_concat(function || ':' || line || ' ' || exact, ', ') "
                              "FROM frame WHERE lang = 'python'");
    kp_check(!strcmp(text, "main:13 1, Größe.<locals>.f:26 1, Größe.<locals>.f:20 1"),
             "Python's locations are lines and have their names", "%s", text);
    text = kp_case_text(test, "SELECT group_concat(l.module_id || ' ' || l.address = '0 ' || "
                              "f.line) FROM location l JOIN frame f ON f.location_id = l.id "
                              "WHERE l.code_id");
    kp_check(!strcmp(text, "1,1,1"), "the address of Python's locations is the line", "%s", text);
    kp_check(kp_case_number(test, "SELECT count(*) FROM frame WHERE lang = 'native'") == 1 &&
                 kp_case_number(test, "SELECT count(*) FROM location") == 4,
             "native frames stand beside them", "they do not");
    text = kp_case_text(
        test, "WITH RECURSIVE up(id, names) AS (SELECT stack_id, '' FROM site WHERE kind = 'mem' "
              "AND process_id = 1 UNION ALL SELECT k.parent_id, names || f.lang || ':' || f.line "
              "|| ' ' FROM up JOIN stack k ON k.id = up.id JOIN frame f USING (location_id)) "
              "SELECT names FROM up WHERE id = 0");
    kp_check(!strcmp(text, "python:20 native:0 python:13 native:0 "), "they are in one stack", "%s",
             text);
    text = kp_case_text(test, "SELECT group_concat(kind || ' ' || samples || ' ' || "
                              "cast(live_bytes AS INTEGER), ', ') FROM "
                              "(SELECT * FROM site WHERE process_id = 1 ORDER BY id)");
    kp_check(!strcmp(text, "object 2 100, mem 1 80, arena 1 1048576"),
             "instructions of one line are one site, kinds are apart", "%s", text);
    text = kp_case_text(test, "SELECT sum(allocated_bytes) FROM timeline WHERE process_id = 1");
    kp_check(atof(text) == 180, "objects are memory, arenas would be double", "%s", text);
    text = kp_case_text(
        test, "SELECT group_concat(rss || ' ' || malloc_used || ' ' || malloc_held || ' ' "
              "|| ifnull(object_held, 'null') || ' ' || object_used || ' ' || object_blocks, ', ') "
              "FROM mark");
    kp_check(!strcmp(text, "1000 700 900 null 500 33, 1000 700 900 null 500 33"),
             "a mark has what the allocators said", "%s", text);
}

static void rows(void)
{
    struct kp_case test;

    kp_case_begin(&test);
    struct kp_fake *fake = kp_fake_new(test.spool, test.database, 16);
    for (uint32_t i = 1; i <= 2; i++) {
        uint32_t p = kp_fake_process(fake, KP_FAKE_DEAD_PID(i), KP_ORIGIN_FORK, 0);
        run_program(fake, p, i * 3);
        kp_fake_exit(fake, p, 0);
    }
    kp_case_finish(&test, fake);
    check_rows(&test);
    kp_case_end(&test);
}

/* The second process comes when the first collector is dead. */
static void resumed(void)
{
    struct kp_case test;
    unsigned kills = 0;

    kp_case_begin(&test);
    struct kp_fake *fake = kp_fake_new(test.spool, test.database, 16);
    run_program(fake, kp_fake_process(fake, KP_FAKE_DEAD_PID(1), KP_ORIGIN_ROOT, 0), 2);
    kp_case_collect_killed(&test, 0, 4);
    uint32_t p = kp_fake_process(fake, KP_FAKE_DEAD_PID(2), KP_ORIGIN_FORK, 0);
    run_program(fake, p, 7);
    kp_fake_close(fake);
    while (kp_case_collect_killed(&test, 200, 1 + kills % 9) == -1 && kills < 1000)
        kills++;
    kp_check(kills >= 5 && !kp_case_exists(test.spool), "the collector was killed again and again",
             "%u times", kills);
    check_rows(&test);
    kp_case_end(&test);
}

static void process_row(void)
{
    struct kp_case test;
    uint32_t p;

    struct kp_fake *fake = kp_case_begin_process(&test, 16, &p);
    kp_fake_process(fake, KP_FAKE_DEAD_PID(2), KP_ORIGIN_FORK, 0);
    kp_fake_text(fake, p, KP_TEXT_PYTHON, "3.11.2", 6);
    kp_fake_text(fake, p, KP_TEXT_DIRECTORY, "/srv/here", 9);
    kp_fake_info(fake, p)->before_join_ns = 250000000;
    kp_fake_info(fake, p)->python_broken = 3;
    kp_fake_info(fake, p)->python_cut_frames = 5;
    kp_case_finish(&test, fake);
    const char *text = kp_case_text(
        &test, "SELECT group_concat(python || '|' || directory || '|' || before_join_s || '|' || "
               "python_broken || '|' || python_cut_frames, ' ') FROM process");
    kp_check(!strcmp(text, "3.11.2|/srv/here|0.25|3|5 ||0.0|0|0"),
             "version, directory, time before joining and losses", "%s", text);
    kp_case_end(&test);
}

/* Totals of a mark that was thinned out leave nothing; those of a mark without one neither. */
static void many_marks(void)
{
    struct kp_case test;
    uint32_t p;

    struct kp_fake *fake = kp_case_begin_process(&test, 700, &p);
    for (uint64_t i = 1; i <= 300000; i++) {
        struct kp_rec_totals totals = {.rss = i, .object_blocks = KP_TOTAL_UNKNOWN};
        kp_fake_mark(fake, p, 0, i, i * 10);
        kp_fake_totals(fake, p, 0, i, totals);
    }
    kp_fake_totals(fake, p, 0, 400000, some_totals);
    kp_fake_exit(fake, p, 0);
    kp_case_finish(&test, fake);
    kp_check(kp_case_number(&test, "SELECT count(*) FROM mark") == 75000 &&
                 kp_case_number(&test, "SELECT count(*) FROM mark WHERE rss = iteration AND "
                                       "malloc_used = 0 AND object_blocks IS NULL") == 75000,
             "of 300,000 marks with totals every fourth is kept", "%s",
             kp_case_text(&test, "SELECT count(*) || ' ' || sum(rss = iteration) FROM mark"));
    kp_case_end(&test);
}

/* A table of several pieces; one that lacks its end; names that are no UTF-8 or hold a NUL. */
static void odd_codes(void)
{
    struct kp_case test;
    static uint8_t table[3 * KP_FAKE_PIECE];
    static const uint8_t bad[] = {0x80, 1, 2};
    uint32_t p;

    struct kp_fake *fake = kp_case_begin_process(&test, 16, &p);
    for (size_t i = 0; i < sizeof table; i += 2)
        memcpy(table + i, "\x02\x01", 2);
    uint32_t code = kp_fake_code(fake, p, "long.py", "f", 1, KP_LINES_PEP626, table, sizeof table);
    kp_fake_alloc(fake, p, 0, KP_KIND_OBJECT,
                  kp_fake_node(fake, p, 0, 0, KP_FAKE_PYTHON_PC(code, 12000)), 1);
    code = kp_fake_code(fake, p, "\xff\xfe", "\xc3", 5, KP_LINES_LOCATIONS, bad, sizeof bad);
    kp_fake_alloc(fake, p, 0, KP_KIND_OBJECT,
                  kp_fake_node(fake, p, 0, 0, KP_FAKE_PYTHON_PC(code, 40)), 1);
    kp_fake_exit(fake, p, 0);
    kp_case_finish(&test, fake);
    const char *text = kp_case_text(&test, "SELECT group_concat(line) FROM frame");
    kp_check(!strcmp(text, "6002,5"), "a line table in pieces, and one that lacks its end", "%s",
             text);
    kp_case_end(&test);
}

/* What cannot have been written by the shim is refused, and nothing is changed. */
static void refused(unsigned which, const char *what)
{
    struct kp_case test;
    uint32_t p;

    struct kp_fake *fake = kp_case_begin_process(&test, 16, &p);
    uint32_t code = kp_fake_code(fake, p, "a.py", "f", 1, KP_LINES_PEP626, "\2\1", 2);
    if (which == 0)
        kp_fake_node(fake, p, 0, 0, KP_FAKE_PYTHON_PC(code + 1, 0));
    else if (which == 1)
        kp_fake_code_table(fake, p, code, 4, "\2\1", 2);
    else
        kp_fake_code_table(fake, p, code + 1, 0, "\2\1", 2);
    kp_fake_exit(fake, p, 0);
    kp_fake_close(fake);
    int status = kp_case_collect(&test, 0);
    kp_check(status == KP_COLLECT_FAILED && strstr(kp_case_error, "a definition is damaged") &&
                 kp_case_exists(test.spool) && !kp_case_exists(test.database),
             what, "status %d: %s", status, kp_case_error);
    kp_case_end(&test);
}

int main(void)
{
    rows();
    resumed();
    process_row();
    many_marks();
    odd_codes();
    refused(0, "a place in code that was never defined is damage");
    refused(1, "a line table with a gap is damage");
    refused(2, "a line table of another code is damage");
    return kp_checks_failed();
}
