/* SPDX-License-Identifier: MIT */
/*
 * kprof-run: options instead of variables. It sets LD_PRELOAD and the KPROF_* variables and becomes
 * the command, so that its exit status, signals and process id are the command's own. One thread.
 */
#include "options.h"
#include "run.h"
#include "settings_table.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_CANNOT_EXEC = 126 };

struct run_options {
    const char *output, *rate, *budget, *iteration, *allocator, *follow, *keep, *spool_max;
    bool quiet, help, version;
};

/* As the library reads it: digits, then K, M or G (steps of 1024), then B or iB. -1: no size. */
static double library_size(const char *text)
{
    static const char units[] = "KMG";
    char *end;
    if (!isdigit((unsigned char)*text))
        return -1;
    double size = (double)strtoull(text, &end, 10);
    const char *unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
    if (unit) {
        for (const char *step = units; step <= unit; step++)
            size *= 1024;
        end++;
        if (strcmp(end, "B") == 0 || strcmp(end, "iB") == 0)
            return size;
    }
    return *end ? -1 : size;
}

static bool check_rate(const char *text)
{
    double size = library_size(text);
    return strcmp(text, "auto") == 0 || (size >= 1 && size <= 1099511627776.0);
}

static bool check_spool_max(const char *text)
{
    double size = library_size(text);
    return size >= 1048576 && size <= 4294967296.0;
}

static bool check_budget(const char *text)
{
    char *end;
    double percent = strtod(text, &end);
    if (!isdigit((unsigned char)*text) || strspn(text, "0123456789.") != (size_t)(end - text))
        return false;
    return percent >= 0.0001 && percent <= 100 && (*end == '\0' || strcmp(end, "%") == 0);
}

static bool check_follow(const char *text)
{
    return strcmp(text, "all") == 0 || strcmp(text, "fork") == 0 || strcmp(text, "none") == 0;
}

static bool check_keep(const char *text)
{
    return strcmp(text, "live") == 0 || strcmp(text, "all") == 0;
}

static bool check_iteration(const char *text)
{
    const char *colon = strchr(text, ':');
    return colon && colon != text && colon[1];
}

#define AT(field) offsetof(struct run_options, field)
static const struct kp_option options[] = {
    {.name = "output", .letter = 'o', .argument = "FILE",
     .help = "the database; %p is the pid, %e the program",
     .type = KP_OPTION_TEXT, .offset = AT(output), .groups = 1},
    {.name = "rate", .argument = "RATE",
     .help = "auto, or mean bytes between samples: 4K; 1 records every allocation",
     .type = KP_OPTION_TEXT, .check = check_rate, .range = "auto, or a size from 1 to 1024G",
     .offset = AT(rate), .groups = 1},
    {.name = "budget", .argument = "PERCENT",
     .help = "share of the CPU time that the rate auto may use: 1%",
     .type = KP_OPTION_TEXT, .check = check_budget, .range = "a percentage from 0.0001 to 100",
     .offset = AT(budget), .groups = 1},
    {.name = "iteration", .argument = "SPEC",
     .help = "what counts as an iteration: module:function",
     .type = KP_OPTION_TEXT, .check = check_iteration, .range = "of the form module:function",
     .offset = AT(iteration), .groups = 1},
    {.name = "allocator", .argument = "NAME",
     .help = "glibc, mimalloc, jemalloc, tcmalloc, or the path of a library",
     .type = KP_OPTION_TEXT, .offset = AT(allocator), .groups = 1},
    {.name = "follow", .argument = "WHICH",
     .help = "which children are recorded: all (default), fork, none",
     .type = KP_OPTION_TEXT, .check = check_follow, .range = "all, fork or none",
     .offset = AT(follow), .groups = 1},
    {.name = "keep", .argument = "WHAT",
     .help = "live (default), or all: freed allocations too, for kprof-ab replay",
     .type = KP_OPTION_TEXT, .check = check_keep, .range = "live or all", .offset = AT(keep),
     .groups = 1},
    {.name = "spool-max", .argument = "SIZE", .help = "bound of the spool file, 1M to 4G",
     .type = KP_OPTION_TEXT, .check = check_spool_max, .range = "a size from 1M to 4G",
     .offset = AT(spool_max), .groups = 1},
    {.name = "quiet", .letter = 'q', .help = "no closing line", .type = KP_OPTION_FLAG,
     .offset = AT(quiet), .groups = 1},
    {.name = "help", .letter = 'h', .help = "this text", .type = KP_OPTION_FLAG,
     .offset = AT(help), .groups = 1},
    {.name = "version", .letter = 'V', .help = "the version", .type = KP_OPTION_FLAG,
     .offset = AT(version), .groups = 1},
    {0},
};

