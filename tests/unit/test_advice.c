/* SPDX-License-Identifier: MIT */
/*
 * Each rule of advice on the counts that its case leaves, and on those of the way that cures it:
 * it speaks up for the one and not for the other, and says what the cure then shows. The counts are
 * those that examples/pyo3-engine makes; tests/conversions holds the rules against the real thing.
 */
#include "advice.h"
#include "unit_check.h"

#include <math.h>
#include <stdio.h>

#define MIB (1 << 20)

/* An entry whose API rows are set by the caller; time and allocation in one direction. */
static struct kp_entry entry_of(enum kp_direction direction, double calls, double time_s,
                                double allocated)
{
    struct kp_entry entry = {.name = "Engine.test", .module = "", .kind = "method", .calls = calls};

    entry.ways[direction].time.value = entry.converting.value = time_s;
    entry.ways[direction].allocated.value = allocated;
    entry.ways[direction].conversions = 1;
    return entry;
}

static void set(struct kp_entry *entry, enum kp_api_row row, double calls, double amount)
{
    entry->api[row] = (struct kp_api_count){calls, amount};
}

static const struct kp_advice *find(const struct kp_entry *entry, enum kp_rule rule)
{
    static struct kp_advice advice[KP_RULES];
    size_t count = kp_advise(entry, advice);

    for (size_t i = 0; i < count; i++)
        if (advice[i].rule == rule)
            return &advice[i];
    return NULL;
}

static void check(const char *what, const struct kp_entry *bad, const struct kp_entry *good,
                  enum kp_rule rule, double bytes, double seconds)
{
    const struct kp_advice *advice = find(bad, rule);
    char title[128];

    snprintf(title, sizeof title, "%s: advice", what);
    kp_check(advice != NULL, title, "none");
    snprintf(title, sizeof title, "%s: what the cure saves, within 20 %%", what);
    kp_check(advice && fabs(advice->saves_bytes - bytes) <= 0.2 * bytes &&
                 fabs(advice->saves_s - seconds) <= 0.2 * seconds,
             title, "%g B and %g s, not %g and %g", advice ? advice->saves_bytes : 0,
             advice ? advice->saves_s : 0, bytes, seconds);
    snprintf(title, sizeof title, "%s: none of the cure", what);
    kp_check(!find(good, rule), title, "it speaks up");
}

static void list_of_bytes(void)
{
    struct kp_entry bad = entry_of(KP_TO_PYTHON, 50, 0.66, 50 * 16.8e6);
    struct kp_entry good = entry_of(KP_TO_PYTHON, 50, 0.003, 50 * 1.05e6);

    set(&bad, KP_API_ROW_PyList_New, 50, 50.0 * MIB);
    set(&bad, KP_API_ROW_PyLong_FromLong, 50.0 * MIB, 0);
    set(&good, KP_API_ROW_PyBytes_FromStringAndSize, 50, 50.0 * MIB);
    check("a list of bytes", &bad, &good, KP_RULE_LIST_OF_BYTES, 50 * (16.8e6 - 1.05e6), 0.657);
    bad.ways[KP_TO_PYTHON].allocated_count.value = 50.0 * MIB;
    kp_check(!find(&bad, KP_RULE_LIST_OF_BYTES), "a list of large integers is none of bytes",
             "it is taken for one");
    set(&bad, KP_API_ROW_PyList_New, 50.0 * MIB / 10, 50.0 * MIB);
    bad.ways[KP_TO_PYTHON].allocated_count.value = 0;
    kp_check(!find(&bad, KP_RULE_LIST_OF_BYTES), "neither are lists of ten", "they are taken so");
}

static void item_by_item(void)
{
    struct kp_entry bad = entry_of(KP_FROM_PYTHON, 50, 0.69, 50 * 1.05e6);
    struct kp_entry good = entry_of(KP_FROM_PYTHON, 50, 1e-6, 0);

    set(&bad, KP_API_ROW_PySequence_GetItem, 50.0 * MIB, 0);
    set(&bad, KP_API_ROW_PyLong_AsLong, 50.0 * MIB, 0);
    set(&good, KP_API_ROW_PyBytes_AsString, 50, 50.0 * MIB);
    check("numbers read one by one", &bad, &good, KP_RULE_ITEM_BY_ITEM, 50 * 1.05e6, 0.69);
    set(&bad, KP_API_ROW_PyLong_AsLong, 100, 0);
    kp_check(!find(&bad, KP_RULE_ITEM_BY_ITEM), "a list of strings is no list of numbers",
             "it is taken for one");
}

