/* SPDX-License-Identifier: MIT */
/*
 * A collector that is killed at any of its steps is taken up exactly: nothing is lost or counted
 * twice. A made-up program of several processes and threads writes on while collectors come and
 * are killed; at the end the database must say what the program did.
 */
#include "collect_case.h"
#include "collect.h"
#include "weight.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES 3
#define SLOTS 4
#define NODES 40
#define HELD 400
#define STEPS 24
#define CHUNKS 200
#define OPERATIONS 6000 /* in a step */
#define BATCH_BYTES 150000

struct held {
    uint64_t id, size, rate;
    uint32_t process;
};

/* What must be in the database. */
struct truth {
    double allocated_bytes, live_bytes, allocated_count, live_count;
    uint64_t samples, live, freed, marks;
};

struct program {
    struct kp_fake *fake;
    struct held held[HELD];
    uint64_t state, time_us, rate, marks[PROCESSES];
    uint32_t nodes[PROCESSES + 1][NODES];
    pid_t pids[PROCESSES + 1];
    struct truth truth;
};

static uint64_t next_random(struct program *program, uint64_t below)
{
    program->state = program->state * 6364136223846793005u + 1442695040888963407u;
    return (program->state >> 33) % below;
}

static void define(struct program *program, uint32_t process)
{
    uint64_t bias = 0x100000u * process; /* each is loaded elsewhere */
    uint32_t module =
        kp_fake_module(program->fake, process, "/opt/made-up", "\1\2\3\4", 4, bias);
    uint32_t parent = 0;

    kp_fake_text(program->fake, process, KP_TEXT_EXE, "/opt/made-up", 12);
    kp_fake_text(program->fake, process, KP_TEXT_ARGV, "made-up\0\xff\"a\0", 11);
    kp_fake_text(program->fake, process, KP_TEXT_NOTE, "one note", 8);
    for (int i = 0; i < NODES; i++) {
        parent = kp_fake_node(program->fake, process, i % 5 ? parent : 0, module,
                              bias + 0x1000 + (uint64_t)i * 16);
        program->nodes[process][i] = parent;
    }
}

static void begin(struct program *program, const struct kp_case *test, uint64_t rate)
{
    memset(program, 0, sizeof *program);
    program->rate = rate;
    program->fake = kp_fake_new(test->spool, test->database, CHUNKS);
    for (uint32_t p = 1; p <= PROCESSES; p++) {
        program->pids[p] = kp_case_sleeping_child();
        kp_fake_process(program->fake, (uint32_t)program->pids[p],
                        p == 1 ? KP_ORIGIN_ROOT : KP_ORIGIN_FORK, p * 1000000000u);
        define(program, p);
    }
}

static void count(struct truth *truth, const struct held *held, int sign)
{
    double weight = 1 / kp_sample_probability(held->size, held->rate);

    truth->live_bytes += sign * (double)held->size * weight;
    truth->live_count += sign * weight;
    truth->live += (uint64_t)sign;
    if (sign < 0) {
        truth->freed++;
        return;
    }
    truth->samples++;
    truth->allocated_bytes += (double)held->size * weight;
    truth->allocated_count += weight;
}

/* Puts a new sample in a place; what was there is freed, by any thread of its process. */
static void replace(struct program *program)
{
    struct held *held = &program->held[next_random(program, HELD)];
    uint32_t process = 1 + (uint32_t)next_random(program, PROCESSES);
    unsigned slot = (unsigned)next_random(program, SLOTS);
    uint32_t node = program->nodes[process][next_random(program, NODES)];

    if (held->id) {
        kp_fake_free(program->fake, held->process, (unsigned)next_random(program, SLOTS), held->id);
        count(&program->truth, held, -1);
    }
    if (program->rate > 1 && next_random(program, 50) == 0)
        kp_fake_rate(program->fake, process, slot, program->rate << next_random(program, 4));
    held->process = process;
    held->size = next_random(program, 3000);
    held->rate = program->rate;
    if (program->rate > 1)
        kp_fake_rate(program->fake, process, slot, held->rate);
    held->id = kp_fake_alloc(program->fake, process, slot, KP_KIND_MALLOC, node, held->size);
    count(&program->truth, held, 1);
}

/* Frees of which there never was an allocation, and such that come twice. */
static void nonsense(struct program *program)
{
    uint32_t process = 1 + (uint32_t)next_random(program, PROCESSES);

    kp_fake_free(program->fake, process, 0, KP_SAMPLE_ID(77u, next_random(program, 1000)));
    kp_fake_free(program->fake, process, 1, KP_SAMPLE_ID(2u, 1u << 30));
}

static void run(struct program *program, unsigned operations)
{
    for (unsigned i = 0; i < operations; i++) {
        uint32_t process = 1 + i % PROCESSES;

        replace(program);
        program->time_us += 50;
        if (i % 100 < 3)
            kp_fake_stamp(program->fake, process, (unsigned)next_random(program, SLOTS),
                          program->time_us, program->marks[process - 1]);
        if (i % 1000 == 7) {
            kp_fake_mark(program->fake, process, 0, ++program->marks[process - 1],
                         program->time_us);
            program->truth.marks++;
        }
        if (i % 2000 == 11)
            nonsense(program);
    }
}

