/* SPDX-License-Identifier: MIT */
/*
 * Taking up the work of a collector that was killed: what its last commit left in the database
 * becomes the tables in memory again. Rows of processes that have nothing in the spool any more are
 * only counted. The database may be damaged: numbers are checked before they are used.
 */
#include "ingest.h"

#include "alloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Things by row while loading: rows are numbered from 1 without gaps. NULL: of a process that has
 * nothing in the spool any more. */
struct rows {
    void **all; /* [1 .. count] */
    size_t capacity, count;
};

struct loader {
    struct kp_ingest *ingest;
    struct kp_error *error;
    sqlite3_stmt *query;
    struct rows sites, threads;
    int failed;
};

static void fail(struct loader *load)
{
    kp_error_set(load->error, "cannot read %s: it is damaged", load->ingest->store->path);
    load->failed = 1;
}

static void rows_add(struct rows *rows, void *thing)
{
    rows->all = kp_array_grow(rows->all, &rows->capacity, ++rows->count + 1, sizeof *rows->all);
    rows->all[rows->count] = thing;
}

static void *rows_get(const struct rows *rows, int64_t row)
{
    return row > 0 && (size_t)row <= rows->count ? rows->all[row] : NULL;
}

static int64_t integer(const struct loader *load, int column)
{
    return sqlite3_column_int64(load->query, column);
}

static double real(const struct loader *load, int column)
{
    return sqlite3_column_double(load->query, column);
}

static const char *text(const struct loader *load, int column)
{
    const char *value = (const char *)sqlite3_column_text(load->query, column);

    return value ? value : "";
}

static uint64_t time_us(const struct loader *load, int column)
{
    double value = real(load, column) * 1e6;

    return value >= 0 && value < (double)KP_DECODE_TIME_US_MAX ? (uint64_t)llround(value) : 0;
}

static struct kp_recorded *process_of(const struct loader *load, int column)
{
    return kp_ingest_process(load->ingest, (uint32_t)integer(load, column));
}

static void load_session(struct loader *load)
{
    load->ingest->lost_processes = (uint64_t)integer(load, 0);
}

static void load_process(struct loader *load)
{
    struct kp_recorded *process = process_of(load, 0);

    if (!process) {
        load->ingest->processes_seen++;
        return;
    }
    process->stored = true;
    process->memory.peak_rss = (uint64_t)integer(load, 1);
    if (real(load, 4) * 1e9 < (double)process->info.before_join_ns)
        process->info.before_join_ns = (uint64_t)llround(fmax(0, real(load, 4)) * 1e9);
    if (sqlite3_column_type(load->query, 2) == SQLITE_NULL)
        return;
    process->ended_us = time_us(load, 2);
    if (!strcmp(text(load, 3), "exec")) {
        process->end = "exec";
        process->watched.dead = true;
    }
}

static void load_snapshot(struct loader *load)
{
    struct kp_recorded *process = process_of(load, 0);

    if (process)
        kp_snapshots_load(&process->snapshots, (uint64_t)integer(load, 1),
                          (uint64_t)integer(load, 2));
}

static void load_note(struct loader *load)
{
    struct kp_recorded *process = process_of(load, 0);

    if (process)
        process->notes_stored = (uint32_t)integer(load, 1);
}

static void load_thread(struct loader *load)
{
    struct kp_ingest *ingest = load->ingest;
    struct kp_recorded *process = process_of(load, 1);
    int64_t row = ingest->next_thread++, next = row;

    if (row != integer(load, 0))
        fail(load);
    if (!process) {
        rows_add(&load->threads, NULL);
        return;
    }
    char name[16] = "";
    memcpy(name, text(load, 3), strnlen(text(load, 3), sizeof name - 1));
    struct kp_thread_row *thread =
        kp_process_thread(process, (uint32_t)integer(load, 2), name, &next);
    thread->first_us = time_us(load, 4);
    thread->samples = (uint64_t)integer(load, 5);
    thread->stored = true;
    thread->dirty = false;
    rows_add(&load->threads, thread);
}

static void load_module(struct loader *load)
{
    if (kp_stack_tree_module(&load->ingest->tree, text(load, 1), strlen(text(load, 1)),
                             text(load, 2)) != integer(load, 0))
        fail(load);
}

static void load_code(struct loader *load)
{
    struct kp_code_name name = {text(load, 1), text(load, 2), strlen(text(load, 1)),
                                strlen(text(load, 2)), (uint32_t)integer(load, 3)};

    if (kp_stack_tree_code(&load->ingest->tree, &name) != integer(load, 0))
        fail(load);
}

/* Does a column hold one of the numbers [0, most]? */
static bool is_number(const struct loader *load, int column, uint32_t most)
{
    return integer(load, column) >= 0 && integer(load, column) <= most;
}

