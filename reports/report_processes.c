/* SPDX-License-Identifier: MIT */
/*
 * kprof-report DB processes: what ran, how it ended, and how well it was recorded. One thread.
 */
#include "format.h"
#include "report.h"
#include "where.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FITS 19
#define THREADS_FIT 12

static const struct kp_column columns[] = {
    {"process", NULL, KP_TYPE_WHOLE},
    {"pid", "pid", KP_TYPE_NUMBER},
    {"ppid", NULL, KP_TYPE_WHOLE},
    {"parent", NULL, KP_TYPE_WHOLE},
    {"origin", NULL, KP_TYPE_TEXT},
    {"exe", NULL, KP_TYPE_TEXT},
    {"argv", NULL, KP_TYPE_LIST},
    {"python", NULL, KP_TYPE_TEXT},
    {"directory", NULL, KP_TYPE_TEXT},
    {"allocator", NULL, KP_TYPE_TEXT},
    {"unwinder", NULL, KP_TYPE_TEXT},
    {"before_join_s", NULL, KP_TYPE_SECONDS},
    {"started_s", NULL, KP_TYPE_SECONDS},
    {"ended_s", NULL, KP_TYPE_SECONDS},
    {NULL, "ran", KP_TYPE_SECONDS},
    {"end", "end", KP_TYPE_TEXT},
    {"samples", "samples", KP_TYPE_WHOLE},
    {"lost_samples", NULL, KP_TYPE_WHOLE},
    {"rate_min", NULL, KP_TYPE_RATE},
    {"rate_max", NULL, KP_TYPE_RATE},
    {"sampling_share", NULL, KP_TYPE_SHARE},
    {"allocated", "allocated", KP_TYPE_BYTES_BARE},
    {"live", "live", KP_TYPE_BYTES_BARE},
    {"count", NULL, KP_TYPE_COUNT_BARE},
    {"peak_rss_bytes", "peak RSS", KP_TYPE_BYTES},
    {NULL, "program", KP_TYPE_TEXT},
};
#define COLUMNS (sizeof columns / sizeof *columns)

static struct kp_value text_or_unknown(const char *text)
{
    return *text ? kp_text(text) : kp_unknown();
}

/* Text has little room, and a reader expects a word for a process that runs. */
static struct kp_value end_of(const struct kp_report_context *context, const struct kp_process *p)
{
    if (!kp_emitter_is_text(context->out))
        return text_or_unknown(p->end);
    if (p->ended_s < 0)
        return kp_text("running");
    return kp_text(strcmp(p->end, "killed or _exit") == 0 ? "killed/_exit" : p->end);
}

static void emit_process(struct kp_report_context *context, const struct kp_process *p)
{
    char program[320];
    kp_process_program(p, program, sizeof program - 64);
    if (*p->python)
        snprintf(program + strlen(program), 64, " (python %.40s)", p->python);
    bool running = p->ended_s < 0;
    double until = running ? context->summary.elapsed_s : p->ended_s;
    struct kp_value row[COLUMNS] = {
        kp_whole(p->id),
        kp_whole(p->pid),
        kp_whole(p->ppid),
        p->parent_id ? kp_whole(p->parent_id) : kp_unknown(),
        kp_text(p->origin),
        kp_text(p->exe),
        p->has_argv ? kp_text(p->argv) : kp_unknown(),
        text_or_unknown(p->python),
        text_or_unknown(p->directory),
        text_or_unknown(p->allocator),
        text_or_unknown(p->unwinder),
        kp_amount(p->before_join_s),
        kp_amount(p->started_s),
        running ? kp_unknown() : kp_amount(p->ended_s),
        kp_amount(until > p->started_s ? until - p->started_s : 0),
        end_of(context, p),
        kp_whole(p->samples),
        kp_whole(p->lost_samples),
        p->rate_min ? kp_amount((double)p->rate_min) : kp_unknown(),
        p->rate_max ? kp_amount((double)p->rate_max) : kp_unknown(),
        p->cpu_s > 0 ? kp_amount(p->sampling_s / p->cpu_s) : kp_unknown(),
        kp_sum_value(&p->allocated),
        kp_sum_value(&p->live),
        kp_sum_value(&p->allocated_count),
        p->peak_rss_bytes ? kp_amount((double)p->peak_rss_bytes) : kp_unknown(),
        kp_text(program),
    };
    kp_emit_row(context->out, row);
}