static void end(struct program *program)
{
    for (uint32_t p = 1; p <= PROCESSES; p++) {
        kill(program->pids[p], SIGKILL);
        waitpid(program->pids[p], NULL, 0);
        if (p != 2)
            kp_fake_exit(program->fake, p, program->time_us * 1000);
    }
    kp_fake_close(program->fake);
}

static bool same(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fabs(b) + 1e-6;
}

static void compare(const struct kp_case *test, const struct truth *truth, const char *name)
{
    static const char *const sql[] = {
        "SELECT sum(allocated_bytes) FROM site", "SELECT sum(live_bytes) FROM site",
        "SELECT sum(size * weight) FROM sample", "SELECT sum(allocated_count) FROM site",
        "SELECT sum(weight) FROM sample",        "SELECT sum(samples) FROM site",
        "SELECT count(*) FROM sample",           "SELECT sum(live_samples) FROM site",
        "SELECT sum(samples) FROM lifetime WHERE unit = 'time'",
        "SELECT sum(samples) FROM timeline",     "SELECT sum(allocated_bytes) FROM timeline",
        "SELECT sum(allocated_bytes - freed_bytes) FROM timeline",
        "SELECT sum(samples) FROM thread",       "SELECT count(*) FROM mark",
        "SELECT count(*) FROM note",             "SELECT count(*) FROM process",
        "SELECT finished FROM session",          "SELECT count(*) FROM spool_cursor",
        "SELECT count(*) FROM stack",            "SELECT count(*) FROM process WHERE end = 'exit'",
        "SELECT count(*) FROM process WHERE end = 'killed or _exit'",
        "SELECT count(DISTINCT location_id) FROM frame",
    };
    double wanted[] = {
        truth->allocated_bytes, truth->live_bytes, truth->live_bytes, truth->allocated_count,
        truth->live_count, (double)truth->samples, (double)truth->live, (double)truth->live,
        (double)truth->freed, (double)truth->samples, truth->allocated_bytes, truth->live_bytes,
        (double)truth->samples, (double)truth->marks, PROCESSES, PROCESSES, 1, 0, NODES,
        PROCESSES - 1, 1, NODES,
    };
    char why[256] = "";

    for (size_t i = 0; i < sizeof sql / sizeof *sql && !*why; i++) {
        double got = kp_case_number(test, sql[i]);
        if (!same(got, wanted[i]))
            snprintf(why, sizeof why, "%s is %.3f, not %.3f", sql[i], got, wanted[i]);
    }
    kp_check(!*why, name, "%s", why);
}

/* Collectors come while the program runs; each is killed a fault point later than the last. */
static void killed_while_running(uint64_t rate, unsigned stride, const char *name)
{
    struct kp_case test;
    struct program program;
    unsigned kills = 0, point = 1;

    kp_case_begin(&test);
    begin(&program, &test, rate);
    for (int step = 0; step < STEPS; step++, point += stride) {
        run(&program, OPERATIONS);
        int status = kp_case_collect_killed(&test, BATCH_BYTES, 1 + point % 31);
        kills += status == -1;
        if (step % 3 == 2)
            kp_case_collect(&test, BATCH_BYTES);
    }
    end(&program);
    for (unsigned n = 1; kp_case_collect_killed(&test, BATCH_BYTES, n) == -1; n++)
        kills++;
    compare(&test, &program.truth, name);
    kp_check(kills > STEPS / 2 && !kp_case_exists(test.spool), "the collectors were killed",
             "%u kills, spool %s", kills, kp_case_exists(test.spool) ? "left" : "gone");
    kp_case_end(&test);
}

/* The whole spool is left behind; the collector is killed at the first point, the second, ... */
static void killed_afterwards(void)
{
    struct kp_case test;
    struct program program;
    unsigned kills = 0;

    kp_case_begin(&test);
    begin(&program, &test, 1);
    run(&program, 30000);
    end(&program);
    while (kp_case_collect_killed(&test, BATCH_BYTES, 1 + kills % 9) == -1 && kills < 1000)
        kills++;
    compare(&test, &program.truth, "a spool that was left behind, killed at every point");
    kp_case_end(&test);
}

static void never_killed(void)
{
    struct kp_case test;
    struct program program;

    kp_case_begin(&test);
    begin(&program, &test, 512);
    run(&program, 30000);
    end(&program);
    int status = kp_case_collect(&test, 0);
    kp_check(status == KP_COLLECT_FINISHED, "a spool that was left behind is finished",
             "status %d: %s", status, kp_case_error);
    compare(&test, &program.truth, "it says what the program did");
    const char *argv = kp_case_text(&test, "SELECT argv FROM process");
    kp_check(!strcmp(argv, "[\"made-up\",\"\xef\xbf\xbd\\u0022a\"]"), "arguments are JSON", "%s",
             argv);
    kp_case_end(&test);
}

int main(void)
{
    never_killed();
    killed_afterwards();
    killed_while_running(1, 1, "killed while the program runs, every allocation");
    killed_while_running(512, 7, "killed while the program runs, sampled");
    return kp_checks_failed();
}
