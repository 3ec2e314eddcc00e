/* SPDX-License-Identifier: MIT */
/*
 * Conversions by entry, from tables entry, conversion, activation and site. Entries of several
 * processes that have the same name, kind and module are one. One thread.
 *
 * Times are sums over some calls, each weighed by how many it stands for; how many calls there
 * were is known exactly. So a time is the mean of a call times that number (a ratio estimate): what
 * the draw happened to miss or to take too often is made good, as far as calls are alike.
 */
#include "conversion_table.h"
#include "conversions.h"
#include "query_db.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Where an entry of a process is in the list; in order of process and number. */
struct place {
    int64_t process_id, number;
    size_t item;
};

/* What the activations of an item sum up to, before its calls are known. */
struct drawn {
    int64_t samples;
    double calls, calls_variance, strings, repeated;
    struct kp_call_sum times[KP_CALL_TIMES];
    double best; /* cost of the calls from stack_id */
};

struct loading {
    struct kp_entries *entries;
    struct place *places;
    size_t place_count;
    struct drawn *drawn; /* of each item */
    unsigned kinds;
};

static int compare_places(const void *left, const void *right)
{
    const struct place *a = left, *b = right;
    if (a->process_id != b->process_id)
        return a->process_id < b->process_id ? -1 : 1;
    return (a->number > b->number) - (a->number < b->number);
}

/* The index of the entry in the columns 0 and 1; false: there is none. */
static bool find(const struct loading *load, sqlite3_stmt *st, size_t *item)
{
    struct place key = {sqlite3_column_int64(st, 0), sqlite3_column_int64(st, 1), 0};
    struct place *place = load->place_count ? bsearch(&key, load->places, load->place_count,
                                                      sizeof key, compare_places)
                                            : NULL;
    if (place)
        *item = place->item;
    return place != NULL;
}

static size_t find_like(const struct kp_entries *entries, const struct kp_entry *like)
{
    size_t i = 0;
    while (i < entries->count && (strcmp(entries->items[i].name, like->name) != 0 ||
                                  strcmp(entries->items[i].module, like->module) != 0 ||
                                  strcmp(entries->items[i].kind, like->kind) != 0))
        i++;
    return i;
}

static int add_entry(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    struct loading *load = to;
    struct kp_entry like = {.kind = kp_column_name(query, st, 2),
                            .name = kp_column_name(query, st, 3),
                            .module = kp_column_name(query, st, 4)};
    size_t item = find_like(load->entries, &like);
    struct place *place = kp_append(&load->places, &load->place_count, sizeof *place);
    if (!place)
        return -1;
    *place = (struct place){sqlite3_column_int64(st, 0), sqlite3_column_int64(st, 1), item};
    if (item == load->entries->count) {
        struct kp_entry *entry =
            kp_append(&load->entries->items, &load->entries->count, sizeof *entry);
        if (!entry)
            return -1;
        *entry = like;
    }
    load->entries->items[item].processes++;
    load->entries->items[item].threads += kp_column_whole(st, 5);
    return 0;
}

static int find_row(const char *name)
{
    for (int row = 0; name && row < KP_API_ROWS; row++)
        if (strcmp(kp_api_rows[row].name, name) == 0)
            return row;
    return -1;
}

static int add_counts(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    struct loading *load = to;
    size_t item;
    int row = find_row((const char *)sqlite3_column_text(st, 2));
    (void)query;
    if (row < 0 || !find(load, st, &item))
        return 0;
    double amount = (double)sqlite3_column_int64(st, 4); /* of _PyBytes_Resize below 0 too */
    load->entries->items[item].api[row].calls += (double)kp_column_whole(st, 3);
    load->entries->items[item].api[row].amount += fmin(fmax(amount, -1e15), 1e15);
    return 0;
}

