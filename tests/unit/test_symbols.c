/* SPDX-License-Identifier: MIT */
/*
 * Names of addresses against the truth: fixtures (tests/symbols) that print where they are are
 * built in many ways, their debug information moved about, and every address they printed must come
 * back with its function, the calls inlined there, file and line. A thousand more addresses are
 * compared with addr2line. Needs compilers and binutils; what is missing is skipped by name.
 */
#include "symbols.h"
#include "symbols_case.h"
#include "unit_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FRAMES_MAX 32

enum grade { GRADE_DEBUG, GRADE_SYMBOLS, GRADE_EXPORTS };

/* `make` is run by sh, with the fixtures in $S and a warning-free flag set in $F. It must leave
 * the program as x and what it printed as `truth`. */
struct variant {
    const char *what, *needs, *make;
    const char *path; /* what to ask for; NULL: x */
    const char *quality;
    enum grade grade;
};

#define PLAIN(compiler, flags) compiler " $F " flags " -o x $S/plain.c && ./x >truth"
#define SPACES(compiler, flags) compiler " $F " flags " -o x $S/spaces.cc && ./x >truth"
#define CRATES(flags)                                                                              \
    "RUSTC_BOOTSTRAP=1 rustc --edition 2021 -O -g -Z unstable-options " flags                      \
    " --crate-name crates -o x $S/crates.rs && ./x >truth"
#define SPLIT_OFF "objcopy --only-keep-debug x x.debug && strip x && "
#define STORE                                                                                      \
    SPLIT_OFF "id=$(readelf -n x | sed -n 's/.*Build ID: //p') && two=$(echo $id | cut -c1-2) && " \
              "mkdir -p debug/.build-id/$two && "                                                  \
              "mv x.debug debug/.build-id/$two/$(echo $id | cut -c3-).debug"

