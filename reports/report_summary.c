/* SPDX-License-Identifier: MIT */
/*
 * kprof-report DB: the answer on one screen. What was lost or cannot be seen comes before the
 * figures, the figures before the places, and last what to type next. One thread.
 */
#include "conversions_view.h"
#include "debug_package.h"
#include "format.h"
#include "leaks_view.h"
#include "held_view.h"
#include "phases_view.h"
#include "report.h"
#include "where.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SCREEN_LINES 24
#define ROWS_MIN 3
#define LABEL_COLUMNS 13
#define BLIND_SHARE 0.01 /* of the bytes: below it a module without names is no news */
#define BLIND_MAX 2
#define REMEDIES_MAX 10 /* of JSON: each looks through the lists of installed packages */

struct figures {
    struct kp_sites stacks, lines; /* the same by stack, and by the line that tells most */
    struct kp_timeline timeline;
    struct kp_phase_list phases;
    struct kp_held held;
    struct kp_entries entries;
    struct kp_leaks leaks;
    struct kp_site total;
    int64_t samples, lost_samples, rate_min, rate_max;
    double sampling_s, cpu_s;
    bool fixed, exact;
};

static void sum_processes(const struct kp_processes *processes, struct figures *f)
{
    f->fixed = processes->count > 0;
    for (size_t i = 0; i < processes->count; i++) {
        const struct kp_process *p = &processes->items[i];
        f->samples += p->samples;
        f->lost_samples += p->lost_samples;
        f->sampling_s += p->sampling_s;
        f->cpu_s += p->cpu_s;
        f->fixed &= p->fixed_rate > 0;
        if (p->rate_min > 0 && (f->rate_min == 0 || p->rate_min < f->rate_min))
            f->rate_min = p->rate_min;
        f->rate_max = p->rate_max > f->rate_max ? p->rate_max : f->rate_max;
    }
    f->exact = f->fixed && f->rate_max == 1 && f->lost_samples == 0;
}

/* The gap of the whole: sites alone do not know of the rates at which nothing was sampled. */
static void sum_sites(struct figures *f)
{
    f->total = f->stacks.total;
    double bytes = kp_gap_bytes((double)f->rate_max), blocks = kp_gap_blocks((double)f->rate_max);
    f->total.allocated.gap = fmax(f->total.allocated.gap, bytes);
    f->total.live.gap = fmax(f->total.live.gap, bytes);
    f->total.allocated_count.gap = fmax(f->total.allocated_count.gap, blocks);
    f->total.live_count.gap = fmax(f->total.live_count.gap, blocks);
}

static void rate_line(struct kp_report_context *context, const struct figures *f)
{
    char low[KP_FORMAT_BYTES], high[KP_FORMAT_BYTES], samples[KP_FORMAT_BYTES],
        lost[KP_FORMAT_BYTES];
    char rate[3 * KP_FORMAT_BYTES], cpu[32] = "";
    if (f->cpu_s > 0)
        snprintf(cpu, sizeof cpu, ", %.1f %% CPU", fmin(f->sampling_s / f->cpu_s, 10) * 100);
    kp_format_rate(low, (double)f->rate_min);
    kp_format_rate(high, (double)f->rate_max);
    if (f->rate_max == 1)
        snprintf(rate, sizeof rate, "rate 1: every allocation");
    else if (f->rate_max == 0)
        snprintf(rate, sizeof rate, "rate %s", f->fixed ? "fixed" : "auto");
    else if (f->rate_min == f->rate_max)
        snprintf(rate, sizeof rate, "rate %s: one sample per %s", f->fixed ? "fixed" : "auto",
                 high);
    else
        snprintf(rate, sizeof rate, "rate %s: one sample per %s to %s", f->fixed ? "fixed" : "auto",
                 low, high);
    snprintf(lost, sizeof lost, "none");
    if (f->lost_samples > 0)
        kp_format_whole(lost, f->lost_samples);
    kp_emit_line(context->out, 2, "%s%s; %s samples, %s lost", rate, cpu,
                 kp_format_whole(samples, f->samples), lost);
}

