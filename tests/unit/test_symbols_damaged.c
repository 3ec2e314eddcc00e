/* SPDX-License-Identifier: MIT */
/*
 * What a path may turn out to be when the run is over: gone, replaced, cut, overwritten, a FIFO.
 * Each must give the fall-back name, soon, and never a crash: damaged files are read in a child
 * process, so that one of them that crashes is told by what was done to it.
 */
#include "symbols.h"
#include "symbols_case.h"
#include "unit_check.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECONDS_MAX 10 /* for one damaged file, of CPU time */
#define ID "0123456789abcdef0123456789abcdef01234567"

/* What is left when there are no symbols. */
static void check_fallback(const char *what, const char *path, const char *build_id,
                           const char *expected, const char *quality)
{
    char problem[1024] = "";
    struct kp_symbol_frame frame;
    struct kp_symbols *symbols = kp_symbols_new();
    int count = kp_symbols_resolve(symbols, path, build_id, 0x1234, &frame, 1);
    if (count != 1 || strcmp(frame.function, expected) != 0 || frame.exact || *frame.file ||
        frame.line)
        snprintf(problem, sizeof problem, "got %s, %s:%d, not %s", frame.function, frame.file,
                 frame.line, expected);
    const char *own = kp_symbols_quality(symbols, path, build_id);
    if (!*problem && strcmp(own, quality) != 0)
        snprintf(problem, sizeof problem, "quality is %s, not %s", own, quality);
    kp_say(what, problem);
    kp_symbols_free(symbols);
}

static void write_file(const char *path, const void *bytes, size_t count)
{
    FILE *file = fopen(path, "w");
    if (!file || fwrite(bytes, 1, count, file) != count || fclose(file) != 0)
        abort();
}

static void check_odd_files(void)
{
    static const char text[] = "\x7f" "ELF and then something else altogether";
    mkdir("folder.so", 0700);
    mkfifo("fifo.so", 0600);
    write_file("empty.so", "", 0);
    write_file("text.so", text, sizeof text);
    write_file("closed.so", text, sizeof text);
    chmod("closed.so", 0);
    check_fallback("names an address in no module", "", "", "0x1234", "none");
    check_fallback("names an address in the vdso", "[vdso]", "", "[vdso]+0x1234", "none");
    check_fallback("names an address in the vdso by its other name", "linux-vdso.so.1", ID,
                   "[vdso]+0x1234", "none");
    check_fallback("bears a file that is gone", "/no/such/lib.so", ID, "lib.so+0x1234 [01234567]",
                   "missing");
    check_fallback("bears a file that is gone and had no build-id", "/no/such/lib.so", "",
                   "lib.so+0x1234", "missing");
    check_fallback("takes no build-id for one that is not there", "/no/such/lib.so", NULL,
                   "lib.so+0x1234", "missing");
    check_fallback("bears a directory", "folder.so", ID, "folder.so+0x1234 [01234567]", "missing");
    check_fallback("bears a FIFO without waiting", "fifo.so", ID, "fifo.so+0x1234 [01234567]",
                   "missing");
    check_fallback("bears a device", "/dev/zero", "", "zero+0x1234", "missing");
    check_fallback("bears an empty file", "empty.so", ID, "empty.so+0x1234 [01234567]", "none");
    check_fallback("bears a file that is no ELF file", "text.so", "", "text.so+0x1234", "none");
    check_fallback("does not believe a file of another build-id", "/proc/self/exe", ID,
                   "exe+0x1234 [01234567]", "changed");
    check_fallback("bears a path that ends in a slash", "/no/such/", "", "/no/such/+0x1234",
                   "missing");
    if (geteuid() == 0)
        printf("skip - bears a file that may not be read: root may read it\n");
    else
        check_fallback("bears a file that may not be read", "closed.so", "", "closed.so+0x1234",
                       "missing");
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Asks for addresses all over a file that is loaded at `base`. */
static void ask_all(struct kp_symbols *symbols, const char *path, uint64_t base)
{
    struct kp_symbol_frame frames[8];
    for (uint64_t address = base; address < base + 0x6000; address += 0x35) {
        int count = kp_symbols_resolve(symbols, path, "", address, frames, 8);
        for (int i = 0; i < count; i++)
            if (!*frames[i].function || !strcmp(frames[i].file, "\1"))
                _exit(3);
    }
}

/* Runs in a child. */
static void read_damaged(const char *path)
{
    struct kp_symbols *symbols = kp_symbols_new();
    alarm(6 * SECONDS_MAX);
    ask_all(symbols, path, 0);
    ask_all(symbols, path, 0x400000);
    kp_symbols_free(symbols);
    clock_t spent = clock() / CLOCKS_PER_SEC;
    _exit(spent > SECONDS_MAX ? 4 : 0);
}

/* 0 or what happened */
static int try_damaged(const char *path)
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        read_damaged(path);
    waitpid(child, &status, 0);
    return status;
}

