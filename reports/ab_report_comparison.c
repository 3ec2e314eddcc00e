/* SPDX-License-Identifier: MIT */
/*
 * The comparison of allocators: ratios to the baseline first, as they decide; what else was measured
 * in a second table; then the verdict with the line to type. One thread.
 */
#include "ab_report.h"
#include "ab_plan.h"
#include "format.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct kp_column columns[] = {
    {"name", "", KP_TYPE_TEXT},
    {"env", NULL, KP_TYPE_LIST},
    {"recorded", NULL, KP_TYPE_BOOL},
    {"runs", "runs", KP_TYPE_WHOLE},
    {"failed", NULL, KP_TYPE_WHOLE},
    {NULL, "peak RSS", KP_TYPE_TEXT},
    {NULL, "steady RSS", KP_TYPE_TEXT},
    {NULL, "time/iteration", KP_TYPE_TEXT},
    {"wall", NULL, KP_TYPE_COUNT_ESTIMATE},
    {"iteration.mean", NULL, KP_TYPE_COUNT_ESTIMATE},
    {"iteration.p50", NULL, KP_TYPE_SECONDS},
    {"iteration.p95", NULL, KP_TYPE_SECONDS},
    {"iteration.p99", NULL, KP_TYPE_SECONDS},
    {"iteration.count", NULL, KP_TYPE_COUNT},
    {"cpu", NULL, KP_TYPE_COUNT_ESTIMATE},
    {"peak_rss", NULL, KP_TYPE_BYTES_ESTIMATE},
    {"steady_rss", NULL, KP_TYPE_BYTES_ESTIMATE},
    {"idle_rss", NULL, KP_TYPE_BYTES_ESTIMATE},
    {"minor_faults", NULL, KP_TYPE_COUNT_ESTIMATE},
    {"slopes.rss", NULL, KP_TYPE_COUNT_ESTIMATE},
    {"slopes.rss_per_s", NULL, KP_TYPE_COUNT_ESTIMATE},
    {"slopes.live", NULL, KP_TYPE_COUNT_ESTIMATE},
    {"ratio.wall", NULL, KP_TYPE_COUNT_ESTIMATE},
    {"ratio.iteration", NULL, KP_TYPE_COUNT_ESTIMATE},
    {"ratio.cpu", NULL, KP_TYPE_COUNT_ESTIMATE},
    {"ratio.peak_rss", NULL, KP_TYPE_COUNT_ESTIMATE},
    {"ratio.steady_rss", NULL, KP_TYPE_COUNT_ESTIMATE},
    {"ratio.idle_rss", NULL, KP_TYPE_COUNT_ESTIMATE},
};
#define COLUMNS (sizeof columns / sizeof *columns)
#define TIME_COLUMN 7

struct cells {
    char peak[KP_FORMAT_BYTES], steady[KP_FORMAT_BYTES], time[KP_FORMAT_BYTES];
};

/* The baseline shows what it has, the others how they compare. */
static void fill_cells(const struct kp_ab_row *row, enum kp_ab_figure time, bool is_baseline,
                       struct cells *cells)
{
    if (!is_baseline) {
        kp_ab_ratio_text(cells->peak, &row->ratios[KP_AB_PEAK_RSS]);
        kp_ab_ratio_text(cells->steady, &row->ratios[KP_AB_STEADY_RSS]);
        kp_ab_ratio_text(cells->time, &row->ratios[time]);
        return;
    }
    strcpy(cells->peak, "-");
    strcpy(cells->steady, "-");
    strcpy(cells->time, "-");
    if (!isnan(row->figures[KP_AB_PEAK_RSS].value)) /* a millisecond may be too short to look */
        kp_format_size(cells->peak, row->figures[KP_AB_PEAK_RSS].value);
    if (!isnan(row->figures[KP_AB_STEADY_RSS].value))
        kp_format_size(cells->steady, row->figures[KP_AB_STEADY_RSS].value);
    if (!isnan(row->figures[time].value))
        kp_format_seconds(cells->time, row->figures[time].value);
}

