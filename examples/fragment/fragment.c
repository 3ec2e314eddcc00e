/* SPDX-License-Identifier: MIT */
/*
 * Long-lived blocks among short ones. Each request takes some buffers, and one small entry for an
 * index that is kept. When the requests are over nearly all memory is free again, but the entries
 * lie all over it: hardly any of it can be given back.
 *
 * `make demo` records it and shows kprof-report fragment.db fragmentation: the line in index_add()
 * keeps nearly all of the waste.
 *
 * usage: fragment [requests]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUFFERS 40
#define BUFFER_BYTES 1000
#define KEY_BYTES 48

struct request {
    char *buffers[BUFFERS];
};

static char **entries;
static size_t entry_count;

static void index_add(int number)
{
    entries[entry_count] = malloc(KEY_BYTES);
    snprintf(entries[entry_count++], KEY_BYTES, "request %d", number);
}

static void begin(struct request *request, int number)
{
    for (int i = 0; i < BUFFERS; i++) {
        request->buffers[i] = malloc(BUFFER_BYTES);
        memset(request->buffers[i], 'x', BUFFER_BYTES);
    }
    index_add(number);
}

static void end(struct request *request)
{
    for (int i = 0; i < BUFFERS; i++)
        free(request->buffers[i]);
}

int main(int argc, char **argv)
{
    int requests = argc > 1 ? atoi(argv[1]) : 5000;
    struct request *all = calloc((size_t)requests, sizeof *all);

    entries = calloc((size_t)requests, sizeof *entries);
    for (int i = 0; i < requests; i++) /* all at once: the peak */
        begin(&all[i], i);
    for (int i = 0; i < requests; i++)
        end(&all[i]);
    printf("%d requests done, %zu entries kept\n", requests, entry_count);
    return 0;
}
