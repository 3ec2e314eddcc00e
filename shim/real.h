/* SPDX-License-Identifier: MIT */
/*
 * The functions behind ours. Every hooked name has a pointer here; it first leads to a stub that
 * looks the name up behind libkprof.so in the order of the loader's list, so that libmimalloc,
 * jemalloc or tcmalloc preloaded behind us are what we measure. No dlsym, which may allocate.
 *
 * A function that calls malloc or realloc by its public name in its turn (libc's reallocarray,
 * libstdc++'s operator new) is passed through uncounted, or its blocks would count twice.
 */
#ifndef KP_REAL_H
#define KP_REAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct kp_real {
    void *(*malloc)(size_t);
    void (*free)(void *);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    int (*posix_memalign)(void **, size_t, size_t);
    void *(*aligned_alloc)(size_t, size_t);
    void *(*memalign)(size_t, size_t);
    void *(*valloc)(size_t);
    void *(*pvalloc)(size_t);
    void *(*reallocarray)(void *, size_t, size_t);
    size_t (*malloc_usable_size)(void *);
    void (*free_sized)(void *, size_t);
    void (*free_aligned_sized)(void *, size_t, size_t);
    void *(*mmap)(void *, size_t, int, int, int, off_t);
    int (*munmap)(void *, size_t);
    void *(*mremap)(void *, size_t, size_t, int, void *);
    int (*dlclose)(void *);
    void *(*dlsym)(void *, const char *);
    void (*_exit)(int);
    void (*quick_exit)(int);
};
extern struct kp_real kp_real __attribute__((visibility("hidden")));

/* Object that has the next malloc. */
struct kp_allocator {
    const char *path; /* "" until resolved */
    uintptr_t start, end;
    bool program_has_its_own; /* the executable defines malloc: ours is never called */
};
extern struct kp_allocator kp_allocator __attribute__((visibility("hidden")));

/* Fills kp_real. Idempotent, any thread, allocates nothing. */
void kp_real_resolve(void);

/* True when code at this address belongs to the allocator (and is not libc). */
bool kp_allocator_holds(uintptr_t pc);

#endif