static void emit_configuration(const struct kp_ab_comparison *c, size_t i,
                               const struct kp_ab_row *row, struct kp_emitter *out)
{
    const struct kp_ab_configuration *configuration = &c->configurations[i];
    const struct kp_estimate *f = row->figures, *r = row->ratios;
    struct cells cells;
    char *environment = kp_ab_environment_json(configuration);
    fill_cells(row, kp_ab_time_figure(c), i == kp_ab_baseline(c, i), &cells);
    if (configuration->is_recorded) /* what the profiler does to memory is of no interest here */
        strcpy(cells.time, kp_ab_ratio_text(cells.steady, &r[KP_AB_WALL]));
    struct kp_value values[COLUMNS] = {
        kp_text(configuration->name),
        kp_text(environment ? environment : "{}"),
        kp_whole(configuration->is_recorded),
        kp_whole((int64_t)row->good_runs),
        kp_whole((int64_t)row->failed_runs),
        kp_text(configuration->is_recorded ? "" : cells.peak),
        kp_text(configuration->is_recorded ? "" : cells.steady),
        kp_text(cells.time),
        kp_ab_estimate(f[KP_AB_WALL]),
        kp_ab_estimate(f[KP_AB_TIME]),
        kp_ab_number(f[KP_AB_TIME_P50].value),
        kp_ab_number(f[KP_AB_TIME_P95].value),
        kp_ab_number(f[KP_AB_TIME_P99].value),
        kp_ab_number(f[KP_AB_ITERATIONS].value),
        kp_ab_estimate(f[KP_AB_CPU]),
        kp_ab_estimate(f[KP_AB_PEAK_RSS]),
        kp_ab_estimate(f[KP_AB_STEADY_RSS]),
        kp_ab_estimate(f[KP_AB_IDLE_RSS]),
        kp_ab_estimate(f[KP_AB_MINOR_FAULTS]),
        kp_ab_estimate(f[KP_AB_RSS_SLOPE]),
        kp_ab_estimate(f[KP_AB_RSS_SLOPE_S]),
        kp_ab_estimate(f[KP_AB_LIVE_SLOPE]),
        kp_ab_estimate(r[KP_AB_WALL]),
        kp_ab_estimate(r[KP_AB_TIME]),
        kp_ab_estimate(r[KP_AB_CPU]),
        kp_ab_estimate(r[KP_AB_PEAK_RSS]),
        kp_ab_estimate(r[KP_AB_STEADY_RSS]),
        kp_ab_estimate(r[KP_AB_IDLE_RSS]),
    };
    kp_emit_row(out, values);
    free(environment);
}

/* "+1.41 KB", where it surely grows. */
static const char *growth(char *out, const struct kp_estimate *slope)
{
    strcpy(out, isnan(slope->value) ? "-" : "0");
    if (slope->low >= 1) {
        *out = '+';
        kp_format_size(out + 1, slope->value);
    }
    return out;
}

static const struct {
    enum kp_ab_figure figure;
    const char *title;
    enum kp_type type;
} details[] = {
    {KP_AB_WALL, "wall", KP_TYPE_SECONDS},     {KP_AB_CPU, "CPU", KP_TYPE_SECONDS},
    {KP_AB_TIME_P50, "p50", KP_TYPE_SECONDS},  {KP_AB_TIME_P99, "p99", KP_TYPE_SECONDS},
    {KP_AB_PEAK_RSS, "peak", KP_TYPE_BYTES},
    {KP_AB_STEADY_RSS, "steady", KP_TYPE_BYTES}, {KP_AB_IDLE_RSS, "idle", KP_TYPE_BYTES},
    {KP_AB_MINOR_FAULTS, "faults", KP_TYPE_COUNT}, {KP_AB_RSS_SLOPE, "RSS/iter", KP_TYPE_TEXT},
};
enum { DETAILS = sizeof details / sizeof *details };

/* A slope is worth a column where something surely grows. */
static bool is_told(const struct kp_ab_comparison *c, const struct kp_ab_row *rows, int detail)
{
    for (size_t i = 0; i < c->configuration_count; i++) {
        const struct kp_estimate *e = &rows[i].figures[details[detail].figure];
        if (details[detail].figure == KP_AB_RSS_SLOPE ? e->low >= 1 : !isnan(e->value))
            return true;
    }
    return false;
}

/* What does not decide, medians. Text only: JSON has it with the configuration. */
static void emit_details(const struct kp_ab_comparison *c, const struct kp_ab_row *rows,
                         struct kp_emitter *out)
{
    struct kp_column shown[DETAILS + 1] = {{NULL, "medians", KP_TYPE_TEXT}};
    int which[DETAILS], count = 0;
    for (int k = 0; k < DETAILS; k++)
        if (is_told(c, rows, k)) {
            which[count++] = k;
            shown[count] = (struct kp_column){NULL, details[k].title, details[k].type};
        }
    kp_emit_line(out, 0, "%s", "");
    kp_emit_table(out, "details", shown, (size_t)count + 1);
    for (size_t i = 0; i < c->configuration_count; i++) {
        struct kp_value values[DETAILS + 1] = {kp_text(c->configurations[i].name)};
        char slope[KP_FORMAT_BYTES];
        for (int k = 0; k < count; k++) {
            const struct kp_estimate *e = &rows[i].figures[details[which[k]].figure];
            values[k + 1] = details[which[k]].type == KP_TYPE_TEXT ? kp_text(growth(slope, e))
                                                                   : kp_ab_number(e->value);
        }
        kp_emit_row(out, values);
    }
    kp_emit_table_end(out);
}

