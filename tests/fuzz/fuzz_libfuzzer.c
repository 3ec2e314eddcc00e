/* SPDX-License-Identifier: MIT */
/*
 * The same fuzzers under clang's libFuzzer, which keeps what reaches new code: `make fuzz`. Inputs
 * are packed cases, damaged by our own mutator. Everything runs in one process; a crash, a
 * sanitizer's report and a changed file end it, and libFuzzer saves the input.
 */
#include "fuzz_child.h"
#include "fuzz_target.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed);
void __sanitizer_set_report_fd(void *fd);

static struct kp_fuzz_seeds seeds;
static char directory[PATH_MAX];
static int report_fd;

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0:max_allocation_size_mb=600";
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static char *none[] = {NULL};
    const char *place = getenv("TMPDIR");
    (void)argc;
    (void)argv;
    snprintf(directory, sizeof directory, "%s/kprof-fuzz-XXXXXX", place && *place ? place : "/tmp");
    if (!mkdtemp(directory) || chdir(directory) != 0 || mkdir("tmp", 0700) != 0)
        abort();
    kp_fuzz_seeds_make(&seeds, directory, none);
    setenv("TMPDIR", "tmp", 1);
    report_fd = dup(STDERR_FILENO);
    __sanitizer_set_report_fd((void *)(intptr_t)report_fd);
    return 0;
}

/* libFuzzer has closed both (-close_fd_mask=3). */
static void redirect(void)
{
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
        int memory = memfd_create("fuzz", MFD_CLOEXEC);
        if (memory < 0 || dup2(memory, fd) != fd)
            abort();
    }
}

static void fail(const char *why)
{
    dprintf(report_fd, "fuzz: %s\n", why);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct kp_fuzz_case one;
    static bool is_redirected;
    if (!is_redirected)
        redirect();
    is_redirected = true;
    if (!kp_fuzz_case_unpack(&one, data, size))
        return -1;
    struct kp_fuzz_random random = {size};
    for (size_t i = size > 64 ? size - 64 : 0; i < size; i++)
        random.state = random.state * 31 + data[i];
    struct kp_fuzz_plan plan = kp_fuzz_plan(&random, &one);
    int status = 0;
    kp_fuzz_case_write(&one, "x.db");
    const char *wrong = kp_fuzz_go(&plan, &status);
    if (!wrong && !kp_fuzz_may_change(&plan, &one, status))
        wrong = kp_fuzz_case_differs(&one, "x.db");
    if (wrong)
        fail(wrong);
    unlink("x.db-shm");
    unlink("x.db-journal");
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
    static struct kp_fuzz_case one;
    static struct kp_fuzz_bytes packed;
    struct kp_fuzz_random random = {seed};
    if (!kp_fuzz_case_unpack(&one, data, size) || kp_fuzz_one_in(&random, 64))
        kp_fuzz_case_copy(&one, &seeds.cases[kp_fuzz_below(&random, seeds.count)]);
    kp_fuzz_target.damage(&random, &seeds, &one);
    kp_fuzz_case_pack(&one, &packed);
    if (packed.size > most)
        return size;
    memcpy(data, packed.at, packed.size);
    return packed.size;
}