static const struct variant variants[] = {
    {"C, gcc, DWARF 5", "gcc", PLAIN("gcc", "-g"), 0, "debug", GRADE_DEBUG},
    {"C, gcc, DWARF 4", "gcc", PLAIN("gcc", "-gdwarf-4"), 0, "debug", GRADE_DEBUG},
    {"C, gcc, compressed", "gcc", PLAIN("gcc", "-g -gz"), 0, "debug", GRADE_DEBUG},
    {"C, gcc, .zdebug", "gcc objcopy",
     PLAIN("gcc", "-g") " && objcopy --compress-debug-sections=zlib-gnu x", 0, "debug", GRADE_DEBUG},
    {"C, gcc, split DWARF 5", "gcc", PLAIN("gcc", "-g -gsplit-dwarf"), 0, "debug", GRADE_DEBUG},
    {"C, gcc, split DWARF 4", "gcc", PLAIN("gcc", "-gdwarf-4 -gsplit-dwarf"), 0, "debug",
     GRADE_DEBUG},
    {"C, gcc, link-time optimization", "gcc", PLAIN("gcc", "-g -flto"), 0, "debug", GRADE_DEBUG},
    {"C, gcc, fixed address", "gcc", PLAIN("gcc", "-g -no-pie"), 0, "debug", GRADE_DEBUG},
    {"C, gcc, static", "gcc", PLAIN("gcc", "-g -static -DSTATIC"), 0, "debug", GRADE_DEBUG},
    {"C, gcc, IBT stubs", "gcc", PLAIN("gcc", "-g -fcf-protection -Wl,-z,ibtplt"), 0, "debug",
     GRADE_DEBUG},
    {"C, clang, no .debug_aranges", "clang", PLAIN("clang", "-g"), 0, "debug", GRADE_DEBUG},
    {"C, clang, split DWARF", "clang", PLAIN("clang", "-g -gsplit-dwarf"), 0, "debug",
     GRADE_DEBUG},
    {"C, .gnu_debuglink", "gcc objcopy strip",
     PLAIN("gcc", "-g") " && " SPLIT_OFF "objcopy --add-gnu-debuglink=x.debug x", 0, "debug",
     GRADE_DEBUG},
    {"C, .gnu_debuglink into .debug", "gcc objcopy strip",
     PLAIN("gcc", "-g") " && " SPLIT_OFF
                        "objcopy --add-gnu-debuglink=x.debug x && mkdir .debug && "
                        "mv x.debug .debug",
     0, "debug", GRADE_DEBUG},
    {"C, debug file by build-id", "gcc objcopy strip readelf", PLAIN("gcc", "-g") " && " STORE, 0,
     "debug", GRADE_DEBUG},
    {"C, file gone, debug file by build-id", "gcc objcopy strip readelf",
     PLAIN("gcc", "-g -Wl,-z,lazy") " && " STORE, "gone", "debug", GRADE_DEBUG},
    {"C, file changed, debug file by build-id", "gcc objcopy strip readelf",
     PLAIN("gcc", "-g") " && " STORE " && objcopy --remove-section .note.gnu.build-id x changed",
     "changed", "debug", GRADE_DEBUG},
    {"C, dwz", "gcc dwz", PLAIN("gcc", "-g") " && dwz x", 0, "debug", GRADE_DEBUG},
    {"C, dwz with a common file", "gcc dwz",
     PLAIN("gcc", "-gdwarf-4") " && cp x z && dwz -m common x z", 0, "debug", GRADE_DEBUG},
    {"C, symbols only", "gcc strip", PLAIN("gcc", "-g") " && strip -g x", 0, "symtab",
     GRADE_SYMBOLS},
    {"C, .gnu_debugdata", "gcc objcopy strip xz nm",
     PLAIN("gcc", "-g -rdynamic") " && nm --defined-only -f posix x | grep -i ' t ' | "
                        "cut -d' ' -f1 >keep && "
                        "objcopy -S --keep-symbols=keep x mini && xz mini && strip x && "
                        "objcopy --add-section .gnu_debugdata=mini.xz x",
     0, "symtab", GRADE_SYMBOLS},
    {"C, exports only", "gcc strip", PLAIN("gcc", "-g -rdynamic") " && strip x", 0, "dynsym",
     GRADE_EXPORTS},
    {"C++, gcc", "g++", SPACES("g++", "-g"), 0, "debug", GRADE_DEBUG},
    {"C++, clang", "clang++", SPACES("clang++", "-g"), 0, "debug", GRADE_DEBUG},
    {"C++, symbols only", "g++", SPACES("g++", ""), 0, "symtab", GRADE_SYMBOLS},
    {"Rust, v0", "rustc", CRATES("-C symbol-mangling-version=v0"), 0, "debug", GRADE_DEBUG},
    {"Rust, legacy", "rustc", CRATES("-C symbol-mangling-version=legacy"), 0, "debug",
     GRADE_DEBUG},
    {"Rust, fat LTO, line tables only", "rustc",
     CRATES("-C symbol-mangling-version=v0 -C debuginfo=1 -C lto=fat -C codegen-units=1"), 0, "debug",
     GRADE_DEBUG},
    {"Rust, fat LTO, compressed", "rustc objcopy",
     CRATES("-C symbol-mangling-version=v0 -C lto=fat")
     " && objcopy --compress-debug-sections=zlib x", 0, "debug", GRADE_DEBUG},
    {"Rust, debug file by build-id", "rustc objcopy strip readelf",
     CRATES("-C symbol-mangling-version=v0 -C link-arg=-Wl,--build-id") " && " STORE, 0, "debug",
     GRADE_DEBUG},
    {"Rust, symbols only", "rustc",
     CRATES("-C symbol-mangling-version=v0") " && strip -g x", 0, "symtab", GRADE_SYMBOLS},
};

static int shell(const char *command)
{
    fflush(stdout);
    return system(command);
}

static bool has_all(const char *needs, const char **missing)
{
    static char words[128], command[160];
    snprintf(words, sizeof words, "%s", needs);
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " ")) {
        snprintf(command, sizeof command, "command -v %s >/dev/null", word);
        *missing = word;
        if (shell(command) != 0)
            return false;
    }
    return true;
}

/* frames as "inner in outer" */
static void join(char *text, size_t room, const struct kp_symbol_frame *frames, int count)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < count && used < room; i++)
        used += (size_t)snprintf(text + used, room - used, "%s%s", i ? " in " : "",
                                 frames[i].function);
}

/* Is `name` one of the alternatives (split at "/")? With `last`, of their outermost functions. */
static bool is_one_of(const char *name, const char *alternatives, bool last)
{
    char copy[512];
    snprintf(copy, sizeof copy, "%s", alternatives);
    char *rest = NULL;
    for (char *one = strtok_r(copy, "/", &rest); one; one = strtok_r(NULL, "/", &rest)) {
        char *next = one;
        while (last && (next = strstr(one, " in ")))
            one = next + 4;
        if (strcmp(one, name) == 0)
            return true;
    }
    return false;
}

