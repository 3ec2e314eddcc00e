/* SPDX-License-Identifier: MIT */
/*
 * malloc and its family. Host's threads.
 *
 * What happens on one malloc: the size is subtracted from the thread's countdown; while it
 * stays positive the call goes on to the next allocator by a tail jump and nobody can tell that we
 * were there. Below zero the slow function makes the real call, outside the guard and with no lock of ours
 * held, and then records what it returned. free() looks at one filter byte; when it is not zero
 * the slow function asks the table, records the free *before* the real one (afterwards the
 * address may belong to somebody else), and goes on. No pointer, size or alignment is changed.
 */
#include "hooks_new.h"
#include "real.h"
#include "sample.h"

#include <errno.h>
#include <stdlib.h>

#define KP_EXPORT __attribute__((visibility("default")))

/* Each fast path begins a line of the cache: malloc + free took 4 % longer across lines. */
#define KP_FAST KP_EXPORT __attribute__((aligned(64)))

/* Declared here: <malloc.h> and <stdlib.h> have them under conditions. */
KP_EXPORT void *memalign(size_t, size_t);
KP_EXPORT void *valloc(size_t);
KP_EXPORT void *pvalloc(size_t);
KP_EXPORT void *reallocarray(void *, size_t, size_t);
KP_EXPORT size_t malloc_usable_size(void *);
KP_EXPORT void free_sized(void *, size_t);
KP_EXPORT void free_aligned_sized(void *, size_t, size_t);
KP_EXPORT void cfree(void *);

bool kp_reallocarray_is_counted = true;

static KP_SLOW void *slow_malloc(size_t size)
{
    struct kp_origin origin = KP_ORIGIN_HERE();
    uint64_t rate = kp_sample_decide(size);
    void *block = kp_real.malloc(size);

    kp_sample_alloc(KP_KIND_MALLOC, size, block, rate, &origin);
    return block;
}

KP_FAST void *malloc(size_t size)
{
    if (kp_counts(size))
        return slow_malloc(size);
    return kp_real.malloc(size);
}

static KP_SLOW void slow_free(void *block)
{
    kp_sample_free(block);
    kp_real.free(block);
}

KP_FAST void free(void *block)
{
    if (kp_filter_hit(block)) {
        slow_free(block);
        return;
    }
    kp_real.free(block);
}

KP_EXPORT void cfree(void *block)
{
    free(block);
}

static KP_SLOW void slow_free_sized(void *block, size_t size)
{
    kp_sample_free(block);
    kp_real.free_sized(block, size);
}

KP_EXPORT void free_sized(void *block, size_t size)
{
    if (kp_filter_hit(block))
        slow_free_sized(block, size);
    else
        kp_real.free_sized(block, size);
}

static KP_SLOW void slow_free_aligned_sized(void *block, size_t alignment, size_t size)
{
    kp_sample_free(block);
    kp_real.free_aligned_sized(block, alignment, size);
}

KP_EXPORT void free_aligned_sized(void *block, size_t alignment, size_t size)
{
    if (kp_filter_hit(block))
        slow_free_aligned_sized(block, alignment, size);
    else
        kp_real.free_aligned_sized(block, alignment, size);
}

static KP_SLOW void *slow_calloc(size_t count, size_t size)
{
    struct kp_origin origin = KP_ORIGIN_HERE();
    uint64_t rate = kp_sample_decide(count * size);
    void *block = kp_real.calloc(count, size);

    kp_sample_alloc(KP_KIND_MALLOC, count * size, block, rate, &origin);
    return block;
}

KP_FAST void *calloc(size_t count, size_t size)
{
    size_t bytes;

    if (KP_LIKELY_NOT(__builtin_mul_overflow(count, size, &bytes)))
        return kp_real.calloc(count, size);
    if (kp_counts(bytes))
        return slow_calloc(count, size);
    return kp_real.calloc(count, size);
}

/* Four cases: NULL -> n is malloc; p -> 0 frees (glibc) or shrinks (others); moved; in place. In
 * each the old sample ends and the new block, if there is one, has its own chance. */
