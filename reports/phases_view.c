/* SPDX-License-Identifier: MIT */
/*
 * What a program did before it did its work. A text is about one process, the first that has
 * phases, or the one that --process names; JSON has them all. The phases of a process add up to its
 * wall time, which is shown as their sum, so that a reader can check. One thread.
 */
#include "phases_view.h"
#include "format.h"

#include <stdio.h>
#include <string.h>

#define LABEL_COLUMNS 13
#define LINE_COLUMNS 120
#define IMPORTS_SHOWN 5

struct sums { /* of the process that the text is about */
    int64_t process_id, pid;
    double startup_s, imports_s, cold_s, warm_s, wall_s, allocated_bytes;
    int64_t iterations;
};

static void add_phase(struct sums *sums, const struct kp_part_of_life *p)
{
    sums->wall_s += p->seconds;
    sums->allocated_bytes += p->allocated_bytes;
    if (strcmp(p->name, "start-up") == 0)
        sums->startup_s += p->seconds;
    else if (strcmp(p->name, "imports") == 0)
        sums->imports_s += p->seconds;
    else if (strcmp(p->name, "cold") == 0)
        sums->cold_s += p->seconds;
    else if (strcmp(p->name, "warm") == 0)
        sums->warm_s += p->seconds;
}

/* The main process if it imported anything, else the one that imported longest: what started it was
 * a launcher. */
static int64_t process_of_interest(const struct kp_report_context *context,
                                   const struct kp_phase_list *phases)
{
    const struct kp_process *main = kp_process_main(&context->processes);
    double most = 0;
    int64_t id = phases->phase_count > 0 ? phases->phases[0].process_id : 0;
    for (size_t i = 0; i < phases->phase_count; i++) {
        const struct kp_part_of_life *p = &phases->phases[i];
        if (strcmp(p->name, "imports") != 0 || p->seconds <= most)
            continue;
        id = p->process_id;
        if (main && id == main->id)
            break;
        most = p->seconds;
    }
    return id;
}

static struct sums sum_phases(const struct kp_report_context *context,
                              const struct kp_phase_list *phases)
{
    struct sums sums = {.process_id = process_of_interest(context, phases)};
    for (size_t i = 0; i < phases->phase_count; i++) {
        if (phases->phases[i].process_id != sums.process_id)
            continue;
        sums.pid = phases->phases[i].pid;
        add_phase(&sums, &phases->phases[i]);
    }
    for (size_t i = 0; i < phases->iteration_count; i++)
        if (phases->iterations[i].process_id == sums.process_id)
            sums.iterations = phases->iterations[i].count;
    return sums;
}

/* "61", "0.3": in the unit of the sum, with no more digits than that deserves. */
static const char *bare(char *out, double seconds, bool milliseconds)
{
    double figure = milliseconds ? seconds * 1000 : seconds;
    if (milliseconds)
        snprintf(out, KP_FORMAT_BYTES, figure >= 9.95 ? "%.0f" : figure >= 0.095 ? "%.1f" : "%.2g",
                 figure);
    else
        snprintf(out, KP_FORMAT_BYTES, figure >= 0.0995 ? "%.3g" : "%.2g", figure);
    return out;
}

void kp_phases_line(struct kp_report_context *context, const struct kp_phase_list *phases)
{
    struct sums s = sum_phases(context, phases);
    double before = s.startup_s + s.imports_s + s.cold_s;
    bool first = s.iterations > 0 && s.cold_s > 0, ms = before < 0.9995;
    char startup[KP_FORMAT_BYTES], imports[KP_FORMAT_BYTES], cold[KP_FORMAT_BYTES],
        warm[KP_FORMAT_BYTES], total[KP_FORMAT_BYTES], line[512];
    if (s.startup_s + s.imports_s <= 0)
        return;
    int used = snprintf(line, sizeof line, "%-*s%s %s %s: interpreter %s, imports %s",
                        LABEL_COLUMNS, "START-UP", bare(total, before, ms), ms ? "ms" : "s",
                        first ? "of the first call" : "before the program itself",
                        bare(startup, s.startup_s, ms), bare(imports, s.imports_s, ms));
    if (first)
        used += snprintf(line + used, sizeof line - (size_t)used, ", cold %s",
                         bare(cold, s.cold_s, ms));
    if (first && s.iterations > 1)
        used += snprintf(line + used, sizeof line - (size_t)used, ", then %s warm",
                         bare(warm, s.warm_s / (double)(s.iterations - 1), ms));
    size_t width = kp_emitter_width(context->out), room = sizeof line - (size_t)used;
    size_t command = strlen("kprof-report  timeline") + strlen(context->database);
    if (width > LINE_COLUMNS)
        width = LINE_COLUMNS;
    if (width == 0 || (size_t)used + 2 + command <= width)
        snprintf(line + used, room, "%*skprof-report %.200s timeline",
                 width > 0 ? (int)(width - command - (size_t)used) : 4, "", context->database);
    kp_emit_line(context->out, LABEL_COLUMNS, "%s", line);
}

static void describe(char *out, size_t out_bytes, const struct kp_phase_list *phases,
                     const struct kp_part_of_life *phase, const struct sums *sums)
{
    char each[KP_FORMAT_BYTES];
    size_t modules = 0;
    *out = '\0';
    for (size_t i = 0; i < phases->import_count; i++)
        modules += phases->imports[i].process_id == sums->process_id;
    if (strcmp(phase->name, "start-up") == 0)
        snprintf(out, out_bytes, "the interpreter itself");
    else if (strcmp(phase->name, "imports") == 0)
        kp_format_plural(out, (int64_t)modules, "module", "");
    else if (strcmp(phase->name, "cold") == 0)
        snprintf(out, out_bytes, "the first iteration");
    else if (strcmp(phase->name, "warm") == 0 && sums->iterations > 1) {
        kp_format_plural(out, sums->iterations - 1, "iteration", "of ");
        size_t used = strlen(out);
        snprintf(out + used, out_bytes - used, "%s",
                 kp_format_seconds(each, phase->seconds / (double)(sums->iterations - 1)));
    } else if (strcmp(phase->name, "other") == 0)
        snprintf(out, out_bytes, "between these");
}

