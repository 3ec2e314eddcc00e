/* SPDX-License-Identifier: MIT */
/*
 * Advice on conversions: which costly way an entry takes, and what the other way would save,
 * computed from the entry's own figures in this run. Each rule is one function of an entry. Pure
 * functions, any thread. docs/conversions-report.md says it in prose.
 */
#ifndef KP_ADVICE_H
#define KP_ADVICE_H

#include "conversions.h"

enum kp_rule {
    KP_RULE_LIST_OF_BYTES,  /* a list of small integers is built: bytes would do */
    KP_RULE_ITEM_BY_ITEM,   /* numbers are read one by one: a slice would do */
    KP_RULE_TEMPORARY_UTF8, /* a bytes object is made for each string that is read */
    KP_RULE_REPEATED_KEYS,  /* the same short strings are made again and again */
    KP_RULE_LARGE_COPIES,   /* large buffers are copied into Python objects */
    KP_RULE_GIL_WAIT,       /* the GIL is waited for far longer than it is used */
    KP_RULES
};

struct kp_advice {
    enum kp_rule rule;
    enum kp_direction direction; /* KP_NO_DIRECTION: of the entry as a whole */
    double times;  /* that it is done: lists, items, strings, copies, waits */
    double bytes;  /* that it concerns */
    double ratio;  /* GIL_WAIT: of waiting to using */
    bool is_text;  /* LARGE_COPIES: mostly of str */
    double saves_bytes; /* of allocation */
    double saves_s;
};

/* A word for scripts: "list-of-bytes", ... */
const char *kp_rule_name(enum kp_rule rule);

/* What there is to say about an entry; how many. */
size_t kp_advise(const struct kp_entry *entry, struct kp_advice advice[KP_RULES]);

#endif
