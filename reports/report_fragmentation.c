/* SPDX-License-Identifier: MIT */
/*
 * kprof-report DB fragmentation: where RSS goes, how full the arenas are, who keeps free memory from
 * being given back, and what would help. Of one process: the one with the highest RSS, or
 * --process. One thread.
 */
#include "format.h"
#include "fragmentation_view.h"
#include "held_view.h"
#include "where.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define BLAME_SHOWN 6
#define BAR_COLUMNS 20
#define WORTH_BYTES 1e6 /* of a setting */

static void name_allocator(struct kp_fragmentation *f)
{
    const char *kind = "";

    for (size_t i = 0; i < f->picture.arena_count && !*kind; i++)
        if (!f->picture.arenas[i].is_python)
            kind = f->picture.arenas[i].kind;
    if (strcmp(kind, "total") == 0) {
        const struct kp_process *p = kp_process_main(&f->context->processes);
        if (p)
            kp_allocator_name(p->allocator, p->allocator_build_id, f->allocator,
                              sizeof f->allocator);
        return;
    }
    snprintf(f->allocator, sizeof f->allocator, "%.*s", (int)strcspn(kind, " "), kind);
}

static void emit_rss(const struct kp_fragmentation *f)
{
    const struct kp_heap_rss *w = &f->picture.where;
    struct kp_emitter *out = f->context->out;
    const struct {
        const char *key;
        double bytes;
    } parts[] = {
        {"live", w->live},
        {"held_malloc", w->held_malloc},
        {"held_python", w->held_python},
        {"opaque", w->opaque},
        {"mapped", w->mapped},
        {"files", w->files},
        {"data", w->data},
        {"shared", w->shared},
        {"stacks", w->stacks},
        {"kprof", w->kprof},
        {"unexplained", w->other},
    };

    kp_emit_object(out, "rss");
    kp_emit_value(out, "total", KP_TYPE_BYTES, kp_amount((double)f->picture.rss));
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        kp_emit_value(out, parts[i].key, KP_TYPE_BYTES, kp_amount(parts[i].bytes));
    kp_emit_object_end(out);
}

static void emit_figures(const struct kp_fragmentation *f)
{
    const struct kp_heap_picture *p = &f->picture;
    struct kp_emitter *out = f->context->out;

    kp_emit_value(out, "allocator", KP_TYPE_TEXT, kp_text(f->allocator));
    kp_emit_object(out, "snapshot");
    kp_emit_value(out, "pid", KP_TYPE_NUMBER, kp_whole(p->pid));
    kp_emit_value(out, "number", KP_TYPE_WHOLE, kp_whole(p->number));
    kp_emit_value(out, "time_s", KP_TYPE_SECONDS, kp_amount(p->time_s));
    kp_emit_value(out, "why", KP_TYPE_TEXT, kp_text(p->why));
    kp_emit_value(out, "cost_s", KP_TYPE_SECONDS, kp_amount(p->cost_s));
    kp_emit_value(out, "partial", KP_TYPE_BOOL, kp_whole(p->partial));
    kp_emit_value(out, "cell_bytes", KP_TYPE_BYTES, kp_amount((double)p->cell_bytes));
    kp_emit_object_end(out);
    emit_rss(f);
    kp_emit_value(out, "in_use", KP_TYPE_BYTES, kp_amount(p->in_use[0] + p->in_use[1]));
    kp_emit_value(out, "held", KP_TYPE_BYTES, kp_amount(p->held[0] + p->held[1]));
    kp_emit_value(out, "held_free", KP_TYPE_BYTES,
                  kp_amount(p->where.held_malloc + p->where.held_python));
    kp_emit_value(out, "within", KP_TYPE_BYTES, kp_amount(kp_heap_doubt(p)));
    kp_emit_value(out, "internal", KP_TYPE_BYTES, kp_amount(kp_heap_internal_bytes(p)));
    kp_emit_value(out, "external", KP_TYPE_SHARE, kp_amount(kp_heap_external(p)));
    kp_emit_value(out, "realised", KP_TYPE_SHARE, kp_amount(kp_heap_realised(p)));
    kp_emit_value(out, "trimmable", KP_TYPE_BYTES, kp_amount(p->trimmable));
}

static const char *step_name(int step)
{
    static const char *const names[] = {"empty",     "below 10 %", "10 to 20 %", "20 to 30 %",
                                        "30 to 40 %", "40 to 50 %", "50 to 60 %", "60 to 70 %",
                                        "70 to 80 %", "80 to 90 %", "90 to 100 %", "full"};

    return names[step];
}

