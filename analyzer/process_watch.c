/* SPDX-License-Identifier: MIT */
/*
 * Reads /proc, see process_watch.h. One read of /proc/PID/stat gives state, start time, threads
 * and RSS. Names of another namespace are read for all processes at once, so that ten thousand
 * processes do not cost ten thousand searches.
 */
#include "process_watch.h"

#include "alloc.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define START_SLACK_NS 50000000u
#define FLAG_EXITING 4u /* PF_EXITING of the kernel's include/linux/sched.h */

static uint64_t boottime_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Is /proc that of another namespace? After `unshare --pid` it is, until somebody mounts another. */
static bool proc_is_foreign(void)
{
    char name[32];
    ssize_t length = readlink("/proc/self", name, sizeof name - 1);

    name[length > 0 ? length : 0] = 0;
    return length > 0 && strtol(name, NULL, 10) != getpid();
}

void kp_watch_init(struct kp_watch *watch, const struct kp_spool_header *header)
{
    struct stat own;

    memset(watch, 0, sizeof *watch);
    watch->start_boottime_ns = header->start_boottime_ns;
    watch->pid_namespace = header->pid_namespace;
    watch->own_namespace = stat("/proc/self/ns/pid", &own) ? 0 : (uint64_t)own.st_ino;
    watch->proc_is_foreign = proc_is_foreign();
    watch->has_no_proc = access("/proc/self", F_OK) != 0;
    watch->has_rebooted = boottime_ns() < header->start_boottime_ns;
    watch->ticks_per_second = sysconf(_SC_CLK_TCK);
    watch->page_bytes = sysconf(_SC_PAGESIZE);
}

void kp_watch_release(struct kp_watch *watch)
{
    free(watch->aliases);
    watch->aliases = NULL;
}

uint64_t kp_watch_now_us(const struct kp_watch *watch)
{
    uint64_t now = boottime_ns();

    return now > watch->start_boottime_ns ? (now - watch->start_boottime_ns) / 1000 : 0;
}

