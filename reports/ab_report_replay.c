/* SPDX-License-Identifier: MIT */
/*
 * What a replay shows: what each allocator would hold for the same calls, what each place costs in
 * free memory that can't be given back, and what a replay cannot know. One thread.
 */
#include "ab_replay.h"
#include "ab_plan.h"
#include "alloc.h"
#include "format.h"

#include <stdlib.h>
#include <string.h>

static const struct kp_column configuration_columns[] = {
    {"name", "", KP_TYPE_TEXT},
    {"env", NULL, KP_TYPE_LIST},
    {"peak_held", "peak held", KP_TYPE_BYTES},
    {"peak_live", "peak live", KP_TYPE_BYTES},
    {"worst.held", "held then", KP_TYPE_BYTES},
    {"worst.live", "live then", KP_TYPE_BYTES},
    {"worst.waste", "free then", KP_TYPE_BYTES},
    {"end.held", "at the end", KP_TYPE_BYTES},
    {"end.live", NULL, KP_TYPE_BYTES},
    {"failed", NULL, KP_TYPE_WHOLE},
};
static const struct kp_column place_columns[] = {
    {"waste", "costs", KP_TYPE_BYTES},
    {"held", "held", KP_TYPE_BYTES},
    {"live", "live", KP_TYPE_BYTES},
    {"blocks", "blocks", KP_TYPE_WHOLE},
    {"where", "where", KP_TYPE_TEXT},
    {"stack", NULL, KP_TYPE_STACK},
};
#define COUNT(array) (sizeof(array) / sizeof *(array))

static void emit_head(struct kp_ab_replay *replay, struct kp_emitter *out)
{
    const struct kp_replay_record *r = &replay->record;
    char allocations[KP_FORMAT_BYTES], frees[KP_FORMAT_BYTES];
    kp_emit_line(out, 2, "%s, process %lld: %s allocations and %s frees of malloc on %u thread%s",
                 replay->database, (long long)r->pid,
                 kp_format_whole(allocations, (int64_t)r->allocations),
                 kp_format_whole(frees, (int64_t)(r->event_count - r->allocations)), r->threads,
                 r->threads == 1 ? "" : "s");
    if (r->lost > 0)
        kp_emit_line(out, 2, "LOST  %lld calls are not in the recording: raise KPROF_SPOOL_MAX",
                     (long long)r->lost);
    if (replay->left_out)
        kp_emit_line(out, 2, "LEFT OUT  %s", replay->left_out);
    kp_emit_line(out, 0, "%s", "");
    kp_emit_value(out, "process", KP_TYPE_NUMBER, kp_whole(r->pid));
    kp_emit_value(out, "allocations", KP_TYPE_WHOLE, kp_whole((int64_t)r->allocations));
    kp_emit_value(out, "threads", KP_TYPE_WHOLE, kp_whole((int64_t)r->threads));
    kp_emit_value(out, "lost", KP_TYPE_WHOLE, kp_whole(r->lost));
    kp_emit_value(out, "other_kinds", KP_TYPE_WHOLE, kp_whole((int64_t)r->other_kinds));
}

static struct kp_value at_least_0(double bytes)
{
    return kp_amount(bytes > 0 ? bytes : 0);
}

static void emit_configurations(struct kp_ab_replay *replay, struct kp_emitter *out)
{
    kp_emit_table(out, "configurations", configuration_columns, COUNT(configuration_columns));
    for (size_t i = 0; i < replay->comparison.configuration_count; i++) {
        const struct kp_ab_configuration *c = &replay->comparison.configurations[i];
        const struct kp_replay_result *result = &replay->results[i];
        const struct kp_replay_point *worst = &result->points[replay->worst];
        const struct kp_replay_point *end = &result->points[KP_REPLAY_POINTS - 1];
        char *environment = kp_ab_environment_json(c);
        struct kp_value values[COUNT(configuration_columns)] = {
            kp_text(c->name),
            kp_text(environment ? environment : "{}"),
            kp_amount((double)result->peak_held),
            kp_amount((double)result->peak_live),
            kp_amount((double)worst->held),
            kp_amount((double)worst->live),
            at_least_0(kp_ab_replay_waste(worst)),
            kp_amount((double)end->held),
            kp_amount((double)end->live),
            kp_whole((int64_t)result->failed),
        };
        for (size_t k = 2; !result->magic && k < COUNT(configuration_columns); k++)
            values[k] = kp_unknown();
        kp_emit_row(out, values);
        free(environment);
    }
    kp_emit_table_end(out);
}

static double cost_of(const struct kp_ab_replay *replay, const struct kp_ab_place *place)
{
    return kp_ab_replay_waste(&replay->results[0].points[replay->worst]) -
           kp_ab_replay_waste(&place->without.points[replay->worst]);
}

/* Dearest first; what was not replayed last. */
static void order_by_cost(struct kp_ab_replay *replay)
{
    for (size_t i = 1; i < replay->place_count; i++) {
        struct kp_ab_place moved = replay->places[i];
        size_t to = i;
        if (!moved.is_replayed)
            break;
        for (; to > 0 && cost_of(replay, &replay->places[to - 1]) < cost_of(replay, &moved); to--)
            replay->places[to] = replay->places[to - 1];
        replay->places[to] = moved;
    }
}

static void emit_places(struct kp_ab_replay *replay, struct kp_emitter *out)
{
    static struct kp_frame frames[KP_FRAMES_MAX];
    const struct kp_replay_point *whole = &replay->results[0].points[replay->worst];
    char waste[KP_FORMAT_BYTES];
    order_by_cost(replay);
    kp_emit_line(out, 0, "%s", "");
    if (replay->place_count > 0 && replay->places[0].is_replayed)
        kp_emit_line(out, 2, "%s at its worst moment, without one place at a time: of %s that are "
                             "free then, each costs",
                     replay->comparison.configurations[0].name,
                     kp_format_size(waste, kp_ab_replay_waste(whole)));
    kp_emit_table(out, "sites", place_columns, COUNT(place_columns));
    for (size_t i = 0; i < replay->place_count && replay->places[i].is_replayed; i++) {
        const struct kp_ab_place *place = &replay->places[i];
        size_t count = kp_query_frames(replay->query, place->stack_id, frames, KP_FRAMES_MAX);
        kp_emit_row(out, (struct kp_value[]){
                             at_least_0(cost_of(replay, place)),
                             at_least_0((double)whole->held -
                                        (double)place->without.points[replay->worst].held),
                             kp_amount((double)place->live), kp_whole((int64_t)place->blocks),
                             kp_text(place->where), kp_stack(frames, count)});
    }
    kp_emit_table_end(out);
}

void kp_ab_replay_report(struct kp_ab_replay *replay, struct kp_emitter *out)
{
    static const char *const unknown[] = {
        "threads take turns here, at the times of the recording: no two wait for each other",
        "jemalloc's background_thread works by the real clock, not by that of the recording",
        "every page of a block is written to; a program may leave some alone, as calloc's zeros",
        "realloc is a free and an allocation, and alignment is malloc's own",
        "Python's small objects, and what the program maps itself, are not in it",
    };
    emit_head(replay, out);
    emit_configurations(replay, out);
    emit_places(replay, out);
    kp_emit_line(out, 0, "%s", "");
    kp_emit_line(out, 2, "A replay cannot know:");
    for (size_t i = 0; i < COUNT(unknown); i++)
        kp_emit_line(out, 4, "  - %s", unknown[i]);
    kp_emit_line(out, 0, "%s", "");
    kp_emit_line(out, 2, "next: kprof-ab -- cmd   whether it holds for the program itself");
}
