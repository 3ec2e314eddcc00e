/* SPDX-License-Identifier: MIT */
/*
 * Reads a snapshot and sums it up, see query_fragmentation.h. One thread.
 *
 * Of RSS, what is live in the heap is what is resident and not unused; a block of its own mapping
 * counts as far as there is RSS that nobody else explains.
 */
#include "query_fragmentation.h"

#include "query_blame.h"
#include "query_db.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const choice_sql[] = {
    [KP_AT_END] = "(SELECT max(number) FROM snapshot WHERE process_id = p.id)",
    [KP_AT_PEAK] = "(SELECT number FROM snapshot WHERE process_id = p.id "
                   "ORDER BY rss DESC, number LIMIT 1)",
};

static int64_t whole_or_unknown(sqlite3_stmt *st, int column)
{
    return sqlite3_column_type(st, column) == SQLITE_NULL ? -1 : kp_column_whole(st, column);
}

/* ---- processes ---- */

static int add_process(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    struct kp_heap_processes *processes = to;
    struct kp_heap_process *p = kp_append(&processes->items, &processes->count, sizeof *p);

    (void)query;
    if (!p)
        return -1;
    *p = (struct kp_heap_process){sqlite3_column_int64(st, 0), kp_column_whole(st, 1),
                                  kp_column_whole(st, 2)};
    return 0;
}

int kp_query_heap_processes(struct kp_query *query, const struct kp_filter *filter,
                            enum kp_snapshot_choice choice, struct kp_heap_processes *processes,
                            struct kp_error *error)
{
    char sql[512];

    *processes = (struct kp_heap_processes){0};
    snprintf(sql, sizeof sql,
             "SELECT p.id, p.pid, s.rss FROM process p JOIN snapshot s ON s.process_id = p.id "
             "AND s.number = %s WHERE ?1 = 0 OR p.pid = ?1 ORDER BY s.rss DESC, p.id",
             choice_sql[choice]);
    return kp_query_rows(query, sql, filter->pid, add_process, processes, error);
}

void kp_heap_processes_release(struct kp_heap_processes *processes)
{
    free(processes->items);
    *processes = (struct kp_heap_processes){0};
}

/* ---- one snapshot ---- */

static int read_snapshot(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    struct kp_heap_picture *p = to;

    p->process_id = sqlite3_column_int64(st, 0);
    p->pid = kp_column_whole(st, 1);
    p->number = kp_column_whole(st, 2);
    p->time_s = kp_column_amount(st, 3);
    p->why = kp_column_name(query, st, 4);
    p->rss = kp_column_whole(st, 5);
    p->rss_file = kp_column_whole(st, 6);
    p->cell_bytes = kp_column_whole(st, 7);
    p->partial = sqlite3_column_int(st, 8) != 0;
    p->cost_s = kp_column_amount(st, 9);
    p->trim_threshold = whole_or_unknown(st, 10);
    p->mmap_threshold = whole_or_unknown(st, 11);
    p->live_malloc = (struct kp_sum){.value = kp_column_amount(st, 12),
                                     .variance = kp_column_amount(st, 13)};
    p->live_object = (struct kp_sum){.value = kp_column_amount(st, 14),
                                     .variance = kp_column_amount(st, 15)};
    p->live_mmap = kp_column_amount(st, 16);
    p->where.has_mappings = sqlite3_column_type(st, 17) != SQLITE_NULL;
    p->mappings_s = kp_column_amount(st, 17);
    return 0;
}

static bool is_class(const char *kind)
{
    return strstr(kind, " bin") || strstr(kind, " class");
}

static int add_arena(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    struct kp_heap_picture *p = to;
    struct kp_heap_arena *a = kp_append(&p->arenas, &p->arena_count, sizeof *a);

    if (!a)
        return -1;
    *a = (struct kp_heap_arena){.kind = kp_column_name(query, st, 0),
                                .arena = kp_column_whole(st, 1),
                                .unit = kp_column_whole(st, 2),
                                .size = whole_or_unknown(st, 3),
                                .in_use = whole_or_unknown(st, 4),
                                .free = whole_or_unknown(st, 5),
                                .largest_free = whole_or_unknown(st, 6),
                                .top = whole_or_unknown(st, 7),
                                .resident = whole_or_unknown(st, 8),
                                .trimmable = whole_or_unknown(st, 9),
                                .large_free = whole_or_unknown(st, 10),
                                .waste = kp_column_whole(st, 11),
                                .top_stack_id = whole_or_unknown(st, 12),
                                .partial = sqlite3_column_int(st, 13) & 0xff,
                                .doubt = (sqlite3_column_int(st, 13) >> 8) * 1e-3 *
                                         kp_column_amount(st, 3)};
    a->is_python = strncmp(a->kind, "pymalloc", 8) == 0;
    a->is_class = is_class(a->kind);
    return 0;
}