static void temporary_utf8(void)
{
    struct kp_entry bad = entry_of(KP_FROM_PYTHON, 5000, 0.004, 65000 * 77.0);
    struct kp_entry good = entry_of(KP_FROM_PYTHON, 5000, 0.0008, 65000 * 10.0);

    bad.ways[KP_FROM_PYTHON].conversions = good.ways[KP_FROM_PYTHON].conversions = 150000;
    set(&bad, KP_API_ROW_PyUnicode_AsUTF8String, 65000, 65000 * 17.0);
    set(&good, KP_API_ROW_PyUnicode_AsUTF8AndSize, 65000, 65000 * 17.0);
    check("strings by a temporary", &bad, &good, KP_RULE_TEMPORARY_UTF8, 65000 * 67.0, 0.0039);
}

static void repeated_keys(void)
{
    struct kp_entry bad = entry_of(KP_TO_PYTHON, 50, 0.0037, 50 * 200e3);
    struct kp_entry good = entry_of(KP_TO_PYTHON, 50, 0.002, 50 * 150e3);

    bad.ways[KP_TO_PYTHON].conversions = 50 * 2900;
    good.ways[KP_TO_PYTHON].conversions = 50 * 2000;
    set(&bad, KP_API_ROW_PyUnicode_FromStringAndSize, 50 * 1300, 50 * 25000);
    set(&good, KP_API_ROW_PyUnicode_FromStringAndSize, 50 * 400, 50 * 20000);
    set(&bad, KP_API_ROW_PyDict_SetItem, 50 * 900, 0);
    set(&good, KP_API_ROW_PyDict_SetItem, 50 * 900, 0);
    bad.repeated = 0.8;
    good.repeated = 0.6;
    check("keys made anew", &bad, &good, KP_RULE_REPEATED_KEYS, 50 * 50e3, 0.0017);
}

static void large_copies(void)
{
    struct kp_entry bad = entry_of(KP_TO_PYTHON, 50, 0.005, 50 * 1.05e6);
    struct kp_entry good = entry_of(KP_TO_PYTHON, 50, 0.003, 50 * 1.05e6);

    set(&bad, KP_API_ROW_large_copies, 50, 50.0 * MIB);
    set(&good, KP_API_ROW_in_place, 50, 50.0 * MIB);
    check("large copies", &bad, &good, KP_RULE_LARGE_COPIES, 50.0 * MIB, 0.005);
    set(&bad, KP_API_ROW_large_copies, 3, 3.0 * 70000);
    kp_check(!find(&bad, KP_RULE_LARGE_COPIES), "a few are nothing to speak of", "it speaks up");
}

static void gil_wait(void)
{
    struct kp_entry bad = entry_of(KP_FROM_PYTHON, 100, 0.0007, 50e3);
    struct kp_entry good = entry_of(KP_FROM_PYTHON, 1, 0.0005, 50e3);

    bad.gil_waits = 100;
    bad.gil_wait_s = 0.2;
    bad.gil_hold_s = 0.0007;
    good.gil_waits = 4;
    good.gil_wait_s = 0.02;
    good.gil_hold_s = 0.0004;
    good.ways[KP_FROM_PYTHON].conversions = 600;
    check("waiting for the GIL", &bad, &good, KP_RULE_GIL_WAIT, 0, 0.2);
    bad.gil_hold_s = 0.1;
    kp_check(!find(&bad, KP_RULE_GIL_WAIT), "whoever works as long may wait", "it speaks up");
}

static void little(void)
{
    struct kp_entry entry = entry_of(KP_TO_PYTHON, 1, 1.0, 1e9);

    set(&entry, KP_API_ROW_large_copies, 20, 2.0 * MIB);
    entry.ways[KP_TO_PYTHON].conversions = 1e7;
    kp_check(!find(&entry, KP_RULE_LARGE_COPIES), "what saves next to nothing is not said",
             "it is said");
}

int main(void)
{
    list_of_bytes();
    item_by_item();
    temporary_utf8();
    repeated_keys();
    large_copies();
    gil_wait();
    little();
    return kp_checks_failed();
}
