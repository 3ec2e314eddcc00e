/* SPDX-License-Identifier: MIT */
/*
 * The sweep: what each value of a variable brings. Where the first variable counts workers, the
 * report also says how well they are used: speed-up, efficiency, the serial fraction, the bound that
 * the longest job sets, and what a worker costs in memory. One thread.
 */
#include "ab_report.h"
#include "alloc.h"
#include "bootstrap.h"
#include "format.h"
#include "scaling.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define RETROGRADE 1.02 /* a serial fraction above it: more workers make it slower */

static const struct kp_column columns[] = {
    {"name", "", KP_TYPE_TEXT},
    {"runs", "runs", KP_TYPE_WHOLE},
    {"failed", NULL, KP_TYPE_WHOLE},
    {"success", "good", KP_TYPE_SHARE},
    {"throughput", NULL, KP_TYPE_COUNT_ESTIMATE},
    {NULL, "per s", KP_TYPE_TEXT},
    {"wall", NULL, KP_TYPE_COUNT_ESTIMATE},
    {"iteration.p50", NULL, KP_TYPE_SECONDS},
    {"iteration.p95", NULL, KP_TYPE_SECONDS},
    {"iteration.p99", NULL, KP_TYPE_SECONDS},
    {"speed_up", NULL, KP_TYPE_COUNT_ESTIMATE},
    {NULL, "speed-up", KP_TYPE_TEXT},
    {"efficiency", "of ideal", KP_TYPE_SHARE},
    {"bound", NULL, KP_TYPE_COUNT},
    {NULL, "bound", KP_TYPE_TEXT},
    {"workers_seen", NULL, KP_TYPE_COUNT},
    {"peak_rss", NULL, KP_TYPE_BYTES_ESTIMATE},
    {NULL, "peak RSS", KP_TYPE_BYTES},
    {"cpu", NULL, KP_TYPE_COUNT_ESTIMATE},
};
#define COLUMNS (sizeof columns / sizeof *columns)

/* Text only: beside the others they would be too wide. */
static const struct kp_column time_columns[] = {
    {NULL, "time per iteration", KP_TYPE_TEXT},
    {NULL, "p50", KP_TYPE_SECONDS},
    {NULL, "p95", KP_TYPE_SECONDS},
    {NULL, "p99", KP_TYPE_SECONDS},
};

/* The configurations that differ in the first swept variable only. */
struct series {
    const struct kp_ab_comparison *comparison;
    const struct kp_ab_row *rows;
    size_t *members, count;
    bool counts_workers;
    struct kp_scaling_point *points; /* of members that have a throughput */
};

static const struct kp_ab_setting *first_sweep(const struct kp_ab_configuration *c)
{
    for (size_t i = 0; i < c->setting_count; i++)
        if (c->settings[i].is_swept)
            return &c->settings[i];
    return NULL;
}

static bool is_same_series(const struct kp_ab_configuration *a, const struct kp_ab_configuration *b)
{
    const char *swept = first_sweep(a)->name;
    bool same = a->setting_count == b->setting_count;
    for (size_t i = 0; same && i < a->setting_count; i++)
        same = strcmp(a->settings[i].name, b->settings[i].name) == 0 &&
               (strcmp(a->settings[i].name, swept) == 0 ||
                strcmp(a->settings[i].value, b->settings[i].value) == 0);
    return same;
}

static double value_of(const struct series *s, size_t member)
{
    char *end;
    const char *text = first_sweep(&s->comparison->configurations[s->members[member]])->value;
    double value = strtod(text, &end);
    return *end || end == text || !(value > 0) ? NAN : value;
}

static double median_of(const struct series *s, size_t member, enum kp_ab_figure figure)
{
    return s->rows[s->members[member]].figures[figure].value;
}

/* Work per second: iterations where the program marks them, else whole runs. */
static double throughput_of(const struct series *s, size_t member)
{
    double marked = median_of(s, member, KP_AB_THROUGHPUT);
    return isnan(marked) ? 1 / median_of(s, member, KP_AB_WALL) : marked;
}

static bool sounds_like_workers(const char *name)
{
    static const char *const words[] = {"thread", "worker", "proc", "job", "concurren", "core",
                                        "cpu", "pool", "parallel"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasestr(name, words[i]))
            return true;
    return false;
}