static const struct kp_column phase_columns[] = {
    {"process", NULL, KP_TYPE_WHOLE},
    {"pid", NULL, KP_TYPE_WHOLE},
    {"phase", "phase", KP_TYPE_TEXT},
    {"seconds", "time", KP_TYPE_SECONDS},
    {NULL, "share", KP_TYPE_SHARE},
    {"allocated", "allocated", KP_TYPE_BYTES},
    {"count", NULL, KP_TYPE_COUNT},
    {NULL, "", KP_TYPE_TEXT},
};
#define PHASE_COLUMNS (sizeof phase_columns / sizeof *phase_columns)

static void phases_table(struct kp_report_context *context, const struct kp_phase_list *phases,
                         const struct sums *sums)
{
    bool text = kp_emitter_is_text(context->out);
    kp_emit_table(context->out, "phases", phase_columns, PHASE_COLUMNS);
    for (size_t i = 0; i < phases->phase_count; i++) {
        const struct kp_part_of_life *p = &phases->phases[i];
        char what[256];
        if (text && p->process_id != sums->process_id)
            continue;
        describe(what, sizeof what, phases, p, sums);
        struct kp_value row[PHASE_COLUMNS] = {
            kp_whole(p->process_id),
            kp_whole(p->pid),
            kp_text(p->name),
            kp_amount(p->seconds),
            sums->wall_s > 0 ? kp_amount(p->seconds / sums->wall_s) : kp_unknown(),
            kp_amount(p->allocated_bytes),
            kp_amount(p->allocated_count),
            kp_text(what),
        };
        kp_emit_row(context->out, row);
    }
    if (text && phases->phase_count > 0) {
        struct kp_value row[PHASE_COLUMNS] = {
            kp_unknown(), kp_unknown(),    kp_text("wall time"),
            kp_amount(sums->wall_s),       kp_amount(sums->wall_s > 0),
            kp_amount(sums->allocated_bytes), kp_unknown(), kp_text("from start to end"),
        };
        kp_emit_row(context->out, row);
    }
    kp_emit_table_end(context->out);
}

static const struct kp_column import_columns[] = {
    {"process", NULL, KP_TYPE_WHOLE},
    {"pid", NULL, KP_TYPE_WHOLE},
    {"seconds", "import", KP_TYPE_SECONDS},
    {"allocated", "allocated", KP_TYPE_BYTES},
    {"count", NULL, KP_TYPE_COUNT},
    {"module", "module, without what it imports itself", KP_TYPE_TEXT},
};
#define IMPORT_COLUMNS (sizeof import_columns / sizeof *import_columns)

static void imports_table(struct kp_report_context *context, const struct kp_phase_list *phases,
                          const struct sums *sums)
{
    bool text = kp_emitter_is_text(context->out);
    size_t shown = 0;
    kp_emit_table(context->out, "imports", import_columns, IMPORT_COLUMNS);
    for (size_t i = 0; i < phases->import_count; i++) {
        const struct kp_part_of_life *p = &phases->imports[i];
        if (text && (p->process_id != sums->process_id || shown++ >= IMPORTS_SHOWN))
            continue;
        struct kp_value row[IMPORT_COLUMNS] = {
            kp_whole(p->process_id),       kp_whole(p->pid),
            kp_amount(p->seconds),         kp_amount(p->allocated_bytes),
            kp_amount(p->allocated_count), kp_text(p->name),
        };
        kp_emit_row(context->out, row);
    }
    kp_emit_table_end(context->out);
    if (shown > 0)
        kp_emit_line(context->out, 0, "%s", "");
}

/* {"process", "count", "seconds"}: what was marked. */
static void iterations_table(struct kp_report_context *context, const struct kp_phase_list *phases)
{
    static const struct kp_column columns[] = {
        {"process", NULL, KP_TYPE_WHOLE},
        {"count", NULL, KP_TYPE_WHOLE},
        {"first_s", NULL, KP_TYPE_SECONDS},
        {"last_s", NULL, KP_TYPE_SECONDS},
    };
    kp_emit_table(context->out, "iterations", columns, 4);
    for (size_t i = 0; i < phases->iteration_count; i++) {
        const struct kp_iterations *n = &phases->iterations[i];
        struct kp_value row[] = {kp_whole(n->process_id), kp_whole(n->count),
                                 kp_amount(n->first_s), kp_amount(n->last_s)};
        kp_emit_row(context->out, row);
    }
    kp_emit_table_end(context->out);
}

void kp_phases_tables(struct kp_report_context *context, const struct kp_phase_list *phases)
{
    struct sums sums = sum_phases(context, phases);
    size_t others = kp_process_count(&context->processes) - 1;
    if (phases->phase_count > 0 && others > 0)
        kp_emit_line(context->out, 2, "process %lld; --process PID shows another",
                     (long long)sums.pid);
    phases_table(context, phases, &sums);
    if (phases->phase_count > 0)
        kp_emit_line(context->out, 0, "%s", "");
    imports_table(context, phases, &sums);
    iterations_table(context, phases);
}
