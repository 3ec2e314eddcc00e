/* SPDX-License-Identifier: MIT */
/*
 * The database of kprof-ab: a comparison that can be interrupted and taken up again, and that users
 * may ask anything with sqlite3 (docs/ab.md has its tables). Each run is one transaction. Without a
 * path it lives in memory only. One thread.
 */
#ifndef KP_AB_STORE_H
#define KP_AB_STORE_H

#include "ab_comparison.h"
#include "error.h"

struct kp_ab_store;

#define KP_AB_APPLICATION_ID 0x6b706162u /* "kpab" */
#define KP_AB_SCHEMA 3                   /* user_version */

/* Opens the comparison at path, makes a new one where there is no file; NULL: in memory. Any other
 * file is refused and left alone. */
struct kp_ab_store *kp_ab_store_open(const char *path, struct kp_error *error);
void kp_ab_store_close(struct kp_ab_store *store);

/* What is in there; an empty comparison (command NULL) in a new one. */
int kp_ab_store_load(struct kp_ab_store *store, struct kp_ab_comparison *comparison,
                     struct kp_error *error);
/* The command and all configurations, in place of those that are there. */
int kp_ab_store_plan(struct kp_ab_store *store, const struct kp_ab_comparison *comparison,
                     struct kp_error *error);
int kp_ab_store_add(struct kp_ab_store *store, const struct kp_ab_run *run,
                    struct kp_error *error);

/* The words of a JSON list, NULL-terminated; each and the list are for free(). NULL: no list. */
char **kp_ab_store_words(struct kp_ab_store *store, const char *json);

#endif
