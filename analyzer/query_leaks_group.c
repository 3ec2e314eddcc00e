/* SPDX-License-Identifier: MIT */
/*
 * --group: places that have been judged are put together, so that the rows of every grouping add up
 * to the same whole. A row is what the worst of its places is; the rates of those that are as bad
 * are added, independent samples as they are. One thread.
 */
#include "query_db.h"
#include "query_leaks.h"
#include "query_leaks_key.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct keyed {
    struct kp_place_key key;
    const struct kp_frame *frame;
    size_t site;
};

static int compare_keyed(const void *left, const void *right)
{
    const struct keyed *a = left, *b = right;
    int order = memcmp(&a->key, &b->key, sizeof a->key);
    return order ? order : (a->site > b->site) - (a->site < b->site);
}

static bool are_alike(enum kp_leak_verdict a, enum kp_leak_verdict b)
{
    return a == b || (a >= KP_LEAK_PROBABLE && b >= KP_LEAK_PROBABLE);
}

static struct kp_estimate add_estimates(struct kp_estimate a, struct kp_estimate b)
{
    double value = a.value + b.value;
    double below = hypot(a.value - a.low, b.value - b.low);
    double above = hypot(a.high - a.value, b.high - b.value);
    return (struct kp_estimate){value, fmax(value - below, 0), value + above};
}

/* `worse` comes first in the report, and tells what the row is. */
static void add_site(struct kp_leak_site *worse, const struct kp_leak_site *other)
{
    struct kp_cohort *sum = &worse->cohort;
    worse->live_bytes += other->live_bytes;
    worse->kinds |= other->kinds;
    if (!are_alike(worse->verdict, other->verdict))
        return;
    sum->rate = add_estimates(sum->rate, other->cohort.rate);
    sum->error = hypot(sum->error, other->cohort.error);
    sum->survivors += other->cohort.survivors;
    sum->onset = fmin(sum->onset, other->cohort.onset);
    if (sum->generations < other->cohort.generations)
        sum->generations = other->cohort.generations;
}

/* The sites are in the order of the report, so the first of equal keys is the worst. */
static size_t merge(const struct kp_leaks *leaks, const struct keyed *keyed,
                    struct kp_leak_site *rows)
{
    size_t count = 0;
    for (size_t i = 0; i < leaks->site_count; i++) {
        const struct kp_leak_site *site = &leaks->sites[keyed[i].site];
        if (i > 0 && memcmp(&keyed[i].key, &keyed[i - 1].key, sizeof keyed[i].key) == 0) {
            add_site(&rows[count - 1], site);
            continue;
        }
        rows[count] = *site;
        rows[count++].group = keyed[i].frame;
    }
    return count;
}

int kp_leaks_group(struct kp_query *query, enum kp_leak_group group, struct kp_leaks *leaks,
                   struct kp_error *error)
{
    struct keyed *keyed = calloc(leaks->site_count + 1, sizeof *keyed);
    struct kp_leak_site *rows = calloc(leaks->site_count + 1, sizeof *rows);
    if (!keyed || !rows) {
        free(keyed);
        free(rows);
        return kp_query_no_memory(error);
    }
    for (size_t i = 0; i < leaks->site_count; i++) {
        const struct kp_leak_site *site = &leaks->sites[i];
        keyed[i].site = i;
        keyed[i].key =
            kp_place_key_of(query, group, site->stack_id, site->side, &keyed[i].frame);
    }
    qsort(keyed, leaks->site_count, sizeof *keyed, compare_keyed);
    leaks->site_count = merge(leaks, keyed, rows);
    free(keyed);
    free(leaks->sites);
    leaks->sites = rows;
    kp_leaks_sort(leaks);
    return 0;
}
