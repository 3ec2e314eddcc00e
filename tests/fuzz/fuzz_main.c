/* SPDX-License-Identifier: MIT */
/*
 * A fuzzer that needs nothing but a compiler. Input n of seed s is always the same; a finding is
 * saved, and its number and path are printed, with how to run it again.
 */
#include "fuzz_child.h"
#include "fuzz_sql.h"
#include "fuzz_target.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FINDINGS_MAX 5

struct settings {
    unsigned seconds;
    uint64_t seed, first, count;
    const char *save, *replay;
    char directory[PATH_MAX];
};

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0:exitcode=99:max_allocation_size_mb=600:detect_stack_use_after_return=0:"
           "print_summary=0:"
           "quarantine_size_mb=16:malloc_context_size=8";
}
const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void)
{
    return "print_stacktrace=1:exitcode=99";
}

static void random_of(struct kp_fuzz_random *random, uint64_t seed, uint64_t number)
{
    random->state = seed * 0xd1342543de82ef95u + number;
    kp_fuzz_next(random);
}

/* Input `number` and what to do with it. */
static struct kp_fuzz_plan make_input(const struct settings *settings, uint64_t number,
                                      const struct kp_fuzz_seeds *seeds, struct kp_fuzz_case *one)
{
    struct kp_fuzz_random random;
    random_of(&random, settings->seed, number);
    kp_fuzz_case_copy(one, &seeds->cases[kp_fuzz_below(&random, seeds->count)]);
    kp_fuzz_target.damage(&random, seeds, one);
    return kp_fuzz_plan(&random, one);
}

static void tell_finding(const struct settings *settings, uint64_t number,
                         const struct kp_fuzz_case *one, const struct kp_fuzz_verdict *verdict)
{
    struct kp_fuzz_bytes packed = {0};
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s-%llu-%llu.case", settings->save, kp_fuzz_target.name,
             (unsigned long long)settings->seed, (unsigned long long)number);
    kp_fuzz_case_pack(one, &packed);
    kp_fuzz_write_file(path, &packed);
    kp_fuzz_bytes_free(&packed);
    printf("finding: %s\n  saved as %s; again: --seed %llu --input %llu\n", verdict->text, path,
           (unsigned long long)settings->seed, (unsigned long long)number);
    fflush(stdout);
}

static uint64_t now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec;
}

static int fuzz(const struct settings *settings, const struct kp_fuzz_seeds *seeds)
{
    struct kp_fuzz_case one = {0};
    struct kp_fuzz_verdict verdict;
    uint64_t until = now_s() + settings->seconds, number = settings->first, refused = 0;
    unsigned findings = 0;
    for (; findings < FINDINGS_MAX; number++) {
        if (settings->count ? number >= settings->first + settings->count : now_s() >= until)
            break;
        struct kp_fuzz_plan plan = make_input(settings, number, seeds, &one);
        kp_fuzz_child_run(&one, &plan, settings->directory, &verdict);
        refused += verdict.status == 1;
        if (verdict.failed) {
            tell_finding(settings, number, &one, &verdict);
            findings++;
        }
    }
    kp_fuzz_case_free(&one);
    printf("%s: %llu inputs from %zu seeds, %llu refused, %u findings\n", kp_fuzz_target.name,
           (unsigned long long)(number - settings->first), seeds->count,
           (unsigned long long)refused, findings);
    return findings != 0;
}

/* The seeds themselves must be read without a complaint: else the fuzzer tries nothing. */
static int check_seeds(const struct settings *settings, const struct kp_fuzz_seeds *seeds)
{
    struct kp_fuzz_verdict verdict;
    for (size_t i = 0; i < seeds->count; i++)
        for (unsigned report = 0; report < 5; report++) {
            struct kp_fuzz_plan plan = {.report = report, .format = report % 3, .options = 32};
            kp_fuzz_child_run(&seeds->cases[i], &plan, settings->directory, &verdict);
            if (verdict.failed || verdict.status != 0) {
                printf("finding: seed %zu is refused: %s\n", i,
                       verdict.failed ? verdict.text : "status 1");
                return 1;
            }
        }
    return 0;
}

