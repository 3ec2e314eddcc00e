/* SPDX-License-Identifier: MIT */
/*
 * kprof-report: takes the command line apart, brings the recording into a readable state, opens it,
 * and hands over to the report. All errors are printed here. One thread.
 */
#include "recording.h"
#include "report.h"
#include "terminal.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_GATE = 3 };

#define OPTIONS_MAX 32
#define NEXT_TO_NOTHING 0.001
#define LITTLE_OF_THE_PEAK 0.1

static const struct kp_report *find_report(const char *name)
{
    for (const struct kp_report *r = kp_reports; r->name; r++)
        if (strcmp(r->name, name) == 0)
            return r;
    return NULL;
}

static int unknown_report(const char *name, struct kp_error *error)
{
    char list[200] = "";
    for (const struct kp_report *r = kp_reports; r->name; r++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", r->name);
    }
    return -kp_error_set(error, "no report '%.100s'; there are %s", name, list);
}

static void print_help(const struct kp_report *report)
{
    printf("usage: kprof-report DB %s [options]\n", report ? report->name : "[REPORT]");
    if (report) {
        printf("%s\n\noptions:\n", report->help);
    } else {
        printf("reports:\n");
        for (const struct kp_report *r = kp_reports; r->name; r++)
            printf("  %-14s %s\n", r->name, r->help);
        printf("\noptions (kprof-report REPORT --help: those of one report):\n");
    }
    kp_options_print(kp_report_option_table, report ? report->bit : KP_REPORT_EACH, stdout);
    printf("\nexit status: 0 done, 1 failed, 2 wrong usage, 3 a gate is exceeded\n");
}

/* The newest recordings here, for a user who named none. */
static int no_database(struct kp_error *error)
{
    glob_t found;
    char list[300] = "";
    if (glob("kprof-*.db", 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc && i < 4; i++) {
            size_t used = strlen(list);
            snprintf(list + used, sizeof list - used, "%s%.70s", used ? ", " : "",
                     found.gl_pathv[i]);
        }
        if (found.gl_pathc > 4)
            strcat(list, ", ...");
        globfree(&found);
    }
    if (*list)
        return -kp_error_set(error, "which database? there is %s", list);
    return -kp_error_set(
        error,
        "which database? usage: kprof-report DB [REPORT]; record one with: kprof-run -- cmd");
}

/* DB [REPORT], or REPORT DB where only that makes sense. */
static int parse_words(const char **words, size_t count, const char **database,
                       const struct kp_report **report, struct kp_error *error)
{
    struct stat st;
    *report = NULL;
    *database = NULL;
    if (count == 1 && find_report(words[0]) && stat(words[0], &st) != 0) {
        *report = find_report(words[0]);
        return 0;
    }
    bool swapped = count == 2 && !find_report(words[1]) && find_report(words[0]);
    if (count > 0)
        *database = words[swapped ? 1 : 0];
    if (count == 2) {
        *report = find_report(words[swapped ? 0 : 1]);
        if (!*report)
            return unknown_report(words[1], error);
    }
    return 0;
}

static int check_options(const struct kp_report *report, const bool *seen,
                         const struct kp_report_options *o, struct kp_error *error)
{
    if (o->json && o->csv)
        return -kp_error_set(error, "--json or --csv, not both");
    for (size_t i = 0; kp_report_option_table[i].name; i++)
        if (seen[i] && !(kp_report_option_table[i].groups & report->bit))
            return -kp_error_set(error, "--%s does not go with %s; see kprof-report %s --help",
                                 kp_report_option_table[i].name, report->name, report->name);
    if (report->bit == KP_REPORT_LEAKS && o->group > KP_GROUP_MODULE && o->group != KP_GROUP_SIDE)
        return -kp_error_set(error, "--group of leaks is stack, line, function, module or side");
    if (report->bit != KP_REPORT_LEAKS && o->group == KP_GROUP_SIDE)
        return -kp_error_set(error, "--group side goes with leaks only");
    return 0;
}

/* Python takes its memory down when it exits in order: what is left tells little but for what it
 * forgot. */
static bool has_taken_down(const struct kp_report_context *context, double live)
{
    const struct kp_process *p = kp_process_main(&context->processes);
    struct kp_timeline timeline;
    struct kp_error error = {""};
    if (!p || !*p->python || strcmp(p->end, "exit") != 0)
        return false;
    bool known = kp_query_timeline(context->query, &context->filter, 1, &timeline, &error) == 0;
    bool taken_down = known && live < LITTLE_OF_THE_PEAK * timeline.peak_live_bytes;
    kp_timeline_release(&timeline);
    return taken_down;
}

