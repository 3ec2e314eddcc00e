/* SPDX-License-Identifier: MIT */
/*
 * The table of arenas of the report on fragmentation. One thread.
 */
#include "format.h"
#include "fragmentation_view.h"

#include <stdlib.h>
#include <string.h>

#define ARENAS_SHOWN 5

static struct kp_value bytes_or_unknown(int64_t bytes)
{
    return bytes >= 0 ? kp_amount((double)bytes) : kp_unknown();
}

static const struct kp_column arena_columns[] = {
    {"name", "arena", KP_TYPE_TEXT},
    {"kind", NULL, KP_TYPE_TEXT},
    {"size", "size", KP_TYPE_BYTES},
    {"in_use", "in use", KP_TYPE_BYTES},
    {"free", "free", KP_TYPE_BYTES},
    {"largest_free", "largest", KP_TYPE_BYTES},
    {"resident", "resident", KP_TYPE_BYTES},
    {"top", NULL, KP_TYPE_BYTES},
    {"trimmable", NULL, KP_TYPE_BYTES},
    {"waste", NULL, KP_TYPE_BYTES},
    {"unit", NULL, KP_TYPE_BYTES},
    {"highest", "highest block", KP_TYPE_TEXT},
};

static void emit_arena(const struct kp_fragmentation *f, const struct kp_heap_arena *a)
{
    bool is_text = kp_emitter_is_text(f->context->out);
    char name[80], where[256];

    kp_arena_name(&f->picture, a, name, sizeof name);
    kp_fragmentation_top(f, a, where, sizeof where);
    struct kp_value row[] = {kp_text(name),
                             kp_text(a->kind),
                             bytes_or_unknown(a->size),
                             bytes_or_unknown(a->in_use),
                             bytes_or_unknown(a->free),
                             bytes_or_unknown(a->largest_free),
                             bytes_or_unknown(a->resident),
                             bytes_or_unknown(a->top),
                             bytes_or_unknown(a->trimmable),
                             kp_amount((double)a->waste),
                             a->unit > 0 ? kp_amount((double)a->unit) : kp_unknown(),
                             *where || is_text ? kp_text(where) : kp_unknown()};
    kp_emit_row(f->context->out, row);
}

/* In text the largest first, and no size classes. */
static int compare_arenas(const void *left, const void *right)
{
    const struct kp_heap_arena *a = *(const struct kp_heap_arena *const *)left,
                               *b = *(const struct kp_heap_arena *const *)right;

    if (a->is_class != b->is_class)
        return a->is_class ? 1 : -1;
    if (a->size != b->size && !a->is_class)
        return a->size > b->size ? -1 : 1;
    return (a->arena > b->arena) - (a->arena < b->arena);
}

int kp_fragmentation_arenas(const struct kp_fragmentation *f, struct kp_error *error)
{
    const struct kp_heap_picture *p = &f->picture;
    bool is_text = kp_emitter_is_text(f->context->out);
    size_t shown = 0, all = 0, top = kp_report_top(f->context, ARENAS_SHOWN);
    const struct kp_heap_arena **sorted = calloc(p->arena_count + 1, sizeof *sorted);

    if (!sorted)
        return -kp_error_set(error, "out of memory");
    for (size_t i = 0; i < p->arena_count; i++)
        if (!is_text || (!p->arenas[i].is_class && p->arenas[i].size != 0))
            sorted[all++] = &p->arenas[i];
    qsort(sorted, all, sizeof *sorted, compare_arenas);
    kp_emit_table(f->context->out, "arenas", arena_columns,
                  sizeof arena_columns / sizeof *arena_columns);
    for (; shown < all && shown < top; shown++)
        emit_arena(f, sorted[shown]);
    kp_emit_table_end(f->context->out);
    if (shown < all && is_text) {
        char more[256];
        kp_emit_line(f->context->out, 0, "... and %s",
                     kp_format_plural(more, (int64_t)(all - shown), "more arena", ""));
    }
    free(sorted);
    return 0;
}
