/* SPDX-License-Identifier: MIT */
/*
 * System calls without libc: no errno, no cancellation point, usable before libc is set up and
 * inside an allocator. Each returns what the kernel returns: a value, or -errno. x86-64 Linux.
 */
#ifndef KP_SYS_H
#define KP_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#ifndef __x86_64__
#error "the shim knows x86-64 only"
#endif

static inline long kp_sys6(long nr, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}
#define KP_SYS0(nr) kp_sys6(nr, 0, 0, 0, 0, 0, 0)
#define KP_SYS1(nr, a) kp_sys6(nr, (long)(a), 0, 0, 0, 0, 0)
#define KP_SYS2(nr, a, b) kp_sys6(nr, (long)(a), (long)(b), 0, 0, 0, 0)
#define KP_SYS3(nr, a, b, c) kp_sys6(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define KP_SYS4(nr, a, b, c, d) kp_sys6(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

/* Private zeroed memory, or NULL. Mostly never given back: a reader may still look at it. */
void *kp_sys_map(size_t bytes);
/* The same, and zero again in a forked child. */
void *kp_sys_map_wiped(size_t bytes);
void kp_sys_unmap(void *memory, size_t bytes);

/* Does this address lie in memory that kp_sys_map() has given out? (Of the first few thousand.) */
bool kp_sys_is_own(uintptr_t address);
/* The next of them, from *at on (0 at first); false: no more. */
bool kp_sys_own_next(uint32_t *at, uint64_t *start, uint64_t *end);

int kp_sys_getpid(void);
int kp_sys_gettid(void);

/* Whole files and links, for /proc. Return the number of bytes, or -errno. */
long kp_sys_read_file(const char *path, char *buffer, size_t bytes);
long kp_sys_read_link(const char *path, char *buffer, size_t bytes);

/* What we have to say to the host's user. That nobody can take it is no reason for the host to die:
 * the signals that the kernel sends for a pipe without a reader and a file that may not grow are
 * taken back. */
void kp_sys_tell(const char *text, size_t bytes);

/* Is there readable memory in the eight bytes around this address? A system call. */
bool kp_sys_is_readable(uintptr_t address);

/* A clock of the kernel in ns. */
uint64_t kp_sys_clock_ns(int clock);

#endif