/* What would give names to a module. */
static void describe_remedy(const struct kp_blind *b, char *out, size_t out_bytes)
{
    char package[128];
    kp_debug_package(b->path, package, sizeof package);
    if (*package)
        snprintf(out, out_bytes, "package %s has names", package);
    else if (b->rust)
        snprintf(out, out_bytes, "names by [profile.release] debug = \"line-tables-only\", "
                                 "strip = false in its Cargo.toml");
    else
        snprintf(out, out_bytes, "debug symbols would give names");
}

static void blind_lines(struct kp_report_context *context, const struct figures *f)
{
    const struct kp_summary *s = &context->summary;
    if (s->stacks_without > 0) {
        char count[256];
        kp_emit_line(context->out, LABEL_COLUMNS, "%-*s%s", LABEL_COLUMNS, "NOT SEEN",
                     kp_format_plural(count, s->stacks_without, "allocating stack",
                                      "that could not be walked"));
    }
    if (!s->finished && s->blind_count > 0)
        kp_emit_line(context->out, LABEL_COLUMNS,
                     "%-*snames are looked up when the recording is finished", LABEL_COLUMNS,
                     "NO NAMES");
    for (size_t i = 0, shown = 0; i < s->blind_count && shown < BLIND_MAX; i++) {
        const struct kp_blind *b = &s->blind[i];
        double share = f->total.allocated.value > 0 ? b->bytes / f->total.allocated.value : 0;
        char percent[KP_FORMAT_BYTES], remedy[256], module[256];
        if (share < BLIND_SHARE || !*b->path || b->pending)
            continue;
        kp_module_label(b->path, module, sizeof module);
        describe_remedy(b, remedy, sizeof remedy);
        kp_emit_line(context->out, LABEL_COLUMNS, "%-*s%s: %s, %s of the bytes; %s", LABEL_COLUMNS,
                     "NO NAMES", module, b->reason, kp_format_share(percent, share), remedy);
        shown++;
    }
}

#define PART_BYTES 160

static void describe_sum(char part[PART_BYTES], const char *before, const struct kp_sum *sum)
{
    struct kp_estimate e = kp_estimate_of(sum);
    char figure[KP_FORMAT_BYTES], range[KP_FORMAT_BYTES];
    if (sum->samples <= 0 && e.high > 0)
        snprintf(part, PART_BYTES, "%s below %s", before, kp_format_size(figure, e.high));
    else
        snprintf(part, PART_BYTES, "%s %s%s%s", before, kp_format_size(figure, e.value),
                 *kp_format_size_range(range, &e) ? " " : "", range);
}

static void describe_peak(char part[PART_BYTES], const struct kp_timeline *t)
{
    char size[KP_FORMAT_BYTES], time[KP_FORMAT_BYTES];
    bool when = t->peak_rss_s >= 0;
    *part = '\0';
    if (t->peak_rss_bytes > 0)
        snprintf(part, PART_BYTES, "peak RSS %s%s%s", kp_format_size(size, t->peak_rss_bytes),
                 when ? " at " : "", when ? kp_format_seconds(time, t->peak_rss_s) : "");
}

/* On one line where there is room for it. */
static void totals_line(struct kp_report_context *context, const struct figures *f)
{
    char allocated[PART_BYTES], peak[PART_BYTES], live[PART_BYTES], blocks[KP_FORMAT_BYTES],
        line[3 * PART_BYTES + 8];
    size_t width = kp_emitter_width(context->out);
    describe_sum(allocated, "allocated ", &f->total.allocated);
    describe_peak(peak, &f->timeline);
    describe_sum(live, context->summary.finished ? "live at the end" : "live", &f->total.live);
    if (f->total.allocated.samples > 0)
        snprintf(allocated + strlen(allocated), PART_BYTES - strlen(allocated), " in %s blocks",
                 kp_format_count(blocks, f->total.allocated_count.value));
    snprintf(line, sizeof line, "%s%s%s   %s", allocated, *peak ? "   " : "", peak, live);
    if (width == 0 || strlen(line) <= width) {
        kp_emit_line(context->out, 0, "%s", line);
    } else {
        kp_emit_line(context->out, 11, "%s", allocated);
        kp_emit_line(context->out, 11, "%s%s%s", peak, *peak ? "   " : "", live);
    }
    if (f->total.allocated.samples <= 0 && f->rate_max > 1)
        kp_emit_line(
            context->out, 0,
            "no sample was drawn: 95 %% of such runs stay below this; KPROF_RATE=1 records all");
    kp_emit_line(context->out, 0, "%s", "");
}

