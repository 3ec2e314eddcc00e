/* SPDX-License-Identifier: MIT */
/*
 * HELD and the opaque modules of the summary. A picture of the heap is read for each process that
 * has one; of very many the largest only. One thread.
 */
#include "held_view.h"

#include "format.h"
#include "where.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_COLUMNS 13
#define PROCESSES_MAX 64
#define NEWS_SHARE 0.05
#define NEWS_BYTES 1e6
#define OPAQUE_LINES 2

static int add_opaque(struct kp_held *held, const struct kp_heap_opaque *opaque)
{
    for (size_t i = 0; i < held->opaque_count; i++)
        if (strcmp(held->opaque[i].module, opaque->module) == 0) {
            held->opaque[i].bytes += opaque->bytes;
            return 0;
        }
    struct kp_heap_opaque *grown =
        realloc(held->opaque, (held->opaque_count + 1) * sizeof *held->opaque);
    if (!grown)
        return -1;
    held->opaque = grown;
    grown[held->opaque_count++] = *opaque;
    return 0;
}

static int add_process(struct kp_report_context *context, int64_t process_id, struct kp_held *held,
                       struct kp_error *error)
{
    struct kp_heap_picture picture;
    int result = kp_query_heap(context->query, process_id, KP_AT_END, &picture, error);

    if (result == 0) {
        held->rss += (double)picture.rss;
        held->held_malloc += picture.where.held_malloc;
        held->held_python += picture.where.held_python;
    }
    for (size_t i = 0; result == 0 && i < picture.opaque_count; i++)
        if (add_opaque(held, &picture.opaque[i]) != 0)
            result = -kp_error_set(error, "out of memory");
    kp_heap_picture_release(&picture);
    return result;
}

static int compare_opaque(const void *left, const void *right)
{
    const struct kp_heap_opaque *a = left, *b = right;

    return (a->bytes < b->bytes) - (a->bytes > b->bytes);
}

int kp_held_load(struct kp_report_context *context, struct kp_held *held, struct kp_error *error)
{
    struct kp_heap_processes processes;
    int result =
        kp_query_heap_processes(context->query, &context->filter, KP_AT_END, &processes, error);

    *held = (struct kp_held){0};
    for (size_t i = 0; result == 0 && i < processes.count && i < PROCESSES_MAX; i++)
        result = add_process(context, processes.items[i].process_id, held, error);
    if (held->opaque_count)
        qsort(held->opaque, held->opaque_count, sizeof *held->opaque, compare_opaque);
    kp_heap_processes_release(&processes);
    return result;
}

void kp_held_release(struct kp_held *held)
{
    free(held->opaque);
    *held = (struct kp_held){0};
}

void kp_held_line(struct kp_report_context *context, const struct kp_held *held)
{
    double bytes = held->held_malloc + held->held_python;
    const struct kp_process *p = kp_process_main(&context->processes);
    char size[KP_FORMAT_BYTES], rss[KP_FORMAT_BYTES], share[KP_FORMAT_BYTES], allocator[128] = "";

    if (bytes < NEWS_BYTES || bytes < NEWS_SHARE * held->rss || !p)
        return;
    kp_allocator_name(p->allocator, "", allocator, sizeof allocator);
    if (held->held_python > held->held_malloc)
        snprintf(allocator, sizeof allocator, "Python's own allocator");
    kp_emit_line(context->out, LABEL_COLUMNS,
                 "%-*s%s of %s RSS is free memory that %s keeps (%s)   kprof-report %s fragmentation",
                 LABEL_COLUMNS, "HELD", kp_format_size(size, bytes), kp_format_size(rss, held->rss),
                 *allocator ? allocator : "the allocator",
                 kp_format_share(share, held->rss > 0 ? bytes / held->rss : 0), context->database);
}

void kp_held_opaque_lines(struct kp_report_context *context, const struct kp_held *held)
{
    char module[256], size[KP_FORMAT_BYTES];

    for (size_t i = 0; i < held->opaque_count && i < OPAQUE_LINES; i++) {
        const struct kp_heap_opaque *o = &held->opaque[i];

        if (o->bytes < NEWS_BYTES)
            continue;
        kp_module_label(o->module, module, sizeof module);
        kp_emit_line(context->out, LABEL_COLUMNS, "%-*s%s has its own %s: %s mapped, not attributed",
                     LABEL_COLUMNS, "NOT SEEN", module, o->allocator,
                     kp_format_size(size, o->bytes));
    }
}

void kp_held_opaque_table(struct kp_report_context *context, const struct kp_held *held)
{
    static const struct kp_column columns[] = {
        {"module", NULL, KP_TYPE_TEXT},
        {"bytes", NULL, KP_TYPE_BYTES},
        {"reason", NULL, KP_TYPE_TEXT},
    };

    kp_emit_table(context->out, "opaque", columns, 3);
    for (size_t i = 0; i < held->opaque_count; i++) {
        const struct kp_heap_opaque *o = &held->opaque[i];
        char reason[160];

        snprintf(reason, sizeof reason, "has %s built in: its blocks are not seen", o->allocator);
        struct kp_value row[] = {kp_text(o->module), kp_amount(o->bytes), kp_text(reason)};
        kp_emit_row(context->out, row);
    }
    kp_emit_table_end(context->out);
}
