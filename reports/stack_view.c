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
#define SOURCE_INDENT 9
#define SOURCE_COLUMNS_MAX 500

struct stack_view {
    struct kp_report_context *context;
    struct kp_sources sources;
    size_t left_out;
    bool approximate;
    struct kp_frame frames[KP_FRAMES_MAX];
};

static const char *directory_of(const struct kp_report_context *context, int64_t process_id)
{
    for (size_t i = 0; i < context->processes.count; i++)
        if (context->processes.items[i].id == process_id)
            return context->processes.items[i].directory;
    return "";
}

static void emit_frame(struct stack_view *v, const struct kp_frame *frame, size_t number)
{
    char name[4096], module[256] = "", line[32] = "";
    bool native = !frame->python;
    if (native)
        kp_module_label(frame->module, module, sizeof module);
    if (frame->nameless)
        *module = '\0'; /* is part of what stands for the name */
    if (*frame->file && frame->line > 0)
        snprintf(line, sizeof line, ":%lld", (long long)frame->line);
    bool approximate = native && !frame->exact && !frame->nameless;
    v->approximate |= approximate;
    snprintf(name, sizeof name, "%s", *frame->function ? frame->function : "(unknown)");
    kp_emit_line(v->context->out, INDENT, "%3zu  %s%s%s%s%s%s%s%s%s", number,
                 native ? kp_base_name(frame->file) : frame->file, line, *frame->file ? "  " : "",
                 approximate ? "~" : "", name, *module ? "  (" : "", module, *module ? ")" : "",
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
    if (v->left_out > 0 || v->approximate || v->sources.newer)
        kp_emit_line(out, 0, "%s", "");
    if (v->left_out > 0)
        kp_emit_line(out, 0, "%zu %s of the interpreter left out; --all-frames shows %s",
                     v->left_out, v->left_out == 1 ? "frame" : "frames",
                     v->left_out == 1 ? "it" : "them");
    if (v->approximate)
        kp_emit_line(out, 0, "~ the nearest name known in a library without its own");
    if (v->sources.newer)
        kp_emit_line(out, 0, "the source may have changed: it is newer than the recording");
}

void kp_stack_view(struct kp_report_context *context, const struct kp_site *site)
{
    struct stack_view *v = calloc(1, sizeof *v);
    if (!v)
        return;
    v->context = context;
    v->sources.directory = directory_of(context, site->process_id);
    v->sources.recorded_unix_s = context->summary.start_unix_s;
    size_t count = kp_query_frames(context->query, site->stack_id, v->frames, KP_FRAMES_MAX);
    emit_frames(v, count);
    if (count == 0)
        kp_emit_line(context->out, 0, "(no stack was recorded)");
    emit_remarks(v);
    kp_sources_release(&v->sources);
    free(v);
}