/* Without local symbols, a name is either right or says that it is not exact. */
static bool is_right(enum grade grade, const struct kp_symbol_frame *frames, int count,
                     const char *chain, const char *file, int line)
{
    char got[1024];
    const struct kp_symbol_frame *outer = &frames[count - 1];
    if (grade != GRADE_DEBUG)
        return count == 1 &&
               (outer->exact ? is_one_of(outer->function, chain, true)
                             : grade == GRADE_EXPORTS && strstr(outer->function, "+0x"));
    join(got, sizeof got, frames, count);
    size_t length = strlen(frames[0].file), tail = strlen(file);
    return frames[0].exact && is_one_of(got, chain, false) && frames[0].line == line &&
           length >= tail && strcmp(frames[0].file + length - tail, file) == 0;
}

/* Compares every line of `truth`; the first that is wrong goes into `problem`. Returns how many. */
static int check_truth(struct kp_symbols *symbols, const struct variant *variant,
                       const char *build_id, char *problem, size_t room)
{
    struct kp_symbol_frame frames[FRAMES_MAX];
    char row[512], chain[400], file[64], got[1024];
    const char *path = variant->path ? variant->path : "./x";
    unsigned long address;
    int line, lines = 0;
    FILE *truth = fopen("truth", "r");
    while (truth && !*problem && fgets(row, sizeof row, truth)) {
        file[0] = '\0';
        if (sscanf(row, "%lx|%399[^|]|%63[^|]|%d", &address, chain, file, &line) != 4 &&
            sscanf(row, "%lx|%399[^|]||%d", &address, chain, &line) != 3)
            continue;
        int count = kp_symbols_resolve(symbols, path, build_id, address, frames, FRAMES_MAX);
        lines++;
        bool stub = strstr(chain, "@plt") != NULL;
        if (stub && variant->path)
            continue; /* a debug file has no code to look into */
        if (is_right(stub ? GRADE_SYMBOLS : variant->grade, frames, count, chain, file, line))
            continue;
        join(got, sizeof got, frames, count);
        snprintf(problem, room, "%lx is %s, %s:%d, got %s, %s:%d", address, chain, file, line, got,
                 frames[0].file, frames[0].line);
    }
    if (truth)
        fclose(truth);
    return lines;
}

static void read_build_id(char *hex, size_t room)
{
    FILE *pipe = popen("readelf -n x 2>/dev/null | sed -n 's/.*Build ID: //p'", "r");
    hex[0] = '\0';
    if (pipe && fgets(hex, (int)room, pipe))
        hex[strcspn(hex, "\n")] = '\0';
    if (pipe)
        pclose(pipe);
}

static void check_variant(const struct variant *variant, int number)
{
    char what[128], problem[2048] = "", build_id[160], directory[32];
    const char *missing = "";
    snprintf(what, sizeof what, "names every address of a fixture: %s", variant->what);
    if (!has_all(variant->needs, &missing)) {
        printf("skip - %s: no %s here\n", what, missing);
        return;
    }
    snprintf(directory, sizeof directory, "variant%d", number);
    if (mkdir(directory, 0700) != 0 || chdir(directory) != 0 ||
        shell(variant->make) != 0) {
        kp_say(what, "the fixture cannot be made");
    } else {
        struct kp_symbols *symbols = kp_symbols_new();
        kp_symbols_debug_directory(symbols, "debug");
        read_build_id(build_id, sizeof build_id);
        const char *path = variant->path ? variant->path : "./x";
        int lines = check_truth(symbols, variant, build_id, problem, sizeof problem);
        const char *quality = kp_symbols_quality(symbols, path, build_id);
        if (!*problem && lines < 6)
            snprintf(problem, sizeof problem, "only %d addresses", lines);
        if (!*problem && strcmp(quality, variant->quality) != 0)
            snprintf(problem, sizeof problem, "quality %s, not %s", quality, variant->quality);
        kp_say(what, problem);
        kp_symbols_free(symbols);
    }
    if (chdir("..") != 0)
        exit(1);
}

/* One answer of `addr2line -a -f -i -C`: how many frames, the locations, and the outermost name. */
struct answer {
    unsigned long address;
    int count;
    char outermost[4096], location[FRAMES_MAX][256];
};

