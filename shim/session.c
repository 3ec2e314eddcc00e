/* SPDX-License-Identifier: MIT */
/*
 * Finds or makes the session. Once per process image, in stage one of the start: no libc beyond
 * string functions, descriptors are closed before we return.
 */
#include "session.h"

#include "clock.h"
#include "database_name.h"
#include "settings.h"
#include "settings_table.h"
#include "state.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define SPOOL_MIN_BYTES (1u << 20)
#define CHUNKS_MIN 14

static void set_clock(const struct kp_spool_header *spool)
{
    uint64_t boot = kp_sys_clock_ns(CLOCK_BOOTTIME), mono = kp_sys_clock_ns(CLOCK_MONOTONIC);

    kp_host.monotonic_to_session_ns = boot - mono - spool->start_boottime_ns;
}

static bool map_spool(long fd, uint64_t bytes)
{
    long address = kp_sys6(SYS_mmap, 0, (long)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (address < 0 && address > -4096)
        return false;
    kp_host.spool = (struct kp_spool_header *)address;
    kp_host.directory = (_Atomic uint64_t *)(address + 4096);
    return true;
}

static bool header_is_good(const struct kp_spool_header *spool, uint64_t bytes)
{
    return spool->magic == KP_SPOOL_MAGIC && spool->version == KP_SPOOL_VERSION &&
           spool->chunk_bytes == KP_CHUNK_BYTES && spool->chunk_count <= KP_CHUNKS_MAX &&
           spool->directory_bytes >= spool->chunk_count * 8u &&
           bytes >= 4096 + (uint64_t)spool->directory_bytes +
                        (uint64_t)spool->chunk_count * KP_CHUNK_BYTES;
}

static void adopt(const char *path)
{
    size_t length = strlen(path);

    if (length >= sizeof kp_host.spool_path)
        length = sizeof kp_host.spool_path - 1;
    memmove(kp_host.spool_path, path, length);
    kp_host.spool_path[length] = 0;
    kp_host.chunks = (char *)kp_host.directory + kp_host.spool->directory_bytes;
    set_clock(kp_host.spool);
}

static void forget_spool(uint64_t bytes)
{
    KP_SYS2(SYS_munmap, kp_host.spool, bytes);
    kp_host.spool = NULL;
    kp_host.directory = NULL;
}

/* Joins the session of this spool if it is open. *error tells why it can't be opened. */
static bool attach(const char *path, long *error)
{
    long fd = KP_SYS4(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC | O_NONBLOCK, 0);
    struct stat about;
    bool good = false, is_file;

    *error = fd < 0 ? fd : 0;
    if (fd < 0)
        return false;
    is_file = KP_SYS2(SYS_fstat, fd, &about) == 0 && S_ISREG(about.st_mode) &&
              about.st_size >= 8192;
    if (is_file && !map_spool(fd, (uint64_t)about.st_size)) {
        *error = -ENOMEM;
    } else if (is_file) {
        good = header_is_good(kp_host.spool, (uint64_t)about.st_size) &&
               !(kp_host.spool->joined & KP_JOINED_CLOSED);
        if (good)
            adopt(path);
        else
            forget_spool((uint64_t)about.st_size);
    }
    KP_SYS1(SYS_close, fd);
    return good;
}

/* The spool that our parent has mapped: some programs (bash) hand their children an environment
 * of their own making. */
static bool attach_to_parents(void)
{
    char *maps, path[64] = "/proc/", *at = path + 6;
    unsigned parent = (unsigned)KP_SYS0(SYS_getppid), digits = 1;
    long bytes, error;
    bool found = false;

    for (unsigned n = parent; n >= 10; n /= 10)
        digits++;
    for (unsigned i = digits, n = parent; i-- > 0; n /= 10)
        at[i] = (char)('0' + n % 10);
    memcpy(at + digits, "/maps", 6);
    maps = kp_sys_map(1 << 20);
    if (!maps)
        return false;
    bytes = parent > 1 ? kp_sys_read_file(path, maps, (1 << 20) - 1) : 0;
    for (char *line = maps; bytes > 0 && line && *line && !found;) {
        char *end = strchr(line, '\n'), *name = strchr(line, '/');

        if (end)
            *end++ = 0;
        size_t length = name ? strlen(name) : 0;
        if (length > 6 && strcmp(name + length - 6, "-spool") == 0 && strstr(line, "rw-s"))
            found = attach(name, &error);
        line = end;
    }
    kp_sys_unmap(maps, 1 << 20);
    return found;
}

/* No larger than the limit on file sizes allows: beyond it the kernel would send SIGXFSZ. */
static uint32_t chunks_wanted(void)
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    uint64_t bytes = kp_settings.spool_max_bytes;

    KP_SYS4(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, &limit);
    if (limit.rlim_cur != RLIM_INFINITY && bytes > limit.rlim_cur)
        bytes = limit.rlim_cur;
    if (bytes < SPOOL_MIN_BYTES)
        return 0;
    return (uint32_t)((bytes - 4096) / (KP_CHUNK_BYTES + 8) - 1);
}

