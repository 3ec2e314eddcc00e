/* SPDX-License-Identifier: MIT */
/*
 * What stands at the top of every report: the session, the notes, how many stacks have names, and
 * the modules that keep theirs to themselves. One thread.
 */
#include "query_db.h"
#include "query_stacks.h"

#include <stdlib.h>
#include <string.h>

static int load_session(struct kp_query *query, struct kp_summary *summary, struct kp_error *error)
{
    summary->version = "";
    sqlite3_stmt *st = kp_query_prepare(
        query,
        "SELECT version, finished, lost_processes, (SELECT user_version FROM pragma_user_version), "
        "max(coalesce((SELECT max(coalesce(ended_s, started_s)) FROM process), 0), "
        "coalesce((SELECT max(start_s + slice_s) FROM timeline WHERE process_id IN "
        "(SELECT id FROM process WHERE ended_s IS NULL)), 0), "
        "coalesce((SELECT max(time_s) FROM memory), 0)), start_unix "
        "FROM session",
        error);
    int step = st ? kp_query_step(query, st, error) : -1;
    if (step == 1) {
        summary->version = kp_column_name(query, st, 0);
        summary->finished = sqlite3_column_int64(st, 1) != 0;
        summary->lost_processes = kp_column_whole(st, 2);
        summary->schema = (int)kp_column_whole(st, 3);
        summary->elapsed_s = kp_column_amount(st, 4);
        summary->start_unix_s = kp_column_amount(st, 5);
        step = 0;
    }
    sqlite3_finalize(st);
    return step;
}

static int add_note(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    struct kp_summary *summary = to;
    struct kp_note *note = kp_append(&summary->notes, &summary->note_count, sizeof *note);
    if (!note)
        return -1;
    *note = (struct kp_note){kp_column_whole(st, 1), kp_column_name(query, st, 0)};
    return 0;
}

static int load_notes(struct kp_query *query, struct kp_summary *summary, struct kp_error *error)
{
    return kp_query_rows(
        query,
        "SELECT text, count(DISTINCT process_id) FROM note GROUP BY text ORDER BY min(rowid)", 0,
        add_note, summary, error);
}

static const char *reason_of(const struct kp_module *module)
{
    if (!module || strcmp(module->symbols, "none") == 0)
        return "no symbols";
    if (strcmp(module->symbols, "missing") == 0)
        return "the file is gone";
    if (strcmp(module->symbols, "changed") == 0)
        return "the file has changed since";
    if (strcmp(module->symbols, "dynsym") == 0)
        return "exported names only";
    return *module->symbols ? "no name at these addresses" : "not looked up yet";
}

static bool is_of_rust(const struct kp_frame *frame)
{
    size_t length = strlen(frame->file);
    return length > 3 && strcmp(frame->file + length - 3, ".rs") == 0;
}

static int add_blind(struct kp_summary *summary, const struct kp_stacks *s,
                     const struct kp_frame *frame, double bytes)
{
    const char *path = frame->module;
    for (size_t i = 0; i < summary->blind_count; i++) {
        if (summary->blind[i].path == path) {
            summary->blind[i].bytes += bytes;
            summary->blind[i].rust |= is_of_rust(frame);
            return 0;
        }
    }
    struct kp_blind *grown = kp_grow(summary->blind, summary->blind_count, sizeof *grown);
    if (!grown)
        return -1;
    summary->blind = grown;
    const struct kp_module *module = kp_stacks_module(s, path);
    grown[summary->blind_count++] =
        (struct kp_blind){.path = path,
                          .build_id = module ? module->build_id : "",
                          .reason = reason_of(module),
                          .pending = module && !*module->symbols,
                          .rust = is_of_rust(frame),
                          .bytes = bytes};
    return 0;
}

static int compare_blind(const void *left, const void *right)
{
    const struct kp_blind *a = left, *b = right;
    if (a->bytes != b->bytes)
        return a->bytes > b->bytes ? -1 : 1;
    return strcmp(a->path, b->path);
}

/* A stack counts as resolved when its innermost frame that is no plumbing has a name, which a
 * Python line always has. It is blind in that frame when the name is no more than the nearest. */
static int count_stack(struct kp_summary *summary, const struct kp_stacks *s,
                       const struct kp_site *site)
{
    uint32_t node = kp_stacks_find(s, site->stack_id);
    summary->stacks++;
    if (node == KP_NO_INDEX || s->nodes[node].location == KP_NO_INDEX) {
        summary->stacks_without++;
        summary->stacks_unresolved++;
        return 0;
    }
    struct kp_stack_telling telling = kp_stacks_telling(s, node);
    summary->stacks_with_python += telling.python != KP_NO_INDEX;
    summary->stacks_with_native += kp_stacks_has_native(s, node);
    uint32_t own = s->nodes[node].native != KP_NO_INDEX ? s->nodes[node].native : telling.line;
    const struct kp_frame *frame = &s->frames[own];
    if (frame->exact || frame->python)
        return 0;
    summary->stacks_unresolved += frame->nameless;
    return add_blind(summary, s, frame, site->allocated.value);
}

int kp_query_count_stacks(struct kp_query *query, const struct kp_sites *sites,
                          struct kp_summary *summary, struct kp_error *error)
{
    if (kp_query_load_stacks(query, error) != 0)
        return -1;
    for (size_t i = 0; i < sites->count; i++)
        if (count_stack(summary, query->stacks, &sites->items[i]) != 0)
            return kp_query_no_memory(error);
    if (summary->blind_count > 0)
        qsort(summary->blind, summary->blind_count, sizeof *summary->blind, compare_blind);
    return 0;
}

int kp_query_summary(struct kp_query *query, struct kp_summary *summary, struct kp_error *error)
{
    *summary = (struct kp_summary){0};
    return load_session(query, summary, error) != 0 ? -1 : load_notes(query, summary, error);
}

void kp_summary_release(struct kp_summary *summary)
{
    free(summary->notes);
    free(summary->blind);
    *summary = (struct kp_summary){0};
}
