/* SPDX-License-Identifier: MIT */
/*
 * The places of a process with the births of what is still there and the ages of what is not.
 * Stacks are put together by what a reader knows a place by: a leak of one line comes out of many
 * stacks, and each of them alone would not be evidence. Arenas hold blocks that are counted
 * themselves, reservations are address space: neither is looked at. One thread.
 */
#include "leak_sizes.h"
#include "lifetime.h"
#include "query_db.h"
#include "query_leaks.h"
#include "query_leaks_key.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SMALL_OBJECT 512 /* what Python's own allocator serves, at most */
/* So many survivors tell what there is to tell, in a second. Of more, every k-th is looked at. */
#define SURVIVORS_ENOUGH 1000000.0

struct member { /* a row of table site */
    struct kp_place_key key;
    int64_t site_id, stack_id;
    size_t place; /* index of its group */
    unsigned kind;
    enum kp_leak_side side;
    bool starts_thread;
    double survivors;
};

struct birth_row {
    size_t place;
    struct kp_birth birth;
};

struct loader {
    struct kp_leaks *leaks;
    struct member *members; /* by site_id, later by key */
    struct birth_row *births;
    struct kp_frame *frames; /* room for a stack */
    size_t member_count, birth_count;
    struct kp_leak_sizes sizes;
    double started_s;
    double survivors, every; /* all that the table has; one in how many is looked at */
    size_t place_count;
};

/* Between a Python line and the allocator: the interpreter, called by native code. */
static bool asks_interpreter(const struct kp_frame *frames, size_t native)
{
    for (size_t i = 0; i < native; i++)
        if (frames[i].of_python && !frames[i].plumbing)
            return true;
    return false;
}

/* Code that turns values of one language into the other's, by its name. */
static bool is_conversion(const struct kp_frame *frame)
{
    static const char *const marks[] = {"pythonize::",   "FromPyObject", "IntoPy",
                                        "ToPyObject",    "type_caster",  "pyo3::conversions::",
                                        "pybind11::cast", "__Pyx_Py",    NULL};
    for (int i = 0; !frame->python && marks[i]; i++)
        if (strstr(frame->function, marks[i]))
            return true;
    return false;
}

static bool has_conversion(const struct kp_frame *frames, size_t python)
{
    for (size_t i = 0; i < python; i++)
        if (is_conversion(&frames[i]))
            return true;
    return false;
}

/* `converting` is what the clock said, and code that works on what it has just converted is in it
 * too: where there are names, they decide. */
static enum kp_leak_side side_of(const struct kp_frame *frames, size_t count, unsigned kind,
                                 bool converting)
{
    struct kp_telling telling = kp_frames_telling(frames, count);
    if (telling.native == KP_NO_FRAME)
        return telling.python == KP_NO_FRAME ? KP_SIDE_NATIVE : KP_SIDE_PYTHON;
    const struct kp_frame *native = &frames[telling.native];
    if (native->is_stdlib || native->of_python)
        return KP_SIDE_PYTHON;
    if (kind & (KP_KINDS_OBJECT | KP_KINDS_MEM))
        return KP_SIDE_BRIDGE;
    if (telling.python == KP_NO_FRAME)
        return converting ? KP_SIDE_BRIDGE : KP_SIDE_NATIVE;
    if (asks_interpreter(frames, telling.native) || has_conversion(frames, telling.python) ||
        (converting && native->nameless))
        return KP_SIDE_BRIDGE;
    return KP_SIDE_NATIVE;
}

/* What pthread_create() takes itself is kept until somebody joins. */
static bool starts_thread(const struct kp_frame *frames, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!frames[i].python && strstr(frames[i].function, "pthread_create"))
            return true;
    return false;
}

static int add_member(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    struct loader *l = to;
    const char *kind = (const char *)sqlite3_column_text(st, 2);
    unsigned bit = kind ? kp_kinds_parse(kind) : 0;
    const struct kp_frame *named;
    if (!(bit & KP_KINDS_COUNTED))
        return 0;
    struct member *m = kp_append(&l->members, &l->member_count, sizeof *m);
    if (!m)
        return -1;
    *m = (struct member){.site_id = sqlite3_column_int64(st, 0),
                         .stack_id = sqlite3_column_int64(st, 1),
                         .kind = bit};
    size_t count = kp_query_frames(query, m->stack_id, l->frames, KP_FRAMES_MAX);
    l->survivors += kp_column_amount(st, 4);
    m->side = side_of(l->frames, count, bit, sqlite3_column_int(st, 3) != 0);
    m->starts_thread = starts_thread(l->frames, count);
    m->key = kp_place_key_of(query, KP_LEAK_BY_PLACE, m->stack_id, m->side, &named);
    return 0;
}

static int compare_keys(const void *left, const void *right)
{
    return memcmp(&((const struct member *)left)->key, &((const struct member *)right)->key,
                  sizeof(struct kp_place_key));
}

