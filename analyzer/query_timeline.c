/* SPDX-License-Identifier: MIT */
/*
 * How memory went over time, all processes together. Slices of the processes differ in width and
 * are spread over slices of one width; the peaks come from the events themselves, in order of time,
 * so that they do not depend on how many slices are asked for. A process that has ended holds
 * nothing any more. One thread.
 */
#include "query_db.h"

#include <math.h>
#include <stdlib.h>

enum event_kind { EVENT_NET, EVENT_RSS, EVENT_END };
struct event {
    double time_s;
    enum event_kind kind;
    uint32_t process; /* index */
    double bytes;
};
struct source { /* one process */
    int64_t id;
    double net_bytes, rss_bytes, ended_s; /* ended_s < 0: running */
};
struct raw_slice {
    struct kp_slice slice;
    uint32_t process;
};
struct timeline_builder {
    struct source *sources;
    struct raw_slice *raw;
    struct event *events;
    size_t source_count, raw_count, event_count;
    double end_s, narrowest_s;
    double process_peak_rss;
};

static int add_event(struct timeline_builder *b, double time_s, enum event_kind kind,
                     uint32_t process, double bytes)
{
    struct event *grown = kp_grow(b->events, b->event_count, sizeof *grown);
    if (!grown)
        return -1;
    b->events = grown;
    grown[b->event_count++] = (struct event){time_s, kind, process, bytes};
    b->end_s = fmax(b->end_s, time_s);
    return 0;
}

static int read_source(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    struct timeline_builder *b = to;
    (void)query;
    struct source *grown = kp_grow(b->sources, b->source_count, sizeof *grown);
    if (!grown)
        return -1;
    b->sources = grown;
    double ended = sqlite3_column_type(st, 1) == SQLITE_NULL ? -1 : kp_column_amount(st, 1);
    grown[b->source_count++] = (struct source){.id = sqlite3_column_int64(st, 0), .ended_s = ended};
    b->process_peak_rss = fmax(b->process_peak_rss, kp_column_amount(st, 2));
    return ended < 0 ? 0 : add_event(b, ended, EVENT_END, (uint32_t)b->source_count - 1, 0);
}

static int compare_source(const void *id, const void *source)
{
    int64_t a = *(const int64_t *)id, b = ((const struct source *)source)->id;
    return (a > b) - (a < b);
}

static struct source *find_source(struct timeline_builder *b, int64_t id)
{
    if (b->source_count == 0)
        return NULL;
    return bsearch(&id, b->sources, b->source_count, sizeof *b->sources, compare_source);
}

static int read_slice(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    struct timeline_builder *b = to;
    (void)query;
    struct source *source = find_source(b, sqlite3_column_int64(st, 0));
    if (!source)
        return 0;
    struct raw_slice *grown = kp_grow(b->raw, b->raw_count, sizeof *grown);
    if (!grown)
        return -1;
    b->raw = grown;
    double start = kp_column_amount(st, 1), width = kp_column_amount(st, 2);
    if (width > 0)
        b->narrowest_s = b->raw_count == 0 ? width : fmin(b->narrowest_s, width);
    struct kp_slice slice = {
        .start_s = start,
        .end_s = start + width,
        .samples = kp_column_amount(st, 3),
        .allocated_bytes = kp_column_amount(st, 4),
        .allocated_count = kp_column_amount(st, 5),
        .freed_bytes = kp_column_amount(st, 6),
        .freed_count = kp_column_amount(st, 7),
        .rate_min = kp_column_whole(st, 8),
        .rate_max = kp_column_whole(st, 9),
    };
    uint32_t process = (uint32_t)(source - b->sources);
    if (source->ended_s >= 0 &&
        slice.end_s > source->ended_s) /* the last slice is cut by the end */
        slice.end_s = fmax(slice.start_s, source->ended_s);
    grown[b->raw_count++] = (struct raw_slice){slice, process};
    source->net_bytes += slice.allocated_bytes - slice.freed_bytes;
    return add_event(b, slice.end_s, EVENT_NET, process, slice.allocated_bytes - slice.freed_bytes);
}

