/* SPDX-License-Identifier: MIT */
/*
 * The rules of advice. Each looks for the trace that a costly way of converting leaves in the
 * counts of the C API, and reckons what would be left of time and allocation without it. Where a
 * part of an entry's time has to be set apart, calls are weighed by what they cost on the machines
 * that we measured (CALL_BYTES and the shares below); the time itself is always this run's.
 */
#include "advice.h"

#include <math.h>
#include <string.h>

#define MANY 64.0            /* items in a container: fewer are no buffer */
#define MOSTLY 0.9
#define LITTLE 0.03          /* of an entry's time and allocation: not worth a change */
#define BYTES_OBJECT 33.0    /* a bytes object without its bytes */
#define STR_OBJECT 56.0      /* a short str with its bytes, on average */
#define COPY_BYTES_PER_S 8e9 /* into memory that is fresh from the system now and then */
#define CALL_BYTES 1000.0    /* copied in the time of a call */
#define LARGE_BYTES (1 << 20)
#define STRINGS 100.0
#define KEY_CALLS 1.5        /* a key made, hashed and freed takes as long as so many calls */
#define TEMPORARY_CALLS 2.3  /* likewise, a temporary bytes object, and the copy out of it */
#define BLOCKED_S 1e-4       /* a wait on average: the GIL was held by somebody else */
#define FAR_ABOVE 5.0
#define BATCH 64.0 /* conversions each time that the GIL is had */

typedef bool kp_rule_test(const struct kp_entry *entry, struct kp_advice *advice);

struct sums {
    double calls, amount;
};

static struct sums sums_of(const struct kp_entry *entry, const enum kp_api_row *rows, size_t count)
{
    struct sums sums = {0, 0};
    for (size_t i = 0; i < count; i++) {
        sums.calls += entry->api[rows[i]].calls;
        sums.amount += entry->api[rows[i]].amount;
    }
    return sums;
}
#define CALLS(entry, rows) sums_of(entry, rows, sizeof(rows) / sizeof *(rows)).calls
#define AMOUNT(entry, rows) sums_of(entry, rows, sizeof(rows) / sizeof *(rows)).amount

static const enum kp_api_row numbers_made[] = {
    KP_API_ROW_PyLong_FromLong,          KP_API_ROW_PyLong_FromUnsignedLong,
    KP_API_ROW_PyLong_FromLongLong,      KP_API_ROW_PyLong_FromUnsignedLongLong,
    KP_API_ROW_PyLong_FromSsize_t,       KP_API_ROW_PyLong_FromSize_t,
    KP_API_ROW_PyLong_FromInt32,         KP_API_ROW_PyLong_FromUInt32,
};
static const enum kp_api_row numbers_read[] = {
    KP_API_ROW_PyLong_AsLong,         KP_API_ROW_PyLong_AsUnsignedLong,
    KP_API_ROW_PyLong_AsLongLong,     KP_API_ROW_PyLong_AsUnsignedLongLong,
    KP_API_ROW_PyLong_AsSsize_t,      KP_API_ROW_PyLong_AsLongAndOverflow,
    KP_API_ROW_PyLong_AsSize_t,       KP_API_ROW_PyLong_AsLongLongAndOverflow,
    KP_API_ROW_PyLong_AsInt,          KP_API_ROW_PyLong_AsInt32,
    KP_API_ROW_PyLong_AsUInt32,       KP_API_ROW_PyLong_AsUnsignedLongMask,
};
static const enum kp_api_row items_read[] = {
    KP_API_ROW_PyIter_Next,        KP_API_ROW_PyIter_NextItem, KP_API_ROW_PySequence_GetItem,
    KP_API_ROW_PyList_GetItem,     KP_API_ROW_PyList_GetItemRef, KP_API_ROW_PyTuple_GetItem,
    KP_API_ROW_PyObject_GetItem,
};
static const enum kp_api_row items_set[] = {
    KP_API_ROW_PyDict_SetItem,
    KP_API_ROW_PyDict_SetItemString,
    KP_API_ROW__PyDict_SetItem_KnownHash,
    KP_API_ROW_PyObject_SetItem,
};
static const enum kp_api_row strings_made[] = {
    KP_API_ROW_PyUnicode_FromStringAndSize,
    KP_API_ROW_PyUnicode_FromString,
    KP_API_ROW_PyUnicode_DecodeUTF8,
};
static const enum kp_api_row temporaries[] = {
    KP_API_ROW_PyUnicode_AsUTF8String,
    KP_API_ROW_PyUnicode_AsEncodedString,
};

/* PyList_New(n) and n integers, for which nothing is allocated: they are below 257. */
static bool list_of_bytes(const struct kp_entry *entry, struct kp_advice *advice)
{
    const struct kp_conversion_way *way = &entry->ways[KP_TO_PYTHON];
    double lists = entry->api[KP_API_ROW_PyList_New].calls;
    double items = entry->api[KP_API_ROW_PyList_New].amount;
    double numbers = CALLS(entry, numbers_made);
    if (items < MANY * fmax(lists, 1) || numbers < MOSTLY * items ||
        way->allocated_count.value > items / 2)
        return false;
    *advice = (struct kp_advice){
        .direction = KP_TO_PYTHON,
        .times = lists,
        .bytes = items,
        .saves_bytes = way->allocated.value - items - BYTES_OBJECT * lists,
        .saves_s = way->time.value - items / COPY_BYTES_PER_S,
    };
    return true;
}