static int compare_site_ids(const void *left, const void *right)
{
    int64_t a = ((const struct member *)left)->site_id, b = ((const struct member *)right)->site_id;
    return (a > b) - (a < b);
}

static void number_places(struct loader *l)
{
    if (l->member_count == 0)
        return;
    qsort(l->members, l->member_count, sizeof *l->members, compare_keys);
    l->members[0].place = 0;
    for (size_t i = 1; i < l->member_count; i++)
        l->members[i].place = l->members[i - 1].place +
                              (compare_keys(&l->members[i], &l->members[i - 1]) != 0);
    l->place_count = l->members[l->member_count - 1].place + 1;
    qsort(l->members, l->member_count, sizeof *l->members, compare_site_ids);
}

static struct member *find_member(const struct loader *l, int64_t site_id)
{
    struct member like = {.site_id = site_id};
    if (l->member_count == 0)
        return NULL;
    return bsearch(&like, l->members, l->member_count, sizeof like, compare_site_ids);
}

/* What the allocators' own figures have too much or too little, from its birth on: Python counts
 * large blocks among its own, which malloc serves; nobody counts mappings. */
static int add_extra(struct kp_leaks *leaks, const struct member *m, double at, double size,
                     double weight)
{
    bool mapped = m->kind & KP_KINDS_MMAP;
    if (!mapped && !(m->kind & KP_KINDS_MALLOC && m->side != KP_SIDE_NATIVE && size > SMALL_OBJECT))
        return 0;
    struct kp_leak_extra *extra = kp_append(&leaks->extras, &leaks->extra_count, sizeof *extra);
    if (!extra)
        return -1;
    *extra = (struct kp_leak_extra){at, mapped ? size * weight : 0, mapped ? 0 : weight};
    return 0;
}

static int add_birth(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    struct loader *l = to;
    struct kp_leaks *leaks = l->leaks;
    struct member *m = find_member(l, sqlite3_column_int64(st, 0));
    double size = kp_column_amount(st, 1), weight = kp_column_amount(st, 2), at;
    (void)query;
    at = leaks->has_marks ? kp_column_amount(st, 4)
                          : (kp_column_amount(st, 3) / 1e6 - l->started_s) / leaks->slice_s;
    if (!m || !(at >= leaks->begin && at < leaks->end))
        return 0;
    struct birth_row *row = kp_append(&l->births, &l->birth_count, sizeof *row);
    if (!row)
        return -1;
    *row = (struct birth_row){m->place, {at, size * weight, weight}};
    m->survivors++;
    double third = (leaks->end - leaks->begin) / 3;
    kp_leak_sizes_add(&l->sizes, m->kind, size, weight,
                      at >= leaks->begin + third && at < leaks->end - third);
    return add_extra(leaks, m, at, size, weight);
}

/* Taken down after the last iteration: it was there until then, and is no freed block. */
static int add_departed(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    struct loader *l = to;
    const struct member *m = find_member(l, sqlite3_column_int64(st, 0));
    int64_t born = kp_column_whole(st, l->leaks->has_marks ? 4 : 3);
    int64_t freed = kp_column_whole(st, l->leaks->has_marks ? 6 : 5);
    unsigned cell = kp_log2_age(freed > born ? (uint64_t)(freed - born) : 0);
    struct kp_cohort_input *inputs = l->leaks->inputs;
    if (m && cell < KP_COHORT_AGES)
        inputs[m->place].freed[cell] = fmax(inputs[m->place].freed[cell] - 1, 0);
    return add_birth(query, st, to);
}

static int add_lifetime(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    struct loader *l = to;
    const struct member *m = find_member(l, sqlite3_column_int64(st, 0));
    int64_t log2_age = kp_column_whole(st, 1);
    (void)query;
    if (m && log2_age < KP_COHORT_AGES)
        l->leaks->inputs[m->place].freed[log2_age] += kp_column_amount(st, 2) / l->every;
    return 0;
}

static int add_process(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    struct loader *l = to;
    const char *allocator = (const char *)sqlite3_column_text(st, 1);
    (void)query;
    l->started_s = kp_column_amount(st, 0);
    kp_leak_sizes_begin(&l->sizes, allocator);
    return 0;
}

/* Which ones is settled by their ids, in no step with what the program does: the golden ratio of
 * 2^32 spreads them. Departed samples are few and all looked at. */
static int load_births(struct kp_query *query, struct loader *l, struct kp_error *error)
{
    char sql[256];
    l->every = fmax(l->survivors / SURVIVORS_ENOUGH, 1);
    l->leaks->gap *= l->every;
    snprintf(sql, sizeof sql,
             "SELECT site_id, size, weight * %.17g, born_us, born_iteration FROM sample WHERE "
             "(id & 1073741823) * 2654435769 & 4294967295 < %.0f",
             l->every, ceil(0x1p32 / l->every));
    return kp_query_rows(query, sql, 0, add_birth, l, error);
}

