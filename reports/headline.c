/* SPDX-License-Identifier: MIT */
/*
 * What the reports have in common: which program this was, and what was lost or not seen. It comes
 * first in each of them, since it says how far the rest may be trusted. One thread.
 */
#include "format.h"
#include "report.h"
#include "where.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_COLUMNS 13
#define NOTES_MAX 4
#define CODE_COLUMNS 44
#define COMMAND_COLUMNS 200

size_t kp_report_top(const struct kp_report_context *context, size_t fits)
{
    if (context->options->top > 0)
        return (size_t)context->options->top;
    return kp_emitter_is_text(context->out) ? fits : SIZE_MAX;
}

void kp_report_columns(const struct kp_report_context *context, const struct kp_column *from,
                       size_t count, struct kp_column *to)
{
    const char *order = context->sort == KP_SORT_LIVE ? "live" : "allocated";
    for (size_t i = 0; i < count; i++) {
        to[i] = from[i];
        if (to[i].type == KP_TYPE_BYTES_ESTIMATE && to[i].key && strcmp(to[i].key, order) != 0)
            to[i].type = KP_TYPE_BYTES_BARE;
    }
}

void kp_report_next(struct kp_report_context *context, const char *arguments, const char *shows)
{
    kp_emit_line(context->out, 0, "%s", "");
    kp_emit_line(context->out, 6, "next: kprof-report %s %s   %s", context->database, arguments,
                 shows);
}

const char *kp_report_again(const struct kp_report_context *context, const char *arguments,
                            char *out, size_t out_bytes)
{
    static const char *const sorts[] = {"live", "allocated", "count"};
    const struct kp_report_options *o = context->options;
    char process[40] = "", kind[40] = "", sort[40] = "";
    if (o->pid > 0)
        snprintf(process, sizeof process, " --process %lld", (long long)o->pid);
    if (o->kind)
        snprintf(kind, sizeof kind, " --kind %s", o->kind);
    if (o->sort >= 0)
        snprintf(sort, sizeof sort, " --sort %s", sorts[o->sort]);
    snprintf(out, out_bytes, "%s%s%s%s", arguments, process, kind, sort);
    return out;
}

static int compare_pids(const void *left, const void *right)
{
    const struct kp_process *const *a = left, *const *b = right;
    if ((*a)->pid != (*b)->pid)
        return (*a)->pid < (*b)->pid ? -1 : 1;
    return ((*a)->id > (*b)->id) - ((*a)->id < (*b)->id);
}

static bool continues(const struct kp_process *before, const struct kp_process *process)
{
    return process->pid == before->pid && strcmp(process->origin, "exec") == 0 &&
           strcmp(before->end, "exec") == 0;
}

size_t kp_process_count(const struct kp_processes *processes)
{
    size_t count = processes->count, again = 0;
    const struct kp_process **sorted = calloc(count + 1, sizeof *sorted);
    for (size_t i = 0; sorted && i < count; i++)
        sorted[i] = &processes->items[i];
    if (sorted)
        qsort(sorted, count, sizeof *sorted, compare_pids);
    for (size_t i = 1; sorted && i < count; i++)
        again += continues(sorted[i - 1], sorted[i]);
    free(sorted);
    return count - again;
}

const struct kp_process *kp_process_main(const struct kp_processes *processes)
{
    const struct kp_process *last = processes->count ? &processes->items[0] : NULL;
    for (size_t i = 1; i < processes->count; i++)
        if (continues(last, &processes->items[i]))
            last = &processes->items[i];
    return last;
}

static const char *const shells[] = {"bash", "dash", "sh", NULL};
static const char *const interpreters[] = {"python", "pypy", "perl", "ruby", "node",
                                           "bash",   "dash", "sh",   "lua",  NULL};

/* Is it one of these, perhaps with its version? */
static bool is_among(const char *const *names, const char *program)
{
    for (int i = 0; names[i]; i++) {
        size_t length = strlen(names[i]);
        if (strncmp(program, names[i], length) == 0 &&
            program[length + strspn(program + length, "0123456789.")] == '\0')
            return true;
    }
    return false;
}

/* The code that stands in the command itself, with its option; NULL: it is in a file. To a shell -e
 * says something else. */
static const char *code_of(const struct kp_process *process, const char *program)
{
    bool code = strncmp(process->script, "-c ", 3) == 0 ||
                (strncmp(process->script, "-e ", 3) == 0 && !is_among(shells, program));

    return code ? process->script : NULL;
}

/* The file that an interpreter runs. */
static const char *file_of(const struct kp_process *process)
{
    return process->script + (strncmp(process->script, "-e ", 3) == 0 ? 3 : 0);
}