static int read_memory(struct kp_query *query, sqlite3_stmt *st, void *to)
{
    struct timeline_builder *b = to;
    (void)query;
    struct source *source = find_source(b, sqlite3_column_int64(st, 0));
    if (!source)
        return 0;
    return add_event(b, kp_column_amount(st, 1), EVENT_RSS, (uint32_t)(source - b->sources),
                     kp_column_amount(st, 2));
}

static int compare_events(const void *left, const void *right)
{
    const struct event *a = left, *b = right;
    if (a->time_s != b->time_s)
        return a->time_s < b->time_s ? -1 : 1;
    if (a->kind != b->kind) /* what a process did before its end comes before it */
        return a->kind < b->kind ? -1 : 1;
    return (a->process > b->process) - (a->process < b->process);
}

static size_t slice_at(const struct kp_timeline *t, double time_s)
{
    double width = t->slices[0].end_s;
    double at = width > 0 ? time_s / width : 0;
    return at >= (double)t->count ? t->count - 1 : (size_t)at;
}

static void sweep(struct timeline_builder *b, struct kp_timeline *t)
{
    double live = 0, rss = 0;
    for (size_t i = 0; i < b->source_count; i++)
        b->sources[i].net_bytes = b->sources[i].rss_bytes = 0;
    for (size_t i = 0; i < b->event_count; i++) {
        struct event *e = &b->events[i];
        struct source *source = &b->sources[e->process];
        size_t at = slice_at(t, e->time_s);
        if (e->kind == EVENT_NET) {
            source->net_bytes += e->bytes;
            live += e->bytes;
        } else if (e->kind == EVENT_RSS) {
            rss += e->bytes - source->rss_bytes;
            source->rss_bytes = e->bytes;
            if (rss > (double)t->slices[at].rss_bytes)
                t->slices[at].rss_bytes = (int64_t)fmin(rss, 4e18);
        } else {
            live -= source->net_bytes;
            rss -= source->rss_bytes;
            source->net_bytes = source->rss_bytes = 0;
        }
        if (live > t->peak_live_bytes) {
            t->peak_live_bytes = live;
            t->peak_live_s = e->time_s;
        }
        if (rss > t->peak_rss_bytes) {
            t->peak_rss_bytes = rss;
            t->peak_rss_s = e->time_s;
        }
    }
    if (b->process_peak_rss > t->peak_rss_bytes) { /* the kernel saw more than the slow clock did */
        if (b->process_peak_rss > 1.05 * t->peak_rss_bytes)
            t->peak_rss_s = -1;
        t->peak_rss_bytes = b->process_peak_rss;
    }
}

static void add_share(struct kp_slice *to, const struct kp_slice *from, double share)
{
    to->samples += from->samples * share;
    to->allocated_bytes += from->allocated_bytes * share;
    to->allocated_count += from->allocated_count * share;
    to->freed_bytes += from->freed_bytes * share;
    to->freed_count += from->freed_count * share;
    to->live_bytes += (from->allocated_bytes - from->freed_bytes) * share;
    if (from->rate_min > 0 && (to->rate_min == 0 || from->rate_min < to->rate_min))
        to->rate_min = from->rate_min;
    if (from->rate_max > to->rate_max)
        to->rate_max = from->rate_max;
}

/* Spreads one slice of a process over the slices that it overlaps. */
static void spread(struct kp_timeline *t, const struct kp_slice *from)
{
    size_t first = slice_at(t, from->start_s), last = slice_at(t, from->end_s);
    double width = from->end_s - from->start_s;
    if (!(width > 0)) {
        add_share(&t->slices[last], from, 1);
        return;
    }
    for (size_t i = first; i <= last; i++) {
        double begin = fmax(from->start_s, t->slices[i].start_s);
        double end = i == t->count - 1 ? from->end_s : fmin(from->end_s, t->slices[i].end_s);
        if (end > begin)
            add_share(&t->slices[i], from, (end - begin) / width);
    }
}