static int load_rows(struct kp_query *query, struct loader *l, struct kp_error *error)
{
    int64_t process = l->leaks->process_id;
    int result = kp_query_rows(query, "SELECT started_s, allocator FROM process WHERE id = ?1",
                               process, add_process, l, error);
    if (result == 0)
        result = kp_query_rows(query,
                               "SELECT id, stack_id, kind, converting, live_samples FROM site "
                               "WHERE process_id = ?1",
                               process, add_member, l, error);
    number_places(l);
    l->leaks->inputs = calloc(l->place_count + 1, sizeof *l->leaks->inputs);
    if (result == 0 && !l->leaks->inputs)
        result = kp_query_no_memory(error);
    if (result == 0)
        result = load_births(query, l, error);
    const char *lifetimes = l->leaks->has_marks
                                ? "SELECT t.site_id, t.log2_age, t.samples FROM lifetime t JOIN "
                                  "site i ON i.id = t.site_id WHERE i.process_id = ?1 AND "
                                  "t.unit = 'iteration'"
                                : "SELECT t.site_id, t.log2_age, t.samples FROM lifetime t JOIN "
                                  "site i ON i.id = t.site_id WHERE i.process_id = ?1 AND "
                                  "t.unit = 'time'";
    if (result == 0)
        result = kp_query_rows(query, lifetimes, process, add_lifetime, l, error);
    if (result == 0)
        result = kp_query_rows(query,
                               "SELECT site_id, size, weight, born_us, born_iteration, freed_us, "
                               "freed_iteration FROM departed WHERE process_id = ?1 AND "
                               "freed_iteration >= (SELECT coalesce(max(iteration), 0) FROM mark "
                               "WHERE process_id = ?1)",
                               process, add_departed, l, error);
    return result;
}

static int compare_births(const void *left, const void *right)
{
    const struct birth_row *a = left, *b = right;
    if (a->place != b->place)
        return a->place < b->place ? -1 : 1;
    return (a->birth.at > b->birth.at) - (a->birth.at < b->birth.at);
}

/* The member with the most survivors tells what the place is. */
static void describe_places(struct kp_query *query, const struct loader *l)
{
    double *most = calloc(l->place_count + 1, sizeof *most);
    for (size_t i = 0; most && i < l->member_count; i++) {
        const struct member *m = &l->members[i];
        struct kp_leak_site *site = &l->leaks->sites[m->place];
        site->kinds |= m->survivors > 0 ? m->kind : 0;
        if (site->stack_id && m->survivors <= most[m->place])
            continue;
        most[m->place] = m->survivors;
        site->stack_id = m->stack_id;
        site->process_id = l->leaks->process_id;
        site->side = m->side;
        site->starts_thread = m->starts_thread;
        site->module = kp_place_module(query, m->stack_id);
    }
    free(most);
}

static int judge_places(struct kp_query *query, struct loader *l, struct kp_error *error)
{
    struct kp_leaks *leaks = l->leaks;
    struct kp_birth *births = leaks->births = calloc(l->birth_count + 1, sizeof *births);
    leaks->sites = calloc(l->place_count + 1, sizeof *leaks->sites);
    if (!births || !leaks->sites)
        return kp_query_no_memory(error);
    if (l->birth_count > 0)
        qsort(l->births, l->birth_count, sizeof *l->births, compare_births);
    for (size_t i = 0; i < l->birth_count; i++) {
        struct kp_cohort_input *in = &leaks->inputs[l->births[i].place];
        births[i] = l->births[i].birth;
        in->births = in->count++ ? in->births : &births[i];
        leaks->sites[l->births[i].place].live_bytes += births[i].bytes;
    }
    leaks->site_count = l->place_count;
    describe_places(query, l);
    for (size_t i = 0; i < l->place_count; i++) {
        struct kp_cohort_input *in = &leaks->inputs[i];
        in->begin = leaks->begin;
        in->end = leaks->end;
        in->gap = leaks->gap;
        in->rates = leaks->rates;
        in->rate_count = leaks->rate_count;
        in->age_unit = leaks->has_marks ? 1 : 1e-6 / leaks->slice_s;
        leaks->sites[i].cohort = kp_cohort_judge(in);
    }
    return 0;
}

int kp_leaks_load_sites(struct kp_query *query, struct kp_leaks *leaks, struct kp_error *error)
{
    struct loader l = {.leaks = leaks};
    l.frames = calloc(KP_FRAMES_MAX, sizeof *l.frames);
    int result = l.frames ? load_rows(query, &l, error) : kp_query_no_memory(error);
    if (result == 0)
        result = judge_places(query, &l, error);
    kp_leak_sizes_tell(&l.sizes, leaks);
    free(l.frames);
    free(l.members);
    free(l.births);
    return result;
}
