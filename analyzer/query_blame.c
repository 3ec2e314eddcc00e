/* SPDX-License-Identifier: MIT */
/*
 * Waste by the line of the program that tells most, and mappings by the module that made them. A
 * module that maps for itself is opaque when an allocator is built into it; else what it maps is the
 * program's own memory, and has a stack. One thread.
 */
#include "query_blame.h"

#include "own_allocator.h"
#include "query_db.h"
#include "query_stacks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A row of table waste with what it is grouped by. */
struct row {
    const void *key[3];
    int64_t line;
    struct kp_heap_blame blame;
};
struct rows {
    struct row *items;
    size_t count;
};

static void set_key(const struct kp_stacks *s, struct row *row)
{
    uint32_t node = kp_stacks_find(s, row->blame.stack_id);
    uint32_t at = node == KP_NO_INDEX ? KP_NO_INDEX : kp_stacks_telling(s, node).line;

    if (at == KP_NO_INDEX)
        return;
    const struct kp_frame *frame = &s->frames[at];
    row->key[0] = frame->python ? frame->file : frame->module;
    row->key[1] = frame->function;
    row->key[2] = frame->file;
    row->line = frame->line;
}

static int add_row(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    struct rows *rows = to;
    struct row *row = kp_append(&rows->items, &rows->count, sizeof *row);

    if (!row)
        return -1;
    *row = (struct row){.blame = {.stack_id = sqlite3_column_int64(st, 0),
                                  .members = 1,
                                  .bytes = {.value = kp_column_amount(st, 1),
                                            .variance = kp_column_amount(st, 2),
                                            .weight_max = kp_column_amount(st, 3),
                                            .samples = kp_column_whole(st, 4)},
                                  .pinned_bytes = kp_column_amount(st, 5),
                                  .blocks = kp_column_amount(st, 6),
                                  .live_bytes = kp_column_amount(st, 7),
                                  .oldest_s = kp_column_amount(st, 8) / 1e6,
                                  .oldest_iteration = kp_column_whole(st, 9)}};
    set_key(query->stacks, row);
    return 0;
}

static int compare_rows(const void *left, const void *right)
{
    const struct row *a = left, *b = right;

    for (int i = 0; i < 3; i++)
        if (a->key[i] != b->key[i])
            return (uintptr_t)a->key[i] < (uintptr_t)b->key[i] ? -1 : 1;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    return (a->blame.bytes.value < b->blame.bytes.value) -
           (a->blame.bytes.value > b->blame.bytes.value);
}

static bool same_key(const struct row *a, const struct row *b)
{
    return memcmp(a->key, b->key, sizeof a->key) == 0 && a->line == b->line;
}

static void merge(struct kp_heap_blame *to, const struct kp_heap_blame *from)
{
    to->members++;
    kp_sum_add(&to->bytes, &from->bytes);
    to->pinned_bytes += from->pinned_bytes;
    to->blocks += from->blocks;
    to->live_bytes += from->live_bytes;
    if (from->oldest_s < to->oldest_s) {
        to->oldest_s = from->oldest_s;
        to->oldest_iteration = from->oldest_iteration;
    }
}

static int compare_blame(const void *left, const void *right)
{
    const struct kp_heap_blame *a = left, *b = right;

    if (a->bytes.value != b->bytes.value)
        return a->bytes.value > b->bytes.value ? -1 : 1;
    return (a->stack_id > b->stack_id) - (a->stack_id < b->stack_id);
}

static int group_rows(struct rows *rows, struct kp_heap_picture *p)
{
    p->blame = calloc(rows->count + 1, sizeof *p->blame);
    if (!p->blame)
        return -1;
    if (rows->count)
        qsort(rows->items, rows->count, sizeof *rows->items, compare_rows);
    for (size_t i = 0; i < rows->count; i++) {
        if (i > 0 && same_key(&rows->items[i], &rows->items[i - 1]))
            merge(&p->blame[p->blame_count - 1], &rows->items[i].blame);
        else
            p->blame[p->blame_count++] = rows->items[i].blame;
    }
    qsort(p->blame, p->blame_count, sizeof *p->blame, compare_blame);
    return 0;
}

static int load(struct kp_query *query, const char *select, const struct kp_heap_picture *p,
                kp_row_reader *add, void *to, struct kp_error *error)
{
    char sql[512];

    if (kp_query_load_stacks(query, error) != 0)
        return -1;
    snprintf(sql, sizeof sql, "%s AND t.number = %lld", select, (long long)p->number);
    return kp_query_rows(query, sql, p->process_id, add, to, error);
}

int kp_query_heap_blame(struct kp_query *query, struct kp_heap_picture *p, struct kp_error *error)
{
    struct rows rows = {0};
    int result = load(query,
                      "SELECT s.stack_id, t.bytes, t.bytes_var, t.bytes_max, t.samples, "
                      "t.pinned_bytes, t.blocks, t.live_bytes, t.oldest_us, t.oldest_iteration "
                      "FROM waste t LEFT JOIN site s ON s.id = t.site_id WHERE t.process_id = ?1",
                      p, add_row, &rows, error);

    if (result == 0 && group_rows(&rows, p) != 0)
        result = kp_query_no_memory(error);
    free(rows.items);
    return result;
}

/* ---- opaque ---- */

struct range {
    const char *module; /* of whoever called mmap; "": not known */
    double rss;
};
struct ranges {
    struct range *items;
    size_t count;
};

static int add_range(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    struct ranges *ranges = to;
    const char *module = kp_stacks_mapper(query->stacks, sqlite3_column_int64(st, 0));
    struct range *range;

    for (size_t i = 0; i < ranges->count; i++)
        if (ranges->items[i].module == module) {
            ranges->items[i].rss += kp_column_amount(st, 1);
            return 0;
        }
    range = kp_append(&ranges->items, &ranges->count, sizeof *range);
    if (!range)
        return -1;
    *range = (struct range){module, kp_column_amount(st, 1)};
    return 0;
}

static int compare_opaque(const void *left, const void *right)
{
    const struct kp_heap_opaque *a = left, *b = right;

    return (a->bytes < b->bytes) - (a->bytes > b->bytes);
}

static int sort_ranges(const struct ranges *ranges, struct kp_heap_picture *p)
{
    for (size_t i = 0; i < ranges->count; i++) {
        const struct range *range = &ranges->items[i];
        const char *allocator = kp_own_allocator(range->module);

        if (!*allocator) {
            p->where.mapped += range->rss;
            continue;
        }
        struct kp_heap_opaque *o = kp_append(&p->opaque, &p->opaque_count, sizeof *o);
        if (!o)
            return -1;
        *o = (struct kp_heap_opaque){range->module, allocator, range->rss};
        p->where.opaque += range->rss;
    }
    if (p->opaque_count)
        qsort(p->opaque, p->opaque_count, sizeof *p->opaque, compare_opaque);
    return 0;
}

int kp_query_heap_opaque(struct kp_query *query, struct kp_heap_picture *p, struct kp_error *error)
{
    struct ranges ranges = {0};
    int result = load(query,
                      "SELECT s.stack_id, t.rss FROM mapping t JOIN site s ON s.id = t.site_id "
                      "WHERE t.kind = 'range' AND s.kind IN ('mmap', 'reserve') AND t.process_id = ?1",
                      p, add_range, &ranges, error);

    if (result == 0 && sort_ranges(&ranges, p) != 0)
        result = kp_query_no_memory(error);
    free(ranges.items);
    return result;
}
