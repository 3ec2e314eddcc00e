/* SPDX-License-Identifier: MIT */
/*
 * Every entry point of the allocator and of mmap, in success and in failure: results, alignment
 * and errno are those of the C library. Checks itself; each line names the promise.
 */
#include "target.h"

#include <errno.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARK 4711 /* no errno of the system */
#define ROUNDS 200

static int errno_lost;

static void *kept(void *p)
{
    errno_lost += errno != MARK;
    errno = MARK;
    return keep_pointer(p);
}

static void success_keeps_errno(void)
{
    errno = MARK;
    for (int i = 0; i < ROUNDS; i++) {
        size_t n = (size_t)i * 37;
        void *p = kept(malloc(n)), *q = kept(calloc(n, 3));
        p = kept(realloc(p, n + 1));
        p = kept(realloc(p, 100000 + n));
        q = kept(reallocarray(q, n + 1, 5));
        errno_lost += malloc_usable_size(q) < (n + 1) * 5;
        free(p), kept(NULL);
        free(q), kept(NULL);
        void *r = NULL;
        errno_lost += posix_memalign(&r, 64, n) != 0;
        free(kept(r)), kept(NULL);
        free(kept(aligned_alloc(64, 64 * (size_t)(i + 1)))), kept(NULL);
        free(kept(memalign(256, n))), kept(NULL);
        free(kept(valloc(n))), kept(NULL);
        free(kept(pvalloc(n))), kept(NULL);
        free(NULL), kept(NULL);
        free(kept(malloc(1 << 20))), kept(NULL); /* glibc maps and unmaps this one */
    }
    check_equal(0, errno_lost, "malloc family: success leaves errno alone");
}

