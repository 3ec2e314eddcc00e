/* SPDX-License-Identifier: MIT */
/*
 * What a collector makes of odd recordings: a process that execs, ends of all kinds, very many
 * marks and threads, mappings that shrink, modules that come again elsewhere, a place where nothing
 * can be written, somebody else at work.
 */
#include "collect.h"
#include "collect_case.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void ends(void)
{
    struct kp_case test;

    kp_case_begin(&test);
    struct kp_fake *fake = kp_fake_new(test.spool, test.database, 64);
    uint32_t shell = kp_fake_process(fake, KP_FAKE_DEAD_PID(1), KP_ORIGIN_ROOT, 1000000);
    kp_fake_process(fake, KP_FAKE_DEAD_PID(2), KP_ORIGIN_FORK, 2000000);
    uint32_t program = kp_fake_process(fake, KP_FAKE_DEAD_PID(2), KP_ORIGIN_EXEC, 3000000);
    kp_fake_info(fake, program)->parent = 1;
    kp_fake_stamp(fake, program, 0, 7000, 0);
    kp_fake_exit(fake, shell, 9000000);
    kp_case_finish(&test, fake);
    const char *ends =
        kp_case_text(&test, "SELECT group_concat(end || ' ' || ended_s, ', ') FROM process");
    kp_check(!strcmp(ends, "exit 0.009, exec 0.003, killed or _exit 0.007"), "exit, exec, killed",
             "%s", ends);
    kp_check(kp_case_number(&test, "SELECT parent_id FROM process WHERE id = 3") == 1 &&
                 kp_case_number(&test, "SELECT parent_id IS NULL FROM process WHERE id = 1") == 1,
             "the parent is told where it is known", "it is not");
    kp_case_end(&test);
}

static void many(void)
{
    struct kp_case test;
    uint32_t p;

    struct kp_fake *fake = kp_case_begin_process(&test, 400, &p);
    for (uint64_t i = 1; i <= 300000; i++)
        kp_fake_mark(fake, p, 0, i, i * 10);
    for (uint32_t i = 1; i <= 70000; i++) {
        kp_fake_thread(fake, p, 0, 100000 + i, "worker");
        kp_fake_alloc(fake, p, 0, KP_KIND_MALLOC, 0, 8);
    }
    kp_fake_exit(fake, p, 0);
    kp_case_finish(&test, fake);
    kp_check(kp_case_number(&test, "SELECT count(*) FROM mark") == 75000 &&
                 kp_case_number(&test, "SELECT count(*) FROM mark WHERE iteration % 4") == 0 &&
                 kp_case_number(&test, "SELECT max(time_us) FROM mark") == 3000000,
             "of 300,000 marks every fourth is kept", "%s",
             kp_case_text(&test, "SELECT count(*) FROM mark"));
    kp_check(kp_case_number(&test, "SELECT count(*) FROM thread") == 65537 &&
                 kp_case_number(&test, "SELECT sum(samples) FROM thread") == 70000,
             "70,000 threads have 65,537 rows", "%s",
             kp_case_text(&test, "SELECT count(*) FROM thread"));
    kp_case_end(&test);
}

/* Each of three threads and the main one allocates and frees; two have the same name. */
static void threads(void)
{
    struct kp_case test;
    uint32_t p;

    struct kp_fake *fake = kp_case_begin_process(&test, 64, &p);
    for (unsigned slot = 0; slot < 4; slot++) {
        kp_fake_thread(fake, p, slot, slot ? 5000 + slot : KP_FAKE_DEAD_PID(1),
                       slot == 0 ? "main" : slot == 3 ? "other" : "worker");
        for (unsigned i = 0; i < 10 * (slot + 1); i++)
            kp_fake_free(fake, p, slot, kp_fake_alloc(fake, p, slot, KP_KIND_MALLOC, 0, 8));
    }
    kp_fake_exit(fake, p, 0);
    kp_case_finish(&test, fake);
    const char *names = kp_case_text(&test, "SELECT group_concat(name || ' ' || samples, ', ') FROM "
                                            "(SELECT * FROM site_thread ORDER BY name)");
    kp_check(!strcmp(names, "other 40, worker 50") &&
                 kp_case_number(&test, "SELECT samples FROM site") == 100,
             "freed samples keep the names of their threads", "%s", names);
    kp_case_end(&test);
}