/* "-c" and the beginning of the code, on one line. */
static void append_code(const char *script, char *out, size_t out_bytes)
{
    size_t used = strlen(out);
    snprintf(out + used, out_bytes - used, " %.*s%s", CODE_COLUMNS, script,
             strlen(script) > CODE_COLUMNS ? "..." : "");
    for (char *at = out + used; *at; at++)
        if (*at == '\n' || *at == '\t')
            *at = ' ';
}

void kp_process_program(const struct kp_process *process, char *out, size_t out_bytes)
{
    static const char child[] = "-c from multiprocessing.";
    const char *program = kp_base_name(process->exe);
    const char *code = code_of(process, program);
    bool is_interpreter = is_among(interpreters, program);
    if (strncmp(process->script, child, strlen(child)) == 0) { /* spawn, forkserver, ... */
        const char *module = process->script + strlen("-c from ");
        snprintf(out, out_bytes, "%.*s", (int)strcspn(module, " "), module);
        return;
    }
    if (is_interpreter && *process->script && !code)
        program = kp_base_name(file_of(process));
    snprintf(out, out_bytes, "%s", *program ? program : "(unknown program)");
    if (is_interpreter && code)
        append_code(code, out, out_bytes);
}

const struct kp_process *kp_process_of(const struct kp_processes *processes, int64_t id)
{
    for (size_t i = 0; i < processes->count; i++)
        if (processes->items[i].id == id)
            return &processes->items[i];
    return NULL;
}

const char *kp_process_command(const struct kp_process *process)
{
    const char *command = process ? process->command : "";
    size_t bytes = strlen(command);
    for (size_t i = 0; i < bytes; i++)
        if ((unsigned char)command[i] < ' ')
            return "COMMAND";
    return bytes > 0 && bytes <= COMMAND_COLUMNS ? command : "COMMAND";
}

/* "python 3.11.2", or the program that runs the script; "" when there is no script. */
static void name_interpreter(const struct kp_process *p, const char *program, char *out,
                             size_t out_bytes)
{
    const char *exe = kp_base_name(p->exe);
    if (*p->python)
        snprintf(out, out_bytes, "python %s", p->python);
    else
        snprintf(out, out_bytes, "%s", strncmp(program, exe, strlen(exe)) == 0 ? "" : exe);
}

void kp_report_program(struct kp_report_context *context)
{
    const struct kp_process *p = kp_process_main(&context->processes);
    char program[256], allocator[128], time[KP_FORMAT_BYTES], children[80] = "",
                                                              number[KP_FORMAT_BYTES];
    if (!p)
        return;
    kp_process_program(p, program, sizeof program);
    kp_allocator_name(p->allocator, p->allocator_build_id, allocator, sizeof allocator);
    double elapsed = context->summary.elapsed_s;
    if (context->filter.pid > 0)
        elapsed = (p->ended_s < 0 ? elapsed : p->ended_s) - context->processes.items[0].started_s;
    size_t others = kp_process_count(&context->processes) - 1;
    char interpreter[80];
    name_interpreter(p, program, interpreter, sizeof interpreter);
    if (others > 0)
        snprintf(children, sizeof children, " and %s %s", kp_format_whole(number, (int64_t)others),
                 others == 1 ? "child" : "children");
    kp_emit_line(context->out, LABEL_COLUMNS, "%s  %s (%s%spid %lld)%s, %s%s%s", context->database,
                 program, interpreter, *interpreter ? ", " : "", (long long)p->pid, children,
                 kp_format_seconds(time, elapsed), *allocator ? ", " : "", allocator);
}

struct losses {
    int64_t samples, frees, nested, definitions, frames, broken, python_frames, python_broken,
        processes, running;
};

static struct losses sum_losses(const struct kp_report_context *context)
{
    struct losses l = {.processes = context->summary.lost_processes};
    for (size_t i = 0; i < context->processes.count; i++) {
        const struct kp_process *p = &context->processes.items[i];
        l.samples += p->lost_samples;
        l.frees += p->lost_frees;
        l.nested += p->lost_nested;
        l.definitions += p->lost_definitions;
        l.frames += p->cut_frames;
        l.broken += p->broken_stacks;
        l.python_frames += p->python_cut_frames;
        l.python_broken += p->python_broken;
        l.running += p->ended_s < 0;
    }
    return l;
}

/* "LOST         120 samples found no room"; nothing when there are none. */
static void loss_line(struct kp_emitter *out, const char *label, int64_t count, const char *noun,
                      const char *what)
{
    char text[256];
    if (count > 0)
        kp_emit_line(out, LABEL_COLUMNS, "%-*s%s", LABEL_COLUMNS, label,
                     kp_format_plural(text, count, noun, what));
}