static uint32_t directory_bytes(uint32_t chunks)
{
    return (chunks * 8u + 4095) & ~4095u;
}

uint64_t kp_session_pid_namespace(void)
{
    struct stat about;

    if (KP_SYS4(SYS_newfstatat, AT_FDCWD, "/proc/self/ns/pid", &about, 0) != 0)
        return 0;
    return about.st_ino;
}

static void fill_header(struct kp_spool_header *spool, uint32_t chunks, const char *database)
{
    spool->version = KP_SPOOL_VERSION;
    spool->chunk_bytes = KP_CHUNK_BYTES;
    spool->chunk_count = chunks;
    spool->directory_bytes = directory_bytes(chunks);
    spool->start_realtime_ns = kp_sys_clock_ns(CLOCK_REALTIME);
    spool->start_boottime_ns = kp_sys_clock_ns(CLOCK_BOOTTIME);
    if (KP_SYS3(SYS_getrandom, &spool->session, sizeof spool->session, 0) < 0 || !spool->session)
        spool->session = kp_ticks() | 1;
    spool->pid_namespace = kp_session_pid_namespace();
    spool->root_pid = (uint32_t)kp_sys_getpid();
    spool->follow = kp_settings.follow;
    spool->keeps_all = kp_settings.keep;
    memcpy(spool->database_path, database, strlen(database) + 1);
    __atomic_store_n(&spool->magic, KP_SPOOL_MAGIC, __ATOMIC_RELEASE);
}

/* The header and the directory are written, not mapped into being: a full disk is an error here. */
static long write_zeros(long fd, uint32_t bytes)
{
    static const char zeros[4096];

    for (uint32_t at = 0; at < bytes; at += sizeof zeros) {
        long wrote = KP_SYS4(SYS_pwrite64, fd, zeros, sizeof zeros, at);

        if (wrote != (long)sizeof zeros)
            return wrote < 0 ? wrote : -ENOSPC;
    }
    return 0;
}

static long make_file(long fd, uint32_t chunks, const char *database)
{
    uint64_t bytes = 4096 + (uint64_t)directory_bytes(chunks) + (uint64_t)chunks * KP_CHUNK_BYTES;
    long error = KP_SYS2(SYS_ftruncate, fd, bytes);

    if (error == 0)
        error = write_zeros(fd, 4096 + directory_bytes(chunks));
    if (error == 0 && !map_spool(fd, bytes))
        error = -ENOMEM;
    if (error == 0)
        fill_header(kp_host.spool, chunks, database);
    return error;
}

/* `why` the session of our parent is not used, when there is one. */
static bool make(const char *why)
{
    char database[KP_SPOOL_PATH_BYTES - 16];
    uint32_t chunks = chunks_wanted();
    long fd = kp_database_reserve(database, sizeof database, why);
    long error = chunks ? 0 : -EFBIG;

    if (fd < 0)
        return false;
    if (error == 0)
        do
            error = make_file(fd, chunks, database);
        while (error == -ENOMEM && (chunks /= 2) >= CHUNKS_MIN);
    KP_SYS1(SYS_close, fd);
    memcpy(kp_host.spool_path, database, strlen(database));
    memcpy(kp_host.spool_path + strlen(database), "-spool", 7);
    if (error) {
        KP_SYS1(SYS_unlink, kp_host.spool_path);
        kp_say("cannot make ", kp_host.spool_path, ": ", kp_error_text(error));
        return false;
    }
    adopt(kp_host.spool_path);
    kp_host.made_session = true;
    return true;
}

/* Does the session want this process, which came by an exec? */
static bool is_followed(void)
{
    return kp_host.spool->follow == KP_FOLLOW_ALL ||
           kp_host.spool->root_pid == (uint32_t)kp_sys_getpid();
}

/* The session of our parent can't be reached: a process that has become another user. To record it
 * elsewhere would scatter the run, to say so in each program that follows would fill its stderr. */
static bool is_shut_out(long error)
{
    if (error != -EACCES && error != -EPERM)
        return false;
    kp_say("no permission to write ", kp_settings.session,
           " any more (another user?): from here on nothing is recorded", "");
    kp_host.is_shut_out = true;
    return true;
}

bool kp_session_open(void)
{
    long error = 0;

    if (kp_settings.session && strcmp(kp_settings.session, KP_SESSION_NONE) == 0)
        return false;
    if (kp_settings.session && strcmp(kp_settings.session, KP_SESSION_NEW) == 0) {
        kp_settings.session = NULL;
        return make(NULL);
    }
    if (kp_settings.session ? attach(kp_settings.session, &error) : attach_to_parents())
        return is_followed();
    return !is_shut_out(error) &&
           make(error == -ENOMEM ? " does not fit into the address space (ulimit -v)" : NULL);
}

uint32_t kp_session_number(void)
{
    uint32_t joined = atomic_load(&kp_host.spool->joined);

    do {
        if (joined & KP_JOINED_CLOSED)
            return 0;
    } while (!atomic_compare_exchange_weak(&kp_host.spool->joined, &joined, joined + 1));
    return joined + 1;
}
