/* SPDX-License-Identifier: MIT */
/*
 * statm costs 3 us and takes no lock of the program's memory; smaps_rollup would be exact about what
 * forked processes share, and stops page faults meanwhile: 10 ms for 1 GB. One thread.
 */
#include "ab_tree.h"

#include "alloc.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOOK_EVERY_NS 50000000u
#define LOOK_SHARE 50 /* one part of 50 of the time */

void kp_ab_tree_reset(struct kp_ab_tree *tree)
{
    tree->count = tree->most = 0;
    tree->python = 0;
    tree->looked_ns = tree->cost_ns = 0;
}

void kp_ab_tree_release(struct kp_ab_tree *tree)
{
    free(tree->pids);
    *tree = (struct kp_ab_tree){.pids = NULL};
}

/* The content of a file below /proc, NUL-terminated. */
static size_t read_text(const char *path, char *text, size_t bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, text, bytes - 1) : 0;
    if (fd >= 0)
        close(fd);
    text[got > 0 ? got : 0] = '\0';
    return got > 0 ? (size_t)got : 0;
}

static bool is_collector(pid_t pid)
{
    char path[64], name[32];
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    read_text(path, name, sizeof name);
    return strcmp(name, "kprof-collect\n") == 0;
}

/* As in struct kp_ab_tree; 1 where the name of the program does not have the version. */
static int python_of(pid_t pid)
{
    char path[64], target[4096];
    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    ssize_t length = readlink(path, target, sizeof target - 1);
    target[length > 0 ? length : 0] = '\0';
    const char *slash = strrchr(target, '/');
    if (!slash || strncmp(slash + 1, "python", 6) != 0)
        return 0;
    return strncmp(slash + 1, "python3.", 8) == 0 ? 1 + atoi(slash + 9) : 1;
}

static void add_children(struct kp_ab_tree *tree, const char *children)
{
    for (char *end; *children; children = end) {
        pid_t pid = (pid_t)strtol(children, &end, 10);
        if (end == children)
            return;
        if (is_collector(pid))
            continue;
        tree->pids = kp_array_grow(tree->pids, &tree->capacity, tree->count + 1, sizeof pid);
        tree->pids[tree->count++] = pid;
        int python = python_of(pid);
        tree->python = python > tree->python ? python : tree->python;
    }
}

/* Children are listed with the thread that has forked them. */
static void look_below(struct kp_ab_tree *tree, pid_t pid)
{
    char path[300], children[8192];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *threads = opendir(path);
    if (!threads)
        return;
    for (struct dirent *entry; (entry = readdir(threads));) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%d/task/%.100s/children", (int)pid, entry->d_name);
        if (read_text(path, children, sizeof children) > 0)
            add_children(tree, children);
    }
    closedir(threads);
}

static uint64_t cpu_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void kp_ab_tree_look(struct kp_ab_tree *tree, uint64_t now_ns)
{
    uint64_t began_ns = cpu_clock_ns();
    tree->count = 0;
    look_below(tree, getpid());
    for (size_t i = 0; i < tree->count; i++)
        look_below(tree, tree->pids[i]);
    tree->most = tree->count > tree->most ? tree->count : tree->most;
    tree->looked_ns = now_ns;
    tree->cost_ns = cpu_clock_ns() - began_ns;
}

bool kp_ab_tree_is_due(const struct kp_ab_tree *tree, uint64_t now_ns)
{
    uint64_t every_ns = tree->cost_ns * LOOK_SHARE;
    return now_ns - tree->looked_ns >= (every_ns > LOOK_EVERY_NS ? every_ns : LOOK_EVERY_NS);
}

double kp_ab_tree_rss(const struct kp_ab_tree *tree)
{
    long page = sysconf(_SC_PAGESIZE);
    unsigned long own = 0, files = 0;
    for (size_t i = 0; i < tree->count; i++) {
        char path[64], text[128];
        unsigned long size, resident = 0, shared = 0;
        snprintf(path, sizeof path, "/proc/%d/statm", (int)tree->pids[i]);
        read_text(path, text, sizeof text);
        if (sscanf(text, "%lu %lu %lu", &size, &resident, &shared) != 3 || shared > resident)
            continue;
        own += resident - shared;
        files = shared > files ? shared : files;
    }
    return (double)(own + files) * (double)page;
}

double kp_ab_tree_largest(const struct kp_ab_tree *tree)
{
    double largest = 0;
    for (size_t i = 0; i < tree->count; i++) {
        char path[64], text[4096];
        snprintf(path, sizeof path, "/proc/%d/status", (int)tree->pids[i]);
        read_text(path, text, sizeof text);
        const char *line = strstr(text, "\nVmHWM:");
        double bytes = line ? 1024 * strtod(line + strlen("\nVmHWM:"), NULL) : 0;
        largest = bytes > largest ? bytes : largest;
    }
    return largest;
}