static void load_location(struct loader *load)
{
    struct kp_stack_tree *tree = &load->ingest->tree;

    if (!is_number(load, 1, tree->module_count) || !is_number(load, 2, tree->code_count) ||
        kp_stack_tree_location(tree, (uint32_t)integer(load, 1), (uint32_t)integer(load, 2),
                               (uint64_t)integer(load, 3)) != integer(load, 0))
        fail(load);
}

static void load_stack(struct loader *load)
{
    struct kp_stack_tree *tree = &load->ingest->tree;

    if (!is_number(load, 1, tree->stack_count) || !is_number(load, 2, tree->location_count) ||
        !integer(load, 2) ||
        kp_stack_tree_stack(tree, (uint32_t)integer(load, 1), (uint32_t)integer(load, 2)) !=
            integer(load, 0))
        fail(load);
}

static struct kp_weighed sum(const struct loader *load, int column)
{
    return (struct kp_weighed){real(load, column), real(load, column + 1), real(load, column + 2)};
}

static void load_site(struct loader *load)
{
    struct kp_ingest *ingest = load->ingest;
    struct kp_recorded *process = process_of(load, 1);
    int64_t row = ingest->next_site++, next = row, stack = integer(load, 2);
    unsigned kind = kp_kind_from_name(text(load, 3));

    if (row != integer(load, 0) || !kind || stack < 0 || stack > ingest->tree.stack_count ||
        !is_number(load, 21, KP_ENTRY_LAST) || !is_number(load, 22, 2))
        fail(load);
    if (!process || load->failed) {
        rows_add(&load->sites, NULL);
        return;
    }
    struct kp_site_sums like = {.process = process->number,
                                .stack = (uint32_t)stack,
                                .kind = (uint8_t)kind,
                                .stamp = kp_site_stamp((uint16_t)integer(load, 21),
                                                       (unsigned)integer(load, 22))};
    struct kp_site_sums *site = kp_site_get(&process->sites, &like, &next);
    site->stored = true;
    site->samples = (uint64_t)integer(load, 4);
    site->allocated_bytes = sum(load, 5);
    site->allocated_count = sum(load, 8);
    site->live_samples = (uint64_t)integer(load, 11);
    site->live_bytes = sum(load, 12);
    site->live_count = sum(load, 15);
    site->rate_max = (uint64_t)integer(load, 18);
    site->first_us = time_us(load, 19);
    site->last_us = time_us(load, 20);
    if (site->last_us > process->last_us)
        process->last_us = site->last_us;
    rows_add(&load->sites, site);
}

static void load_sample(struct loader *load)
{
    struct kp_ingest *ingest = load->ingest;
    int64_t row = integer(load, 0);
    struct kp_site_sums *site = rows_get(&load->sites, integer(load, 1));
    struct kp_thread_row *thread = rows_get(&load->threads, integer(load, 2));
    struct kp_recorded *process = site ? kp_ingest_process(ingest, site->process) : NULL;

    if (row >= ingest->next_sample && row < INT64_MAX)
        ingest->next_sample = row + 1;
    if (!process)
        return;
    uint64_t id = (uint64_t)integer(load, 3);
    struct kp_live_sample *sample =
        thread && row > 0 && row < INT64_MAX ? kp_live_set_insert(&process->live, id) : NULL;
    if (!sample) {
        fail(load);
        return;
    }
    sample->site = site;
    sample->thread = thread;
    sample->size = (uint64_t)integer(load, 4);
    sample->weight = real(load, 5);
    sample->address = (uint64_t)integer(load, 6);
    sample->born_us = (uint64_t)integer(load, 7);
    sample->born_iteration = (uint64_t)integer(load, 8);
    kp_live_set_mark_stored(&process->live, sample, row);
}

static void load_timeline(struct loader *load)
{
    struct kp_recorded *process = process_of(load, 0);
    uint64_t slice_us = time_us(load, 2);

    if (!process)
        return;
    if (slice_us < KP_SLICE_FIRST_US ||
        (process->timeline.count && slice_us != process->timeline.slice_us)) {
        fail(load);
        return;
    }
    process->timeline.slice_us = slice_us;
    struct kp_slice_sums slice = {(uint64_t)integer(load, 3),
                                  real(load, 4),
                                  real(load, 5),
                                  real(load, 6),
                                  real(load, 7),
                                  (uint64_t)integer(load, 8),
                                  (uint64_t)integer(load, 9),
                                  true,
                                  false};
    kp_slices_load(&process->timeline, time_us(load, 1), &slice);
}

static void load_memory(struct loader *load)
{
    struct kp_recorded *process = process_of(load, 0);
    struct kp_reading reading = {.time_us = time_us(load, 1),
                                 .rss = (uint64_t)integer(load, 2),
                                 .has_detail = integer(load, 3) != 0,
                                 .stored = true};

    if (!process)
        return;
    kp_memory_series_load(&process->memory, &reading);
    if (reading.time_us > process->last_us)
        process->last_us = reading.time_us;
}