static KP_SLOW void *slow_realloc(void *block, size_t size, bool sampled)
{
    struct kp_origin origin = KP_ORIGIN_HERE();
    uint64_t rate = sampled ? kp_sample_decide(size) : 0;
    uint64_t id = block ? kp_sample_take(block) : 0;
    int before = errno;
    void *result;

    errno = 0;
    result = kp_real.realloc(block, size);
    bool failed = !result && (size != 0 || errno == ENOMEM);
    if (errno == 0)
        errno = before;
    if (id && failed)
        kp_sample_put_back(block, id);
    else if (id)
        kp_sample_freed(id);
    kp_sample_alloc(KP_KIND_MALLOC, size, result, rate, &origin);
    return result;
}

KP_FAST void *realloc(void *block, size_t size)
{
    bool sampled = kp_counts(size);

    if (sampled || kp_filter_hit(block))
        return slow_realloc(block, size, sampled);
    return kp_real.realloc(block, size);
}

static KP_SLOW void *slow_reallocarray(void *block, size_t count, size_t size, bool sampled)
{
    struct kp_origin origin = KP_ORIGIN_HERE();
    uint64_t rate = sampled ? kp_sample_decide(count * size) : 0;
    uint64_t id = block ? kp_sample_take(block) : 0;
    void *result = kp_real.reallocarray(block, count, size);

    if (id && !result && count * size != 0)
        kp_sample_put_back(block, id);
    else if (id)
        kp_sample_freed(id);
    kp_sample_alloc(KP_KIND_MALLOC, count * size, result, rate, &origin);
    return result;
}

KP_EXPORT void *reallocarray(void *block, size_t count, size_t size)
{
    size_t bytes;

    if (!kp_reallocarray_is_counted || __builtin_mul_overflow(count, size, &bytes))
        return kp_real.reallocarray(block, count, size);
    bool sampled = kp_counts(bytes);
    if (sampled || kp_filter_hit(block))
        return slow_reallocarray(block, count, size, sampled);
    return kp_real.reallocarray(block, count, size);
}

static KP_SLOW int slow_posix_memalign(void **result, size_t alignment, size_t size)
{
    struct kp_origin origin = KP_ORIGIN_HERE();
    uint64_t rate = kp_sample_decide(size);
    int error = kp_real.posix_memalign(result, alignment, size);

    kp_sample_alloc(KP_KIND_MALLOC, size, error ? NULL : *result, rate, &origin);
    return error;
}

KP_EXPORT int posix_memalign(void **result, size_t alignment, size_t size)
{
    if (kp_counts(size))
        return slow_posix_memalign(result, alignment, size);
    return kp_real.posix_memalign(result, alignment, size);
}

#define ALIGNED(name)                                                                              \
    static KP_SLOW void *slow_##name(size_t alignment, size_t size)                                \
    {                                                                                              \
        struct kp_origin origin = KP_ORIGIN_HERE();                                                \
        uint64_t rate = kp_sample_decide(size);                                                    \
        void *block = kp_real.name(alignment, size);                                               \
                                                                                                   \
        kp_sample_alloc(KP_KIND_MALLOC, size, block, rate, &origin);                               \
        return block;                                                                              \
    }                                                                                              \
    KP_EXPORT void *name(size_t alignment, size_t size)                                            \
    {                                                                                              \
        if (kp_counts(size))                                                                       \
            return slow_##name(alignment, size);                                                   \
        return kp_real.name(alignment, size);                                                      \
    }
ALIGNED(aligned_alloc)
ALIGNED(memalign)

#define WHOLE_PAGES(name)                                                                          \
    static KP_SLOW void *slow_##name(size_t size)                                                  \
    {                                                                                              \
        struct kp_origin origin = KP_ORIGIN_HERE();                                                \
        uint64_t rate = kp_sample_decide(size);                                                    \
        void *block = kp_real.name(size);                                                          \
                                                                                                   \
        kp_sample_alloc(KP_KIND_MALLOC, size, block, rate, &origin);                               \
        return block;                                                                              \
    }                                                                                              \
    KP_EXPORT void *name(size_t size)                                                              \
    {                                                                                              \
        if (kp_counts(size))                                                                       \
            return slow_##name(size);                                                              \
        return kp_real.name(size);                                                                 \
    }
WHOLE_PAGES(valloc)
WHOLE_PAGES(pvalloc)

KP_EXPORT size_t malloc_usable_size(void *block)
{
    return kp_real.malloc_usable_size(block);
}
