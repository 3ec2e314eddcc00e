/* SPDX-License-Identifier: MIT */
/*
 * Says how a file's functions are named: by whom, and how many by nobody. With addresses on the
 * command line or (-) on standard input, it names those instead, one line each:
 * address|function|file|line|exact. For tests/symbols and for whoever wonders about a wheel.
 */
#include "symbols.h"

#include "symbols_functions.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FRAMES_MAX 64

enum kind { DEBUG, NAME, METHOD, PLACE, SOURCE, CALLED, CALLS, OFFSET, NOTHING, KINDS };
static const char *const kinds[KINDS] = {
    "debug information", "symbol",          "method or slot of Python", "file and line (nearby)",
    "file (nearby)",     "called from ...", "calls ...",                "symbol+0xoffset",
    "module+0xoffset"};

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

static enum kind kind_of(const struct kp_symbol_frame *frame, const char *quality,
                         const char *path)
{
    const char *name = frame->function, *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    if (strstr(name, " (called ") || strstr(name, " (in a table "))
        return CALLED;
    if (strstr(name, " (calls "))
        return CALLS;
    if (ends_with(name, " (nearby)"))
        return frame->line ? PLACE : SOURCE;
    if (ends_with(name, " (method)") || ends_with(name, " (slot)") || ends_with(name, "er)") ||
        ends_with(name, " (attribute)"))
        return METHOD;
    if (frame->exact)
        return *frame->file || strcmp(quality, "debug") == 0 ? DEBUG : NAME;
    return strncmp(name, base, strlen(base)) == 0 ? NOTHING : OFFSET;
}

static void name_one(struct kp_symbols *symbols, const char *path, uint64_t address)
{
    struct kp_symbol_frame frames[FRAMES_MAX];
    int count = kp_symbols_resolve(symbols, path, "", address, frames, FRAMES_MAX);
    for (int i = 0; i < count; i++)
        printf("%" PRIx64 "|%s|%s|%d|%d\n", address, frames[i].function, frames[i].file,
               frames[i].line, frames[i].exact);
}

static void name_input(struct kp_symbols *symbols, const char *path)
{
    uint64_t address;
    while (scanf("%" SCNx64, &address) == 1)
        name_one(symbols, path, address);
}

/* The functions of the file, named in the middle: where a sample is. */
static int count_all(struct kp_symbols *symbols, const char *path)
{
    struct kp_image image;
    struct kp_ranges functions;
    uint64_t counts[KINDS] = {0}, bytes[KINDS] = {0}, all = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    Elf *elf = fd < 0 || elf_version(EV_CURRENT) == EV_NONE ? NULL
                                                            : elf_begin(fd, ELF_C_READ, NULL);
    if (!elf || kp_image_init(&image, elf) != 0 || kp_functions_init(&functions, &image) != 0) {
        fprintf(stderr, "name_functions: %s has no functions\n", path);
        elf_end(elf);
        return 1;
    }
    const char *quality = kp_symbols_quality(symbols, path, "");
    clock_t start = clock();
    for (size_t i = 0; i < functions.count; i++) {
        const struct kp_range *function = &functions.all[i];
        struct kp_symbol_frame frames[FRAMES_MAX];
        int count = kp_symbols_resolve(symbols, path, "",
                                       function->start + (function->end - function->start) / 2,
                                       frames, FRAMES_MAX);
        enum kind kind = kind_of(&frames[count - 1], quality, path);
        counts[kind]++;
        bytes[kind] += function->end - function->start;
        all += function->end - function->start;
    }
    printf("%s: %zu functions, %s, %.2f s\n", path, functions.count, quality,
           (double)(clock() - start) / CLOCKS_PER_SEC);
    for (int k = 0; k < KINDS; k++)
        if (counts[k])
            printf("%7" PRIu64 "  %5.1f %%  %5.1f %% of the code  %s\n", counts[k],
                   100.0 * (double)counts[k] / (double)functions.count,
                   100.0 * (double)bytes[k] / (double)all, kinds[k]);
    kp_ranges_release(&functions);
    elf_end(elf);
    close(fd);
    return 0;
}

int main(int count, char **arguments)
{
    if (count < 2) {
        fprintf(stderr, "usage: name_functions FILE [ADDRESS... | -]\n");
        return 2;
    }
    struct kp_symbols *symbols = kp_symbols_new();
    int result = 0;
    if (count == 2)
        result = count_all(symbols, arguments[1]);
    for (int i = 2; i < count; i++) {
        if (strcmp(arguments[i], "-") == 0)
            name_input(symbols, arguments[1]);
        else
            name_one(symbols, arguments[1], strtoull(arguments[i], NULL, 16));
    }
    kp_symbols_free(symbols);
    return result;
}