/* In text one line: the shares of resident memory. */
static void occupancy_line(const struct kp_fragmentation *f)
{
    const struct kp_heap_picture *p = &f->picture;
    double sums[4] = {0}, all = 0;
    char share[4][KP_FORMAT_BYTES], cell[KP_FORMAT_BYTES];

    for (int group = 0; group < 2; group++)
        for (int step = 0; step < KP_HEAP_STEPS; step++) {
            double resident = (double)p->steps[group][step].resident;

            sums[step == 0 ? 0 : step == 1 ? 1 : step <= 5 ? 2 : 3] += resident;
            all += resident;
        }
    for (int i = 0; i < 4; i++)
        kp_format_share(share[i], all > 0 ? sums[i] / all : 0);
    if (all > 0)
        kp_emit_line(f->context->out, 2,
                     "%s of %s: %s of what is resident is empty, %s below 10 %% full, %s up to half, "
                     "%s more",
                     p->cell_bytes <= 4096 ? "pages" : "stretches",
                     kp_format_rate(cell, (double)p->cell_bytes), share[0], share[1], share[2],
                     share[3]);
}

static void emit_occupancy(const struct kp_fragmentation *f)
{
    static const struct kp_column columns[] = {
        {"allocator", NULL, KP_TYPE_TEXT}, {"full", NULL, KP_TYPE_TEXT},
        {"cells", NULL, KP_TYPE_WHOLE},    {"resident", NULL, KP_TYPE_BYTES},
        {"used", NULL, KP_TYPE_BYTES},
    };

    occupancy_line(f);
    kp_emit_table(f->context->out, "occupancy", columns, 5);
    for (int group = 0; group < 2; group++)
        for (int step = 0; step < KP_HEAP_STEPS; step++) {
            const struct kp_heap_step *at = &f->picture.steps[group][step];
            struct kp_value row[] = {kp_text(group ? "pymalloc" : f->allocator),
                                     kp_text(step_name(step)), kp_whole(at->cells),
                                     kp_amount((double)at->resident), kp_amount((double)at->used)};
            if (at->cells)
                kp_emit_row(f->context->out, row);
        }
    kp_emit_table_end(f->context->out);
}

/* "(of 48 B, oldest since iteration 3)" */
static void describe_blocks(const struct kp_fragmentation *f, const struct kp_heap_blame *b,
                            char *out, size_t out_bytes)
{
    char size[KP_FORMAT_BYTES], age[KP_FORMAT_BYTES];

    kp_format_size(size, b->blocks > 0 ? b->live_bytes / b->blocks : 0);
    kp_format_seconds(age, fmax(0, f->picture.time_s - b->oldest_s));
    if (b->oldest_iteration > 0)
        snprintf(out, out_bytes, " (of %s, oldest since iteration %lld)", size,
                 (long long)b->oldest_iteration);
    else
        snprintf(out, out_bytes, " (of %s, oldest for %s)", size, age);
}

static void emit_blame_row(const struct kp_fragmentation *f, const struct kp_heap_blame *b)
{
    struct kp_frame frames[KP_FRAMES_MAX];
    struct kp_where where;
    char blocks[200], text[720], shorter[460];
    size_t count = kp_query_frames(f->context->query, b->stack_id, frames, KP_FRAMES_MAX);

    kp_where_of(frames, count, &where);
    describe_blocks(f, b, blocks, sizeof blocks);
    snprintf(text, sizeof text, "%s%s", where.text, blocks);
    snprintf(shorter, sizeof shorter, "%s%s", where.shorter, blocks);
    struct kp_value row[] = {
        kp_sum_value(&b->bytes),
        kp_amount(b->blocks),
        kp_amount(b->pinned_bytes),
        kp_amount(b->live_bytes),
        kp_amount(b->oldest_s),
        kp_whole(b->oldest_iteration),
        kp_texts(text, shorter),
        kp_stack(frames, count),
    };
    kp_emit_row(f->context->out, row);
}

static void emit_blame(const struct kp_fragmentation *f)
{
    static const struct kp_column columns[] = {
        {"bytes", "pins", KP_TYPE_BYTES_ESTIMATE},
        {"blocks", "blocks", KP_TYPE_COUNT},
        {"pinned", NULL, KP_TYPE_BYTES},
        {"live", NULL, KP_TYPE_BYTES},
        {"oldest_s", NULL, KP_TYPE_SECONDS},
        {"oldest_iteration", NULL, KP_TYPE_WHOLE},
        {NULL, "where", KP_TYPE_TEXT},
        {"stack", NULL, KP_TYPE_STACK},
    };
    const struct kp_heap_picture *p = &f->picture;
    size_t top = kp_report_top(f->context, BLAME_SHOWN), shown = 0;

    kp_emit_table(f->context->out, "blame", columns, sizeof columns / sizeof *columns);
    for (; shown < p->blame_count && shown < top; shown++)
        emit_blame_row(f, &p->blame[shown]);
    kp_emit_table_end(f->context->out);
    if (shown < p->blame_count) {
        char more[256];
        kp_emit_line(f->context->out, 0, "... and %s",
                     kp_format_plural(more, (int64_t)(p->blame_count - shown), "more line", ""));
    }
}