/* live_bytes holds the change in each slice; make it what is live at its end. */
static void accumulate_live(const struct timeline_builder *b, struct kp_timeline *t)
{
    for (size_t i = 0; i < b->raw_count; i++) {
        double ended = b->sources[b->raw[i].process].ended_s;
        const struct kp_slice *s = &b->raw[i].slice;
        if (ended >= 0 && slice_at(t, ended) + 1 < t->count)
            t->slices[slice_at(t, ended) + 1].live_bytes -= s->allocated_bytes - s->freed_bytes;
    }
    double live = 0;
    for (size_t i = 0; i < t->count; i++) {
        live += t->slices[i].live_bytes;
        t->slices[i].live_bytes = fmax(live, 0);
    }
}

/* 1, 2 or 5 times a power of ten, so that at most slices_max cover the run. */
static double nice_width(double whole_s, size_t slices_max, double narrowest_s)
{
    double least = fmax(whole_s / (double)slices_max, fmax(narrowest_s, 1e-6));
    double power = pow(10, floor(log10(least)));
    static const double steps[] = {1, 2, 5, 10};
    for (int i = 0; i < 4; i++)
        if (steps[i] * power >= least * (1 - 1e-9))
            return steps[i] * power;
    return 10 * power;
}

static int make_slices(struct timeline_builder *b, size_t slices_max, struct kp_timeline *t)
{
    double width = nice_width(b->end_s, slices_max, b->narrowest_s);
    t->count = (size_t)fmin(fmax(ceil(b->end_s / width - 1e-9), 1), (double)slices_max);
    t->slices = calloc(t->count, sizeof *t->slices);
    if (!t->slices)
        return -1;
    for (size_t i = 0; i < t->count; i++)
        t->slices[i] = (struct kp_slice){.start_s = (double)i * width,
                                         .end_s = (double)(i + 1) * width,
                                         .rss_bytes = -1};
    for (size_t i = 0; i < b->raw_count; i++)
        spread(t, &b->raw[i].slice);
    accumulate_live(b, t);
    return 0;
}

int kp_query_timeline(struct kp_query *query, const struct kp_filter *filter, size_t slices_max,
                      struct kp_timeline *t, struct kp_error *error)
{
    struct timeline_builder b = {0};
    *t = (struct kp_timeline){.peak_rss_s = -1};
    int result = kp_query_rows(query,
                               "SELECT id, ended_s, peak_rss_bytes FROM process "
                               "WHERE ?1 = 0 OR pid = ?1 ORDER BY id",
                               filter->pid, read_source, &b, error);
    if (result == 0)
        result = kp_query_rows(query,
                               "SELECT process_id, start_s, slice_s, samples, allocated_bytes, "
                               "allocated_count, freed_bytes, freed_count, rate_min, rate_max "
                               "FROM timeline",
                               0, read_slice, &b, error);
    if (result == 0)
        result = kp_query_rows(query, "SELECT process_id, time_s, rss FROM memory", 0,
                               read_memory, &b, error);
    if (result == 0 && make_slices(&b, slices_max, t) != 0)
        result = kp_query_no_memory(error);
    if (result == 0) {
        if (b.event_count > 0)
            qsort(b.events, b.event_count, sizeof *b.events, compare_events);
        sweep(&b, t);
        t->slices[t->count - 1].end_s = fmax(t->slices[t->count - 1].start_s, b.end_s);
    }
    free(b.sources);
    free(b.raw);
    free(b.events);
    return result;
}

void kp_timeline_release(struct kp_timeline *timeline)
{
    free(timeline->slices);
    *timeline = (struct kp_timeline){0};
}
