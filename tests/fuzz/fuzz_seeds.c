/* SPDX-License-Identifier: MIT */
/*
 * See fuzz_seeds.h. The collector runs in a child, so that it can be killed.
 */
#include "fuzz_seeds.h"

#include "collect.h"
#include "fuzz_clock.h"
#include "fuzz_target.h"
#include "ingest.h"
#include "spool_fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_BYTES 4096
#define MOST_SLEEP_S 300

static uint32_t add_process(struct kp_fake *fake, unsigned number, enum kp_process_origin origin,
                            unsigned pid)
{
    uint32_t p = kp_fake_process(fake, KP_FAKE_DEAD_PID(pid), origin, number * 1000000000u);
    kp_fake_text(fake, p, KP_TEXT_EXE, "/usr/bin/made-up", 16);
    kp_fake_text(fake, p, KP_TEXT_ARGV, "made-up\0--fast\0\xc3\xa9\xff\"", 19);
    kp_fake_text(fake, p, KP_TEXT_ALLOCATOR, "/usr/lib/made-up.so.6", 21);
    kp_fake_text(fake, p, KP_TEXT_NOTE, "a note", 6);
    kp_fake_text(fake, p, KP_TEXT_PYTHON, "3.11.2", number > 1 ? 6 : 0);
    kp_fake_text(fake, p, KP_TEXT_DIRECTORY, "/srv/made-up", 12);
    struct kp_process_info *info = kp_fake_info(fake, p);
    info->parent = number > 1;
    info->rate_min = info->rate_now = 512;
    info->rate_max = 65536;
    info->cpu_ns = 100000000;
    info->sampling_ns = 1000000;
    info->lost_frees = 3;
    info->before_join_ns = 20000000;
    info->python_broken = 2;
    return p;
}

/* One of each format, and one without a table. */
static void add_codes(struct kp_fake *fake, uint32_t process)
{
    static const char locations[] = "\x80\x00\xd9\x0f\x1d\xf8\xe8\x06\xf1\x48\x02\x03\x04\x05";

    kp_fake_code(fake, process, "/srv/made-up/app.py", "<module>", 1, KP_LINES_LOCATIONS, locations,
                 sizeof locations - 1);
    kp_fake_code(fake, process, "/srv/made-up/app.py", "Größe.<locals>.<lambda>", 7,
                 KP_LINES_PEP626, "\x04\x01\x02\x80\x08\xfe", 6);
    kp_fake_code(fake, process, "<frozen importlib._bootstrap>", "_call_with_frames_removed", 233,
                 KP_LINES_LNOTAB, "\x04\x01\x06\x7f\x00\x10", 6);
    kp_fake_code(fake, process, "<string>", "<module>", 1, KP_LINES_NONE, "", 0);
}

static uint32_t add_stack(struct kp_fake *fake, uint32_t process, unsigned depth)
{
    static const char *const paths[] = {"/usr/bin/made-up", "/usr/lib/made-up.so.6", "[vdso]", ""};
    uint32_t node = 0, modules[4];
    for (unsigned i = 0; i < 4; i++)
        modules[i] =
            kp_fake_module(fake, process, paths[i], "\x12\x34\x56", i % 4, 0x10000u * (i + 1));
    add_codes(fake, process);
    for (unsigned i = 0; i < depth; i++) {
        node = kp_fake_node(fake, process, node, i % 5 == 4 ? 0 : modules[i % 5],
                            0x10000u * (i % 4 + 1) + 100 * i + (i % 3 ? 0 : KP_PC_EXACT));
        if (i % 2)
            node = kp_fake_node(fake, process, node, 0, KP_FAKE_PYTHON_PC(1 + i / 2 % 4, i - 1));
    }
    kp_fake_module_gone(fake, process, modules[1]);
    return node;
}

