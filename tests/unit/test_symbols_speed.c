/* SPDX-License-Identifier: MIT */
/*
 * Opening a large library and naming 20,000 addresses must not keep a user waiting, and going
 * through many modules must not keep them all open. Uses the largest libraries of this machine, and
 * a generated unit of thousands of functions, as link-time optimization makes them.
 */
#include "symbols.h"
#include "unit_check.h"

#include <dirent.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ADDRESSES 20000
#define SECONDS_MAX 2.0
#define FUNCTIONS 1000

static double now_s(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void check_speed(const char *what, const char *path)
{
    char problem[512] = "", text[256];
    struct kp_symbol_frame frames[16];
    struct stat status;
    if (stat(path, &status) != 0)
        return;
    double start = now_s();
    struct kp_symbols *symbols = kp_symbols_new();
    const char *quality = kp_symbols_quality(symbols, path, "");
    int exact = 0;
    for (uint64_t i = 0; i < ADDRESSES; i++) {
        uint64_t address = i * 7919 % ADDRESSES * ((uint64_t)status.st_size / ADDRESSES);
        int count = kp_symbols_resolve(symbols, path, "", address, frames, 16);
        exact += frames[count - 1].exact;
    }
    kp_symbols_free(symbols);
    double spent = now_s() - start;
    const char *slash = strrchr(path, '/');
    snprintf(text, sizeof text, "%s (%s, %.0f MB, %s: %.2f s)", what, slash ? slash + 1 : path,
             (double)status.st_size / 1e6, quality, spent);
    if (spent > SECONDS_MAX)
        snprintf(problem, sizeof problem, "%.2f s", spent);
    else if (exact < ADDRESSES / 100)
        snprintf(problem, sizeof problem, "only %d names", exact);
    kp_say(text, problem);
}

static void check_libraries(void)
{
    static const char *const patterns[] = {"/usr/lib/x86_64-linux-gnu/libLLVM-*.so*",
                                           "/usr/lib/x86_64-linux-gnu/libc.so.6",
                                           "/usr/local/lib/libpython3.*.so.1.0",
                                           "~/.rustup/toolchains/*/lib/librustc_driver-*.so",
                                           "~/.pyenv/versions/*/lib/libpython3.1*.so.1.0"};
    glob_t found;
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        if (glob(patterns[i], GLOB_TILDE, NULL, &found) == 0)
            check_speed("names 20,000 addresses of a library in 2 s", found.gl_pathv[0]);
        globfree(&found);
    }
}

/* Many functions in one unit, none of which has a linkage name. */
static void check_large_unit(void)
{
    static const char what[] = "names 20,000 addresses of one large unit in 2 s";
    FILE *source = fopen("large.cc", "w");
    if (!source || system("command -v g++ >/dev/null") != 0) {
        printf("skip - %s: no g++ here\n", what);
        return;
    }
    fputs("volatile int z; namespace {\n", source);
    for (int i = 0; i < FUNCTIONS; i++)
        fprintf(source,
                "inline __attribute__((always_inline)) int leaf%d(int a)\n"
                "{ z += a; return a * %d; }\n"
                "__attribute__((noinline)) int f%d(int a) { int t = leaf%d(a) + z; return t; }\n",
                i, i, i, i);
    fputs("}\nint main(int n, char **)\n{\n    int t = 0;\n", source);
    for (int i = 0; i < FUNCTIONS; i++)
        fprintf(source, "    t += f%d(n);\n", i);
    fputs("    return t;\n}\n", source);
    fclose(source);
    if (system("g++ -g -O1 -o large large.cc") != 0)
        kp_say(what, "the fixture cannot be made");
    else
        check_speed(what, "./large");
}

static int open_files(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count;
}

static void check_many(void)
{
    char problem[512] = "", first[256];
    struct kp_symbol_frame frame;
    glob_t found;
    struct kp_symbols *symbols = kp_symbols_new();
    int before = open_files(), most = 0;
    if (glob("/usr/lib/x86_64-linux-gnu/lib[a-d]*.so.*", 0, NULL, &found) != 0) {
        printf("skip - keeps a bounded number of modules open: no libraries here\n");
        return;
    }
    for (size_t i = 0; i < found.gl_pathc && i < 100; i++) {
        kp_symbols_resolve(symbols, found.gl_pathv[i], "", 0x4000, &frame, 1);
        if (i == 0)
            snprintf(first, sizeof first, "%s", frame.function);
        most = open_files() > most ? open_files() : most;
    }
    kp_symbols_resolve(symbols, found.gl_pathv[0], "", 0x4000, &frame, 1);
    if (most - before > 3 * KP_SYMBOLS_OPEN)
        snprintf(problem, sizeof problem, "%d files open", most - before);
    else if (strcmp(first, frame.function) != 0)
        snprintf(problem, sizeof problem, "%s was %s before", frame.function, first);
    kp_symbols_free(symbols);
    if (!*problem && open_files() != before)
        snprintf(problem, sizeof problem, "%d files stay open", open_files() - before);
    globfree(&found);
    kp_say("keeps a bounded number of modules open, and reopens them", problem);
}

int main(void)
{
    char template[] = "/tmp/kprof-symbols.XXXXXX";
    const char *own = getenv("KPROF_TEST_TMP");
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (chdir(own ? own : mkdtemp(template)) != 0)
        return 1;
    check_libraries();
    check_large_unit();
    check_many();
    return kp_checks_failed();
}