/* Sums of an entry's activations, of all its stacks. */
static void add_drawn(struct drawn *drawn, sqlite3_stmt *st)
{
    drawn->samples += kp_column_whole(st, 3);
    drawn->calls += kp_column_amount(st, 4);
    drawn->calls_variance += kp_column_amount(st, 5);
    for (int i = 0; i < KP_CALL_TIMES; i++) {
        drawn->times[i].value += kp_column_amount(st, 6 + 3 * i);
        drawn->times[i].variance += kp_column_amount(st, 7 + 3 * i);
        drawn->times[i].covariance += kp_column_amount(st, 8 + 3 * i);
    }
    drawn->strings += kp_column_amount(st, 18);
    drawn->repeated += kp_column_amount(st, 19);
}

static int add_activation(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    struct loading *load = to;
    size_t item;
    (void)query;
    if (!find(load, st, &item))
        return 0;
    struct drawn *drawn = &load->drawn[item];
    int64_t stack = sqlite3_column_int64(st, 2);
    double cost = kp_column_amount(st, 9) + 1e-3 * kp_column_amount(st, 6);
    add_drawn(drawn, st);
    if (stack > 0 && cost >= drawn->best) {
        drawn->best = cost;
        load->entries->items[item].stack_id = stack;
    }
    return 0;
}

static int add_site(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    struct loading *load = to;
    const char *kind = (const char *)sqlite3_column_text(st, 3);
    int64_t converting = sqlite3_column_int64(st, 2);
    double rate = kp_column_amount(st, 15);
    double lost = kp_lost_per_sample(kp_column_whole(st, 16), kp_column_whole(st, 17));
    size_t item;
    (void)query;
    if (!kind || !(kp_kinds_parse(kind) & load->kinds))
        return 0;
    struct kp_sum allocated =
        kp_column_sum(st, 5, kp_column_whole(st, 4), kp_gap_bytes(rate), lost);
    kp_sum_add(&load->entries->all_allocated, &allocated);
    if (converting != 1 && converting != 2)
        return 0;
    struct kp_sum count = kp_column_sum(st, 8, kp_column_whole(st, 4), kp_gap_blocks(rate), lost);
    struct kp_sum live = kp_column_sum(st, 12, kp_column_whole(st, 11), kp_gap_bytes(rate), lost);
    kp_sum_add(&load->entries->allocated, &allocated);
    kp_sum_add(&load->entries->retained, &live);
    if (!find(load, st, &item))
        return 0;
    struct kp_conversion_way *way = &load->entries->items[item].ways[converting - 1];
    kp_sum_add(&way->allocated, &allocated);
    kp_sum_add(&way->allocated_count, &count);
    kp_sum_add(&way->retained, &live);
    return 0;
}

static int add_state(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    struct kp_entries *entries = ((struct loading *)to)->entries;
    const char *state = (const char *)sqlite3_column_text(st, 0);
    bool off = state && strcmp(state, "off") == 0;
    (void)query;
    entries->processes_off += off;
    entries->processes_on += !off;
    entries->patched_modules += kp_column_whole(st, 1);
    entries->lost_entries += kp_column_whole(st, 2);
    entries->lost_blocks += kp_column_whole(st, 3);
    entries->lost_activations += kp_column_whole(st, 4);
    entries->lived_s += off ? 0 : kp_column_amount(st, 5);
    return 0;
}

static const char *const entry_sql =
    "SELECT e.process_id, e.entry, e.kind, e.name, m.path, e.threads FROM entry e "
    "JOIN process p ON p.id = e.process_id LEFT JOIN module m ON m.id = e.module_id "
    "WHERE ?1 = 0 OR p.pid = ?1 ORDER BY e.process_id, e.entry";
static const char *const count_sql = "SELECT process_id, entry, api, calls, amount FROM conversion";
static const char *const activation_sql =
    "SELECT process_id, entry, stack_id, samples, calls, calls_var, total_s, total_s_var, "
    "total_s_cov, converting_s, converting_s_var, converting_s_cov, to_python_s, to_python_s_var, "
    "to_python_s_cov, from_python_s, from_python_s_var, from_python_s_cov, strings, repeated "
    "FROM activation";
