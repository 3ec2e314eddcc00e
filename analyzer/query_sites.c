/* SPDX-License-Identifier: MIT */
/*
 * The list of allocation sites. The database has one row per process, stack and kind; the list has
 * one per stack of all processes together, or one per line, function or module that tells most.
 * Merging is a sort by key and one pass. One thread.
 */
#include "query_db.h"
#include "query_stacks.h"

#include <stdlib.h>
#include <string.h>

/* A row on its way into the list: what it is merged by, beside its sums. */
struct keyed_site {
    const void *key[3];
    int64_t number;
    struct kp_site site;
};

static const char *const kind_names[] = {"malloc", "new",    "mmap", "reserve",
                                         "arena",  "object", "mem"}; /* as enum kp_kinds */
#define KIND_NAMES (sizeof kind_names / sizeof *kind_names)

unsigned kp_kinds_parse(const char *name)
{
    for (unsigned i = 0; i < KIND_NAMES; i++)
        if (strcmp(name, kind_names[i]) == 0)
            return 1u << i;
    return strcmp(name, "all") == 0 ? KP_KINDS_ALL : 0;
}

const char *kp_kinds_name(unsigned kind)
{
    for (unsigned i = 0; i < KIND_NAMES; i++)
        if (kind == 1u << i)
            return kind_names[i];
    return "mixed";
}

double kp_site_weight(const struct kp_site *site, enum kp_sort sort)
{
    switch (sort) {
    case KP_SORT_ALLOCATED: return site->allocated.value;
    case KP_SORT_COUNT: return site->allocated_count.value;
    default: return site->live.value;
    }
}

static void read_site(sqlite3_stmt *st, unsigned kind, struct kp_site *site)
{
    double rate = kp_column_amount(st, 16);
    double bytes = kp_gap_bytes(rate), blocks = kp_gap_blocks(rate);
    int64_t samples = kp_column_whole(st, 2), live_samples = kp_column_whole(st, 9);
    double lost = kp_lost_per_sample(kp_column_whole(st, 20), kp_column_whole(st, 21));
    *site = (struct kp_site){
        .stack_id = sqlite3_column_int64(st, 0),
        .process_id = sqlite3_column_int64(st, 19),
        .members = 1,
        .kind = kind,
        .allocated = kp_column_sum(st, 3, samples, bytes, lost),
        .allocated_count = kp_column_sum(st, 6, samples, blocks, lost),
        .live = kp_column_sum(st, 10, live_samples, bytes, lost),
        .live_count = kp_column_sum(st, 13, live_samples, blocks, lost),
        .first_s = kp_column_amount(st, 17),
        .last_s = kp_column_amount(st, 18),
    };
    if (sqlite3_column_int64(st, 22) > 0)
        site->converting = site->allocated.value;
}

/* The frame that stands for a stack in a group; an empty one for a stack without such a frame. */
static const struct kp_frame *group_frame(const struct kp_stacks *s, enum kp_group group,
                                          int64_t stack_id)
{
    static const struct kp_frame none = {.function = "", .file = "", .module = ""};
    uint32_t node = kp_stacks_find(s, stack_id);
    if (node == KP_NO_INDEX)
        return &none;
    struct kp_stack_telling telling = kp_stacks_telling(s, node);
    uint32_t frame = telling.line;
    if (group == KP_GROUP_PYTHON_LINE)
        frame = telling.python;
    else if (group == KP_GROUP_NATIVE_LINE)
        frame = telling.native;
    else if (group == KP_GROUP_MODULE && telling.native != KP_NO_INDEX)
        frame = telling.native;
    return frame == KP_NO_INDEX ? &none : &s->frames[frame];
}

static void set_key(struct kp_query *query, enum kp_group group, struct keyed_site *keyed)
{
    keyed->key[0] = keyed->key[1] = keyed->key[2] = NULL;
    keyed->number = 0;
    if (group == KP_GROUP_STACK) {
        keyed->key[0] = kp_kinds_name(keyed->site.kind);
        keyed->number = keyed->site.stack_id;
        return;
    }
    const struct kp_frame *frame = keyed->site.group =
        group_frame(query->stacks, group, keyed->site.stack_id);
    keyed->key[0] = frame->python ? frame->file : frame->module;
    if (group == KP_GROUP_MODULE)
        return;
    keyed->key[1] = frame->function;
    keyed->key[2] = frame->file;
    keyed->number = group == KP_GROUP_FUNCTION ? 0 : frame->line;
}

struct keyed_sites {
    struct keyed_site *rows;
    size_t count;
    unsigned kinds;
    enum kp_group group;
};

static int add_row(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    struct keyed_sites *sites = to;
    const char *name = (const char *)sqlite3_column_text(st, 1);
    unsigned kind = name ? kp_kinds_parse(name) : 0;
    if (!(kind & sites->kinds))
        return 0;
    struct keyed_site *added = kp_append(&sites->rows, &sites->count, sizeof *added);
    if (!added)
        return -1;
    read_site(st, kind, &added->site);
    set_key(query, sites->group, added);
    return 0;
}