/* NULL: it holds for all seeds. */
static const char *regress(const struct settings *settings,
                           const struct kp_fuzz_regression *regression,
                           const struct kp_fuzz_seeds *seeds, struct kp_fuzz_verdict *verdict)
{
    struct kp_fuzz_case one = {0};
    verdict->failed = false;
    for (unsigned i = 0; i < seeds->count && !verdict->failed; i++) {
        struct kp_fuzz_plan plan = {.report = i % 5, .format = i % 3};
        kp_fuzz_case_copy(&one, &seeds->cases[i]);
        if (regression->damage)
            regression->damage(&one);
        else if (!one.files[KP_FUZZ_DATABASE].at ||
                 !kp_fuzz_run_sql(regression->sql, &one.files[KP_FUZZ_DATABASE]))
            continue;
        kp_fuzz_child_run(&one, &plan, settings->directory, verdict);
    }
    kp_fuzz_case_free(&one);
    return verdict->failed ? verdict->text : NULL;
}

static int run_regressions(const struct settings *settings, const struct kp_fuzz_seeds *seeds)
{
    struct kp_fuzz_verdict verdict;
    int failed = 0;
    for (const struct kp_fuzz_regression *r = kp_fuzz_target.regressions; r->name; r++) {
        const char *wrong = regress(settings, r, seeds, &verdict);
        if (wrong)
            printf("not ok - a %s that was too much once (%s): %s\n", kp_fuzz_target.name, r->name,
                   wrong);
        else
            printf("ok - a %s that was too much once (%s)\n", kp_fuzz_target.name, r->name);
        failed |= wrong != NULL;
    }
    fflush(stdout);
    return failed;
}

static int replay(const struct settings *settings)
{
    struct kp_fuzz_bytes packed = {0};
    struct kp_fuzz_case one = {0};
    struct kp_fuzz_verdict verdict;
    int findings = 0;
    if (!kp_fuzz_read_file(settings->replay, &packed) ||
        !kp_fuzz_case_unpack(&one, packed.at, packed.size)) {
        fprintf(stderr, "fuzz: %s is no case\n", settings->replay);
        return 2;
    }
    for (unsigned i = 0; i < 5 * 3 * 32 * KP_FUZZ_WAYS; i++) {
        struct kp_fuzz_plan plan = {.report = i % 5,
                                    .format = i / 5 % 3,
                                    .options = i / 15 % 32,
                                    .way = (enum kp_fuzz_way)(i / (15 * 32))};
        kp_fuzz_child_run(&one, &plan, settings->directory, &verdict);
        if (verdict.failed && findings++ < 3)
            printf("finding: %s\n", verdict.text);
    }
    kp_fuzz_case_free(&one);
    kp_fuzz_bytes_free(&packed);
    return findings != 0;
}

static int usage(void)
{
    fprintf(stderr, "usage: fuzz [--seconds N] [--seed N] [--input N] [--count N] [--save "
                    "DIRECTORY] [--replay CASE] "
                    "[RECORDING...]\n");
    return 2;
}

static int parse(struct settings *settings, int argc, char **argv)
{
    int at = 1;
    for (; at + 1 < argc && argv[at][0] == '-'; at += 2) {
        const char *value = argv[at + 1];
        if (strcmp(argv[at], "--seconds") == 0)
            settings->seconds = (unsigned)atoi(value);
        else if (strcmp(argv[at], "--seed") == 0)
            settings->seed = strtoull(value, NULL, 10);
        else if (strcmp(argv[at], "--count") == 0)
            settings->count = strtoull(value, NULL, 10);
        else if (strcmp(argv[at], "--save") == 0)
            settings->save = value;
        else if (strcmp(argv[at], "--replay") == 0)
            settings->replay = value;
        else if (strcmp(argv[at], "--input") == 0) {
            settings->first = strtoull(value, NULL, 10);
            settings->count = 1;
        } else
            return -1;
    }
    return at < argc && argv[at][0] == '-' ? -1 : at;
}

int main(int argc, char **argv)
{
    static struct kp_fuzz_seeds seeds;
    struct settings settings = {.seconds = 30, .seed = 1, .save = "."};
    int words = parse(&settings, argc, argv), result;
    const char *place = getenv("TMPDIR");
    if (words < 0)
        return usage();
    snprintf(settings.directory, sizeof settings.directory, "%s/kprof-fuzz-XXXXXX",
             place && *place ? place : "/tmp");
    if (!mkdtemp(settings.directory)) {
        perror("fuzz: cannot make a directory");
        return 2;
    }
    if (settings.replay) {
        result = replay(&settings);
    } else {
        kp_fuzz_seeds_make(&seeds, settings.directory, argv + words);
        result = check_seeds(&settings, &seeds);
        if (result == 0)
            result = run_regressions(&settings, &seeds);
        if (result == 0)
            result = fuzz(&settings, &seeds);
        kp_fuzz_seeds_free(&seeds);
    }
    rmdir(settings.directory);
    return result;
}
