/* SPDX-License-Identifier: MIT */
/*
 * Finds the functions behind ours. Runs once, in the first call of any hook or in the constructor,
 * whichever is first; two threads may do it at once, they write the same values.
 */
#include "real.h"

#include "hooks_new.h"
#include "scope.h"
#include "sys.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Stubs: resolve, then go on as the caller wanted. */
#define STUB(type, name, parameters, arguments)                                                    \
    static type stub_##name parameters                                                             \
    {                                                                                              \
        kp_real_resolve();                                                                         \
        return kp_real.name arguments;                                                             \
    }
#define STUB_VOID(name, parameters, arguments)                                                     \
    static void stub_##name parameters                                                             \
    {                                                                                              \
        kp_real_resolve();                                                                         \
        kp_real.name arguments;                                                                    \
    }
STUB(void *, malloc, (size_t n), (n))
STUB_VOID(free, (void *p), (p))
STUB(void *, calloc, (size_t n, size_t m), (n, m))
STUB(void *, realloc, (void *p, size_t n), (p, n))
STUB(int, posix_memalign, (void **p, size_t a, size_t n), (p, a, n))
STUB(void *, aligned_alloc, (size_t a, size_t n), (a, n))
STUB(void *, memalign, (size_t a, size_t n), (a, n))
STUB(void *, valloc, (size_t n), (n))
STUB(void *, pvalloc, (size_t n), (n))
STUB(void *, reallocarray, (void *p, size_t n, size_t m), (p, n, m))
STUB(size_t, malloc_usable_size, (void *p), (p))
STUB_VOID(free_sized, (void *p, size_t n), (p, n))
STUB_VOID(free_aligned_sized, (void *p, size_t a, size_t n), (p, a, n))
STUB(void *, mmap, (void *a, size_t n, int p, int f, int d, off_t o), (a, n, p, f, d, o))
STUB(int, munmap, (void *a, size_t n), (a, n))
STUB(void *, mremap, (void *a, size_t n, size_t m, int f, void *t), (a, n, m, f, t))
STUB(int, dlclose, (void *h), (h))
STUB(void *, dlsym, (void *h, const char *n), (h, n))
STUB_VOID(_exit, (int status), (status))
STUB_VOID(quick_exit, (int status), (status))

struct kp_real kp_real = {
    stub_malloc,       stub_free,          stub_calloc,
    stub_realloc,      stub_posix_memalign, stub_aligned_alloc,
    stub_memalign,     stub_valloc,        stub_pvalloc,
    stub_reallocarray, stub_malloc_usable_size, stub_free_sized,
    stub_free_aligned_sized, stub_mmap,    stub_munmap,
    stub_mremap,       stub_dlclose,       stub_dlsym,
    stub__exit,        stub_quick_exit,
};
struct kp_allocator kp_allocator = {.path = ""};

/* What stands in where nobody behind us has the function. */
static void *no_memory(void)
{
    errno = ENOMEM;
    return NULL;
}
static void *absent_aligned(size_t alignment, size_t size)
{
    (void)alignment, (void)size;
    return no_memory();
}
static void *absent_sized(size_t size)
{
    (void)size;
    return no_memory();
}
static void *absent_reallocarray(void *block, size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes))
        return no_memory();
    return realloc(block, bytes); /* ours: it counts */
}
static int absent_posix_memalign(void **block, size_t alignment, size_t size)
{
    (void)block, (void)alignment, (void)size;
    return ENOMEM;
}
static size_t absent_usable_size(void *block)
{
    (void)block;
    return 0;
}
static void absent_free_sized(void *block, size_t size)
{
    (void)size;
    kp_real.free(block);
}
static void absent_free_aligned_sized(void *block, size_t alignment, size_t size)
{
    (void)alignment, (void)size;
    kp_real.free(block);
}

struct wanted {
    const char *name;
    size_t offset; /* in struct kp_real */
    void *absent;
};
#define WANTED(name, absent) {#name, offsetof(struct kp_real, name), (void *)(absent)}
static const struct wanted wanted[] = {
    WANTED(malloc, NULL),
    WANTED(free, NULL),
    WANTED(calloc, NULL),
    WANTED(realloc, NULL),
    WANTED(posix_memalign, absent_posix_memalign),
    WANTED(aligned_alloc, absent_aligned),
    WANTED(memalign, absent_aligned),
    WANTED(valloc, absent_sized),
    WANTED(pvalloc, absent_sized),
    WANTED(reallocarray, absent_reallocarray),
    WANTED(malloc_usable_size, absent_usable_size),
    WANTED(free_sized, absent_free_sized),
    WANTED(free_aligned_sized, absent_free_aligned_sized),
    WANTED(mmap, NULL),
    WANTED(munmap, NULL),
    WANTED(mremap, NULL),
    WANTED(dlclose, NULL),
    WANTED(dlsym, NULL),
    WANTED(_exit, NULL),
    WANTED(quick_exit, NULL),
};

/* Nothing behind us defines malloc: not a process that can go on. */
static void die(void)
{
    static const char message[] = "kprof: no malloc found behind libkprof.so\n";

    kp_sys_tell(message, sizeof message - 1);
    KP_SYS2(SYS_kill, kp_sys_getpid(), SIGABRT);
    KP_SYS1(SYS_exit_group, 127);
}

static void resolve_one(struct link_map *next, const struct wanted *want)
{
    void *found = kp_scope_find_from(next, want->name, NULL);

    if (!found)
        found = want->absent;
    if (!found)
        die();
    __atomic_store_n((void **)((char *)&kp_real + want->offset), found, __ATOMIC_RELEASE);
}

/* libc's calls realloc by its public name, which is ours; an allocator's own does not. */
static bool has_own_reallocarray(struct link_map *next, const struct link_map *allocator)
{
    struct link_map *owner = NULL;
    const char *slash;

    if (!kp_scope_find_from(next, "reallocarray", &owner) || owner != allocator)
        return false;
    slash = strrchr(owner->l_name, '/');
    return strcmp(slash ? slash + 1 : owner->l_name, "libc.so.6") != 0;
}

void kp_real_resolve(void)
{
    struct link_map *self = kp_scope_self();
    struct link_map *next = self ? self->l_next : NULL;
    struct link_map *owner = NULL;

    if (!kp_scope_find_from(next, "malloc", &owner))
        die();
    kp_scope_range(owner, &kp_allocator.start, &kp_allocator.end);
    kp_allocator.program_has_its_own = kp_scope_find(kp_scope_program(), "malloc") != NULL;
    kp_allocator.path = owner->l_name;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        resolve_one(next, &wanted[i]);
    kp_new_resolve(next, owner);
    kp_reallocarray_is_counted = has_own_reallocarray(next, owner);
}

bool kp_allocator_holds(uintptr_t pc)
{
    return pc >= kp_allocator.start && pc < kp_allocator.end;
}
