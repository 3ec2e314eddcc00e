/* SPDX-License-Identifier: MIT */
/*
 * Whose database stands at a path, found out without changing it.
 */
#ifndef KP_STORE_LOOK_H
#define KP_STORE_LOOK_H

#include "store.h"

enum kp_store_place {
    KP_PLACE_FREE,        /* nothing, or an empty file */
    KP_PLACE_OURS,        /* of this session and in order; it is open now */
    KP_PLACE_REPLACEABLE, /* a finished recording of another session */
    KP_PLACE_FOREIGN,     /* anything else */
    KP_PLACE_DAMAGED,     /* of this session, but not as we wrote it */
};

/* The statements that make a database. */
extern const char kp_store_schema[];

/* `store->path` is set. Sets was_finished. */
enum kp_store_place kp_store_look(struct kp_store *store, const struct kp_spool_header *header);

/* The name of a session as it stands in table session. */
void kp_store_session_name(char name[17], const struct kp_spool_header *header);

/* Whether closing leaves everything as it is, see struct kp_store. */
void kp_store_keep_as_is(struct kp_store *store, bool as_is);

/* Opens for reading and writing; nothing is written by this. */
int kp_store_open_file(struct kp_store *store, const char *path, struct kp_error *error);

#endif