static const char *const site_sql =
    "SELECT s.process_id, s.entry, s.converting, s.kind, s.samples, allocated_bytes, "
    "allocated_bytes_var, allocated_bytes_max, allocated_count, allocated_count_var, "
    "allocated_count_max, live_samples, live_bytes, live_bytes_var, live_bytes_max, s.rate_max, "
    "p.samples, p.lost_samples FROM site s LEFT JOIN process p ON p.id = s.process_id "
    "WHERE ?1 = 0 OR p.pid = ?1";
static const char *const state_sql =
    "SELECT c.state, patched_modules, lost_entries, lost_blocks, lost_activations, "
    "coalesce(p.ended_s, (SELECT max(time_s) FROM memory WHERE process_id = p.id), p.started_s) "
    "- p.started_s FROM conversion_state c JOIN process p ON p.id = c.process_id "
    "WHERE ?1 = 0 OR p.pid = ?1";

/* The mean of a call times the number of calls. Its variance is that of the draw as far as the calls
 * that it took differ from the mean. */
static struct kp_sum all_calls(const struct drawn *drawn, enum kp_call_time time, double calls)
{
    const struct kp_call_sum *sum = &drawn->times[time];
    if (drawn->calls <= 0)
        return (struct kp_sum){0};
    double factor = calls > 0 ? calls / drawn->calls : 1, mean = sum->value / drawn->calls;
    double variance = sum->variance - 2 * mean * sum->covariance +
                      mean * mean * drawn->calls_variance;
    if (calls <= 0)
        variance = sum->variance;
    variance = fmax(0, variance) * factor * factor;
    /* Behaves like `samples` of one size. */
    double weight = variance > 0 && sum->value > 0 ? variance / (sum->value * factor) : 0;
    return (struct kp_sum){.value = sum->value * factor,
                           .variance = variance,
                           .weight_max = weight,
                           .gap = weight,
                           .samples = drawn->samples};
}

static void finish_times(struct kp_entry *entry, const struct drawn *drawn)
{
    const struct kp_api_count *api = entry->api;
    entry->calls = api[KP_API_ROW_entry_calls].calls;
    entry->total = all_calls(drawn, KP_CALL_TOTAL, entry->calls);
    entry->converting = all_calls(drawn, KP_CALL_CONVERTING, entry->calls);
    entry->ways[KP_TO_PYTHON].time = all_calls(drawn, KP_CALL_TO_PYTHON, entry->calls);
    entry->ways[KP_FROM_PYTHON].time = all_calls(drawn, KP_CALL_FROM_PYTHON, entry->calls);
    entry->repeated = drawn->strings > 0 ? fmin(1, drawn->repeated / drawn->strings) : 0;
    entry->gil_wait_s = api[KP_API_ROW_gil_wait].amount / 1e9;
    entry->gil_waits = api[KP_API_ROW_gil_wait].calls;
    double hold_s = api[KP_API_ROW_gil_hold].amount / 1e9;
    if (strcmp(entry->kind, "thread") != 0)
        hold_s = entry->total.value - api[KP_API_ROW_gil_released].amount / 1e9;
    entry->gil_hold_s = fmax(0, hold_s);
}

/* A number below 257 exists already, and as native data it is a byte: then nothing like 8 bytes for
 * each number is allocated. */
static double bytes_of_numbers(const struct kp_conversion_way *way, enum kp_direction direction,
                               double numbers)
{
    bool small = direction == KP_TO_PYTHON ? way->allocated_count.value < numbers / 2
                                           : way->allocated.value < 4 * numbers;
    return small ? numbers : 8 * numbers;
}

static void finish_payload(struct kp_entry *entry)
{
    double numbers[2] = {0, 0};
    for (int row = 0; row < KP_API_ROWS; row++)
        if (kp_api_rows[row].class == KP_API_SCALAR)
            numbers[kp_api_rows[row].direction] += entry->api[row].calls;
    for (enum kp_direction d = KP_TO_PYTHON; d <= KP_FROM_PYTHON; d++)
        entry->ways[d].payload =
            entry->ways[d].bytes + bytes_of_numbers(&entry->ways[d], d, numbers[d]);
}