/* An item and a number, over and over: bytes, or a list of integers. */
static bool item_by_item(const struct kp_entry *entry, struct kp_advice *advice)
{
    const struct kp_conversion_way *way = &entry->ways[KP_FROM_PYTHON];
    double items = CALLS(entry, items_read), numbers = CALLS(entry, numbers_read);
    if (items < MANY * fmax(entry->calls, 1) || numbers < MOSTLY * items)
        return false;
    *advice = (struct kp_advice){
        .direction = KP_FROM_PYTHON,
        .times = items,
        .bytes = items,
        .saves_bytes = way->allocated.value,
        .saves_s = way->time.value - items / COPY_BYTES_PER_S,
    };
    return true;
}

/* Below 3.10 the stable ABI has no other way to a str's UTF-8. */
static bool temporary_utf8(const struct kp_entry *entry, struct kp_advice *advice)
{
    const struct kp_conversion_way *way = &entry->ways[KP_FROM_PYTHON];
    double strings = CALLS(entry, temporaries), bytes = AMOUNT(entry, temporaries);
    if (strings < STRINGS)
        return false;
    *advice = (struct kp_advice){
        .direction = KP_FROM_PYTHON,
        .times = strings,
        .bytes = bytes,
        .saves_bytes = 2 * bytes + BYTES_OBJECT * strings, /* it is copied once more, out of it */
        .saves_s = way->time.value * fmin(1, TEMPORARY_CALLS * strings / way->conversions),
    };
    return true;
}

/* More strings are made than items set, and most are the same ones over and over: the keys. */
static bool repeated_keys(const struct kp_entry *entry, struct kp_advice *advice)
{
    const struct kp_conversion_way *way = &entry->ways[KP_TO_PYTHON];
    double keys = CALLS(entry, items_set), strings = CALLS(entry, strings_made);
    double all = way->conversions + way->bytes / CALL_BYTES;
    if (keys < STRINGS || strings < keys || entry->repeated < 0.5)
        return false;
    *advice = (struct kp_advice){
        .direction = KP_TO_PYTHON,
        .times = keys,
        .bytes = STR_OBJECT * keys,
        .saves_bytes = STR_OBJECT * keys,
        .saves_s = way->time.value * fmin(1, KEY_CALLS * keys / fmax(all, 1)),
    };
    return true;
}

static bool large_copies(const struct kp_entry *entry, struct kp_advice *advice)
{
    const struct kp_conversion_way *way = &entry->ways[KP_TO_PYTHON];
    const struct kp_api_count *copies = &entry->api[KP_API_ROW_large_copies];
    double rest = CALL_BYTES * fmax(0, way->conversions - copies->calls);
    if (copies->amount < LARGE_BYTES)
        return false;
    *advice = (struct kp_advice){
        .direction = KP_TO_PYTHON,
        .times = copies->calls,
        .bytes = copies->amount,
        .is_text = AMOUNT(entry, strings_made) > copies->amount / 2,
        .saves_bytes = copies->amount + BYTES_OBJECT * copies->calls,
        .saves_s = way->time.value * copies->amount / (copies->amount + rest),
    };
    return true;
}

static bool gil_wait(const struct kp_entry *entry, struct kp_advice *advice)
{
    double mean_s = entry->gil_waits > 0 ? entry->gil_wait_s / entry->gil_waits : 0;
    if (mean_s < BLOCKED_S || entry->gil_wait_s < FAR_ABOVE * entry->gil_hold_s ||
        kp_entry_conversions(entry) > BATCH * entry->gil_waits)
        return false;
    *advice = (struct kp_advice){
        .direction = KP_NO_DIRECTION,
        .times = entry->gil_waits,
        .bytes = entry->ways[KP_TO_PYTHON].bytes + entry->ways[KP_FROM_PYTHON].bytes,
        .ratio = entry->gil_wait_s / fmax(entry->gil_hold_s, 1e-9),
        .saves_s = entry->gil_wait_s,
    };
    return true;
}

/* Is it worth a change? */
static bool is_worth(const struct kp_entry *entry, const struct kp_advice *advice)
{
    double allocated = entry->ways[KP_TO_PYTHON].allocated.value +
                       entry->ways[KP_FROM_PYTHON].allocated.value;
    return advice->saves_s > LITTLE * (entry->converting.value + entry->gil_wait_s) ||
           advice->saves_bytes > LITTLE * fmax(allocated, LARGE_BYTES);
}

static kp_rule_test *const rules[KP_RULES] = {
    [KP_RULE_LIST_OF_BYTES] = list_of_bytes,   [KP_RULE_ITEM_BY_ITEM] = item_by_item,
    [KP_RULE_TEMPORARY_UTF8] = temporary_utf8, [KP_RULE_REPEATED_KEYS] = repeated_keys,
    [KP_RULE_LARGE_COPIES] = large_copies,     [KP_RULE_GIL_WAIT] = gil_wait,
};

size_t kp_advise(const struct kp_entry *entry, struct kp_advice advice[KP_RULES])
{
    size_t count = 0;
    for (enum kp_rule i = 0; i < KP_RULES; i++) {
        struct kp_advice *next = &advice[count];
        if (!rules[i](entry, next))
            continue;
        next->rule = i;
        next->saves_bytes = fmax(0, next->saves_bytes);
        next->saves_s = fmax(0, next->saves_s);
        count += is_worth(entry, next);
    }
    return count;
}

const char *kp_rule_name(enum kp_rule rule)
{
    static const char *const names[KP_RULES] = {
        [KP_RULE_LIST_OF_BYTES] = "list-of-bytes",   [KP_RULE_ITEM_BY_ITEM] = "item-by-item",
        [KP_RULE_TEMPORARY_UTF8] = "temporary-utf8", [KP_RULE_REPEATED_KEYS] = "repeated-keys",
        [KP_RULE_LARGE_COPIES] = "large-copies",     [KP_RULE_GIL_WAIT] = "gil-wait",
    };
    return names[rule];
}
