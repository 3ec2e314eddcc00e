/* SPDX-License-Identifier: MIT */
/*
 * A program that knows what it makes: each thread fills its heap with short-lived blocks of mixed
 * sizes and leaves a small one behind in every stretch of them (`pin`), so that hardly anything can
 * be given back when the others are freed. (None is so small that glibc would keep it in a fast bin,
 * which pins as well.) Threads wait for each other when they are full and when they are empty, so
 * that the peak is the same in each run. Says at the end how much more was resident at most than at
 * the start.
 *
 * usage: pinned [threads] [megabytes]
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static size_t threads = 1, megabytes = 16;
static pthread_barrier_t all;

static unsigned long figure_of(const char *path, const char *label)
{
    static char text[8192];
    int fd = open(path, O_RDONLY);
    ssize_t got = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
    close(fd);
    text[got > 0 ? got : 0] = '\0';
    const char *line = strstr(text, label);
    return line ? 1024 * strtoul(line + strlen(label), NULL, 10) : 0;
}

__attribute__((noinline)) static void *pin(void)
{
    return memset(malloc(48), 1, 48);
}

__attribute__((noinline)) static void *brief(size_t size)
{
    return memset(malloc(size), 1, size);
}

static void *work(void *unused)
{
    size_t sizes[] = {700, 1900, 260, 5200, 1100, 190, 3100}, most = megabytes * 1000000 / 500, count = 0;
    void **blocks = malloc(most * sizeof *blocks), **pins = malloc(most * sizeof *pins);
    (void)unused;
    for (int round = 0; round < 3; round++) {
        size_t bytes = 0;
        count = 0;
        while (bytes < megabytes * 1000000 && count < most) {
            size_t size = sizes[(count + (size_t)round) % 7];
            blocks[count++] = brief(size);
            bytes += size;
            if (count % 7 == 0)
                pins[count / 7] = pin();
        }
        pthread_barrier_wait(&all);
        for (size_t i = 0; i < count; i++)
            free(blocks[i]);
        for (size_t i = 1; round < 2 && i <= count / 7; i++)
            free(pins[i]);
        pthread_barrier_wait(&all);
    }
    free(blocks);
    return pins;
}

int main(int argc, char **argv)
{
    threads = argc > 1 ? strtoul(argv[1], NULL, 10) : threads;
    megabytes = argc > 2 ? strtoul(argv[2], NULL, 10) : megabytes;
    pthread_barrier_init(&all, NULL, (unsigned)threads);
    pthread_t *started = malloc(threads * sizeof *started);
    unsigned long start = figure_of("/proc/self/smaps_rollup", "\nRss:");
    for (size_t i = 1; i < threads; i++)
        pthread_create(&started[i], NULL, work, NULL);
    work(NULL);
    for (size_t i = 1; i < threads; i++)
        pthread_join(started[i], NULL);
    printf("%lu %lu\n", figure_of("/proc/self/status", "\nVmHWM:") - start,
           figure_of("/proc/self/smaps_rollup", "\nRss:") - start);
    return 0;
}