static void sites_table(struct kp_report_context *context, const struct figures *f)
{
    static const struct kp_column columns[] = {
        {"live", "live", KP_TYPE_BYTES_ESTIMATE},
        {"allocated", "allocated", KP_TYPE_BYTES_ESTIMATE},
        {"count", NULL, KP_TYPE_COUNT_ESTIMATE},
        {NULL, "where", KP_TYPE_TEXT},
        {"stack", NULL, KP_TYPE_STACK},
    };
    size_t used = kp_emitter_lines(context->out) + 4; /* header, "more", blank, next */
    size_t fits = used + ROWS_MIN < SCREEN_LINES ? SCREEN_LINES - used : ROWS_MIN;
    size_t top = context->options->top > 0          ? (size_t)context->options->top
                 : kp_emitter_is_text(context->out) ? fits
                                                    : 20,
           shown = 0;
    struct kp_column shown_columns[5];
    kp_report_columns(context, columns, 5, shown_columns);
    kp_emit_table(context->out, "sites", shown_columns, 5);
    for (; shown < f->lines.count && shown < top; shown++) {
        const struct kp_site *site = &f->lines.items[shown];
        struct kp_frame frames[KP_FRAMES_MAX];
        struct kp_where where;
        size_t count = kp_query_frames(context->query, site->stack_id, frames, KP_FRAMES_MAX);
        kp_where_of(frames, count, &where);
        struct kp_value row[] = {kp_sum_value(&site->live), kp_sum_value(&site->allocated),
                                 kp_sum_value(&site->allocated_count),
                                 kp_texts(where.text, where.shorter), kp_stack(frames, count)};
        kp_emit_row(context->out, row);
    }
    kp_emit_table_end(context->out);
    if (shown < f->lines.count) {
        char more[256];
        kp_emit_line(context->out, 0, "... and %s",
                     kp_format_plural(more, (int64_t)(f->lines.count - shown), "more line", ""));
    }
}

static void text_view(struct kp_report_context *context, const struct figures *f)
{
    kp_report_program(context);
    rate_line(context, f);
    kp_emit_line(context->out, 0, "%s", "");
    size_t before = kp_emitter_lines(context->out);
    kp_report_losses(context, false);
    kp_leaks_summary(context, &f->leaks);
    kp_conversions_line(context, &f->entries);
    kp_held_line(context, &f->held);
    kp_phases_line(context, &f->phases);
    kp_held_opaque_lines(context, &f->held);
    blind_lines(context, f);
    if (kp_emitter_lines(context->out) > before)
        kp_emit_line(context->out, 0, "%s", "");
    totals_line(context, f);
    sites_table(context, f);
    kp_report_next(context, "sites", "every site, numbered, and their stacks");
}

static void emit_pair(struct kp_emitter *out, const char *key, const struct kp_sum *bytes,
                      const struct kp_sum *count)
{
    kp_emit_object(out, key);
    kp_emit_value(out, "bytes", KP_TYPE_BYTES_ESTIMATE, kp_sum_value(bytes));
    kp_emit_value(out, "count", KP_TYPE_COUNT_ESTIMATE, kp_sum_value(count));
    kp_emit_object_end(out);
}

