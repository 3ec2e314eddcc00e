/* SPDX-License-Identifier: MIT */
/*
 * Prints the log of tests/targets/logger.c for `sqlite3 .import`: one line an entry, in order:
 * thread, number, address, size (0: about to be freed), age in us before the last entry of all.
 *
 *   show_log LOG
 */
#include "logger.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>

int main(int argc, char **argv)
{
    int fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;
    const struct log *log = mmap(NULL, sizeof *log, PROT_READ, MAP_SHARED, fd, 0);
    if (fd < 0 || log == MAP_FAILED)
        return 1;
    uint64_t last_us = 0;
    for (int t = 0; t < LOG_THREADS; t++)
        for (uint64_t i = 0; i < log->thread[t].count; i++)
            if (log->thread[t].entry[i].time_us > last_us)
                last_us = log->thread[t].entry[i].time_us;
    for (int t = 0; t < LOG_THREADS; t++)
        for (uint64_t i = 0; i < log->thread[t].count; i++) {
            const struct log_entry *e = &log->thread[t].entry[i];
            printf("%d|%" PRIu64 "|%" PRIu64 "|%" PRIu64 "|%" PRIu64 "\n", t, i, e->address,
                   e->size, last_us - e->time_us);
        }
    return 0;
}