static const char *percent(char *out, double ratio, const char *less, const char *more)
{
    double change = 100 * fabs(1 - ratio);
    snprintf(out, KP_FORMAT_BYTES, "%.0f %% %s", change, ratio < 1 ? less : more);
    return out;
}

/* Why: one line, the same in text and in JSON. */
static void give_reason(const struct kp_ab_comparison *c, const struct kp_ab_row *rows,
                        const struct kp_ab_verdict *verdict, char *out, size_t bytes)
{
    enum kp_ab_figure time = kp_ab_time_figure(c);
    const struct kp_ab_row *row = &rows[verdict->choice];
    char memory[KP_FORMAT_BYTES], speed[KP_FORMAT_BYTES];
    if (verdict->kind == KP_AB_SWITCH)
        snprintf(out, bytes, "%s steady memory (at least %.0f %%), %s",
                 percent(memory, row->ratios[KP_AB_STEADY_RSS].value, "less", "more"),
                 100 * (1 - row->ratios[KP_AB_STEADY_RSS].high),
                 fabs(1 - row->ratios[time].value) < 0.03
                     ? "at the same speed"
                     : percent(speed, row->ratios[time].value, "less time", "more time"));
    else if (verdict->kind == KP_AB_TOO_FEW)
        snprintf(out, bytes, "too few good runs: at least %d of each are needed",
                 KP_AB_RUNS_NEEDED);
    else if (isnan(rows[0].figures[KP_AB_STEADY_RSS].value))
        snprintf(out, bytes, "a run is over before its memory can be looked at (every 5 ms)");
    else
        snprintf(out, bytes, "no configuration is sure to take less than %.0f %% of the memory and "
                             "no more than %.0f %% of the time",
                 100 * KP_AB_MEMORY_BELOW, 100 * KP_AB_TIME_BELOW);
}

/* Sure of its memory but not of its time: more runs may decide. */
static void emit_nearest(const struct kp_ab_comparison *c, const struct kp_ab_row *rows,
                         struct kp_emitter *out)
{
    enum kp_ab_figure time = kp_ab_time_figure(c);
    size_t nearest = SIZE_MAX;
    char memory[KP_FORMAT_BYTES], ratio[KP_FORMAT_BYTES];
    for (size_t i = 0; i < c->configuration_count; i++)
        if (rows[i].ratios[KP_AB_STEADY_RSS].high < KP_AB_MEMORY_BELOW &&
            rows[i].ratios[time].value < KP_AB_TIME_BELOW &&
            (nearest == SIZE_MAX || rows[i].ratios[KP_AB_STEADY_RSS].value <
                                        rows[nearest].ratios[KP_AB_STEADY_RSS].value))
            nearest = i;
    if (nearest == SIZE_MAX || c->configurations[nearest].is_recorded)
        return;
    kp_emit_line(out, 2, "  %s takes %s memory, but its time is not sure: %s; try more runs: -n %zu",
                 c->configurations[nearest].name,
                 percent(memory, rows[nearest].ratios[KP_AB_STEADY_RSS].value, "less", "more"),
                 kp_ab_ratio_text(ratio, &rows[nearest].ratios[time]), 3 * rows[nearest].good_runs);
}

static void emit_leak(const struct kp_ab_verdict *verdict, struct kp_emitter *out)
{
    char size[KP_FORMAT_BYTES];
    if (verdict->is_leak)
        kp_emit_line(out, 2, "No allocator will fix this: it is a leak. Live memory grows by %s per "
                             "iteration.",
                     kp_format_size(size, verdict->live_slope.value));
}