/* Where next to nothing is live, the places that allocated most are the better answer. */
static enum kp_sort default_sort(const struct kp_report_context *context)
{
    double live = 0, allocated = 0;
    for (size_t i = 0; i < context->processes.count; i++) {
        live += context->processes.items[i].live.value;
        allocated += context->processes.items[i].allocated.value;
    }
    if (live < NEXT_TO_NOTHING * allocated || has_taken_down(context, live))
        return KP_SORT_ALLOCATED;
    return KP_SORT_LIVE;
}

static int load_context(struct kp_report_context *context, struct kp_error *error)
{
    const struct kp_report_options *o = context->options;
    context->filter.pid = o->pid;
    context->filter.kinds = o->kind ? kp_kinds_parse(o->kind) : KP_KINDS_COUNTED;
    if (kp_query_summary(context->query, &context->summary, error) != 0 ||
        kp_query_processes(context->query, &context->filter, &context->processes, error) != 0)
        return -1;
    if (o->pid > 0 && context->processes.count == 0)
        return -kp_error_set(error, "no process %lld in %.300s; see: kprof-report %.100s processes",
                             (long long)o->pid, context->database, context->database);
    context->sort = o->sort >= 0 ? (enum kp_sort)o->sort : default_sort(context);
    return 0;
}

static int run_report(const char *path, const struct kp_report *report,
                      struct kp_report_context *context, struct kp_error *error)
{
    const struct kp_report_options *o = context->options;
    enum kp_format format = o->json ? KP_FORMAT_JSON : o->csv ? KP_FORMAT_CSV : KP_FORMAT_TEXT;
    int result = kp_query_open(&context->query, path, error);
    if (result == 0)
        result = load_context(context, error);
    if (result == 0) {
        context->out =
            kp_emitter_new(stdout, format, o->wide ? 0 : kp_terminal_width(), report->csv_table);
        result = context->out ? report->run(context, error) : -kp_error_set(error, "out of memory");
    }
    if (context->out && kp_emitter_close(context->out, result == 0) != 0 && result == 0)
        result = -kp_error_set(error, "cannot write the report: is the disk full?");
    kp_processes_release(&context->processes);
    kp_summary_release(&context->summary);
    kp_query_close(context->query);
    return result;
}

static int report(const char *database, const struct kp_report *which,
                  const struct kp_report_options *o)
{
    struct kp_error error = {""};
    struct kp_settled settled;
    struct kp_report_context context = {.database = database, .options = o};
    int result = kp_recording_settle(database, o->no_wait, &settled, &error);
    if (result == 0)
        result = run_report(settled.path, which, &context, &error);
    kp_settled_release(&settled);
    if (result == 0 && context.gate_is_exceeded) {
        fprintf(stderr, "kprof-report: %s\n", context.gate);
        return EXIT_GATE;
    }
    if (result == 0)
        return EXIT_DONE;
    fprintf(stderr, "kprof-report: %s\n", error.text);
    return EXIT_FAILED;
}

int main(int argc, char **argv)
{
    struct kp_report_options o = {.top = -1, .sort = -1, .fail_above = -1};
    struct kp_error error = {""};
    const char *words[2], *database = NULL;
    const struct kp_report *which = NULL;
    bool seen[OPTIONS_MAX] = {false};
    struct kp_command_line line = {.options = kp_report_option_table,
                                   .values = &o,
                                   .seen = seen,
                                   .words = words,
                                   .word_max = 2};
    int result = kp_options_parse(&line, argc, argv, &error);
    if (result == 0 && o.version) {
        printf("kprof-report %s\n", KP_VERSION);
        return kp_options_printed("kprof-report");
    }
    if (result == 0)
        result = parse_words(words, line.word_count, &database, &which, &error);
    if (result == 0 && o.help) {
        print_help(which);
        return kp_options_printed("kprof-report");
    }
    if (result == 0 && !database)
        result = no_database(&error);
    if (result == 0)
        result = check_options(which ? which : &kp_reports[0], seen, &o, &error);
    if (result != 0) {
        fprintf(stderr, "kprof-report: %s\n", error.text);
        return EXIT_USAGE;
    }
    return report(database, which ? which : &kp_reports[0], &o);
}
