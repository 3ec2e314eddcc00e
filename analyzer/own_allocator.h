/* SPDX-License-Identifier: MIT */
/*
 * Has a library an allocator built in? Wheels often have; it takes memory by mmap, and the blocks
 * that it cuts from it are not seen. Pure function of a file, any thread.
 */
#ifndef KP_OWN_ALLOCATOR_H
#define KP_OWN_ALLOCATOR_H

/* "jemalloc", ...; "": none that is known, or no such file. */
const char *kp_own_allocator(const char *path);

#endif