static void loss_lines(struct kp_report_context *context, const struct losses *l)
{
    struct kp_emitter *out = context->out;
    if (l->running > 0)
        kp_emit_line(out, LABEL_COLUMNS,
                     "%-*s%lld of %zu processes; this is what is recorded so far", LABEL_COLUMNS,
                     "RUNNING", (long long)l->running, context->processes.count);
    else if (!context->summary.finished)
        kp_emit_line(out, LABEL_COLUMNS,
                     "%-*sthe recording is not finished; this is what is here so far",
                     LABEL_COLUMNS, "RUNNING");
    loss_line(out, "LOST", l->samples, "sample",
              "without room in the spool; record with a larger KPROF_SPOOL_MAX, or more room on the disk");
    loss_line(out, "LOST", l->processes, "process",
              "that could not join; record with a larger KPROF_SPOOL_MAX, or more room on the disk");
    loss_line(out, "LOST", l->frees, "free",
              "of samples not told: live is too high by as many blocks");
    loss_line(out, "LOST", l->definitions, "stack", "cut, for want of room in the spool");
    loss_line(out, "NOT SEEN", l->nested, "sample", "in signal handlers, while kprof was at work");
    loss_line(out, "NOT SEEN", l->frames, "outer frame", "of very deep stacks");
    loss_line(out, "NOT SEEN", l->broken, "stack", "cut short by code without unwind tables");
    loss_line(out, "NOT SEEN", l->python_frames, "outer Python frame", "of very deep stacks");
    loss_line(out, "NOT SEEN", l->python_broken, "stack",
              "whose Python frames could not be read; the native ones are there");
}

static void emit_lost(struct kp_emitter *out, const struct losses *l)
{
    kp_emit_object(out, "lost");
    kp_emit_value(out, "samples", KP_TYPE_WHOLE, kp_whole(l->samples));
    kp_emit_value(out, "frees", KP_TYPE_WHOLE, kp_whole(l->frees));
    kp_emit_value(out, "nested", KP_TYPE_WHOLE, kp_whole(l->nested));
    kp_emit_value(out, "definitions", KP_TYPE_WHOLE, kp_whole(l->definitions));
    kp_emit_value(out, "frames", KP_TYPE_WHOLE, kp_whole(l->frames));
    kp_emit_value(out, "broken_stacks", KP_TYPE_WHOLE, kp_whole(l->broken));
    kp_emit_value(out, "python_frames", KP_TYPE_WHOLE, kp_whole(l->python_frames));
    kp_emit_value(out, "broken_python_stacks", KP_TYPE_WHOLE, kp_whole(l->python_broken));
    kp_emit_value(out, "processes", KP_TYPE_WHOLE, kp_whole(l->processes));
    kp_emit_object_end(out);
    kp_emit_value(out, "running", KP_TYPE_WHOLE, kp_whole(l->running));
}

void kp_report_losses(struct kp_report_context *context, bool apart)
{
    static const struct kp_column columns[] = {
        {"text", NULL, KP_TYPE_TEXT},
        {"processes", NULL, KP_TYPE_WHOLE},
    };
    const struct kp_summary *s = &context->summary;
    struct losses losses = sum_losses(context);
    size_t before = kp_emitter_lines(context->out);
    loss_lines(context, &losses);
    emit_lost(context->out, &losses);
    kp_emit_table(context->out, "notes", columns, 2);
    for (size_t i = 0; i < s->note_count; i++) {
        struct kp_value row[] = {kp_text(s->notes[i].text), kp_whole(s->notes[i].processes)};
        kp_emit_row(context->out, row);
        if (i < NOTES_MAX && s->notes[i].processes > 1)
            kp_emit_line(context->out, LABEL_COLUMNS, "%-*s%s (%lld processes)", LABEL_COLUMNS,
                         "NOTE", s->notes[i].text, (long long)s->notes[i].processes);
        else if (i < NOTES_MAX)
            kp_emit_line(context->out, LABEL_COLUMNS, "%-*s%s", LABEL_COLUMNS, "NOTE",
                         s->notes[i].text);
    }
    kp_emit_table_end(context->out);
    if (s->note_count > NOTES_MAX)
        kp_emit_line(context->out, LABEL_COLUMNS, "%-*s%zu more notes: select * from note",
                     LABEL_COLUMNS, "NOTE", s->note_count - NOTES_MAX);
    if (apart && kp_emitter_lines(context->out) > before)
        kp_emit_line(context->out, 0, "%s", "");
}