static void mappings_keep_errno(void)
{
    errno_lost = 0;
    errno = MARK;
    for (int i = 0; i < ROUNDS; i++) {
        char *p = kept(mmap(NULL, 16384, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        char *q = kept(
            mmap64(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        p = kept(mremap(p, 16384, 32768, MREMAP_MAYMOVE));
        q[8191] = 1;
        errno_lost += munmap(p + 4096, 4096) != 0;
        kept(NULL);
        errno_lost += munmap(p, 32768) != 0;
        kept(NULL);
        errno_lost += munmap(q, 8192) != 0;
        kept(NULL);
    }
    check_equal(0, errno_lost, "mappings: success leaves errno alone");
}

static void processes_keep_errno(void)
{
    errno_lost = 0;
    for (volatile int i = 0; i < 20; i++) {
        int status;
        errno = MARK;
        pid_t child = fork();
        kept(NULL);
        if (child == 0)
            _exit(errno_lost ? 1 : 0);
        waitpid(child, &status, 0);
        errno_lost += status != 0;
        errno = MARK;
        child = vfork();
        if (child == 0)
            _exit(0);
        kept(NULL);
        waitpid(child, &status, 0);
        errno_lost += status != 0;
    }
    check_equal(0, errno_lost, "fork and vfork: both sides keep errno");
}

#define FAILS(call, number, what)                                                                  \
    do {                                                                                           \
        errno = MARK;                                                                              \
        void *got_ = keep_pointer(call);                                                           \
        check(got_ == NULL && errno == (number), what);                                            \
    } while (0)

static void failures_say_why(void)
{
    volatile size_t huge = SIZE_MAX, half = PTRDIFF_MAX, two = 2, three = 3;
    FAILS(malloc(huge), ENOMEM, "malloc(SIZE_MAX): NULL and ENOMEM");
    FAILS(malloc(half), ENOMEM, "malloc(PTRDIFF_MAX): NULL and ENOMEM");
    FAILS(malloc(half + two), ENOMEM, "malloc(PTRDIFF_MAX + 2): NULL and ENOMEM");
    FAILS(malloc(huge - 15), ENOMEM, "malloc(SIZE_MAX - 15): the size counted + 16 does not wrap");
    FAILS(calloc(huge / 2, three), ENOMEM, "calloc: overflow of the product is ENOMEM");
    FAILS(calloc(huge / 4 + 2, 4), ENOMEM, "calloc: a product that wraps to a small size");
    FAILS(calloc(half, 1), ENOMEM, "calloc(PTRDIFF_MAX, 1): NULL and ENOMEM");
    FAILS(reallocarray(NULL, huge / 2, three), ENOMEM, "reallocarray: overflow is ENOMEM");
    FAILS(realloc(NULL, half), ENOMEM, "realloc(NULL, PTRDIFF_MAX): NULL and ENOMEM");
    FAILS(memalign(64, half), ENOMEM, "memalign: too large is ENOMEM");
    FAILS(aligned_alloc(64, half - 63), ENOMEM, "aligned_alloc: too large is ENOMEM");
    FAILS(valloc(half), ENOMEM, "valloc: too large is ENOMEM");
    FAILS(pvalloc(half), ENOMEM, "pvalloc: too large is ENOMEM");
    void *untouched = (void *)&errno_lost, *p = untouched;
    errno = MARK;
    check(posix_memalign(&p, 24, 10) == EINVAL && p == untouched && errno == MARK,
          "posix_memalign: EINVAL by its result, pointer and errno untouched");
    check(posix_memalign(&p, 4, 10) == EINVAL && p == untouched,
          "posix_memalign: an alignment below a pointer's is EINVAL");
    check(posix_memalign(&p, 64, half) == ENOMEM && p == untouched,
          "posix_memalign: too large is ENOMEM, pointer untouched");
}

static void mappings_say_why(void)
{
    errno = MARK;
    void *p = mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(p == MAP_FAILED && errno == EINVAL, "mmap of nothing: EINVAL");
    errno = MARK;
    p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 9999, 0);
    check(p == MAP_FAILED && errno == EBADF, "mmap of a bad descriptor: EBADF");
    errno = MARK;
    p = mmap64(NULL, (size_t)1 << 60, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(p == MAP_FAILED && errno == ENOMEM, "mmap64 too large: ENOMEM");
    errno = MARK;
    check(munmap((void *)123, 4096) == -1 && errno == EINVAL, "munmap of a bad address: EINVAL");
    errno = MARK;
    char *q = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    p = mremap(q, 8192, (size_t)1 << 60, MREMAP_MAYMOVE);
    check(p == MAP_FAILED && (errno == ENOMEM || errno == EINVAL), "mremap too large: an errno");
    q[8191] = 1;
    char *r = mmap(NULL, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    p = mremap(q, 8192, 8192, MREMAP_MAYMOVE | MREMAP_FIXED, r + 4096);
    check(p == r + 4096 && r[4096 + 8191] == 1, "mremap: the fifth argument arrives");
    check(munmap(r, 65536) == 0, "munmap over several mappings");
}

static void alignments(void)
{
    int bad = 0;
    for (size_t align = sizeof(void *); align <= 65536; align *= 2)
        for (size_t n = 0; n < 3; n++) {
            void *p = NULL;
            bad += posix_memalign(&p, align, n * 1000) != 0 || (uintptr_t)p % align;
            free(p);
            p = keep_pointer(aligned_alloc(align, align * (n + 1)));
            bad += !p || (uintptr_t)p % align;
            free(p);
            p = keep_pointer(memalign(align, n * 1000));
            bad += !p || (uintptr_t)p % align;
            free(p);
        }
    check_equal(0, bad, "posix_memalign, aligned_alloc, memalign: 8 to 64 KiB aligned");
    void *p = keep_pointer(valloc(10)), *q = keep_pointer(pvalloc(10));
    check((uintptr_t)p % 4096 == 0 && (uintptr_t)q % 4096 == 0 && malloc_usable_size(q) >= 4096,
          "valloc and pvalloc: whole pages");
    free(p);
    free(q);
    for (bad = 0; bad < 1000; bad++) {
        p = keep_pointer(malloc((size_t)bad));
        if ((uintptr_t)p % 16)
            break;
        free(p);
    }
    check_equal(1000, bad, "malloc: always aligned to 16");
}

static void corner_cases(void)
{
    void *p = keep_pointer(malloc(0)), *q = keep_pointer(malloc(0));
    check(p && q && p != q, "malloc(0): a pointer of its own each");
    check(keep_pointer(realloc(p, 0)) == NULL, "realloc(p, 0): frees, NULL");
    p = keep_pointer(realloc(NULL, 0));
    check(p != NULL, "realloc(NULL, 0): as malloc(0)");
    free(p);
    free(q);
    char *zero = keep_pointer(calloc(1000, 7));
    int bad = 0;
    for (int i = 0; i < 7000; i++)
        bad += zero[i] != 0;
    check_equal(0, bad, "calloc: all zero");
    memset(zero, 42, 7000);
    zero = keep_pointer(realloc(zero, 500000));
    for (int i = bad = 0; i < 7000; i++)
        bad += zero[i] != 42;
    check_equal(0, bad, "realloc upwards: keeps what is in it");
    zero = keep_pointer(realloc(zero, 10));
    check(zero[9] == 42, "realloc downwards: keeps what is in it");
    errno = MARK;
    volatile size_t half = PTRDIFF_MAX;
    void *no = keep_pointer(realloc(zero, half));
    check(no == NULL && errno == ENOMEM && zero[9] == 42 && malloc_usable_size(zero) >= 10,
          "realloc that fails: ENOMEM, the old block stays");
    free(zero);
    check(malloc_usable_size(NULL) == 0, "malloc_usable_size(NULL) is 0");
}

/* Left alive on purpose: the test looks for it in the database after its realloc has failed. */
NOINLINE void *block_that_survives(void)
{
    volatile size_t half = PTRDIFF_MAX;
    void *p = malloc(12345), *same = keep_pointer(p);
    if (keep_pointer(realloc(p, half)) != NULL || keep_pointer(reallocarray(p, half, 8)) != NULL)
        abort();
    return same;
}

int main(void)
{
    success_keeps_errno();
    mappings_keep_errno();
    processes_keep_errno();
    failures_say_why();
    mappings_say_why();
    alignments();
    corner_cases();
    check(keep_pointer(block_that_survives()) != NULL, "one block stays alive");
    return finish();
}