static void emit_program(struct kp_report_context *context)
{
    struct kp_emitter *out = context->out;
    const struct kp_process *p = kp_process_main(&context->processes);
    char allocator[128] = "";
    if (p)
        kp_allocator_name(p->allocator, p->allocator_build_id, allocator, sizeof allocator);
    kp_emit_object(out, "kprof");
    kp_emit_value(out, "version", KP_TYPE_TEXT, kp_text(context->summary.version));
    kp_emit_value(out, "schema", KP_TYPE_WHOLE, kp_whole(context->summary.schema));
    kp_emit_object_end(out);
    kp_emit_value(out, "exe", KP_TYPE_TEXT, p ? kp_text(p->exe) : kp_unknown());
    kp_emit_value(out, "pid", KP_TYPE_WHOLE, p ? kp_whole(p->pid) : kp_unknown());
    kp_emit_value(out, "python", KP_TYPE_TEXT, p && *p->python ? kp_text(p->python) : kp_unknown());
    kp_emit_value(out, "directory", KP_TYPE_TEXT,
                  p && *p->directory ? kp_text(p->directory) : kp_unknown());
    kp_emit_value(out, "processes", KP_TYPE_WHOLE,
                  kp_whole((int64_t)kp_process_count(&context->processes)));
    kp_emit_value(out, "allocator", KP_TYPE_TEXT, *allocator ? kp_text(allocator) : kp_unknown());
    kp_emit_value(out, "finished", KP_TYPE_BOOL, kp_whole(context->summary.finished));
}

static void emit_figures(struct kp_report_context *context, const struct figures *f)
{
    struct kp_emitter *out = context->out;
    kp_emit_value(out, "samples", KP_TYPE_WHOLE, kp_whole(f->samples));
    kp_emit_object(out, "rate");
    kp_emit_value(out, "min", KP_TYPE_RATE,
                  f->rate_min ? kp_amount((double)f->rate_min) : kp_unknown());
    kp_emit_value(out, "max", KP_TYPE_RATE,
                  f->rate_max ? kp_amount((double)f->rate_max) : kp_unknown());
    kp_emit_value(out, "fixed", KP_TYPE_BOOL, kp_whole(f->fixed));
    kp_emit_object_end(out);
    kp_emit_value(out, "sampling_share", KP_TYPE_SHARE,
                  f->cpu_s > 0 ? kp_amount(f->sampling_s / f->cpu_s) : kp_unknown());
    emit_pair(out, "allocated", &f->total.allocated, &f->total.allocated_count);
    emit_pair(out, "live", &f->total.live, &f->total.live_count);
    kp_emit_value(out, "live_exact_bytes", KP_TYPE_BYTES,
                  f->exact ? kp_amount(f->total.live.value) : kp_unknown());
    kp_emit_value(out, "peak_rss_bytes", KP_TYPE_BYTES, kp_amount(f->timeline.peak_rss_bytes));
    kp_emit_value(out, "peak_rss_s", KP_TYPE_SECONDS,
                  f->timeline.peak_rss_s >= 0 ? kp_amount(f->timeline.peak_rss_s) : kp_unknown());
    kp_emit_value(out, "peak_live_bytes", KP_TYPE_BYTES, kp_amount(f->timeline.peak_live_bytes));
    kp_emit_value(out, "elapsed_s", KP_TYPE_SECONDS, kp_amount(context->summary.elapsed_s));
}

static void emit_stacks(struct kp_report_context *context, const struct figures *f)
{
    static const struct kp_column blind[] = {
        {"module", NULL, KP_TYPE_TEXT},
        {"build_id", NULL, KP_TYPE_TEXT},
        {"bytes", NULL, KP_TYPE_BYTES},
        {"reason", NULL, KP_TYPE_TEXT},
        {"remedy", NULL, KP_TYPE_TEXT},
    };
    const struct kp_summary *s = &context->summary;
    struct kp_emitter *out = context->out;
    kp_emit_object(out, "stacks");
    kp_emit_value(out, "total", KP_TYPE_WHOLE, kp_whole(s->stacks));
    kp_emit_value(out, "with_python", KP_TYPE_WHOLE, kp_whole(s->stacks_with_python));
    kp_emit_value(out, "with_native", KP_TYPE_WHOLE, kp_whole(s->stacks_with_native));
    kp_emit_value(out, "unresolved", KP_TYPE_WHOLE, kp_whole(s->stacks_unresolved));
    kp_emit_object_end(out);
    kp_held_opaque_table(context, &f->held);
    kp_emit_table(out, "without_symbols", blind, 5);
    for (size_t i = 0; i < s->blind_count; i++) {
        char remedy[256] = "";
        if (i < REMEDIES_MAX && !s->blind[i].pending)
            describe_remedy(&s->blind[i], remedy, sizeof remedy);
        struct kp_value row[] = {kp_text(s->blind[i].path), kp_text(s->blind[i].build_id),
                                 kp_amount(s->blind[i].bytes), kp_text(s->blind[i].reason),
                                 *remedy ? kp_text(remedy) : kp_unknown()};
        kp_emit_row(out, row);
    }
    kp_emit_table_end(out);
}

