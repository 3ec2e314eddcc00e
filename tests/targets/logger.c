/* SPDX-License-Identifier: MIT */
/*
 * Allocates from two threads at a steady pace and writes each step into a log of its own, shared
 * memory that outlives any end: after malloc has returned, address, size and time; before free,
 * that it is about to be freed. tests/tools/show_log prints the log.
 *
 *   logger LOG SECONDS WAY [GO]      WAY: exit _exit quick_exit abort exec sleep
 *
 * WAY is how it ends when the time is over; all but exit and sleep in the middle of the other
 * thread's work. GO: a file to wait for before it begins.
 */
#include "target.h"

#include "logger.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>

#define PER_MS 60 /* steps a millisecond and thread */

static struct log *event_log;
static double end;
static int in_the_middle;

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void note(struct log_thread *mine, uint64_t address, uint64_t size)
{
    uint64_t n = mine->count;
    if (n >= LOG_ENTRIES)
        _exit(8);
    mine->entry[n] = (struct log_entry){address, size, now_us()};
    __atomic_store_n(&mine->count, n + 1, __ATOMIC_RELEASE);
}

NOINLINE void *logged_block(struct log_thread *mine, size_t size)
{
    void *p = keep_pointer(malloc(size));
    note(mine, (uint64_t)(uintptr_t)p, size);
    return p;
}

static void *work(void *number)
{
    struct log_thread *mine = &event_log->thread[(uintptr_t)number];
    uint64_t random = (uintptr_t)number + 17;
    double until = end + (number && in_the_middle ? 2 : 0);
    while (seconds_now() < until) {
        for (int i = 0; i < PER_MS; i++) {
            void *p = logged_block(mine, next_random(&random) % 500 + 1);
            if (i % 4) {
                note(mine, (uint64_t)(uintptr_t)p, 0);
                free(p);
            }
        }
        usleep(1000);
    }
    return NULL;
}

static void end_by(const char *way)
{
    if (!strcmp(way, "_exit"))
        _exit(0);
    if (!strcmp(way, "quick_exit"))
        quick_exit(0);
    if (!strcmp(way, "abort"))
        abort();
    if (!strcmp(way, "exec"))
        execl("/bin/true", "true", (char *)NULL);
    if (!strcmp(way, "sleep"))
        pause();
}

int main(int argc, char **argv)
{
    pthread_t other;
    if (argc < 4)
        return 2;
    int fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0 || ftruncate(fd, sizeof *event_log) != 0)
        return 3;
    event_log = mmap(NULL, sizeof *event_log, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    in_the_middle = strcmp(argv[3], "exit") && strcmp(argv[3], "sleep");
    while (argc > 4 && access(argv[4], F_OK) != 0)
        usleep(10000);
    end = seconds_now() + atof(argv[2]);
    pthread_create(&other, NULL, work, (void *)1);
    work((void *)0);
    if (!in_the_middle)
        pthread_join(other, NULL);
    event_log->done = 1;
    say("done");
    end_by(argv[3]);
    return 0;
}
