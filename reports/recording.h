/* SPDX-License-Identifier: MIT */
/*
 * Brings a recording into a state that can be read: finishes a spool that was left behind, waits
 * for a collector that is about to finish, or settles for what is there. Shows progress. One
 * thread.
 */
#ifndef KP_RECORDING_H
#define KP_RECORDING_H

#include "error.h"

#include <stdbool.h>

struct kp_settled {
    char path[4096]; /* the database to read */
    bool is_copy;    /* a temporary one, because the recording's own place cannot be written */
};

/* 0 or -1. With no_wait, neither waits nor finishes. */
int kp_recording_settle(const char *database, bool no_wait, struct kp_settled *settled,
                        struct kp_error *error);
void kp_settled_release(struct kp_settled *settled);

#endif