/* What each kind has of the totals. */
static void emit_kinds(struct kp_report_context *context, const struct figures *f)
{
    static const struct kp_column columns[] = {
        {"kind", NULL, KP_TYPE_TEXT},
        {"allocated", NULL, KP_TYPE_BYTES_ESTIMATE},
        {"live", NULL, KP_TYPE_BYTES_ESTIMATE},
        {"count", NULL, KP_TYPE_COUNT_ESTIMATE},
    };
    kp_emit_table(context->out, "kinds", columns, 4);
    for (unsigned kind = 1; kind <= KP_KINDS_ALL; kind <<= 1) {
        struct kp_site sum = {.kind = 0};
        for (size_t i = 0; i < f->stacks.count; i++) {
            const struct kp_site *site = &f->stacks.items[i];
            if (site->kind != kind)
                continue;
            sum.kind = kind;
            kp_sum_add(&sum.allocated, &site->allocated);
            kp_sum_add(&sum.live, &site->live);
            kp_sum_add(&sum.allocated_count, &site->allocated_count);
        }
        struct kp_value row[] = {kp_text(kp_kinds_name(kind)), kp_sum_value(&sum.allocated),
                                 kp_sum_value(&sum.live), kp_sum_value(&sum.allocated_count)};
        if (sum.kind)
            kp_emit_row(context->out, row);
    }
    kp_emit_table_end(context->out);
}

static void data_view(struct kp_report_context *context, const struct figures *f)
{
    emit_program(context);
    kp_report_losses(context, false);
    emit_figures(context, f);
    emit_stacks(context, f);
    emit_kinds(context, f);
    kp_phases_tables(context, &f->phases);
    kp_leaks_summary(context, &f->leaks);
    kp_conversions_totals(context, "conversions", &f->entries);
    sites_table(context, f);
}

int kp_report_summary(struct kp_report_context *context, struct kp_error *error)
{
    struct figures f = {0};
    int result = kp_query_sites(context->query, &context->filter, KP_GROUP_STACK, context->sort,
                                &f.stacks, error);
    if (result == 0)
        result = kp_query_count_stacks(context->query, &f.stacks, &context->summary, error);
    if (result == 0)
        result = kp_query_regroup(context->query, &f.stacks, KP_GROUP_LINE, context->sort, &f.lines,
                                  error);
    if (result == 0)
        result = kp_query_timeline(context->query, &context->filter, 1, &f.timeline, error);
    if (result == 0)
        result = kp_query_phase_list(context->query, &context->filter, &f.phases, error);
    if (result == 0)
        result = kp_held_load(context, &f.held, error);
    if (result == 0)
        result = kp_query_entries(context->query, &context->filter, &f.entries, error);
    if (result == 0 && f.phases.iteration_count) /* without marks it says nothing of leaks */
        result = kp_query_leaks(context->query,
                                &(struct kp_leak_request){.pid = context->filter.pid}, &f.leaks,
                                error);
    if (result == 0) {
        sum_processes(&context->processes, &f);
        sum_sites(&f);
        if (kp_emitter_is_text(context->out))
            text_view(context, &f);
        else
            data_view(context, &f);
    }
    kp_sites_release(&f.stacks);
    kp_sites_release(&f.lines);
    kp_timeline_release(&f.timeline);
    kp_phase_list_release(&f.phases);
    kp_held_release(&f.held);
    kp_entries_release(&f.entries);
    kp_leaks_release(&f.leaks);
    return result;
}
