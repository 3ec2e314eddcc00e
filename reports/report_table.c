/* SPDX-License-Identifier: MIT */
/*
 * The reports there are, and the options they take. Both tables are also what --help prints.
 */
#include "report.h"

const struct kp_report kp_reports[] = {
    {"summary", "what allocated, on one screen (default)", KP_REPORT_SUMMARY, NULL,
     kp_report_summary},
    {"sites", "the places that allocate, by stack, line, function or module", KP_REPORT_SITES,
     "sites", kp_report_sites},
    {"tree", "who called whom to allocate", KP_REPORT_TREE, "tree", kp_report_tree},
    {"processes", "the processes of the run", KP_REPORT_PROCESSES, "processes",
     kp_report_processes},
    {"conversions", "what crossing between Python and native code costs, by entry",
     KP_REPORT_CONVERSIONS, "entries", kp_report_conversions},
    {"timeline", "how memory went over time", KP_REPORT_TIMELINE, "timeline", kp_report_timeline},
    {"leaks", "does it leak, how much an iteration, and where", KP_REPORT_LEAKS, "sites",
     kp_report_leaks},
    {"fragmentation", "how full the heap is, and what keeps it from being given back",
     KP_REPORT_FRAGMENTATION, "arenas", kp_report_fragmentation},
    {0},
};

static const char *const sort_choices[] = {"live", "allocated", "count", NULL};
static const char *const group_choices[] = {"stack", "line", "function", "module",
                                             "python-line", "native-line", "side", NULL};

static bool check_kind(const char *text)
{
    return kp_kinds_parse(text) != 0;
}

static const char *const at_choices[] = {"end", "peak", NULL};

#define AT(field) offsetof(struct kp_report_options, field)
#define LISTS (KP_REPORT_SUMMARY | KP_REPORT_SITES | KP_REPORT_TREE)

const struct kp_option kp_report_option_table[] = {
    {.name = "json", .help = "as JSON (sizes in bytes, times in seconds)", .type = KP_OPTION_FLAG,
     .offset = AT(json), .groups = KP_REPORT_EACH},
    {.name = "csv", .help = "as CSV", .type = KP_OPTION_FLAG, .offset = AT(csv),
     .groups = KP_REPORT_EACH},
    {.name = "top", .letter = 'n', .argument = "N",
     .help = "rows (default: what fits one screen; JSON, CSV: all)",
     .type = KP_OPTION_WHOLE, .fixed = 1, .offset = AT(top), .groups = KP_REPORT_EACH},
    {.name = "process", .argument = "PID", .help = "only this process", .type = KP_OPTION_WHOLE,
     .fixed = 1,
     .offset = AT(pid), .groups = KP_REPORT_EACH},
    {.name = "kind", .argument = "KIND",
     .help = "malloc, new, mmap, object, mem (default: these), reserve, arena, all",
     .type = KP_OPTION_TEXT, .check = check_kind,
     .range = "malloc, new, mmap, object, mem, reserve, arena or all", .offset = AT(kind), .groups = LISTS},
    {.name = "sort", .argument = "KEY", .help = "live (default), allocated or count",
     .type = KP_OPTION_CHOICE,
     .choices = sort_choices, .offset = AT(sort), .groups = LISTS | KP_REPORT_PROCESSES},
    {.name = "min", .argument = "SIZE",
     .help = "leave out what is below it (by --sort; not for count)",
     .type = KP_OPTION_SIZE, .offset = AT(min_bytes), .groups = KP_REPORT_SITES | KP_REPORT_TREE},
    {.name = "group", .argument = "BY",
     .help = "stack (default), line, function, module, python-line, native-line; leaks: side",
     .type = KP_OPTION_CHOICE, .choices = group_choices,
     .offset = AT(group), .groups = KP_REPORT_SITES | KP_REPORT_LEAKS},
    {.name = "site", .argument = "N", .help = "the whole stack of site N of the list",
     .type = KP_OPTION_WHOLE,
     .fixed = 1, .offset = AT(site), .groups = KP_REPORT_SITES | KP_REPORT_LEAKS},
    {.name = "entry", .argument = "N",
     .help = "entry N of the list: each call of the C API, and who calls it",
     .type = KP_OPTION_WHOLE, .fixed = 1, .offset = AT(entry), .groups = KP_REPORT_CONVERSIONS},
    {.name = "depth", .argument = "N", .help = "levels of calls", .type = KP_OPTION_WHOLE,
     .fixed = 1,
     .offset = AT(depth), .groups = KP_REPORT_TREE},
    {.name = "bottom-up", .help = "from the allocating function to its callers",
     .type = KP_OPTION_ENUM, .fixed = 1,
     .offset = AT(bottom_up), .groups = KP_REPORT_TREE},
    {.name = "top-down", .help = "from main inwards (default)", .type = KP_OPTION_ENUM, .fixed = 0,
     .offset = AT(bottom_up), .groups = KP_REPORT_TREE},
    {.name = "all-frames", .help = "with the frames of the Python interpreter",
     .type = KP_OPTION_FLAG, .offset = AT(all_frames),
     .groups = KP_REPORT_SITES | KP_REPORT_TREE | KP_REPORT_LEAKS},
    {.name = "fail-above", .argument = "SIZE",
     .help = "exit 3 when it surely leaks more than this per iteration",
     .type = KP_OPTION_SIZE, .offset = AT(fail_above), .groups = KP_REPORT_LEAKS},
    {.name = "baseline", .argument = "OLD.db", .help = "compare the rate with an older recording",
     .type = KP_OPTION_TEXT, .offset = AT(baseline), .groups = KP_REPORT_LEAKS},
    {.name = "since", .argument = "N", .help = "from iteration N on (without marks: second N)",
     .type = KP_OPTION_WHOLE, .fixed = 0, .offset = AT(since), .groups = KP_REPORT_LEAKS},
    {.name = "until", .argument = "N", .help = "up to iteration N", .type = KP_OPTION_WHOLE,
     .fixed = 1, .offset = AT(until), .groups = KP_REPORT_LEAKS},
    {.name = "limit", .argument = "SIZE",
     .help = "how far memory may grow (default: that of the control group or machine)",
     .type = KP_OPTION_SIZE, .offset = AT(limit), .groups = KP_REPORT_LEAKS},
    {.name = "at", .argument = "WHEN", .help = "the snapshot: end (default: the last one) or peak",
     .type = KP_OPTION_CHOICE, .choices = at_choices, .offset = AT(at),
     .groups = KP_REPORT_FRAGMENTATION},
    {.name = "wide", .help = "cut no names to the width of the terminal", .type = KP_OPTION_FLAG,
     .offset = AT(wide), .groups = KP_REPORT_EACH},
    {.name = "no-wait", .help = "do not wait for a recording that is being finished",
     .type = KP_OPTION_FLAG,
     .offset = AT(no_wait), .groups = KP_REPORT_EACH},
    {.name = "help", .letter = 'h', .help = "this text", .type = KP_OPTION_FLAG, .offset = AT(help),
     .groups = KP_REPORT_EACH},
    {.name = "version", .letter = 'V', .help = "the version", .type = KP_OPTION_FLAG,
     .offset = AT(version),
     .groups = KP_REPORT_EACH},
    {0},
};
