/* SPDX-License-Identifier: MIT */
/*
 * mmap and its family. Host's threads.
 *
 * Anonymous mappings are recorded: what the program maps for itself ('mmap'), what it only
 * reserves without access ('reserve'), and what an allocator preloaded behind us, or Python's own,
 * takes to cut blocks from ('arena', told apart by the caller's address). glibc's own arenas and
 * thread stacks are made inside libc and don't come by. File mappings are page cache and not
 * recorded.
 */
#include "python_domains.h"
#include "ranges.h"
#include "real.h"
#include "sample.h"
#include "state.h"

#include <errno.h>
#include <sys/mman.h>

#define KP_EXPORT __attribute__((visibility("default")))

KP_EXPORT void *mmap64(void *, size_t, int, int, int, off64_t);

static enum kp_kind kind_of(int protection, uintptr_t caller)
{
    if (kp_allocator_holds(caller))
        return KP_KIND_ARENA;
    return protection == PROT_NONE ? KP_KIND_RESERVE : KP_KIND_MMAP;
}

static void cut(void *address, size_t bytes)
{
    int error = errno;
    uint64_t cookie;

    if (kp_ranges_lock(&cookie)) {
        kp_ranges_cut((uintptr_t)address & ~4095ul, (bytes + 4095) & ~4095ul);
        kp_ranges_unlock();
    }
    errno = error;
}

static void mapped(void *address, size_t bytes, enum kp_kind kind, const struct kp_origin *origin)
{
    int error = errno;
    uint64_t id = kp_sample_alloc(kind, bytes, address, kp_sample_decide(bytes), origin), cookie;

    if (id && kp_ranges_lock(&cookie)) {
        kp_ranges_add(&(struct kp_range){(uintptr_t)address,
                                         (uintptr_t)address + ((bytes + 4095) & ~4095ul), id,
                                         kind == KP_KIND_ARENA});
        kp_ranges_unlock();
    }
    errno = error;
}

static void mapped_arena(void *address, size_t bytes, const struct kp_origin *origin)
{
    int64_t left = kp_python_arena_begin();

    if (kp_counts(bytes))
        mapped(address, bytes, KP_KIND_ARENA, origin);
    kp_python_arena_end(left);
}

static KP_SLOW void *hooked_mmap(void *wanted, size_t bytes, int protection, int flags, int fd,
                                 off_t offset)
{
    struct kp_origin origin = KP_ORIGIN_HERE();
    void *result = kp_real.mmap(wanted, bytes, protection, flags, fd, offset);

    if (result == MAP_FAILED || kp_self.guard)
        return result;
    if (flags & MAP_FIXED)
        cut(result, bytes);
    if (!(flags & MAP_ANONYMOUS))
        return result;
    if (KP_LIKELY_NOT(kp_python_maps_arena(origin.pc, flags)))
        mapped_arena(result, bytes, &origin);
    else if (kp_counts(bytes))
        mapped(result, bytes, kind_of(protection, origin.pc), &origin);
    return result;
}

KP_EXPORT void *mmap(void *wanted, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    return hooked_mmap(wanted, bytes, protection, flags, fd, offset);
}

KP_EXPORT void *mmap64(void *wanted, size_t bytes, int protection, int flags, int fd,
                       off64_t offset)
{
    return hooked_mmap(wanted, bytes, protection, flags, fd, offset);
}

/* As with free(): told before the call, since afterwards the addresses may belong to somebody else. */
KP_EXPORT int munmap(void *address, size_t bytes)
{
    if (bytes && ((uintptr_t)address & 4095) == 0)
        cut(address, bytes);
    return kp_real.munmap(address, bytes);
}

/* The call under the lock: it may fail, so that what is told has to wait for it. True: the old
 * mapping was a sample. */
static bool remap(void *old, size_t old_bytes, size_t bytes, int flags, void *wanted, void **result)
{
    uint64_t cookie;
    bool locked = kp_ranges_lock(&cookie), was_sampled = false;

    *result = kp_real.mremap(old, old_bytes, bytes, flags, wanted);
    int error = errno;
    if (locked) {
        if (*result != MAP_FAILED && old_bytes)
            was_sampled = kp_ranges_cut((uintptr_t)old, (old_bytes + 4095) & ~4095ul);
        if (*result != MAP_FAILED && flags & MREMAP_FIXED)
            kp_ranges_cut((uintptr_t)*result, (bytes + 4095) & ~4095ul);
        kp_ranges_unlock();
    }
    errno = error;
    return was_sampled;
}

/* What was no sample may be a mapping of a file, and stays none. */
static KP_SLOW void *hooked_mremap(void *old, size_t old_bytes, size_t bytes, int flags,
                                   void *wanted)
{
    struct kp_origin origin = KP_ORIGIN_HERE();
    void *result;

    if (remap(old, old_bytes, bytes, flags, wanted, &result) && kp_counts(bytes))
        mapped(result, bytes, kind_of(PROT_READ, origin.pc), &origin);
    return result;
}

/* <sys/mman.h> has it variadic; the fifth argument is in its register either way. */
KP_EXPORT void *kp_mremap(void *, size_t, size_t, int, void *) __asm__("mremap");

void *kp_mremap(void *old, size_t old_bytes, size_t bytes, int flags, void *wanted)
{
    return hooked_mremap(old, old_bytes, bytes, flags, wanted);
}
