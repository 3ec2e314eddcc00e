/* SPDX-License-Identifier: MIT */
/*
 * The sentences of the report on fragmentation: where RSS goes, what could be given back and by
 * what. Each figure is one of a snapshot, so it is said when that was. One thread.
 */
#include "format.h"
#include "fragmentation_view.h"
#include "where.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TEXT_BYTES 900
#define LITTLE 0.005 /* of RSS: not worth a word */
#define LOW_SHARE 0.4
#define OPAQUE_SHOWN 2
#define WORTH_BYTES 1e6
#define FEW_SAMPLES 10
#define WANTED_SAMPLES 300
#define RATE_MAX 65536

char *kp_arena_name(const struct kp_heap_picture *picture, const struct kp_heap_arena *arena,
                    char *out, size_t out_bytes)
{
    int number = 0;

    for (size_t i = 0; i < picture->arena_count && &picture->arenas[i] <= arena; i++)
        number += strcmp(picture->arenas[i].kind, arena->kind) == 0;
    if (arena->unit > 0)
        snprintf(out, out_bytes, "%s %lld", arena->kind, (long long)arena->unit);
    else if (strcmp(arena->kind, "glibc thread") == 0 || strcmp(arena->kind, "jemalloc") == 0)
        snprintf(out, out_bytes, "%s %d", arena->kind, number);
    else
        snprintf(out, out_bytes, "%s", arena->kind);
    return out;
}

/* Of glibc: what lies where a threshold would have given it back. */
static size_t glibc_settings(const struct kp_heap_picture *p, struct kp_malloc_setting *settings)
{
    const double trim_at = 65536;

    settings[0] = (struct kp_malloc_setting){
        "MALLOC_ARENA_MAX=1", "free memory of the arenas of threads, which others could use",
        p->thread_free};
    settings[1] = (struct kp_malloc_setting){"MALLOC_TRIM_THRESHOLD_=65536",
                                             "the top of the main arena, above 64 KiB",
                                             fmax(0, p->top - trim_at)};
    settings[2] = (struct kp_malloc_setting){
        "MALLOC_MMAP_THRESHOLD_=131072",
        "free pieces of 128 KiB and more: such blocks would have mappings of their own",
        p->large_free};
    settings[3] = (struct kp_malloc_setting){"malloc_trim(0)", "whole free pages, when it is called",
                                             p->trimmable};
    return 4;
}

size_t kp_malloc_settings(const struct kp_fragmentation *f,
                          struct kp_malloc_setting settings[KP_MALLOC_SETTINGS])
{
    static const struct {
        const char *allocator, *setting;
    } others[] = {
        {"jemalloc", "MALLOC_CONF=dirty_decay_ms:0,muzzy_decay_ms:0"},
        {"tcmalloc", "TCMALLOC_RELEASE_RATE=10"},
        {"mimalloc", "MIMALLOC_PURGE_DELAY=0"},
    };

    if (strcmp(f->allocator, "glibc") == 0)
        return glibc_settings(&f->picture, settings);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(f->allocator, others[i].allocator) == 0) {
            settings[0] = (struct kp_malloc_setting){
                others[i].setting, "whole free pages, which it keeps for a while by default",
                f->picture.trimmable};
            return 1;
        }
    return 0;
}

/* " + 17.2 MB files", if it is worth a word. */
static void add_part(char *text, const char *name, double bytes, double rss)
{
    char size[KP_FORMAT_BYTES];
    size_t used = strlen(text);

    if (bytes > 0 && bytes >= LITTLE * rss)
        snprintf(text + used, TEXT_BYTES - used, " + %s %s", kp_format_size(size, bytes), name);
}

static void describe_held(const struct kp_fragmentation *f, char *text)
{
    const struct kp_heap_rss *w = &f->picture.where;
    char size[KP_FORMAT_BYTES], other[KP_FORMAT_BYTES], name[300];

    if (w->held_python > 0 && w->held_malloc > 0)
        snprintf(name, sizeof name, "held free (%s %s, pymalloc %s)", f->allocator,
                 kp_format_size(size, w->held_malloc), kp_format_size(other, w->held_python));
    else
        snprintf(name, sizeof name, "held free by %s",
                 w->held_python > 0 ? "pymalloc" : f->allocator);
    add_part(text, name, w->held_malloc + w->held_python, 0);
}

static void describe_opaque(const struct kp_heap_picture *p, char *text)
{
    for (size_t i = 0; i < p->opaque_count && i < OPAQUE_SHOWN; i++) {
        char module[128], name[300];

        kp_module_label(p->opaque[i].module, module, sizeof module);
        snprintf(name, sizeof name, "in %s's own %s", module, p->opaque[i].allocator);
        add_part(text, name, p->opaque[i].bytes, (double)p->rss);
    }
}

static void when(const struct kp_fragmentation *f, char *out, size_t out_bytes)
{
    const struct kp_heap_picture *p = &f->picture;
    char time[KP_FORMAT_BYTES], moment[KP_FORMAT_BYTES + 16] = "the end";

    if (strcmp(p->why, "end") != 0)
        snprintf(moment, sizeof moment, "%s", kp_format_seconds(time, p->time_s));
    snprintf(out, out_bytes, f->context->options->at == KP_AT_PEAK ? "At its highest, at %s," : "At %s",
             moment);
}

