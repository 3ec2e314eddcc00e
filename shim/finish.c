/* SPDX-License-Identifier: MIT */
/*
 * End of a process: by exit() (our destructor), _exit() or quick_exit(). All data is in the spool
 * already, so this only notes a few figures. Other destructors and threads go on allocating after
 * it and are recorded as before.
 */
#include "finish.h"

#include "clock.h"
#include "iteration.h"
#include "rate.h"
#include "settings.h"
#include "snapshot.h"
#include "state.h"
#include "sys.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define HAND_OVER_MS 30000
#define COLLECTOR_START_MS 2000

/* The samples of all processes of the session, as far as their counters tell. */
static uint64_t all_samples(void)
{
    struct kp_spool_header *spool = kp_host.spool;
    uint64_t samples = spool->ended_samples;
    uint32_t high = spool->chunk_high < spool->chunk_count ? spool->chunk_high : spool->chunk_count;

    for (uint32_t i = 0; i < high; i++) {
        const struct kp_chunk_header *chunk =
            (const struct kp_chunk_header *)(kp_host.chunks + (uint64_t)i * KP_CHUNK_BYTES);

        if (KP_CHUNK_STATE(kp_host.directory[i]) == KP_CHUNK_FREE || chunk->magic != KP_CHUNK_MAGIC)
            continue;
        if (chunk->kind == KP_CHUNK_PROCESS)
            samples += ((const struct kp_process_info *)(chunk + 1))->samples;
        else if (chunk->kind == KP_CHUNK_DATA &&
                 KP_CHUNK_STATE(kp_host.directory[i]) == KP_CHUNK_OWNED)
            samples += chunk->samples;
    }
    return samples;
}

/* 12345 -> "12,345", at the end of the buffer. */
static const char *with_commas(uint64_t number, char *buffer, size_t bytes)
{
    char *at = buffer + bytes;
    unsigned digits = 0;

    *--at = 0;
    do {
        if (digits && digits % 3 == 0)
            *--at = ',';
        *--at = (char)('0' + number % 10);
        digits++;
    } while (number /= 10);
    return at;
}

/* Is descriptor 2 still what it was at the start? A daemon may have a data file there. */
static bool stderr_is_ours(void)
{
    struct stat about;

    return KP_SYS2(SYS_fstat, 2, &about) == 0 && about.st_dev == kp_host.stderr_device &&
           about.st_ino == kp_host.stderr_inode;
}

static const char *short_name(const char *path)
{
    static char cwd[1024];
    long bytes = KP_SYS2(SYS_getcwd, cwd, sizeof cwd);
    const char *slash = strrchr(path, '/');

    if (bytes > 0 && slash && (long)(slash - path) == bytes - 1 &&
        memcmp(cwd, path, (size_t)bytes - 1) == 0)
        return slash + 1;
    return path;
}

static void closing_line(void)
{
    char number[32], tail[1200];
    const char *name = short_name(kp_host.spool->database_path);
    size_t bytes = strlen(name);

    if (kp_settings.quiet || !stderr_is_ours())
        return;
    if (bytes > sizeof tail - 32)
        bytes = sizeof tail - 32;
    memcpy(tail, "; next: kprof-report ", 21);
    memcpy(tail + 21, name, bytes);
    tail[21 + bytes] = 0;
    kp_say(with_commas(all_samples(), number, sizeof number), " samples in ", name, tail);
}

/* The collector is at work, or on its way to it. */
static bool collector_works(unsigned ms)
{
    uint32_t pid = kp_host.spool->collector_pid;

    if (kp_host.spool->finished)
        return false;
    return pid ? KP_SYS2(SYS_kill, pid, 0) == 0 : ms < COLLECTOR_START_MS;
}

/* Process 1 of a container: everything else dies with it, so wait for the collector. */
static void hand_over(void)
{
    struct timespec nap = {0, 5000000};

    for (unsigned ms = 0; ms < HAND_OVER_MS && collector_works(ms); ms += 5)
        KP_SYS2(SYS_nanosleep, &nap, 0);
}

void kp_finish(void)
{
    struct rusage usage;
    uint64_t cookie;

    if (kp_host.mode != KP_MODE_ON || !kp_state.epoch || kp_sys_getpid() != kp_state.pid)
        return;
    if (!kp_state.exit_told)
        kp_snapshot_at_end();
    if (!kp_guard_enter(&cookie))
        return;
    if (!atomic_exchange(&kp_state.exit_told, 1)) {
        kp_rate_settle();
        kp_iteration_finish();
        if (KP_SYS2(SYS_getrusage, RUSAGE_SELF, &usage) == 0)
            kp_state.info->peak_rss_bytes = (uint64_t)usage.ru_maxrss * 1024;
        kp_state.info->ended_ns = kp_clock_us() * 1000;
        atomic_store(&kp_state.info->end, KP_END_EXIT);
        if ((uint32_t)kp_state.pid == kp_host.spool->root_pid)
            closing_line();
        if (kp_state.pid == 1 && kp_host.collector_launched)
            hand_over();
    }
    kp_guard_leave();
}
