/* SPDX-License-Identifier: MIT */
/*
 * glibc's arenas for a snapshot. mallinfo2() knows their sum only, and malloc_info() needs a FILE
 * and writes XML; both take every arena's lock, wait for it, and read every free chunk.
 */
#ifndef KP_SNAPSHOT_GLIBC_H
#define KP_SNAPSHOT_GLIBC_H

#include "snapshot_heap.h"

/* Adds an arena each and one for blocks of their own mapping. False: not the glibc that we know.
 * All signals have to be blocked meanwhile. */
bool kp_snapshot_glibc(struct kp_heap *heap);

#endif