static int add_step(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    struct kp_heap_picture *p = to;
    int64_t arena = kp_column_whole(st, 0), step = kp_column_whole(st, 1);

    (void)query;
    for (size_t i = 0; i < p->arena_count && step < KP_HEAP_STEPS; i++) {
        struct kp_heap_step *at = &p->steps[p->arenas[i].is_python][step];

        if (p->arenas[i].arena != arena)
            continue;
        at->cells += kp_column_whole(st, 2);
        at->resident += kp_column_whole(st, 3);
        at->used += kp_column_whole(st, 4);
        if (step == 0) {
            p->unused[p->arenas[i].is_python] += kp_column_amount(st, 3);
            if (strcmp(p->arenas[i].kind, "glibc thread") == 0)
                p->thread_free += kp_column_amount(st, 3);
        }
    }
    return 0;
}

static double known(int64_t bytes)
{
    return bytes > 0 ? (double)bytes : 0;
}

static void sum_arena(struct kp_heap_picture *p, const struct kp_heap_arena *a)
{
    bool has_cells = a->is_python || strncmp(a->kind, "glibc", 5) == 0;
    int python = a->is_python;

    if (a->is_class)
        return;
    p->in_use[python] += known(a->in_use);
    p->held[python] += known(a->size);
    p->resident[python] += known(a->resident >= 0 ? a->resident : a->size);
    p->trimmable += known(a->trimmable);
    p->large_free += known(a->large_free);
    p->unused[python] +=
        has_cells ? (double)a->waste : fmax(0, known(a->resident >= 0 ? a->resident : a->size) - known(a->in_use));
    if (strcmp(a->kind, "glibc main") == 0)
        p->top += known(a->top);
    if (strcmp(a->kind, "glibc thread") == 0)
        p->thread_free += (double)a->waste;
}

/* ---- where RSS goes ---- */

struct mapping_reader {
    struct kp_heap_picture *picture;
    double sum, heap, blocks, other, ranges;
    double beside_files; /* pages of files and of shared memory that are counted elsewhere */
};

static int add_mapping(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    struct mapping_reader *reader = to;
    struct kp_heap_rss *where = &reader->picture->where;
    const char *kind = kp_column_name(query, st, 0);
    double rss = kp_column_amount(st, 1);
    struct {
        const char *kind;
        double *sum;
    } sums[] = {
        {"file", &where->files},   {"data", &where->data},    {"shared", &where->shared},
        {"stack", &where->stacks}, {"kprof", &where->kprof},  {"heap", &reader->heap},
        {"blocks", &reader->blocks}, {"other", &reader->other}, {"range", &reader->ranges},
    };

    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++)
        if (strcmp(kind, sums[i].kind) == 0)
            *sums[i].sum += rss;
    if (strcmp(kind, "range") != 0)
        reader->sum += rss;
    if (strcmp(kind, "range") != 0 && strcmp(kind, "file") != 0)
        reader->beside_files += rss - kp_column_amount(st, 2);
    return 0;
}

/* Resident parts of the heap that lie in arenas of known addresses. */
static double resident_in_spans(const struct kp_heap_picture *p)
{
    double sum = 0;

    for (size_t i = 0; i < p->arena_count; i++)
        if (!p->arenas[i].is_class && p->arenas[i].resident >= 0)
            sum += (double)p->arenas[i].resident;
    return sum;
}

static double own_mappings(const struct kp_heap_picture *p)
{
    double sum = 0;

    for (size_t i = 0; i < p->arena_count; i++)
        if (strcmp(p->arenas[i].kind, "glibc mmap") == 0)
            sum += known(p->arenas[i].size);
    return sum;
}

static bool is_glibc(const struct kp_heap_picture *p)
{
    for (size_t i = 0; i < p->arena_count; i++)
        if (strncmp(p->arenas[i].kind, "glibc", 5) == 0)
            return true;
    return false;
}

/* Other allocators say what they hold, and the mappings that hold blocks what of it is resident. */
static void find_malloc(struct kp_heap_picture *p, const struct mapping_reader *reader)
{
    struct kp_heap_rss *w = &p->where;
    double grown = fmax(0, (double)p->rss - reader->sum); /* since the mappings were read */

    if (is_glibc(p)) {
        w->held_malloc = fmin(p->unused[0], p->resident[0]);
        w->live = fmax(0, resident_in_spans(p) - w->held_malloc - p->resident[1]) +
                  fmin(own_mappings(p),
                       w->has_mappings ? reader->blocks + grown : own_mappings(p));
        return;
    }
    double mapped = reader->heap + reader->blocks + grown;
    double resident = w->has_mappings ? fmax(0, mapped - p->resident[1]) : p->resident[0];
    w->live = fmin(p->in_use[0], resident);
    w->held_malloc = resident - w->live;
}

/* Mappings that were read in the same moment say exactly what RSS was; statm is a little behind. In
 * those of another moment files may be missing, of which the snapshot knows the sum. */