/* "/a/b/c.c:12 (discriminator 3)" to "c.c:12"; "?" without a line */
static void shorten(char *text, size_t room, const char *location)
{
    char copy[1024];
    snprintf(copy, sizeof copy, "%s", location);
    copy[strcspn(copy, " \n")] = '\0';
    char *colon = strrchr(copy, ':'), *slash;
    long line = colon ? strtol(colon + 1, NULL, 10) : 0;
    if (colon)
        *colon = '\0';
    slash = strrchr(copy, '/');
    if (line > 0)
        snprintf(text, room, "%.200s:%ld", slash ? slash + 1 : copy, line);
    else
        snprintf(text, room, "?");
}

static bool read_answer(FILE *pipe, char *row, size_t room, struct answer *answer)
{
    char location[1024];
    if (strncmp(row, "0x", 2) != 0)
        return false;
    answer->address = strtoul(row, NULL, 16);
    answer->count = 0;
    while (fgets(row, (int)room, pipe) && strncmp(row, "0x", 2) != 0) {
        snprintf(answer->outermost, sizeof answer->outermost, "%.*s", (int)strcspn(row, "\n"), row);
        if (answer->count == FRAMES_MAX || !fgets(location, sizeof location, pipe))
            return false;
        shorten(answer->location[answer->count++], sizeof answer->location[0], location);
    }
    if (feof(pipe))
        row[0] = '\0';
    return answer->count > 0;
}

static bool agrees(struct kp_symbols *symbols, const char *path, const struct answer *answer)
{
    struct kp_symbol_frame frames[FRAMES_MAX];
    char location[1024], own[256];
    int count = kp_symbols_resolve(symbols, path, "", answer->address, frames, FRAMES_MAX);
    bool same = count == answer->count;
    for (int i = 0; same && i < count; i++) {
        snprintf(location, sizeof location, "%s:%d", frames[i].file, frames[i].line);
        shorten(own, sizeof own, location);
        same = strcmp(own, answer->location[i]) == 0;
    }
    const char *name = frames[count - 1].function;
    return same && (!frames[count - 1].exact || strstr(answer->outermost, name) ||
                    strstr(name, "{lambda}") || strstr(name, "::Inner"));
}

/* addr2line and kprof over `path`, at `addresses` places in its .text. Two percent may differ:
 * padding between functions, and functions that share their code. (DWARF 4 for C, because
 * binutils before 2.41 takes wrong files out of DWARF 5's tables.) */
static void check_addr2line(const char *what, const char *path, int addresses)
{
    static char command[2048], row[4096], problem[256];
    static struct answer answer;
    int agreed = 0, asked = 0;
    struct kp_symbols *symbols = kp_symbols_new();
    snprintf(command, sizeof command,
             "set -- $(readelf -SW %s | sed -n 's/.* \\.text *PROGBITS *\\([0-9a-f]*\\) [0-9a-f]* "
             "\\([0-9a-f]*\\) .*/\\1 \\2/p'); start=$((0x$1)) size=$((0x$2)); "
             "step=$((size / %d + 1)); seq $start $step $((start + size - 1)) | "
             "xargs printf '%%x\\n' | "
             "addr2line -a -f -i -C -e %s",
             path, addresses, path);
    FILE *pipe = popen(command, "r");
    if (pipe && fgets(row, sizeof row, pipe))
        while (read_answer(pipe, row, sizeof row, &answer)) {
            asked++;
            agreed += agrees(symbols, path, &answer);
        }
    if (pipe)
        pclose(pipe);
    problem[0] = '\0';
    if (asked < addresses / 2 || agreed < asked - asked / 50)
        snprintf(problem, sizeof problem, "%d of %d addresses agree", agreed, asked);
    kp_say(what, problem);
    kp_symbols_free(symbols);
}

static void compare_with_addr2line(const char *what, const char *needs, const char *make)
{
    const char *missing;
    if (!has_all(needs, &missing))
        printf("skip - %s: no %s here\n", what, missing);
    else if (shell(make) != 0)
        kp_say(what, "the fixture cannot be made");
    else
        check_addr2line(what, "./x", 400);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (kp_symbols_case_begin() != 0)
        return 1;
    setenv("F", "-D_GNU_SOURCE -O2 -w", 1);
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
        check_variant(&variants[i], (int)i);
    compare_with_addr2line("agrees with addr2line on C", "gcc addr2line readelf",
                           PLAIN("gcc", "-gdwarf-4"));
    compare_with_addr2line("agrees with addr2line on C++", "g++ addr2line readelf",
                           SPACES("g++", "-gdwarf-4"));
    compare_with_addr2line("agrees with addr2line on Rust", "rustc addr2line readelf",
                           CRATES("-C symbol-mangling-version=v0"));
    return kp_checks_failed();
}