static void emit_settings(const struct kp_fragmentation *f)
{
    static const struct kp_column columns[] = {
        {"setting", NULL, KP_TYPE_TEXT},
        {"would_return", NULL, KP_TYPE_BYTES},
        {"what", NULL, KP_TYPE_TEXT},
    };
    struct kp_malloc_setting settings[KP_MALLOC_SETTINGS];
    struct kp_emitter *out = f->context->out;
    char size[KP_FORMAT_BYTES];
    size_t count = kp_malloc_settings(f, settings);

    kp_emit_table(out, "settings", columns, 3);
    for (size_t i = 0; i < count; i++) {
        struct kp_value row[] = {kp_text(settings[i].setting), kp_amount(settings[i].bytes),
                                 kp_text(settings[i].why)};
        kp_emit_row(out, row);
    }
    kp_emit_table_end(out);
    for (size_t i = 0; i < count; i++)
        if (settings[i].bytes >= WORTH_BYTES && !strchr(settings[i].setting, '('))
            kp_emit_line(out, 2, "%s would give back up to %s: %s", settings[i].setting,
                         kp_format_size(size, settings[i].bytes), settings[i].why);
}

static void emit_opaque(const struct kp_fragmentation *f)
{
    struct kp_held held = {.opaque = f->picture.opaque, .opaque_count = f->picture.opaque_count};

    kp_held_opaque_table(f->context, &held);
}

static void emit_processes(const struct kp_fragmentation *f)
{
    static const struct kp_column columns[] = {
        {"pid", NULL, KP_TYPE_NUMBER},
        {"rss", NULL, KP_TYPE_BYTES},
    };
    kp_emit_table(f->context->out, "processes", columns, 2);
    for (size_t i = 0; i < f->processes.count; i++) {
        struct kp_value row[] = {kp_whole(f->processes.items[i].pid),
                                 kp_amount((double)f->processes.items[i].rss)};
        kp_emit_row(f->context->out, row);
    }
    kp_emit_table_end(f->context->out);
    if (f->processes.count > 1)
        kp_emit_line(f->context->out, 2,
                     "This is process %lld, the largest of %zu; --process PID picks another",
                     (long long)f->picture.pid, f->processes.count);
}

/* What was asked for is a sum over samples: it may be off by more than the figure. */
static void describe_internal(const struct kp_heap_picture *p, char *out, size_t out_bytes)
{
    double bytes = kp_heap_internal_bytes(p);
    double doubt = 2 * sqrt(p->live_malloc.variance + p->live_object.variance);
    char size[KP_FORMAT_BYTES];

    snprintf(out, out_bytes, "%s%s", doubt > bytes ? "below " : "",
             kp_format_size(size, doubt > bytes ? bytes + doubt : bytes));
}

static void emit_ratios(const struct kp_fragmentation *f)
{
    double realised = kp_heap_realised(&f->picture);
    char internal[120], external[KP_FORMAT_BYTES], times[KP_FORMAT_BYTES];

    describe_internal(&f->picture, internal, sizeof internal);
    kp_format_share(times, realised);
    if (realised >= 2)
        snprintf(times, sizeof times, "%.3g x", realised);
    kp_emit_line(f->context->out, 2,
                 "fragmentation: internal %s (usable, not asked for), external %s (held, not in "
                 "use), realised %s (largest heap, beyond what is in use now)",
                 internal, kp_format_share(external, kp_heap_external(&f->picture)), times);
}

static int show(struct kp_fragmentation *f, struct kp_error *error)
{
    struct kp_emitter *out = f->context->out;

    kp_report_losses(f->context, true);
    if (f->processes.count == 0) {
        kp_emit_line(out, 2, "no snapshot of the heap was taken: nothing was sampled in this run");
    } else {
        emit_processes(f);
        kp_fragmentation_rss(f);
        emit_ratios(f);
        kp_fragmentation_remedies(f);
        kp_emit_line(out, 0, "%s", "");
    }
    emit_figures(f);
    emit_blame(f);
    if (f->processes.count)
        kp_emit_line(out, 0, "%s", "");
    if (kp_fragmentation_arenas(f, error) != 0)
        return -1;
    if (f->processes.count)
        kp_emit_line(out, 0, "%s", "");
    emit_occupancy(f);
    emit_settings(f);
    emit_opaque(f);
    kp_emit_line(out, 0, "%s", "");
    kp_emit_line(out, 6, "next: kprof-ab -- %s   runs it under other allocators and settings",
                 kp_process_command(kp_process_of(&f->context->processes, f->picture.process_id)));
    return 0;
}

int kp_report_fragmentation(struct kp_report_context *context, struct kp_error *error)
{
    struct kp_fragmentation f = {.context = context, .picture = {.why = ""}};
    enum kp_snapshot_choice choice = context->options->at;
    int result = kp_query_heap_processes(context->query, &context->filter, choice, &f.processes, error);

    if (result == 0 && f.processes.count)
        result = kp_query_heap(context->query, f.processes.items[0].process_id, choice, &f.picture,
                               error);
    if (result == 0) {
        name_allocator(&f);
        result = show(&f, error);
    }
    kp_heap_picture_release(&f.picture);
    kp_heap_processes_release(&f.processes);
    return result;
}