struct damage {
    const char *what;
    int rounds;
    void (*apply)(unsigned char *bytes, size_t *count, uint64_t *state);
};

static void cut(unsigned char *bytes, size_t *count, uint64_t *state)
{
    (void)bytes;
    *count = next_random(state) % *count;
}
static void flip_few(unsigned char *bytes, size_t *count, uint64_t *state)
{
    for (uint64_t i = next_random(state) % 8 + 1; i > 0; i--)
        bytes[next_random(state) % *count] = (unsigned char)next_random(state);
}
static void flip_headers(unsigned char *bytes, size_t *count, uint64_t *state)
{
    size_t table = *(uint64_t *)(void *)(bytes + 40); /* e_shoff */
    for (uint64_t i = next_random(state) % 4 + 1; i > 0; i--) {
        size_t at = next_random(state) % 2 ? next_random(state) % 512 + 16
                                           : table + next_random(state) % (*count - table);
        bytes[at] = (unsigned char)next_random(state);
    }
}
static void flip_many(unsigned char *bytes, size_t *count, uint64_t *state)
{
    for (size_t at = 64; at < *count; at += next_random(state) % 512 + 1)
        bytes[at] ^= (unsigned char)(1 << next_random(state) % 8);
}
static void blank(unsigned char *bytes, size_t *count, uint64_t *state)
{
    size_t start = next_random(state) % *count;
    size_t length = next_random(state) % (*count - start);
    memset(bytes + start, next_random(state) % 2 ? 0xff : 0, length % 4096 + 1);
}

static const struct damage damages[] = {
    {"bears files that are cut off", 60, cut},
    {"bears files with a few bytes changed", 120, flip_few},
    {"bears files with damaged headers", 150, flip_headers},
    {"bears files with many bytes changed", 60, flip_many},
    {"bears files with a hole", 60, blank},
};

static void check_damage(const struct damage *damage, const char *fixture,
                         const unsigned char *file, size_t bytes)
{
    char problem[256] = "", what[128];
    const char *seed = getenv("KPROF_TEST_SEED"), *more = getenv("KPROF_TEST_LONG");
    uint64_t state = 0x9e3779b97f4a7c15 ^ (seed ? strtoull(seed, NULL, 0) * 0x2545f4914f6cdd1d : 0);
    unsigned char *copy = malloc(bytes + 1);
    int rounds = damage->rounds * (more && *more == '1' ? 10 : 1);
    for (int i = 0; i < rounds && !*problem; i++) {
        size_t count = bytes;
        memcpy(copy, file, bytes);
        damage->apply(copy, &count, &state);
        write_file("damaged", copy, count);
        int status = try_damaged("damaged");
        if (status != 0)
            snprintf(problem, sizeof problem, "status %#x in round %d", status, i);
    }
    if (*problem)
        rename("damaged", "damaged.kept");
    snprintf(what, sizeof what, "%s (%s)", damage->what, fixture);
    kp_say(what, problem);
    free(copy);
}

/* Stripped ones are labelled by their unwind tables, relocations and data instead. */
static const struct fixture {
    const char *what, *make;
} fixtures[] = {
    {"debug information", "printf 'static int twice(int a) { return a * 2; }"
                          "\\nint f(int a) { return twice(a) + a; }"
                          "\\nint main(int n, char **v) { (void)v; return f(n); }\\n' >x.c && "
                          "gcc -O1 -g -o x x.c"},
    {"stripped library", "gcc -w -O2 -fPIC -shared -o x $S/labels.c && strip x"},
    {"stripped, packed relocations", "gcc -w -O2 -fPIC -shared -Wl,-z,pack-relative-relocs -o x "
                                     "$S/labels.c 2>/dev/null && strip x"},
    {"stripped program", "gcc -w -O2 -no-pie -fno-pie -DPROGRAM -Wl,--unresolved-symbols=ignore-all "
                         "-o x $S/labels.c && strip x"},
};

static void check_damages(const struct fixture *fixture)
{
    static unsigned char bytes[1 << 20];
    if (system(fixture->make) != 0) {
        printf("skip - bears damaged files (%s): no compiler here that makes one\n",
               fixture->what);
        return;
    }
    FILE *file = fopen("x", "r");
    size_t count = file ? fread(bytes, 1, sizeof bytes, file) : 0;
    if (file)
        fclose(file);
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++)
        check_damage(&damages[i], fixture->what, bytes, count);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (kp_symbols_case_begin() != 0)
        return 1;
    check_odd_files();
    for (size_t i = 0; i < sizeof fixtures / sizeof *fixtures; i++)
        check_damages(&fixtures[i]);
    return kp_checks_failed();
}