static void add_samples(struct kp_fake *fake, uint32_t process, uint32_t node, unsigned count)
{
    uint64_t before = 0;
    kp_fake_rate(fake, process, 0, 4096);
    kp_fake_thread(fake, process, 0, 77, "worker \xff");
    for (unsigned i = 0; i < count; i++) {
        kp_fake_stamp(fake, process, i % 3, process * 1000000u + i * 1000u, i / 10);
        uint64_t id = kp_fake_alloc(fake, process, i % 3, (enum kp_kind)(1 + i % KP_KIND_LAST),
                                    i % 7 ? node - i % node : 0, i * 40);
        if (i % 3 == 1)
            kp_fake_free(fake, process, (i + 1) % 3, before);
        if (i % 11 == 2)
            kp_fake_resize(fake, process, i % 3, id, i * 20);
        if (i % 10 == 9) {
            struct kp_rec_totals totals = {0,    1u << 20,         3000 + i,
                                           4096, KP_TOTAL_UNKNOWN, i * 40,
                                           i};
            kp_fake_mark(fake, process, 0, i / 10 + 1, process * 1000000u + i * 1000u);
            kp_fake_totals(fake, process, 0, i / 10 + 1, totals);
        }
        before = id;
    }
    kp_fake_free(fake, process, 1, KP_SAMPLE_ID(2, 1u << 20));
}

void kp_fuzz_seed_spool(struct kp_fuzz_case *one, const char *directory, unsigned variant)
{
    char database[PATH_BYTES], spool[PATH_BYTES + 8];
    snprintf(database, sizeof database, "%s/x.db", directory);
    snprintf(spool, sizeof spool, "%s-spool", database);
    struct kp_fake *fake = kp_fake_new(spool, database, variant ? 14 : 12);
    unsigned count = variant ? 3200 : 60;
    for (unsigned i = 0; i < 3; i++) {
        uint32_t p = add_process(fake, i + 1, (enum kp_process_origin)(i + 1), i == 2 ? 1 : i);
        uint32_t node = add_stack(fake, p, variant ? 60 : 20);
        add_samples(fake, p, node, i ? 30 : count);
        if (!variant)
            kp_fake_exit(fake, p, (i + 5) * 1000000000u);
    }
    kp_fake_close(fake);
    kp_fuzz_case_read(one, database);
    unlink(spool);
}

static const char *end_point;
static unsigned end_after;

static void end_here(const char *point)
{
    if (strcmp(point, end_point) == 0 && --end_after == 0)
        _exit(0);
}

static void work(const char *database, const char *point, unsigned nth)
{
    char spool[PATH_BYTES + 8];
    struct kp_error error = {""};
    snprintf(spool, sizeof spool, "%s-spool", database);
    struct kp_collect_options options = {.spool_path = spool, .database_path = database};
    end_point = point;
    end_after = nth;
    if (point)
        kp_ingest_fault_hook = end_here;
    kp_fuzz_clock_start(MOST_SLEEP_S, MOST_SLEEP_S);
    _exit(kp_collect_run(&options, &error) == KP_COLLECT_FINISHED && !point ? 0 : 1);
}

void kp_fuzz_seed_collect(struct kp_fuzz_case *one, const char *directory, const char *point,
                          unsigned nth)
{
    static const struct kp_fuzz_case none;
    char database[PATH_BYTES], shm[PATH_BYTES + 8];
    int status = 0;
    snprintf(database, sizeof database, "%s/x.db", directory);
    snprintf(shm, sizeof shm, "%s-shm", database);
    kp_fuzz_case_write(one, database);
    pid_t child = fork();
    if (child == 0)
        work(database, point, nth);
    waitpid(child, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "fuzz: no seed that stops at '%s' (status %#x)\n",
                point ? point : "the end", (unsigned)status);
        exit(2);
    }
    kp_fuzz_case_read(one, database);
    kp_fuzz_case_write(&none, database);
    unlink(shm);
}

void kp_fuzz_seeds_make(struct kp_fuzz_seeds *seeds, const char *directory, char *const *recordings)
{
    struct kp_fuzz_case one = {0};
    for (unsigned variant = 0; variant < 2; variant++) {
        kp_fuzz_seed_spool(&one, directory, variant);
        kp_fuzz_target.add_seeds(seeds, &one, directory);
    }
    for (; *recordings; recordings++) {
        kp_fuzz_case_read(&one, *recordings);
        kp_fuzz_target.add_seeds(seeds, &one, directory);
    }
    kp_fuzz_case_free(&one);
}

void kp_fuzz_seeds_add(struct kp_fuzz_seeds *seeds, const struct kp_fuzz_case *one)
{
    if (seeds->count < KP_FUZZ_SEEDS_MAX)
        kp_fuzz_case_copy(&seeds->cases[seeds->count++], one);
}

void kp_fuzz_seeds_free(struct kp_fuzz_seeds *seeds)
{
    while (seeds->count)
        kp_fuzz_case_free(&seeds->cases[--seeds->count]);
}
