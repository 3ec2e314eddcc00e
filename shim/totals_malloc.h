/* SPDX-License-Identifier: MIT */
/*
 * The figures of the allocator that serves malloc: glibc's, jemalloc, tcmalloc or mimalloc.
 */
#ifndef KP_TOTALS_MALLOC_H
#define KP_TOTALS_MALLOC_H

#include <stddef.h>
#include <stdint.h>

/* As in <malloc.h> of glibc 2.33 and later. */
struct mallinfo2 {
    size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};

/* The object that serves malloc, and those of its functions that tell which allocator it is: one of
 * them at most is not NULL. */
struct kp_malloc_calls {
    struct link_map *object;
    int (*mallctl)(const char *, void *, size_t *, void *, size_t);
    int (*tcmalloc_property)(const char *, size_t *);
    void (*mi_process_info)(size_t *, size_t *, size_t *, size_t *, size_t *, size_t *, size_t *,
                            size_t *);
    struct mallinfo2 (*mallinfo2)(void);
};
/* Found by the first call; one thread at a time. */
const struct kp_malloc_calls *kp_malloc_calls(void);

/* Bytes in blocks given out, and bytes held from the system; KP_TOTAL_UNKNOWN. Without the guard,
 * never where malloc might be interrupted: takes the allocator's locks. */
void kp_totals_of_malloc(uint64_t *used, uint64_t *held);

#endif