static void print_variable(const char *name, const char *value, const char *standard,
                           const char *meaning)
{
    char left[64];
    snprintf(left, sizeof left, "%s=%s", name, value);
    printf("  %-34s %s%s%s%s\n", left, meaning, *standard ? " (" : "", standard,
           *standard ? ")" : "");
}

static void print_help(void)
{
    puts(
        "usage: kprof-run [options] [--] command [argument ...]\n"
        "records the memory that a command and its children allocate; then: kprof-report DB\n\n"
         "options:");
    kp_options_print(options, 1, stdout);
    puts("\nenvironment (what libkprof.so reads; the options above set it):");
#define PRINT(name, value, standard, meaning) print_variable(name, value, standard, meaning);
    KP_SETTINGS(PRINT)
#undef PRINT
    puts("\nexit status: the command's; 126 or 127 when it cannot be run, 1 failed, 2 wrong usage");
}

static void set_when_given(const char *name, const char *value)
{
    if (value)
        setenv(name, value, 1);
}

static void set_variables(const struct run_options *o)
{
    set_when_given("KPROF_DB", o->output);
    set_when_given("KPROF_RATE", o->rate);
    set_when_given("KPROF_BUDGET", o->budget);
    set_when_given("KPROF_ITERATION", o->iteration);
    set_when_given("KPROF_FOLLOW", o->follow);
    set_when_given("KPROF_KEEP", o->keep);
    set_when_given("KPROF_SPOOL_MAX", o->spool_max);
    set_when_given("KPROF_QUIET", o->quiet ? "1" : NULL);
    setenv(KP_SESSION_VARIABLE, KP_SESSION_NEW, 1); /* even inside another recording */
}

/* Ours first, since it finds the next malloc behind itself; what the user preloads comes last. */
static int set_preload(const char *library, const char *allocator, struct kp_error *error)
{
    const char *before = getenv("LD_PRELOAD");
    char *preload = NULL;
    if (asprintf(&preload, "%s%s%s%s%s", library, *allocator ? ":" : "", allocator,
                 before && *before ? ":" : "", before && *before ? before : "") < 0 ||
        setenv("LD_PRELOAD", preload, 1) != 0) {
        free(preload);
        return -kp_error_set(error, "out of memory");
    }
    free(preload);
    return 0;
}

static int fail(int status, const char *text)
{
    fprintf(stderr, "kprof-run: %s\n", text);
    return status;
}

static int run(const struct run_options *o, char **command)
{
    struct kp_error error = {""};
    struct kp_run_command found;
    char library[KP_PATH_BYTES], allocator[KP_PATH_BYTES] = "";
    bool usage = false;
    if (o->allocator && kp_run_find_allocator(o->allocator, allocator, &usage, &error) != 0)
        return fail(usage ? EXIT_USAGE : EXIT_FAILED, error.text);
    if (kp_run_find_library(library, &error) != 0)
        return fail(EXIT_FAILED, error.text);
    kp_run_look_at(command[0], &found);
    if (found.exec_status != 0) {
        fprintf(stderr, "kprof-run: %s: %s\n", command[0],
                found.exec_status == 127 ? "command not found" : "cannot be executed");
        return found.exec_status;
    }
    if (found.hindrance)
        fprintf(stderr, "kprof-run: warning: %s %s: it is not recorded\n", found.path,
                found.hindrance);
    set_variables(o);
    if (!found.leave_alone && set_preload(library, allocator, &error) != 0)
        return fail(EXIT_FAILED, error.text);
    execvp(command[0], command);
    fprintf(stderr, "kprof-run: %s: %s\n", command[0], strerror(errno));
    return EXIT_CANNOT_EXEC;
}

int main(int argc, char **argv)
{
    struct run_options o = {0};
    struct kp_error error = {""};
    struct kp_command_line line = {.options = options, .values = &o, .stop_at_word = true};
    if (kp_options_parse(&line, argc, argv, &error) != 0)
        return fail(EXIT_USAGE, error.text);
    if (o.help) {
        print_help();
        return kp_options_printed("kprof-run");
    }
    if (o.version) {
        printf("kprof-run %s\n", KP_VERSION);
        return kp_options_printed("kprof-run");
    }
    if (line.next >= argc)
        return fail(EXIT_USAGE,
                    "which command? usage: kprof-run [options] -- command [argument ...]");
    return run(&o, argv + line.next);
}