static int load_rows(struct kp_query *query, const struct kp_filter *filter, enum kp_group group,
                     struct keyed_site **rows, size_t *count, struct kp_error *error)
{
    struct keyed_sites sites = {.kinds = filter->kinds, .group = group};
    int result = kp_query_rows(
        query,
        "SELECT s.stack_id, s.kind, s.samples, allocated_bytes, allocated_bytes_var, "
        "allocated_bytes_max, allocated_count, allocated_count_var, allocated_count_max, "
        "live_samples, live_bytes, live_bytes_var, live_bytes_max, live_count, live_count_var, "
        "live_count_max, s.rate_max, first_s, last_s, s.process_id, p.samples, p.lost_samples, s.converting "
        "FROM site s LEFT JOIN process p ON p.id = s.process_id WHERE ?1 = 0 OR p.pid = ?1",
        filter->pid, add_row, &sites, error);
    *rows = sites.rows;
    *count = sites.count;
    return result;
}

static int compare_weights(const struct kp_site *a, const struct kp_site *b, enum kp_sort sort)
{
    enum kp_sort orders[] = {sort, KP_SORT_LIVE, KP_SORT_ALLOCATED, KP_SORT_COUNT};
    for (int i = 0; i < 4; i++) {
        double x = kp_site_weight(a, orders[i]), y = kp_site_weight(b, orders[i]);
        if (x != y)
            return x > y ? -1 : 1;
    }
    return (a->stack_id > b->stack_id) - (a->stack_id < b->stack_id);
}

/* By key, and of one key the heaviest first: it leads its group. */
static int compare_keys(const void *left, const void *right, void *sort)
{
    const struct keyed_site *a = left, *b = right;
    for (int i = 0; i < 3; i++)
        if (a->key[i] != b->key[i])
            return (uintptr_t)a->key[i] < (uintptr_t)b->key[i] ? -1 : 1;
    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    return compare_weights(&a->site, &b->site, *(enum kp_sort *)sort);
}

static void add_site(struct kp_site *to, const struct kp_site *from)
{
    to->members += from->members;
    to->kind |= from->kind;
    kp_sum_add(&to->allocated, &from->allocated);
    kp_sum_add(&to->allocated_count, &from->allocated_count);
    kp_sum_add(&to->live, &from->live);
    kp_sum_add(&to->live_count, &from->live_count);
    to->converting += from->converting;
    to->first_s = from->first_s < to->first_s ? from->first_s : to->first_s;
    to->last_s = from->last_s > to->last_s ? from->last_s : to->last_s;
}

static bool same_key(const struct keyed_site *a, const struct keyed_site *b)
{
    return a->number == b->number && memcmp(a->key, b->key, sizeof a->key) == 0;
}

/* Merges neighbours of one key into sites->items. */
static void merge(struct keyed_site *rows, size_t count, enum kp_sort sort, struct kp_sites *sites)
{
    qsort_r(rows, count, sizeof *rows, compare_keys, &sort);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && same_key(&rows[i], &rows[i - 1]))
            add_site(&sites->items[sites->count - 1], &rows[i].site);
        else
            sites->items[sites->count++] = rows[i].site;
    }
}

static int compare_sites_r(const void *left, const void *right, void *sort)
{
    const struct kp_site *a = left, *b = right;
    int order = compare_weights(a, b, *(enum kp_sort *)sort);
    return order ? order : (a->kind > b->kind) - (a->kind < b->kind);
}

/* The rows merged, sorted and summed up. */
static int make_list(struct keyed_site *rows, size_t count, enum kp_sort sort,
                     struct kp_sites *sites, struct kp_error *error)
{
    *sites = (struct kp_sites){0};
    if (count == 0)
        return 0;
    sites->items = calloc(count, sizeof *sites->items);
    if (!sites->items)
        return kp_query_no_memory(error);
    merge(rows, count, sort, sites);
    qsort_r(sites->items, sites->count, sizeof *sites->items, compare_sites_r, &sort);
    sites->total = sites->items[0];
    for (size_t i = 1; i < sites->count; i++) /* in this order, so that sums repeat to the bit */
        add_site(&sites->total, &sites->items[i]);
    return 0;
}

int kp_query_sites(struct kp_query *query, const struct kp_filter *filter, enum kp_group group,
                   enum kp_sort sort, struct kp_sites *sites, struct kp_error *error)
{
    struct keyed_site *rows = NULL;
    size_t count = 0;
    *sites = (struct kp_sites){0};
    int result = group == KP_GROUP_STACK ? 0 : kp_query_load_stacks(query, error);
    if (result == 0)
        result = load_rows(query, filter, group, &rows, &count, error);
    if (result == 0)
        result = make_list(rows, count, sort, sites, error);
    free(rows);
    return result;
}

int kp_query_regroup(struct kp_query *query, const struct kp_sites *from, enum kp_group group,
                     enum kp_sort sort, struct kp_sites *sites, struct kp_error *error)
{
    *sites = (struct kp_sites){0};
    if (kp_query_load_stacks(query, error) != 0)
        return -1;
    struct keyed_site *rows = calloc(from->count + 1, sizeof *rows);
    if (!rows)
        return kp_query_no_memory(error);
    for (size_t i = 0; i < from->count; i++) {
        rows[i].site = from->items[i];
        set_key(query, group, &rows[i]);
    }
    int result = make_list(rows, from->count, sort, sites, error);
    free(rows);
    return result;
}

void kp_sites_release(struct kp_sites *sites)
{
    free(sites->items);
    *sites = (struct kp_sites){0};
}