static void finish_counts(struct kp_entry *entry)
{
    for (int row = 0; row < KP_API_ROWS; row++) {
        const struct kp_api_info *info = &kp_api_rows[row];
        if (info->class == KP_API_OWN || info->direction == KP_NO_DIRECTION)
            continue;
        struct kp_conversion_way *way = &entry->ways[info->direction];
        way->conversions += entry->api[row].calls;
        way->objects += entry->api[row].calls * info->objects;
        way->copies += entry->api[row].calls * info->copies;
        if (info->class == KP_API_BYTES && info->unit == KP_UNIT_BYTES)
            way->bytes += entry->api[row].amount;
    }
    struct kp_conversion_way *out = &entry->ways[KP_TO_PYTHON];
    out->copies = fmax(0, out->copies - entry->api[KP_API_ROW_in_place].calls);
    out->bytes = fmax(0, out->bytes);
    finish_payload(entry);
}

double kp_entry_conversions(const struct kp_entry *entry)
{
    return entry->ways[KP_TO_PYTHON].conversions + entry->ways[KP_FROM_PYTHON].conversions;
}

double kp_conversion_amplification(const struct kp_conversion_way *way)
{
    return way->payload > 0 ? way->allocated.value / way->payload : -1;
}

static double cost_of(const struct kp_entry *entry)
{
    return entry->converting.value + entry->gil_wait_s;
}

static int compare_costs(const void *left, const void *right)
{
    const struct kp_entry *a = left, *b = right;
    double x = cost_of(a), y = cost_of(b);
    if (x == y) {
        x = kp_entry_conversions(a);
        y = kp_entry_conversions(b);
    }
    if (x != y)
        return x > y ? -1 : 1;
    return strcmp(a->name, b->name) ? strcmp(a->name, b->name) : strcmp(a->module, b->module);
}

/* Figures of each entry, and the list in order of cost; without those that convert nothing. */
static void finish(struct loading *load)
{
    struct kp_entries *entries = load->entries;
    size_t kept = 0;
    for (size_t i = 0; i < entries->count; i++) {
        struct kp_entry *entry = &entries->items[i];
        finish_times(entry, &load->drawn[i]);
        finish_counts(entry);
        if (kp_entry_conversions(entry) <= 0)
            continue;
        kp_sum_add(&entries->total, &entry->total);
        kp_sum_add(&entries->converting, &entry->converting);
        entries->gil_wait_s += entry->gil_wait_s;
        entries->items[kept++] = *entry;
    }
    entries->count = kept;
    if (kept > 0)
        qsort(entries->items, kept, sizeof *entries->items, compare_costs);
}

int kp_query_entries(struct kp_query *query, const struct kp_filter *filter,
                     struct kp_entries *entries, struct kp_error *error)
{
    struct loading load = {.entries = entries, .kinds = filter->kinds};
    *entries = (struct kp_entries){0};
    int result = kp_query_rows(query, entry_sql, filter->pid, add_entry, &load, error);
    load.drawn = calloc(entries->count + 1, sizeof *load.drawn);
    if (result == 0 && !load.drawn)
        result = kp_query_no_memory(error);
    if (result == 0)
        result = kp_query_rows(query, count_sql, 0, add_counts, &load, error);
    if (result == 0)
        result = kp_query_rows(query, activation_sql, 0, add_activation, &load, error);
    if (result == 0)
        result = kp_query_rows(query, site_sql, filter->pid, add_site, &load, error);
    if (result == 0)
        result = kp_query_rows(query, state_sql, filter->pid, add_state, &load, error);
    if (result == 0)
        finish(&load);
    free(load.drawn);
    free(load.places);
    return result;
}

void kp_entries_release(struct kp_entries *entries)
{
    free(entries->items);
    *entries = (struct kp_entries){0};
}