/* Reads a small file of /proc/PID whole; the bytes read, or -1 with errno. */
static ssize_t read_proc(uint32_t pid, const char *name, char *buffer, size_t size)
{
    char path[340];

    snprintf(path, sizeof path, "/proc/%u/%s", pid, name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return -1;
    ssize_t got = read(file, buffer, size - 1);
    int error = errno;
    close(file);
    errno = error;
    if (got >= 0)
        buffer[got] = 0;
    return got;
}

/* The last number of the line "NSpid:"; 0: it is gone, or it has one number only, which means
 * that it is no process of an inner namespace. */
static uint32_t innermost_pid(uint32_t pid)
{
    char text[4096];

    if (read_proc(pid, "status", text, sizeof text) <= 0)
        return 0;
    const char *line = strstr(text, "\nNSpid:");
    const char *end = line ? strchr(line + 1, '\n') : NULL;
    if (!end)
        return 0;
    while (end > line && isdigit((unsigned char)end[-1]))
        end--;
    line += sizeof "\nNSpid:" - 1;
    return end > line + strspn(line, "\t ") ? (uint32_t)strtoul(end, NULL, 10) : 0;
}

static uint64_t namespace_of(uint32_t pid)
{
    struct stat status;
    char path[64];

    snprintf(path, sizeof path, "/proc/%u/ns/pid", pid);
    return stat(path, &status) ? 0 : (uint64_t)status.st_ino;
}

static void read_aliases(struct kp_watch *watch)
{
    DIR *directory = opendir("/proc");
    struct dirent *entry;

    watch->alias_count = 0;
    watch->aliases_read_ns = boottime_ns();
    while (directory && (entry = readdir(directory))) {
        uint32_t outer = (uint32_t)strtoul(entry->d_name, NULL, 10);
        uint64_t pid_namespace = outer ? namespace_of(outer) : 0;

        if (!outer || (pid_namespace == watch->own_namespace && !watch->proc_is_foreign))
            continue;
        watch->aliases = kp_array_grow(watch->aliases, &watch->alias_capacity,
                                       watch->alias_count + 1, sizeof *watch->aliases);
        watch->aliases[watch->alias_count++] =
            (struct kp_watch_alias){pid_namespace, innermost_pid(outer), outer};
    }
    if (directory)
        closedir(directory);
}

/* A list that was read after the process had joined holds it, if it still runs. What may not be
 * looked at is believed to be the one: better to wait than to lose. */
static uint32_t find_outer(struct kp_watch *watch, const struct kp_watched *watched)
{
    uint64_t wanted = watched->pid_namespace ? watched->pid_namespace : watch->pid_namespace;

    if (!wanted || !watch->own_namespace ||
        (wanted == watch->own_namespace && !watch->proc_is_foreign))
        return watched->pid;
    if (watch->aliases_read_ns <= watch->start_boottime_ns + watched->joined_ns)
        read_aliases(watch);
    for (size_t i = 0; i < watch->alias_count; i++) {
        const struct kp_watch_alias *alias = &watch->aliases[i];

        if (alias->inner == watched->pid &&
            (alias->pid_namespace == wanted || alias->pid_namespace == 0))
            return alias->outer;
    }
    return 0;
}

struct stat_line {
    char state;
    unsigned flags;
    uint32_t threads;
    uint64_t start_ticks, rss_pages;
};

static bool parse_stat(const char *text, struct stat_line *line)
{
    const char *after_name = strrchr(text, ')');
    long threads;
    unsigned long long start;
    long long pages;

    if (!after_name ||
        sscanf(after_name + 1,
               " %c %*d %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld %*d %llu "
               "%*u %lld",
               &line->state, &line->flags, &threads, &start, &pages) != 5)
        return false;
    line->threads = (uint32_t)threads;
    line->start_ticks = start;
    line->rss_pages = pages > 0 ? (uint64_t)pages : 0;
    return true;
}

/* Runs nothing of the program any more, however long the kernel takes for the rest. */
static bool is_leaving(const struct stat_line *line)
{
    return strchr("ZXx", line->state) || line->flags & FLAG_EXITING;
}

static bool any_thread_stays(uint32_t pid)
{
    char path[64], name[300], text[1024];
    struct stat_line line;
    struct dirent *entry;
    bool stays = false;

    snprintf(path, sizeof path, "/proc/%u/task", pid);
    DIR *directory = opendir(path);
    while (directory && !stays && (entry = readdir(directory))) {
        snprintf(name, sizeof name, "task/%s/stat", entry->d_name);
        stays = entry->d_name[0] != '.' && read_proc(pid, name, text, sizeof text) > 0 &&
                parse_stat(text, &line) && !is_leaving(&line);
    }
    if (directory)
        closedir(directory);
    return stays;
}

/* The state is that of the first thread, which may end long before the others. */
static bool has_ended(uint32_t pid, const struct stat_line *line)
{
    return is_leaving(line) && (line->threads <= 1 || !any_thread_stays(pid));
}

/* Without /proc there is still kill(). */
static bool exists_by_kill(uint32_t pid)
{
    return kill((pid_t)pid, 0) == 0 || errno == EPERM;
}

static bool is_younger(const struct kp_watch *watch, const struct kp_watched *watched,
                       uint64_t start_ticks)
{
    uint64_t tick_ns = 1000000000u / (uint64_t)watch->ticks_per_second;

    return start_ticks * tick_ns > watch->start_boottime_ns + watched->joined_ns + START_SLACK_NS;
}

static bool look(struct kp_watch *watch, struct kp_watched *watched)
{
    struct stat_line line;
    char text[1024];

    if (read_proc(watched->outer_pid, "stat", text, sizeof text) <= 0)
        return (watch->has_no_proc || (errno != ENOENT && errno != ESRCH)) &&
               exists_by_kill(watched->outer_pid);
    if (!parse_stat(text, &line))
        return exists_by_kill(watched->outer_pid);
    if (has_ended(watched->outer_pid, &line))
        return false;
    if (watched->start_ticks ? line.start_ticks != watched->start_ticks
                             : is_younger(watch, watched, line.start_ticks))
        return false;
    watched->start_ticks = line.start_ticks;
    watched->threads = line.threads;
    watched->rss = line.rss_pages * (uint64_t)watch->page_bytes;
    return true;
}

bool kp_watch_is_alive(struct kp_watch *watch, struct kp_watched *watched)
{
    if (watched->dead)
        return false;
    if (!watched->outer_pid)
        watched->outer_pid = find_outer(watch, watched);
    watched->dead = watch->has_rebooted || !watched->outer_pid || watched->pid > INT32_MAX ||
                    !look(watch, watched);
    return !watched->dead;
}

bool kp_watch_is_leaving(const struct kp_watched *watched)
{
    struct stat_line line;
    char text[1024];

    return watched->outer_pid && read_proc(watched->outer_pid, "stat", text, sizeof text) > 0 &&
           parse_stat(text, &line) && (line.threads > 1 || !strchr("ZXx", line.state));
}