/* By its name, or because as many threads have marked iterations as its value says. */
static bool counts_workers(const struct series *s)
{
    bool seen = true;
    for (size_t i = 0; i < s->count; i++) {
        if (isnan(value_of(s, i)))
            return false;
        seen &= median_of(s, i, KP_AB_WORKERS) == value_of(s, i);
    }
    return s->count > 1 &&
           (seen || sounds_like_workers(
                        first_sweep(&s->comparison->configurations[s->members[0]])->name));
}

static void make_series(const struct kp_ab_comparison *c, const struct kp_ab_row *rows, size_t first,
                        struct series *s)
{
    *s = (struct series){.comparison = c, .rows = rows};
    s->members = kp_alloc(c->configuration_count * sizeof *s->members);
    s->points = kp_alloc(c->configuration_count * sizeof *s->points);
    for (size_t i = first; i < c->configuration_count; i++)
        if (is_same_series(&c->configurations[first], &c->configurations[i]))
            s->members[s->count++] = i;
    s->counts_workers = counts_workers(s);
    for (size_t i = 0; i < s->count; i++)
        s->points[i] = (struct kp_scaling_point){value_of(s, i), throughput_of(s, i)};
}

/* The ratio to the first member, of throughput or of inverse time. */
static struct kp_estimate speed_up_of(const struct series *s, size_t member)
{
    const struct kp_ab_comparison *c = s->comparison;
    bool marked = !isnan(median_of(s, member, KP_AB_THROUGHPUT));
    enum kp_ab_figure figure = marked ? KP_AB_THROUGHPUT : KP_AB_WALL;
    double *own = kp_alloc((c->run_count + 1) * sizeof *own);
    double *first = kp_alloc((c->run_count + 1) * sizeof *first);
    size_t own_count = kp_ab_values(c, s->members[member], figure, own);
    size_t first_count = kp_ab_values(c, s->members[0], figure, first);
    struct kp_estimate ratio = marked ? kp_bootstrap_ratio(own, own_count, first, first_count)
                                      : kp_bootstrap_ratio(first, first_count, own, own_count);
    free(own);
    free(first);
    return ratio;
}

/* What the jobs of the first member would allow with the workers of this one. */
static double bound_of(const struct series *s, size_t member)
{
    double total = median_of(s, 0, KP_AB_JOB_TOTAL), longest = median_of(s, 0, KP_AB_JOB_LONGEST);
    double more = value_of(s, member) / value_of(s, 0);
    if (!s->counts_workers || !(longest > 0) || value_of(s, 0) != 1)
        return NAN;
    return fmin(more, total / longest);
}

static double success_of(const struct kp_ab_row *row)
{
    double all = row->figures[KP_AB_ITERATIONS].value, failed = row->figures[KP_AB_FAILED].value;
    double runs = (double)(row->good_runs + row->failed_runs);
    double good = runs > 0 ? (double)row->good_runs / runs : NAN;
    return all > 0 && failed > 0 ? good * (1 - failed / all) : good;
}

static void emit_member(const struct series *s, size_t member, struct kp_emitter *out)
{
    size_t index = s->members[member];
    const struct kp_ab_row *row = &s->rows[index];
    const struct kp_estimate *f = row->figures;
    struct kp_estimate speed_up = speed_up_of(s, member);
    double bound = bound_of(s, member);
    char rate[KP_FORMAT_BYTES] = "-", speed[KP_FORMAT_BYTES], most[KP_FORMAT_BYTES] = "-";
    if (!isnan(throughput_of(s, member)))
        snprintf(rate, sizeof rate, "%.3g", throughput_of(s, member));
    if (member == 0)
        strcpy(speed, "1");
    else
        kp_ab_ratio_text(speed, &speed_up);
    if (!isnan(bound))
        snprintf(most, sizeof most, "%.2fx", bound);
    struct kp_value values[COLUMNS] = {
        kp_text(s->comparison->configurations[index].name),
        kp_whole((int64_t)row->good_runs),
        kp_whole((int64_t)row->failed_runs),
        kp_ab_number(success_of(row)),
        kp_ab_estimate(f[KP_AB_THROUGHPUT]),
        kp_text(rate),
        kp_ab_estimate(f[KP_AB_WALL]),
        kp_ab_number(f[KP_AB_TIME_P50].value),
        kp_ab_number(f[KP_AB_TIME_P95].value),
        kp_ab_number(f[KP_AB_TIME_P99].value),
        kp_ab_estimate(speed_up),
        kp_text(speed),
        s->counts_workers ? kp_ab_number(kp_efficiency(&s->points[0], &s->points[member]))
                          : kp_unknown(),
        kp_ab_number(bound),
        kp_text(most),
        kp_ab_number(f[KP_AB_WORKERS].value),
        kp_ab_estimate(f[KP_AB_PEAK_RSS]),
        kp_ab_number(f[KP_AB_PEAK_RSS].value),
        kp_ab_estimate(f[KP_AB_CPU]),
    };
    kp_emit_row(out, values);
}