void kp_fragmentation_rss(const struct kp_fragmentation *f)
{
    const struct kp_heap_picture *p = &f->picture;
    const struct kp_heap_rss *w = &p->where;
    double rss = (double)p->rss, known = rss > 0 ? fmax(0, 1 - w->other / rss) : 1;
    char text[TEXT_BYTES], moment[80], size[KP_FORMAT_BYTES], share[KP_FORMAT_BYTES];

    when(f, moment, sizeof moment);
    snprintf(text, sizeof text, "%s RSS was %s =", moment, kp_format_size(size, rss));
    size_t used = strlen(text);
    snprintf(text + used, sizeof text - used, " %s live", kp_format_size(size, w->live));
    describe_held(f, text);
    describe_opaque(p, text);
    add_part(text, "mapped by the program", w->mapped, rss);
    add_part(text, w->has_mappings ? "files" : "files and shared memory", w->files, rss);
    add_part(text, "variables of libraries", w->data, rss);
    add_part(text, "shared memory", w->shared, rss);
    add_part(text, "stacks", w->stacks, rss);
    add_part(text, "of kprof itself", w->kprof, rss);
    add_part(text, "other", w->other, rss);
    kp_emit_line(f->context->out, 2, "%s; %s explained", text, kp_format_share(share, known));
}

static void low_arenas(const struct kp_heap_picture *p, char *out, size_t out_bytes)
{
    int arenas = 0, low = 0;

    for (size_t i = 0; i < p->arena_count; i++) {
        const struct kp_heap_arena *a = &p->arenas[i];

        if (a->is_class || a->size <= 0 || a->in_use < 0)
            continue;
        arenas++;
        low += (double)a->in_use < LOW_SHARE * (double)a->size;
    }
    snprintf(out, out_bytes, "%d of %d arena%s %s below 40 %% full. ", low, arenas,
             arenas == 1 ? "" : "s", low == 1 ? "is" : "are");
}

/* When these figures are estimates, how much they may be off, and why. */
static void describe_doubt(const struct kp_fragmentation *f)
{
    const struct kp_heap_picture *p = &f->picture;
    double doubt = kp_heap_doubt(p);
    bool is_cut = kp_heap_is_partial(p, KP_HEAP_CUT);
    const char *why = is_cut && strcmp(f->allocator, "mimalloc") == 0
                          ? "mimalloc shows a thread no heap but its own, and a snapshot ends after 1 ms"
                      : is_cut ? "there were more free pieces than a snapshot can look at in 1 ms"
                               : "a part of the heap was looked at, as a snapshot ends after 1 ms";
    char size[KP_FORMAT_BYTES];

    if (doubt > 0)
        kp_emit_line(f->context->out, 2, "What is in use and held free is an estimate, ±%s: %s",
                     kp_format_size(size, doubt), why);
}

/* A rate at which a few hundred of the blocks that are live would be sampled. */
static void describe_rate(const struct kp_heap_picture *p, char *out, size_t out_bytes)
{
    double wanted = (p->in_use[0] + p->in_use[1]) / WANTED_SAMPLES;
    int64_t rate = 1;

    while ((double)rate * 2 <= wanted && rate < RATE_MAX)
        rate *= 2;
    if (rate >= 1024)
        snprintf(out, out_bytes, "KPROF_RATE=%lldK", (long long)(rate / 1024));
    else
        snprintf(out, out_bytes, "KPROF_RATE=%lld", (long long)rate);
}

/* Whose blocks keep what cannot be given back, or why that is not known. */
static void describe_blame(const struct kp_fragmentation *f, char *out, size_t out_bytes)
{
    const struct kp_heap_picture *p = &f->picture;
    double held = p->where.held_malloc + p->where.held_python, samples = 0;
    char rate[40];

    for (size_t i = 0; i < p->blame_count; i++)
        samples += (double)p->blame[i].bytes.samples;
    describe_rate(p, rate, sizeof rate);
    if (held < fmax(WORTH_BYTES, LITTLE * (double)p->rss) && !p->blame_count)
        snprintf(out, out_bytes, "; there is nothing else to give back");
    else if (!p->blame_count)
        snprintf(out, out_bytes,
                 "; what stops the rest is not known, as no block beside it was sampled: record with %s",
                 rate);
    else if (samples < FEW_SAMPLES)
        snprintf(out, out_bytes, "; what stops the rest, by only %.0f sample%s (%s makes it sure):",
                 samples, samples > 1 ? "s" : "", rate);
    else
        snprintf(out, out_bytes, "; what stops the rest:");
}

void kp_fragmentation_remedies(const struct kp_fragmentation *f)
{
    const struct kp_heap_picture *p = &f->picture;
    bool is_glibc = strcmp(f->allocator, "glibc") == 0;
    char low[120], size[KP_FORMAT_BYTES], blame[240];

    describe_doubt(f);
    low_arenas(p, low, sizeof low);
    describe_blame(f, blame, sizeof blame);
    kp_emit_line(f->context->out, 2, "%s%s would return %s%s", low,
                 is_glibc ? "malloc_trim(0)" : "Giving back whole free pages",
                 kp_format_size(size, p->trimmable), blame);
}

const char *kp_fragmentation_top(const struct kp_fragmentation *f,
                                 const struct kp_heap_arena *arena, char *out, size_t out_bytes)
{
    struct kp_frame frames[KP_FRAMES_MAX];
    struct kp_where where;

    *out = '\0';
    if (arena->top_stack_id <= 0)
        return out;
    size_t count =
        kp_query_frames(f->context->query, arena->top_stack_id, frames, KP_FRAMES_MAX);
    kp_where_of(frames, count, &where);
    snprintf(out, out_bytes, "%s", where.shorter);
    return out;
}
