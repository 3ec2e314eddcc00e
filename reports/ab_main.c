/* SPDX-License-Identifier: MIT */
/*
 * kprof-ab: takes the command line apart, has the comparison made, and prints what it says. All
 * errors are printed here. One thread.
 */
#include "ab_replay.h"
#include "ab_replay_worker.h"
#include "ab_report.h"
#include "ab_session.h"
#include "options.h"
#include "terminal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_INTERRUPTED = 130 };

#define AT(field) offsetof(struct kp_ab_options, field)
static const struct kp_option options[] = {
    {.name = "allocators", .argument = "LIST",
     .help = "what is compared, the first is the baseline (default: all below)",
     .type = KP_OPTION_TEXT, .offset = AT(allocators), .groups = 1},
    {.name = "runs", .letter = 'n', .argument = "N", .help = "runs of each (default 5)",
     .type = KP_OPTION_WHOLE, .fixed = 1, .offset = AT(runs), .groups = 1},
    {.name = "sweep", .argument = "VAR=a,b,c",
     .help = "run with these values of an environment variable; several: every pair",
     .type = KP_OPTION_TEXTS, .check = kp_ab_plan_check_sweep, .range = "of the form VAR=a,b,c",
     .offset = AT(sweeps), .groups = 1},
    {.name = "output", .letter = 'o', .argument = "FILE",
     .help = "keep all runs in this database; an interrupted comparison goes on from it",
     .type = KP_OPTION_TEXT, .offset = AT(output), .groups = 1},
    {.name = "idle", .argument = "SECONDS",
     .help = "rest behind the last iteration, and read idle RSS (20: twice jemalloc's decay)",
     .type = KP_OPTION_WHOLE, .fixed = 1, .offset = AT(idle_s), .groups = 1},
    {.name = "timeout", .argument = "SECONDS", .help = "a run that takes longer has failed",
     .type = KP_OPTION_WHOLE, .fixed = 1, .offset = AT(timeout_s), .groups = 1},
    {.name = "no-probe", .help = "no runs with the profiler: no probe effect, no live slope",
     .type = KP_OPTION_FLAG, .offset = AT(no_probe), .groups = 1},
    {.name = "keep-output", .help = "let the command write to the terminal",
     .type = KP_OPTION_FLAG, .offset = AT(keep_output), .groups = 1},
    {.name = "json", .help = "as JSON (sizes in bytes, times in seconds)",
     .type = KP_OPTION_FLAG, .offset = AT(json), .groups = 1},
    {.name = "help", .letter = 'h', .help = "this text", .type = KP_OPTION_FLAG,
     .offset = AT(help), .groups = 1},
    {.name = "version", .letter = 'V', .help = "the version", .type = KP_OPTION_FLAG,
     .offset = AT(version), .groups = 1},
    {0},
};

static void print_help(void)
{
    puts("usage: kprof-ab [options] [--] command [argument ...]\n"
         "       kprof-ab -o FILE                 go on with an interrupted comparison\n"
         "       kprof-ab replay DB [options]     do recorded allocations again, see replay --help\n"
         "runs a command under several allocators in turn and says whether to switch\n\n"
         "options:");
    kp_options_print(options, 1, stdout);
    puts("\nallocators (NAME, NAME+VARIABLE=VALUE, or the path of a library):");
    kp_ab_plan_print(stdout);
    puts("\nexit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted");
}

static int fail(int status, const char *text)
{
    fprintf(stderr, "kprof-ab: %s\n", text);
    return status;
}

static int report(struct kp_ab_session *session, struct kp_error *error)
{
    bool json = session->options->json, is_sweep = false;
    struct kp_emitter *out = kp_emitter_new(stdout, json ? KP_FORMAT_JSON : KP_FORMAT_TEXT,
                                            kp_terminal_width(), NULL);
    if (!out)
        return -kp_error_set(error, "out of memory");
    const struct kp_ab_configuration *first = session->comparison.configurations;
    for (size_t i = 0; i < first->setting_count; i++)
        is_sweep |= first->settings[i].is_swept;
    if (is_sweep)
        kp_ab_report_sweep(session, out);
    else
        kp_ab_report_comparison(session, out);
    if (kp_emitter_close(out, true) != 0)
        return -kp_error_set(error, "cannot write the report: is the disk full?");
    return 0;
}

static void tell_interruption(const struct kp_ab_session *session)
{
    const char *database = session->options->output;
    fprintf(stderr, "kprof-ab: interrupted after %zu runs%s%s\n", session->comparison.run_count,
            database ? "; go on with: kprof-ab -o " : "; with -o FILE it could go on later",
            database ? database : "");
}

static int compare(const struct kp_ab_options *o, char **command)
{
    struct kp_error error = {""};
    struct kp_ab_session session = {.options = o, .command = command};
    int result = kp_ab_session_open(&session, &error);
    if (result == 0)
        result = kp_ab_session_run(&session, &error);
    if (result == 0 && session.is_interrupted)
        tell_interruption(&session);
    if (result == 0 && session.comparison.run_count > 0)
        result = report(&session, &error);
    int status = result == 0         ? (session.is_interrupted ? EXIT_INTERRUPTED : EXIT_DONE)
                 : session.usage     ? fail(EXIT_USAGE, error.text)
                                     : fail(EXIT_FAILED, error.text);
    kp_ab_session_close(&session);
    return status;
}

int main(int argc, char **argv)
{
    struct kp_ab_options o = {0};
    struct kp_error error = {""};
    struct kp_command_line line = {.options = options, .values = &o, .stop_at_word = true};
    if (argc == 4 && strcmp(argv[1], KP_AB_REPLAY_WORKER) == 0)
        _exit(kp_ab_replay_worker(argv[2], argv[3])); /* what it has allocated is the result */
    if (argc > 1 && strcmp(argv[1], "replay") == 0)
        return kp_ab_replay_main(argc - 1, argv + 1);
    if (kp_options_parse(&line, argc, argv, &error) != 0)
        return fail(EXIT_USAGE, error.text);
    if (o.help) {
        print_help();
        return kp_options_printed("kprof-ab");
    }
    if (o.version) {
        printf("kprof-ab %s\n", KP_VERSION);
        return kp_options_printed("kprof-ab");
    }
    return compare(&o, line.next < argc ? argv + line.next : NULL);
}