/* Conclusions of one series. */
struct scaling {
    double serial, limit, longest_s, total_s, bound, memory_per_worker, memory_base;
};

static struct scaling conclude(const struct series *s)
{
    double *workers = kp_alloc(s->count * sizeof *workers);
    double *memory = kp_alloc(s->count * sizeof *memory);
    struct scaling scaling = {.serial = kp_amdahl_serial(s->points, s->count)};
    for (size_t i = 0; i < s->count; i++) {
        workers[i] = value_of(s, i);
        memory[i] = median_of(s, i, KP_AB_PEAK_RSS);
    }
    struct kp_line line = kp_line_fit(workers, memory, s->count);
    scaling.limit = kp_amdahl_limit(scaling.serial);
    scaling.memory_per_worker = line.slope;
    scaling.memory_base = line.start;
    scaling.longest_s = median_of(s, 0, KP_AB_JOB_LONGEST);
    scaling.total_s = median_of(s, 0, KP_AB_JOB_TOTAL);
    scaling.bound = value_of(s, 0) == 1 ? scaling.total_s / scaling.longest_s : NAN;
    free(workers);
    free(memory);
    return scaling;
}

/* What the members have in common: their name without the first sweep, "" when there is no more. */
static void name_series(const struct series *s, char *out, size_t bytes)
{
    const struct kp_ab_configuration *first = &s->comparison->configurations[s->members[0]];
    const struct kp_ab_setting *swept = first_sweep(first);
    char piece[512];
    snprintf(piece, sizeof piece, "%s=%s", swept->name, swept->value);
    const char *at = strstr(first->name, piece);
    const char *rest = at ? at + strlen(piece) : "";
    int before = at ? (int)(at - first->name) : 0;
    snprintf(out, bytes, "%.*s%s", before, first->name, rest + (*rest == ' '));
    size_t length = strlen(out);
    if (length > 0 && out[length - 1] == ' ')
        out[length - 1] = '\0';
}

static void tell_scaling(const struct series *s, const struct scaling *x, struct kp_emitter *out)
{
    char longest[KP_FORMAT_BYTES], total[KP_FORMAT_BYTES], base[KP_FORMAT_BYTES],
        worker[KP_FORMAT_BYTES], series[256];
    const char *name = first_sweep(&s->comparison->configurations[s->members[0]])->name;
    name_series(s, series, sizeof series);
    if (*series)
        kp_emit_line(out, 0, "with %s:", series);
    if (x->serial > RETROGRADE)
        kp_emit_line(out, 2, "%s: more of it makes it slower", name);
    else if (!isnan(x->serial))
        kp_emit_line(out, 2, "%s: %.0f %% of the work is serial (Amdahl), so no number of them "
                             "makes it more than %.3gx as fast", name, 100 * fmax(0, x->serial),
                     x->limit);
    if (!isnan(x->bound))
        kp_emit_line(out, 2, "the longest job takes %s of %s: no more than %.2fx with these jobs",
                     kp_format_seconds(longest, x->longest_s), kp_format_seconds(total, x->total_s),
                     x->bound);
    if (!isnan(x->memory_per_worker))
        kp_emit_line(out, 2, "memory: %s and %s more for each", kp_format_size(base, x->memory_base),
                     kp_format_size(worker, x->memory_per_worker));
}

static struct kp_value if_finite(double number)
{
    return isfinite(number) ? kp_amount(number) : kp_unknown();
}

