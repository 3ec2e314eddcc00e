/* SPDX-License-Identifier: MIT */
/*
 * One line a frame, Python with its whole path and the text of the line, as in a traceback. Frames
 * keep their numbers when those of the interpreter are left out, so that the gaps show. A line that
 * recurs is told once, with how often. One thread.
 */
#include "stack_view.h"
#include "source_line.h"
#include "utf8.h"
#include "where.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INDENT 5
#define THREADS_SHOWN 3
#define SOURCE_INDENT 9
#define SOURCE_COLUMNS_MAX 500

struct stack_view {
    struct kp_report_context *context;
    struct kp_sources sources;
    size_t left_out;
    bool approximate, labelled;
    struct kp_frame frames[KP_FRAMES_MAX];
};

/* "engine.c:88  "; of Python the whole path. A label has them in it. */
static void describe_line(const struct kp_frame *frame, bool label, char *out, size_t out_bytes)
{
    const char *file = frame->python ? frame->file : kp_base_name(frame->file);
    *out = '\0';
    if (label || !*file)
        return;
    if (frame->line > 0)
        snprintf(out, out_bytes, "%s:%lld  ", file, (long long)frame->line);
    else
        snprintf(out, out_bytes, "%s  ", file);
}

static void emit_frame(struct stack_view *v, const struct kp_frame *frame, size_t number)
{
    char line[4200], module[256] = "";
    bool inexact = !frame->python && !frame->exact && !frame->nameless;
    bool label = inexact && kp_label_length(frame->function) > 0;
    if (!frame->python && !frame->nameless) /* there it is part of what stands for the name */
        kp_module_label(frame->module, module, sizeof module);
    describe_line(frame, label, line, sizeof line);
    v->labelled |= label;
    v->approximate |= inexact && !label;
    kp_emit_line(v->context->out, INDENT, "%3zu  %s%s%s%s%s%s%s", number, line,
                 inexact && !label ? "~" : "", *frame->function ? frame->function : "(unknown)",
                 *module ? "  (" : "", module, *module ? ")" : "",
                 frame->inlined ? "  [inlined]" : "");
}

static void emit_source(struct stack_view *v, const struct kp_frame *frame)
{
    char text[SOURCE_COLUMNS_MAX * 4];
    size_t width = kp_emitter_width(v->context->out), columns = SOURCE_COLUMNS_MAX;
    if (!kp_source_line(&v->sources, frame, text, sizeof text))
        return;
    if (width > SOURCE_INDENT + 20)
        columns = width - SOURCE_INDENT;
    char *shown = kp_utf8_printable(text, columns);
    if (shown)
        kp_emit_line(v->context->out, SOURCE_INDENT, "%*s%s", SOURCE_INDENT, "", shown);
    free(shown);
}

/* How many frames, this one with them, are the same as this one; the interpreter's between them
 * are passed over. *next is the frame behind them. */
static size_t count_repeats(const struct stack_view *v, size_t at, size_t count, size_t *next)
{
    const struct kp_frame *first = &v->frames[at];
    size_t same = 1;
    bool all = v->context->options->all_frames;
    *next = at + 1;
    for (size_t i = at + 1; i < count; i++) {
        const struct kp_frame *frame = &v->frames[i];
        if (frame->interpreter && !all)
            continue;
        if (frame->function != first->function || frame->file != first->file ||
            frame->line != first->line || frame->module != first->module || frame->inlined)
            break;
        same++;
        *next = i + 1;
    }
    return same;
}

static void emit_frames(struct stack_view *v, size_t count)
{
    for (size_t i = 0, next; i < count; i = next) {
        if (v->frames[i].interpreter && !v->context->options->all_frames) {
            v->left_out++;
            next = i + 1;
            continue;
        }
        size_t repeats = count_repeats(v, i, count, &next);
        emit_frame(v, &v->frames[i], i);
        emit_source(v, &v->frames[i]);
        if (repeats > 2)
            kp_emit_line(v->context->out, INDENT, "     ... and %zu more times", repeats - 1);
        else
            next = i + 1;
        for (size_t j = i + 1; j < next; j++)
            v->left_out += v->frames[j].interpreter && !v->context->options->all_frames;
    }
}

static void emit_remarks(const struct stack_view *v)
{
    struct kp_emitter *out = v->context->out;
    if (v->left_out > 0 || v->approximate || v->labelled || v->sources.newer)
        kp_emit_line(out, 0, "%s", "");
    if (v->left_out > 0)
        kp_emit_line(out, 0, "%zu %s of the interpreter left out; --all-frames shows %s",
                     v->left_out, v->left_out == 1 ? "frame" : "frames",
                     v->left_out == 1 ? "it" : "them");
    if (v->approximate)
        kp_emit_line(out, 0, "~ the nearest name known in a library without its own");
    if (v->labelled)
        kp_emit_line(out, 0, "(nearby), (called from ...), (calls ...): what is known of a function without a name");
    if (v->sources.newer)
        kp_emit_line(out, 0, "the source may have changed: it is newer than the recording");
}

/* "from thread tokio-runtime-w, python3"; nothing where only the main thread came here. */
static void emit_threads(const struct stack_view *v, const struct kp_site *site)
{
    struct kp_site_thread threads[THREADS_SHOWN + 1];
    struct kp_error error = {""};
    size_t count;
    char line[256] = "";
    if (kp_query_site_threads(v->context->query, &v->context->filter, site, threads,
                              THREADS_SHOWN + 1, &count, &error) != 0)
        count = 0;
    for (size_t i = 0; i < count && i < THREADS_SHOWN; i++) {
        size_t used = strlen(line);
        snprintf(line + used, sizeof line - used, "%s%.60s", i > 0 ? ", " : "", threads[i].name);
    }
    if (count > 1 || (count == 1 && !threads[0].is_main))
        kp_emit_line(v->context->out, 2, "from thread %s%s", line,
                     count > THREADS_SHOWN ? ", ..." : "");
    kp_emit_line(v->context->out, 0, "%s", "");
}

void kp_stack_view(struct kp_report_context *context, const struct kp_site *site)
{
    struct stack_view *v = calloc(1, sizeof *v);
    if (!v)
        return;
    v->context = context;
    kp_sources_init(&v->sources, context, site->process_id);
    size_t count = kp_query_frames(context->query, site->stack_id, v->frames, KP_FRAMES_MAX);
    emit_threads(v, site);
    emit_frames(v, count);
    if (count == 0)
        kp_emit_line(context->out, 0, "(no stack was recorded)");
    emit_remarks(v);
    kp_sources_release(&v->sources);
    free(v);
}
