/* SPDX-License-Identifier: MIT */
/*
 * The few system calls that need more than one line. Any thread, any moment, also inside malloc:
 * nothing here touches errno or the host's heap, and no descriptor outlives a function.
 */
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

/* What we have mapped, so that a report can tell it from the host's memory. */
#define OWN_MAX 4096u
#define OWN_TAKEN 1u /* by somebody who is about to fill it; no address */
static struct {
    _Atomic uintptr_t start; /* 0: free, since it was given back or never used */
    _Atomic size_t bytes;
} own[OWN_MAX];
static _Atomic uint32_t own_count; /* behind the last that was ever used */

static void remember(uintptr_t start, size_t bytes)
{
    for (uint32_t i = 0; i < OWN_MAX; i++) {
        uint32_t count = atomic_load(&own_count);
        uintptr_t is_free = 0;

        if (atomic_load(&own[i].start) != 0 ||
            !atomic_compare_exchange_strong(&own[i].start, &is_free, OWN_TAKEN))
            continue;
        atomic_store(&own[i].bytes, bytes);
        atomic_store(&own[i].start, start);
        while (count <= i && !atomic_compare_exchange_weak(&own_count, &count, i + 1))
            ;
        return;
    }
}

void *kp_sys_map(size_t bytes)
{
    long address = kp_sys6(SYS_mmap, 0, (long)bytes, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (address < 0 && address > -4096)
        return NULL;
    remember((uintptr_t)address, bytes);
    return (void *)address;
}

void kp_sys_unmap(void *memory, size_t bytes)
{
    for (uint32_t i = atomic_load(&own_count); i-- > 0;)
        if (atomic_load(&own[i].start) == (uintptr_t)memory) {
            atomic_store(&own[i].start, 0);
            break;
        }
    KP_SYS2(SYS_munmap, memory, bytes);
}

bool kp_sys_own_next(uint32_t *at, uint64_t *start, uint64_t *end)
{
    uint32_t count = atomic_load(&own_count);

    while (*at < count) {
        uint32_t i = (*at)++;

        *start = atomic_load(&own[i].start);
        *end = *start + atomic_load(&own[i].bytes);
        if (*start > OWN_TAKEN)
            return true;
    }
    return false;
}

bool kp_sys_is_own(uintptr_t address)
{
    uint64_t start, end;

    for (uint32_t i = 0; kp_sys_own_next(&i, &start, &end);)
        if (address >= start && address < end)
            return true;
    return false;
}

void *kp_sys_map_wiped(size_t bytes)
{
    void *memory = kp_sys_map(bytes);

    if (memory && KP_SYS3(SYS_madvise, memory, bytes, MADV_WIPEONFORK) < 0) {
        kp_sys_unmap(memory, bytes);
        memory = NULL;
    }
    return memory;
}

int kp_sys_getpid(void)
{
    return (int)KP_SYS0(SYS_getpid);
}

int kp_sys_gettid(void)
{
    return (int)KP_SYS0(SYS_gettid);
}

long kp_sys_read_file(const char *path, char *buffer, size_t bytes)
{
    long fd = KP_SYS4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    size_t have = 0;
    long got = fd;

    while (fd >= 0 && have < bytes) {
        got = KP_SYS3(SYS_read, fd, buffer + have, bytes - have);
        if (got == -EINTR)
            continue;
        if (got <= 0)
            break;
        have += (size_t)got;
    }
    if (fd >= 0)
        KP_SYS1(SYS_close, fd);
    return got < 0 ? got : (long)have;
}

long kp_sys_read_link(const char *path, char *buffer, size_t bytes)
{
    long length = KP_SYS4(SYS_readlinkat, AT_FDCWD, path, buffer, bytes - 1);

    if (length >= 0)
        buffer[length] = 0;
    return length;
}

uint64_t kp_sys_clock_ns(int clock)
{
    struct timespec now = {0, 0};

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* rt_sigprocmask reads its set before it looks at `how`: EFAULT tells an address apart. */
bool kp_sys_is_readable(uintptr_t address)
{
    return KP_SYS4(SYS_rt_sigprocmask, ~0, address & ~7ul, 0, 8) != -EFAULT;
}

void kp_sys_tell(const char *text, size_t bytes)
{
    uint64_t both = 1ull << (SIGPIPE - 1) | 1ull << (SIGXFSZ - 1), before = 0, raised;
    struct timespec now = {0, 0};

    KP_SYS4(SYS_rt_sigprocmask, SIG_BLOCK, &both, &before, sizeof both);
    long result = KP_SYS3(SYS_write, 2, text, bytes);

    raised = both & ~before; /* who has blocked one looks after it */
    if (result == -EPIPE || result == -EFBIG)
        KP_SYS4(SYS_rt_sigtimedwait, &raised, NULL, &now, sizeof raised);
    KP_SYS4(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof before);
}