static void load_marks(struct loader *load)
{
    struct kp_recorded *process = process_of(load, 0);

    if (!process)
        return;
    process->marks_stored = (uint64_t)integer(load, 1);
    while ((uint64_t)integer(load, 2) / process->mark_step > KP_MARKS_MAX)
        process->mark_step *= 2;
}

static struct kp_phase_sums phase_sums(const struct loader *load)
{
    return (struct kp_phase_sums){real(load, 2) * 1e6, real(load, 3), real(load, 4)};
}

static void load_phase(struct loader *load)
{
    struct kp_recorded *process = process_of(load, 0);
    enum kp_phase phase = kp_phase_from_name(text(load, 1));
    struct kp_phase_sums sums = phase_sums(load);

    if (phase == KP_PHASE_COUNT || !(sums.us >= 0 && sums.us < (double)KP_DECODE_TIME_US_MAX))
        fail(load);
    else if (process)
        kp_phases_load(&process->phases, phase, &sums);
}

static void load_import(struct loader *load)
{
    struct kp_recorded *process = process_of(load, 0);
    const char *name = text(load, 1);
    struct kp_phase_sums sums = phase_sums(load);

    if (process)
        kp_import_table_add(&process->phases.modules,
                            strcmp(name, KP_IMPORT_OTHERS)
                                ? kp_import_name_number(&load->ingest->contexts, name)
                                : 0,
                            &sums);
}

static void load_mark_time(struct loader *load)
{
    struct kp_recorded *process = process_of(load, 0);
    uint64_t mark_us = (uint64_t)integer(load, 2);

    if (process && mark_us < KP_DECODE_TIME_US_MAX)
        kp_phases_mark(&process->phases, (uint64_t)integer(load, 1), mark_us);
}

static void load_cursor(struct loader *load)
{
    struct kp_ingest *ingest = load->ingest;
    ingest->loaded_cursors =
        kp_array_grow(ingest->loaded_cursors, &ingest->loaded_cursor_capacity,
                      ingest->loaded_cursor_count + 1u, sizeof *ingest->loaded_cursors);
    ingest->loaded_cursors[ingest->loaded_cursor_count++] =
        (struct kp_cursor){(uint32_t)integer(load, 0), (uint32_t)integer(load, 1)};
}

static void load_table(struct loader *load, const char *sql, void (*load_row)(struct loader *))
{
    if (load->failed)
        return;
    load->query = kp_store_query(load->ingest->store, sql, load->error);
    if (!load->query) {
        load->failed = 1;
        return;
    }
    while (!load->failed && kp_store_next(load->ingest->store, load->query, load->error))
        load_row(load);
    sqlite3_finalize(load->query);
    load->failed |= load->error->text[0] != 0;
}

static const struct {
    const char *sql;
    void (*load_row)(struct loader *);
} tables[] = {
    {"SELECT lost_processes FROM session", load_session},
    {"SELECT id, peak_rss_bytes, ended_s, end, before_join_s FROM process", load_process},
    {"SELECT process_id, count(*) FROM note GROUP BY process_id", load_note},
    {"SELECT process_id, number, rss FROM snapshot ORDER BY process_id, number", load_snapshot},
    {"SELECT id, process_id, tid, name, first_s, samples FROM thread", load_thread},
    {"SELECT id, path, build_id FROM module ORDER BY id", load_module},
    {"SELECT id, file, function, first_line FROM code ORDER BY id", load_code},
    {"SELECT id, module_id, code_id, address FROM location ORDER BY id", load_location},
    {"SELECT id, parent_id, location_id FROM stack ORDER BY id", load_stack},
    {"SELECT * FROM site", load_site},
    {"SELECT * FROM sample ORDER BY id", load_sample},
    {"SELECT * FROM timeline", load_timeline},
    {"SELECT process_id, time_s, rss, pss IS NOT NULL FROM memory ORDER BY process_id, time_s",
     load_memory},
    {"SELECT process_id, count(*), max(iteration) FROM mark GROUP BY process_id", load_marks},
    {"SELECT * FROM phase", load_phase},
    {"SELECT * FROM import", load_import},
    {"SELECT process_id, iteration, time_us FROM mark", load_mark_time},
    {"SELECT seq, offset FROM spool_cursor ORDER BY seq", load_cursor},
};

int kp_ingest_load(struct kp_ingest *ingest, struct kp_error *error)
{
    struct loader load = {.ingest = ingest, .error = error};

    if (kp_ingest_scan_definitions(ingest, error))
        return 1;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        load_table(&load, tables[i].sql, tables[i].load_row);
    free(load.sites.all);
    free(load.threads.all);
    if (load.failed || kp_ingest_conversions_load(ingest, error))
        return 1;
    kp_stack_tree_settle(&ingest->tree);
    for (uint32_t i = 0; i < ingest->process_count; i++)
        kp_phases_loaded(&ingest->processes[i]->phases, &ingest->contexts);
    return 0;
}