static const struct kp_column scaling_columns[] = {
    {"first", NULL, KP_TYPE_TEXT},
    {"variable", NULL, KP_TYPE_TEXT},
    {"serial_fraction", NULL, KP_TYPE_SHARE},
    {"limit", NULL, KP_TYPE_COUNT},
    {"longest_job_s", NULL, KP_TYPE_SECONDS},
    {"jobs_s", NULL, KP_TYPE_SECONDS},
    {"job_bound", NULL, KP_TYPE_COUNT},
    {"memory_base", NULL, KP_TYPE_BYTES},
    {"memory_per_worker", NULL, KP_TYPE_BYTES},
};

static void emit_scaling(const struct series *s, struct kp_emitter *out)
{
    struct scaling x = conclude(s);
    const struct kp_ab_configuration *first = &s->comparison->configurations[s->members[0]];
    if (!s->counts_workers)
        return;
    tell_scaling(s, &x, out);
    kp_emit_row(out, (struct kp_value[]){
                         kp_text(first->name), kp_text(first_sweep(first)->name),
                         if_finite(x.serial), if_finite(x.limit), if_finite(x.longest_s),
                         if_finite(x.total_s), if_finite(x.bound), if_finite(x.memory_base),
                         if_finite(x.memory_per_worker)});
}

static void emit_members(const struct series *s, struct kp_emitter *out)
{
    for (size_t i = 0; i < s->count; i++)
        emit_member(s, i, out);
}

static void emit_times(const struct series *s, struct kp_emitter *out)
{
    for (size_t i = 0; i < s->count; i++)
        kp_emit_row(out, (struct kp_value[]){
                             kp_text(s->comparison->configurations[s->members[i]].name),
                             kp_ab_number(median_of(s, i, KP_AB_TIME_P50)),
                             kp_ab_number(median_of(s, i, KP_AB_TIME_P95)),
                             kp_ab_number(median_of(s, i, KP_AB_TIME_P99))});
}

static void emit_next(const struct kp_ab_session *session, bool is_marked, struct kp_emitter *out)
{
    struct kp_ab_configuration none = {.name = NULL};
    char *line = kp_ab_command_line(&none, session->command);
    kp_emit_line(out, 0, "%s", "");
    if (is_marked)
        kp_emit_line(out, 2, "next: kprof-run -o run.db -- %s; kprof-report run.db", line);
    else
        kp_emit_line(out, 2, "next: mark the jobs (man 3 kprof), and their times, their success and "
                             "what they bound can be told too");
    free(line);
}

static bool begins_series(const struct kp_ab_comparison *c, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (is_same_series(&c->configurations[i], &c->configurations[index]))
            return false;
    return true;
}

/* Hands each series to `emit`. */
static void for_each_series(const struct kp_ab_comparison *c, const struct kp_ab_row *rows,
                            struct kp_emitter *out,
                            void (*emit)(const struct series *s, struct kp_emitter *out))
{
    for (size_t first = 0; first < c->configuration_count; first++) {
        struct series s;
        if (!begins_series(c, first))
            continue;
        make_series(c, rows, first, &s);
        emit(&s, out);
        free(s.members);
        free(s.points);
    }
}

void kp_ab_report_sweep(const struct kp_ab_session *session, struct kp_emitter *out)
{
    const struct kp_ab_comparison *c = &session->comparison;
    struct kp_ab_row *rows = kp_ab_rows(c);
    kp_ab_report_head(session, rows, out);
    kp_emit_table(out, "sweep", columns, COLUMNS);
    for_each_series(c, rows, out, emit_members);
    kp_emit_table_end(out);
    bool is_marked = kp_ab_time_figure(c) != KP_AB_WALL;
    if (is_marked) {
        kp_emit_line(out, 0, "%s", "");
        kp_emit_table(out, "times", time_columns, sizeof time_columns / sizeof *time_columns);
        for_each_series(c, rows, out, emit_times);
        kp_emit_table_end(out);
    }
    kp_emit_line(out, 0, "%s", "");
    kp_emit_table(out, "scaling", scaling_columns, sizeof scaling_columns / sizeof *scaling_columns);
    for_each_series(c, rows, out, emit_scaling);
    kp_emit_table_end(out);
    emit_next(session, is_marked, out);
    free(rows);
}
