/* SPDX-License-Identifier: MIT */
/*
 * The sentences of advice.h's rules. They name Rust's ways out, as most who read this write Rust;
 * what they say of bytes, slices and keys holds for C, Cython and C++ as well.
 */
#include "advice_text.h"
#include "format.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void say_wait(const struct kp_entry *entry, const struct kp_advice *a, char *out,
                     size_t out_bytes)
{
    char bytes[KP_FORMAT_BYTES], wait[KP_FORMAT_BYTES];
    double times = fmax(a->times, 1), chunk = a->bytes / times;
    bool thread = strcmp(entry->kind, "thread") == 0;
    kp_format_seconds(wait, a->saves_s / times);
    kp_format_size(bytes, chunk);
    snprintf(out, out_bytes,
             "%.0f x more GIL wait than work, %.40s each time%s%.40s: converting in batches%s",
             fmin(a->ratio, 1e6), wait, chunk >= 1 ? " for " : "", chunk >= 1 ? bytes : "",
             thread ? ", or without spawn_blocking," : "");
}

static void say_what(const struct kp_entry *entry, const struct kp_advice *a, char *out,
                     size_t out_bytes)
{
    char times[KP_FORMAT_BYTES], bytes[KP_FORMAT_BYTES];
    kp_format_count(times, a->times);
    kp_format_size(bytes, a->bytes);
    switch (a->rule) {
    case KP_RULE_LIST_OF_BYTES:
        snprintf(out, out_bytes,
                 "%s %s of integers built from bytes (%s; Vec<u8> became list[int]): "
                 "serde_bytes or PyBytes",
                 times, a->times == 1 ? "list" : "lists", bytes);
        break;
    case KP_RULE_ITEM_BY_ITEM:
        snprintf(out, out_bytes, "%s numbers read one by one: bytes taken as &[u8]", times);
        break;
    case KP_RULE_TEMPORARY_UTF8:
        snprintf(out, out_bytes,
                 "%s strings read by way of a temporary bytes object, as abi3 below 3.10 must: "
                 "abi3-py310, or no abi3,",
                 times);
        break;
    case KP_RULE_REPEATED_KEYS:
        snprintf(out, out_bytes, "%s times a key made anew: keys made once (intern!)", times);
        break;
    case KP_RULE_LARGE_COPIES:
        snprintf(out, out_bytes, "%s %s of more than 64 KiB%s (%s): %s", times,
                 a->times == 1 ? "copy" : "copies", a->is_text ? " of text" : "", bytes,
                 a->is_text ? "the buffer protocol, where Python only passes the text on,"
                            : "filling in place (PyBytes::new_with) or the buffer protocol");
        break;
    default: say_wait(entry, a, out, out_bytes);
    }
}

static void say_saving(const struct kp_advice *a, char *out, size_t out_bytes)
{
    char bytes[KP_FORMAT_BYTES], seconds[KP_FORMAT_BYTES];
    kp_format_size(bytes, a->saves_bytes);
    kp_format_seconds(seconds, a->saves_s);
    bool some_bytes = a->saves_bytes >= 1, some_time = a->saves_s >= 1e-6;
    snprintf(out, out_bytes, "%s%s%s%s%s", some_bytes ? bytes : "",
             some_bytes ? " of allocation" : "", some_bytes && some_time ? " and " : "",
             some_time ? "about " : "", some_time ? seconds : "");
}

char *kp_advice_text(const struct kp_entry *entry, const struct kp_advice *advice,
                     char out[KP_ADVICE_TEXT_BYTES])
{
    char what[KP_ADVICE_TEXT_BYTES - 180], saving[160];
    say_what(entry, advice, what, sizeof what);
    say_saving(advice, saving, sizeof saving);
    snprintf(out, KP_ADVICE_TEXT_BYTES, "%s would save %s", what, saving);
    return out;
}