static int compare_weight(const void *left, const void *right, void *sort)
{
    const struct kp_process *a = left, *b = right;
    enum kp_sort by = *(enum kp_sort *)sort;
    double x = by == KP_SORT_LIVE    ? a->live.value
               : by == KP_SORT_COUNT ? a->allocated_count.value
                                     : a->allocated.value;
    double y = by == KP_SORT_LIVE    ? b->live.value
               : by == KP_SORT_COUNT ? b->allocated_count.value
                                     : b->allocated.value;
    if (x != y)
        return x > y ? -1 : 1;
    return (a->id > b->id) - (a->id < b->id);
}

static int compare_ids(const void *left, const void *right)
{
    const struct kp_process *a = left, *b = right;
    return (a->id > b->id) - (a->id < b->id);
}

static void emit_headline(struct kp_report_context *context, size_t shown)
{
    const struct kp_processes *all = &context->processes;
    static const char *const keys[] = {"the most live memory", "the most allocated",
                                       "the most blocks"};
    char count[KP_FORMAT_BYTES], time[KP_FORMAT_BYTES];
    int64_t killed = 0;
    for (size_t i = 0; i < all->count; i++)
        killed += strncmp(all->items[i].end, "killed", 6) == 0;
    size_t processes = kp_process_count(all);
    kp_emit_line(context->out, 2, "%s %s in %s%s", kp_format_whole(count, (int64_t)processes),
                 processes == 1 ? "process" : "processes",
                 kp_format_seconds(time, context->summary.elapsed_s),
                 killed ? "; killed/_exit: it could not say that it ended" : "");
    if (shown < all->count)
        kp_emit_line(context->out, 2, "the %zu with %s, in order of start; --top N shows more",
                     shown, keys[context->sort]);
    kp_emit_line(context->out, 0, "%s", "");
}

/* In text of one process alone: of all there may be thousands. */
static void emit_threads(struct kp_report_context *context, const struct kp_threads *threads)
{
    static const struct kp_column thread_columns[] = {
        {"process", NULL, KP_TYPE_WHOLE},     {"pid", NULL, KP_TYPE_WHOLE},
        {"tid", "tid", KP_TYPE_NUMBER},       {"first_s", "first sample", KP_TYPE_SECONDS},
        {"samples", "samples", KP_TYPE_WHOLE}, {"name", "thread", KP_TYPE_TEXT},
    };
    bool text = kp_emitter_is_text(context->out);
    size_t shown = text ? context->filter.pid > 0 ? THREADS_FIT : 0 : SIZE_MAX;
    if (shown > 0)
        kp_emit_line(context->out, 0, "%s", "");
    kp_emit_table(context->out, "threads", thread_columns, 6);
    for (size_t i = 0; i < threads->count && i < shown; i++) {
        const struct kp_thread *t = &threads->items[i];
        struct kp_value row[] = {kp_whole(t->process_id), kp_whole(t->pid), kp_whole(t->tid),
                                 kp_amount(t->first_s), kp_whole(t->samples), kp_text(t->name)};
        kp_emit_row(context->out, row);
    }
    kp_emit_table_end(context->out);
    if (shown > 0 && threads->count > shown)
        kp_emit_line(context->out, 0, "... and %zu more: --json has them", threads->count - shown);
}

static void emit_all(struct kp_report_context *context, const struct kp_threads *threads)
{
    struct kp_processes *all = &context->processes;
    size_t top = kp_report_top(context, FITS), shown = all->count < top ? all->count : top;
    kp_report_losses(context, true);
    emit_headline(context, shown);
    if (shown < all->count) {
        enum kp_sort sort = context->sort;
        qsort_r(all->items, all->count, sizeof *all->items, compare_weight, &sort);
        qsort(all->items, shown, sizeof *all->items, compare_ids);
    }
    kp_emit_table(context->out, "processes", columns, COLUMNS);
    for (size_t i = 0; i < shown; i++)
        emit_process(context, &all->items[i]);
    kp_emit_table_end(context->out);
    emit_threads(context, threads);
    if (all->count > 1)
        kp_report_next(context, "sites --process PID", "where one of them allocates");
    else
        kp_report_next(context, "sites", "where it allocates");
}

/* Everything is read before anything is printed: a damaged database gets one line. */
int kp_report_processes(struct kp_report_context *context, struct kp_error *error)
{
    struct kp_threads threads;
    int result = kp_query_threads(context->query, &context->filter, &threads, error);

    if (result == 0)
        emit_all(context, &threads);
    kp_threads_release(&threads);
    return result;
}
