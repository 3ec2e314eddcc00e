/* SPDX-License-Identifier: MIT */
/*
 * Allocates and frees, marks, and prints what the allocator says of itself right after each mark:
 * "used held rss", in bytes, -1 where it does not say. usage: totals_program malloc-family-name
 */
#include <kprof.h>

#include <dlfcn.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STEPS 30

static long long used, held;

static void ask_glibc(void)
{
    struct mallinfo2 (*ask)(void) = (struct mallinfo2(*)(void))dlsym(RTLD_DEFAULT, "mallinfo2");
    struct mallinfo2 info = ask();

    used = (long long)(info.uordblks + info.hblkhd);
    held = (long long)(info.arena + info.hblkhd);
}

static void ask_jemalloc(void)
{
    int (*ask)(const char *, void *, size_t *, void *, size_t) =
        (int (*)(const char *, void *, size_t *, void *, size_t))dlsym(RTLD_DEFAULT, "mallctl");
    uint64_t epoch = 1;
    size_t bytes = sizeof(size_t);

    ask("epoch", NULL, NULL, &epoch, sizeof epoch);
    ask("stats.allocated", &used, &bytes, NULL, 0);
    ask("stats.resident", &held, &bytes, NULL, 0);
}

static void ask_tcmalloc(void)
{
    int (*ask)(const char *, size_t *) = (int (*)(const char *, size_t *))dlsym(
        RTLD_DEFAULT, "MallocExtension_GetNumericProperty");
    size_t value = 0, unmapped = 0;

    ask("generic.current_allocated_bytes", &value);
    used = (long long)value;
    ask("generic.heap_size", &value);
    ask("tcmalloc.pageheap_unmapped_bytes", &unmapped);
    held = (long long)(value - unmapped);
}

static void ask_mimalloc(void)
{
    void (*ask)(size_t *, size_t *, size_t *, size_t *, size_t *, size_t *, size_t *, size_t *) =
        (void (*)(size_t *, size_t *, size_t *, size_t *, size_t *, size_t *, size_t *,
                  size_t *))dlsym(RTLD_DEFAULT, "mi_process_info");
    size_t committed = 0;

    ask(NULL, NULL, NULL, NULL, NULL, &committed, NULL, NULL);
    used = -1;
    held = (long long)committed;
}

static long long rss(void)
{
    static char text[128];
    FILE *file = fopen("/proc/self/statm", "r");
    long long pages = 0;

    setvbuf(file, text, _IOFBF, sizeof text);
    if (fscanf(file, "%*d %lld", &pages) != 1)
        pages = 0;
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*ask)(void);
    } families[] = {{"glibc", ask_glibc},
                    {"jemalloc", ask_jemalloc},
                    {"tcmalloc", ask_tcmalloc},
                    {"mimalloc", ask_mimalloc}};
    static char out[8192];
    static char *small[STEPS][100], *large[STEPS];
    const struct timespec nap = {0, 3000000};
    void (*ask)(void) = NULL;

    for (unsigned i = 0; i < sizeof families / sizeof *families; i++)
        if (argc == 2 && strcmp(argv[1], families[i].name) == 0)
            ask = families[i].ask;
    if (!ask)
        return 2;
    setvbuf(stdout, out, _IOFBF, sizeof out);
    for (int step = 0; step < STEPS; step++) {
        for (int i = 0; i < 100; i++)
            small[step][i] = malloc((size_t)(100 + i * 10));
        large[step] = malloc(700000);
        memset(large[step], 1, 700000);
        if (step % 3 == 2) {
            free(large[step - 1]);
            for (int i = 0; i < 100; i += 2)
                free(small[step - 1][i]);
        }
        kprof_iteration();
        ask();
        printf("%lld %lld %lld\n", used, held, rss());
        nanosleep(&nap, NULL);
    }
    return 0;
}
