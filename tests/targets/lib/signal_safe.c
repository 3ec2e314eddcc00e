/* SPDX-License-Identifier: MIT */
/*
 * An allocator that may be called from signal handlers: a bump pointer in one large mapping, moved
 * by an atomic add; free() does nothing. Stands behind the library in LD_PRELOAD, so that a
 * program which allocates in handlers is well defined and only the library is on trial. With
 * SIGNAL_SAFE_LOG it writes the number of successful allocations there when the program ends.
 */
#include "target.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define ROOM ((size_t)16 << 30)

static char *_Atomic room;
static _Atomic size_t used;
static _Atomic long calls;

static void *take(size_t align, size_t size)
{
    char *base = room, *none = NULL;
    if (!base) {
        base = mmap(NULL, ROOM, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (!atomic_compare_exchange_strong(&room, &none, base))
            munmap(base, ROOM), base = none;
    }
    if (align < 16)
        align = 16;
    if (size > ROOM / 2 || used > ROOM - size - 2 * align) {
        errno = ENOMEM;
        return NULL;
    }
    size_t at = atomic_fetch_add(&used, (size + 16 + align + 15) & ~(size_t)15);
    char *p = base + ((at + 16 + align - 1) & ~(align - 1));
    memcpy(p - 16, &size, sizeof size);
    calls++;
    return p;
}

void *malloc(size_t size) { return take(16, size); }
void free(void *p) { (void)p; }
size_t malloc_usable_size(void *p) { return p ? *(size_t *)(void *)((char *)p - 16) : 0; }
void *memalign(size_t align, size_t size) { return take(align, size); }
void *aligned_alloc(size_t align, size_t size) { return take(align, size); }
void *valloc(size_t size) { return take(4096, size); }
void *pvalloc(size_t size) { return take(4096, (size + 4095) & ~(size_t)4095); }
int posix_memalign(void **p, size_t align, size_t size)
{
    void *got = take(align, size);
    if (!got)
        return ENOMEM;
    *p = got;
    return 0;
}
void *calloc(size_t n, size_t size)
{
    size_t bytes;
    return __builtin_mul_overflow(n, size, &bytes) ? (errno = ENOMEM, NULL) : take(16, bytes);
}
void *realloc(void *p, size_t size)
{
    size_t old = malloc_usable_size(p);
    void *q = take(16, size);
    return q && p ? memcpy(q, p, old < size ? old : size) : q;
}
void *reallocarray(void *p, size_t n, size_t size)
{
    size_t bytes;
    return __builtin_mul_overflow(n, size, &bytes) ? (errno = ENOMEM, NULL) : realloc(p, bytes);
}

__attribute__((destructor)) static void write_log(void)
{
    char line[32];
    const char *path = getenv("SIGNAL_SAFE_LOG");
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666) : -1;
    if (fd >= 0 && write(fd, line, (size_t)snprintf(line, sizeof line, "%ld\n", calls)) > 0)
        close(fd);
}