static void mappings(void)
{
    struct kp_case test;
    uint32_t p;

    struct kp_fake *fake = kp_case_begin_process(&test, 16, &p);
    uint64_t id = kp_fake_alloc(fake, p, 0, KP_KIND_ARENA, 0, 1);
    id = kp_fake_alloc(fake, p, 0, KP_KIND_MMAP, 0, 1 << 20);
    kp_fake_resize(fake, p, 1, id, 4096);
    kp_fake_exit(fake, p, 0);
    kp_case_finish(&test, fake);
    kp_check(kp_case_number(&test, "SELECT live_bytes FROM site WHERE kind = 'mmap'") == 4096 &&
                 kp_case_number(&test, "SELECT size FROM sample ORDER BY id DESC") == 4096,
             "what is left of a mapping is live", "%s",
             kp_case_text(&test, "SELECT live_bytes FROM site WHERE kind = 'mmap'"));
    kp_check(kp_case_number(&test, "SELECT sum(allocated_bytes) FROM timeline") == 1 << 20,
             "an arena is not counted twice", "%s",
             kp_case_text(&test, "SELECT sum(allocated_bytes) FROM timeline"));
    kp_case_end(&test);
}

/* Two processes have the module at different places, one unloads it and loads it elsewhere. */
static void modules(void)
{
    struct kp_case test;

    kp_case_begin(&test);
    struct kp_fake *fake = kp_fake_new(test.spool, test.database, 16);
    for (uint32_t i = 1; i <= 2; i++) {
        uint32_t p = kp_fake_process(fake, KP_FAKE_DEAD_PID(i), KP_ORIGIN_FORK, 0);
        for (uint64_t bias = 0x10000 * i; bias < 0x1000000; bias <<= 8) {
            uint32_t m = kp_fake_module(fake, p, "/opt/plugin.so", "\xaa\xbb", 2, bias);
            uint32_t node = kp_fake_node(fake, p, 0, m, bias + 0x501);
            kp_fake_alloc(fake, p, 0, KP_KIND_MALLOC, node, 10);
            node = kp_fake_node(fake, p, node, m, (bias + 0x600) | KP_PC_EXACT);
            kp_fake_alloc(fake, p, 0, KP_KIND_MALLOC, node, 10);
            kp_fake_module_gone(fake, p, m);
        }
        kp_fake_exit(fake, p, 0);
    }
    kp_case_finish(&test, fake);
    kp_check(kp_case_number(&test, "SELECT count(*) FROM module WHERE build_id = 'aabb'") == 1 &&
                 kp_case_number(&test, "SELECT count(*) FROM stack") == 2 &&
                 kp_case_number(&test, "SELECT count(*) FROM site") == 4,
             "wherever code was loaded, its stacks are the same", "%s stacks",
             kp_case_text(&test, "SELECT count(*) FROM stack"));
    const char *addresses = kp_case_text(&test, "SELECT group_concat(address) FROM location");
    kp_check(!strcmp(addresses, "1280,1536"), "a return address is one less, an exact pc is not",
             "%s", addresses);
    kp_case_end(&test);
}

static void copy(void)
{
    struct kp_case test;
    struct stat before, after;
    char path[100];
    struct kp_error error = {0};
    uint32_t p;

    struct kp_fake *fake = kp_case_begin_process(&test, 16, &p);
    kp_fake_alloc(fake, p, 0, KP_KIND_MALLOC, 0, 10);
    kp_fake_exit(fake, p, 0);
    kp_fake_close(fake);
    kp_case_collect_killed(&test, 0, 3); /* after its first commit */
    stat(test.spool, &before);
    chmod(test.spool, 0400);
    snprintf(path, sizeof path, "%s/copy", test.directory);
    struct kp_collect_options options = {.spool_path = test.spool, .database_path = test.database};
    int status = kp_collect_to_copy(&options, path, &error);
    stat(test.spool, &after);
    kp_check(status == KP_COLLECT_FINISHED && before.st_mtime == after.st_mtime &&
                 kp_case_exists(test.spool),
             "a copy leaves the recording as it is", "status %d: %s", status, error.text);
    snprintf(test.database, sizeof test.database, "%s", path);
    kp_check(kp_case_number(&test, "SELECT sum(samples) FROM site") == 1 &&
                 kp_case_number(&test, "SELECT finished FROM session") == 1,
             "the copy is complete", "it is not");
    kp_case_end(&test);
}