static void emit_verdict(const struct kp_ab_session *session, const struct kp_ab_row *rows,
                         struct kp_emitter *out)
{
    static const char *const kinds[] = {"switch", "no evidence for a switch",
                                        "too few good runs"};
    const struct kp_ab_comparison *c = &session->comparison;
    struct kp_ab_verdict verdict = kp_ab_judge(c, rows);
    const struct kp_ab_configuration *choice = &c->configurations[verdict.choice];
    char reason[256], *line = kp_ab_command_line(choice, session->command),
                      *lines = kp_ab_command_line(choice, NULL);
    give_reason(c, rows, &verdict, reason, sizeof reason);
    kp_emit_line(out, 0, "%s", "");
    emit_leak(&verdict, out);
    if (verdict.kind == KP_AB_SWITCH) {
        kp_emit_line(out, 2, "Switch to: %s", line);
        kp_emit_line(out, 2, "  %s", reason);
    } else {
        kp_emit_line(out, 2, "%s: %s", verdict.kind == KP_AB_TOO_FEW ? "No verdict"
                                                                    : "No evidence for a switch",
                     reason);
        if (verdict.kind == KP_AB_NO_EVIDENCE)
            emit_nearest(c, rows, out);
    }
    kp_emit_object(out, "verdict");
    kp_emit_value(out, "choice", KP_TYPE_TEXT, kp_text(choice->name));
    kp_emit_value(out, "kind", KP_TYPE_TEXT, kp_text(kinds[verdict.kind]));
    kp_emit_value(out, "reason", KP_TYPE_TEXT, kp_text(reason));
    kp_emit_value(out, "env", KP_TYPE_TEXT, kp_text(lines ? lines : ""));
    kp_emit_value(out, "leak", KP_TYPE_BOOL, kp_whole(verdict.is_leak));
    kp_emit_value(out, "live_slope", KP_TYPE_COUNT_ESTIMATE, kp_ab_estimate(verdict.live_slope));
    kp_emit_object_end(out);
    free(line);
    free(lines);
}

static void emit_probe(const struct kp_ab_comparison *c, const struct kp_ab_row *rows,
                       struct kp_emitter *out)
{
    struct kp_estimate effect = kp_ab_probe_effect(c, rows);
    char text[KP_FORMAT_BYTES];
    if (!isnan(effect.value))
        kp_emit_line(out, 2, "with the profiler the program takes %s of the time",
                     kp_ab_ratio_text(text, &effect));
    kp_emit_value(out, "probe_effect", KP_TYPE_COUNT_ESTIMATE, kp_ab_estimate(effect));
}

/* The question that this report leaves open. */
static void emit_next(const struct kp_ab_session *session, const struct kp_ab_row *rows,
                      struct kp_emitter *out)
{
    const struct kp_ab_comparison *c = &session->comparison;
    struct kp_ab_configuration none = {.name = NULL};
    char *line = kp_ab_command_line(&none, session->command);
    bool has_idle = false;
    for (size_t i = 0; i < c->configuration_count; i++)
        has_idle |= !isnan(rows[i].figures[KP_AB_IDLE_RSS].value);
    kp_emit_line(out, 0, "%s", "");
    if (kp_ab_judge(c, rows).is_leak)
        kp_emit_line(out, 2, "next: kprof-run -o leak.db -- %s; kprof-report leak.db leaks", line);
    else if (kp_ab_time_figure(c) == KP_AB_WALL)
        kp_emit_line(out, 2, "next: mark what the program does over and over (man 3 kprof), and time "
                             "per iteration, leaks and idle memory can be told too");
    else if (!has_idle)
        kp_emit_line(out, 2, "next: kprof-ab --idle 20 -- %s   what each gives back at rest", line);
    else
        kp_emit_line(out, 2, "next: kprof-run -o run.db -- %s; kprof-report run.db fragmentation",
                     line);
    free(line);
}

void kp_ab_report_comparison(const struct kp_ab_session *session, struct kp_emitter *out)
{
    const struct kp_ab_comparison *c = &session->comparison;
    struct kp_ab_row *rows = kp_ab_rows(c);
    struct kp_column shown[COLUMNS];
    kp_ab_report_head(session, rows, out);
    memcpy(shown, columns, sizeof shown);
    if (kp_ab_time_figure(c) == KP_AB_WALL)
        shown[TIME_COLUMN].title = "wall time";
    kp_emit_table(out, "configurations", shown, COLUMNS);
    for (size_t i = 0; i < c->configuration_count; i++)
        emit_configuration(c, i, &rows[i], out);
    kp_emit_table_end(out);
    if (kp_emitter_is_text(out))
        emit_details(c, rows, out);
    emit_verdict(session, rows, out);
    emit_probe(c, rows, out);
    emit_next(session, rows, out);
    free(rows);
}