static void explain_rss(struct kp_heap_picture *p, const struct mapping_reader *reader)
{
    struct kp_heap_rss *w = &p->where;

    if (w->has_mappings && p->mappings_s == p->time_s)
        p->rss = (int64_t)reader->sum;
    else
        w->files = fmax(0, (double)p->rss_file - reader->beside_files);
    find_malloc(p, reader);
    w->held_python = fmin(p->unused[1], p->resident[1]);
    w->live += p->resident[1] - w->held_python;
    double left = (double)p->rss - w->live - w->held_malloc - w->held_python - w->files - w->data - w->shared -
                  w->stacks - w->kprof;
    double taken = fmin(fmax(0, left), w->opaque + w->mapped);
    if (w->opaque + w->mapped > 0) {
        double share = taken / (w->opaque + w->mapped);
        w->opaque *= share;
        w->mapped *= share;
    }
    w->other = fmax(0, left - taken);
}

static int load_picture(struct kp_query *query, int64_t process_id, enum kp_snapshot_choice choice,
                        struct kp_heap_picture *p, struct kp_error *error)
{
    char sql[1024];

    snprintf(sql, sizeof sql,
             "SELECT p.id, p.pid, s.number, s.time_s, s.why, s.rss, s.rss_file, s.cell_bytes, "
             "s.partial, s.cost_s, s.trim_threshold, s.mmap_threshold, s.live_malloc, "
             "s.live_malloc_var, s.live_object, s.live_object_var, s.live_mmap, s.mappings_s "
             "FROM process p JOIN snapshot s ON s.process_id = p.id AND s.number = %s WHERE p.id = ?1",
             choice_sql[choice]);
    return kp_query_rows(query, sql, process_id, read_snapshot, p, error);
}

static int load_rows(struct kp_query *query, const char *columns, const struct kp_heap_picture *p,
                     kp_row_reader *add, void *to, struct kp_error *error)
{
    char sql[768];

    snprintf(sql, sizeof sql, "SELECT %s WHERE t.process_id = ?1 AND t.number = %lld %s", columns,
             (long long)p->number, strstr(columns, "FROM arena") ? "ORDER BY t.arena" : "");
    return kp_query_rows(query, sql, p->process_id, add, to, error);
}

static int read_peak(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    (void)query;
    ((struct kp_heap_picture *)to)->peak_resident = kp_column_amount(st, 0);
    return 0;
}

static const char peak_sql[] =
    "SELECT max(sum) FROM (SELECT sum(coalesce(resident, size)) AS sum FROM arena "
    "WHERE process_id = ?1 AND kind NOT LIKE '% class' AND kind NOT LIKE '% bin' GROUP BY number)";

int kp_query_heap(struct kp_query *query, int64_t process_id, enum kp_snapshot_choice choice,
                  struct kp_heap_picture *p, struct kp_error *error)
{
    struct mapping_reader mappings = {.picture = p};

    *p = (struct kp_heap_picture){.why = ""};
    if (load_picture(query, process_id, choice, p, error) != 0)
        return -1;
    if (!*p->why)
        return 0;
    if (load_rows(query,
                  "t.kind, arena, unit, size, in_use, free, largest_free, top, resident, "
                  "trimmable, large_free, waste, s.stack_id, partial FROM arena t "
                  "LEFT JOIN site s ON s.id = t.top_site_id",
                  p, add_arena, p, error) != 0 ||
        load_rows(query, "arena, step, cells, resident, used FROM occupancy t", p, add_step, p,
                  error) != 0 ||
        load_rows(query, "kind, rss, anonymous FROM mapping t", p, add_mapping, &mappings, error) != 0 ||
        kp_query_rows(query, peak_sql, process_id, read_peak, p, error) != 0)
        return -1;
    for (size_t i = 0; i < p->arena_count; i++)
        sum_arena(p, &p->arenas[i]);
    if (kp_query_heap_blame(query, p, error) != 0 || kp_query_heap_opaque(query, p, error) != 0)
        return -1;
    explain_rss(p, &mappings);
    return 0;
}

void kp_heap_picture_release(struct kp_heap_picture *picture)
{
    free(picture->arenas);
    free(picture->blame);
    free(picture->opaque);
    *picture = (struct kp_heap_picture){.why = ""};
}

double kp_heap_internal_bytes(const struct kp_heap_picture *p)
{
    return fmax(0, p->in_use[0] - p->live_malloc.value) +
           fmax(0, p->in_use[1] - p->live_object.value);
}

double kp_heap_external(const struct kp_heap_picture *p)
{
    double held = p->held[0] + p->held[1];

    return held > 0 ? fmax(0, 1 - (p->in_use[0] + p->in_use[1]) / held) : 0;
}

bool kp_heap_is_partial(const struct kp_heap_picture *p, int bit)
{
    for (size_t i = 0; i < p->arena_count; i++)
        if (p->arenas[i].partial & bit)
            return true;
    return false;
}

/* Windows and samples are drawn independently of each other. */
double kp_heap_doubt(const struct kp_heap_picture *p)
{
    double sum = kp_heap_is_partial(p, KP_HEAP_CUT) ? 4 * p->live_malloc.variance : 0;

    for (size_t i = 0; i < p->arena_count; i++)
        sum += p->arenas[i].doubt * p->arenas[i].doubt;
    return sqrt(sum);
}

double kp_heap_realised(const struct kp_heap_picture *p)
{
    double used = p->in_use[0] + p->in_use[1];

    return used > 0 ? fmax(0, p->peak_resident - used) / used : 0;
}