static void busy(void)
{
    struct kp_case test;
    struct kp_recording recording;
    uint32_t p;

    struct kp_fake *fake = kp_case_begin_process(&test, 16, &p);
    kp_fake_exit(fake, p, 0);
    kp_fake_close(fake);
    kp_check(kp_recording_probe(test.database, &recording) == KP_RECORDING_LEFT_ENDED,
             "a spool that nobody reads is seen", "state %d", recording.state);
    int other = open(test.spool, O_RDONLY);
    flock(other, LOCK_EX);
    int status = kp_case_collect(&test, 0);
    kp_check(status == KP_COLLECT_BUSY && !*kp_case_error && !kp_case_exists(test.database),
             "a second collector keeps out", "status %d: %s", status, kp_case_error);
    kp_check(kp_recording_probe(test.database, &recording) == KP_RECORDING_COLLECTED_ENDED,
             "a collector at work is seen", "state %d", recording.state);
    close(other);
    kp_case_collect(&test, 0);
    kp_check(kp_recording_probe(test.database, &recording) == KP_RECORDING_NO_SPOOL,
             "a finished recording has no spool", "state %d", recording.state);
    kp_case_end(&test);
}

/* With follow the collector stays until the process has ended, and is told when it ends. */
static void follow(void)
{
    struct kp_case test;
    struct kp_recording recording;
    struct timespec nap = {0, 400000000};
    int result;

    kp_case_begin(&test);
    pid_t program = kp_case_sleeping_child();
    struct kp_fake *fake = kp_fake_new(test.spool, test.database, 16);
    uint32_t p = kp_fake_process(fake, (uint32_t)program, KP_ORIGIN_ROOT, 1000000);
    kp_fake_alloc(fake, p, 0, KP_KIND_MALLOC, 0, 10);
    pid_t collector = fork();
    if (collector == 0) {
        struct kp_collect_options options = {.spool_path = test.spool, .follow = true};
        struct kp_error error = {0};
        _exit(kp_collect_run(&options, &error));
    }
    nanosleep(&nap, NULL);
    kp_check(kp_recording_probe(test.database, &recording) == KP_RECORDING_COLLECTED_LIVE &&
                 recording.processes_alive == 1,
             "a program that runs is seen", "state %d", recording.state);
    kp_check(kp_case_number(&test, "SELECT sum(samples) FROM site") == 1,
             "while it runs its samples can be read", "they cannot");
    kp_fake_alloc(fake, p, 0, KP_KIND_MALLOC, 0, 10);
    kill(program, SIGKILL);
    nanosleep(&nap, NULL); /* it is a zombie now */
    waitpid(collector, &result, 0);
    waitpid(program, NULL, 0);
    kp_check(WIFEXITED(result) && WEXITSTATUS(result) == KP_COLLECT_FINISHED &&
                 kp_case_number(&test, "SELECT sum(samples) FROM site") == 2,
             "when it is killed the recording is finished", "status %d", result);
    const char *rows = kp_case_text(&test, "SELECT count(*) || ' ' || count(pss) FROM memory");
    kp_check(atoi(rows) > 0 && !strstr(rows, " 0"), "its memory was read, once in detail", "%s",
             rows);
    kp_fake_close(fake);
    kp_case_end(&test);
}

int main(void)
{
    ends();
    many();
    threads();
    mappings();
    modules();
    copy();
    busy();
    follow();
    return kp_checks_failed();
}
