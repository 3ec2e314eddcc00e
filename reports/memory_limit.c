/* SPDX-License-Identifier: MIT */
/*
 * What a leak runs into: the limit of our control group (version 2, then 1) where there is one,
 * else the memory of the machine. Read when a report is made, which is seldom elsewhere than the program
 * was. Any thread.
 */
#include "leaks_view.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static double read_number(const char *path)
{
    FILE *file = fopen(path, "re");
    double value = 0;
    if (!file)
        return 0;
    if (fscanf(file, "%lf", &value) != 1) /* "max" */
        value = 0;
    fclose(file);
    return value;
}

/* The line "0::/system.slice/x.service" of /proc/self/cgroup. */
static double group_limit(void)
{
    char line[512], path[700];
    double least = 0;
    FILE *file = fopen("/proc/self/cgroup", "re");
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        const char *colon = strchr(line, ':'), *group = colon ? strchr(colon + 1, ':') : NULL;
        if (!group)
            continue;
        bool second = strncmp(line, "0::", 3) == 0;
        if (!second && !strstr(colon, "memory"))
            continue;
        snprintf(path, sizeof path, "/sys/fs/cgroup%s%s/%s", second ? "" : "/memory", group + 1,
                 second ? "memory.max" : "memory.limit_in_bytes");
        double limit = read_number(path);
        if (limit > 0 && (least == 0 || limit < least))
            least = limit;
    }
    if (file)
        fclose(file);
    return least;
}

double kp_memory_limit(void)
{
    double machine = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    double group = group_limit();
    return group > 0 && group < machine ? group : machine;
}
