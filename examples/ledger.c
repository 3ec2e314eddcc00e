/* SPDX-License-Identifier: MIT */
/*
 * A small service loop with three habits that a memory report must tell apart:
 *
 *   parse_line    allocates for every booking and gives everything back: churn, not growth
 *   remember      keeps the last 4,096 names: grows at first, then stays
 *   audit         keeps 96 bytes of every tenth booking for ever: the leak
 *
 * What the report shows: most bytes allocated below parse_line, but live at the end mostly audit's
 * blocks, with their line. Each booking is an iteration (kprof_iteration(), a no-op without kprof).
 */
#include <kprof.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_KEPT 4096

struct entry {
    struct entry *next;
    char text[88];
};

static char *names[NAMES_KEPT];
static struct entry *trail;

static char *copy(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *result = malloc(bytes);

    if (!result)
        abort();
    return memcpy(result, text, bytes);
}

static __attribute__((noinline)) long parse_line(const char *line)
{
    char *work = copy(line), *fields[8], *save = NULL;
    int count = 0;
    long amount = 0;

    for (char *word = strtok_r(work, " ", &save); word && count < 8; word = strtok_r(NULL, " ", &save))
        fields[count++] = copy(word);
    if (count > 2)
        amount = strtol(fields[2], NULL, 10);
    while (count)
        free(fields[--count]);
    free(work);
    return amount;
}

static __attribute__((noinline)) void remember(unsigned long booking, const char *line)
{
    char **place = &names[booking * 2654435761u % NAMES_KEPT];

    free(*place);
    *place = copy(line);
}

static __attribute__((noinline)) void audit(const char *line)
{
    struct entry *entry = malloc(sizeof *entry);

    if (!entry)
        abort();
    snprintf(entry->text, sizeof entry->text, "%s", line);
    entry->next = trail;
    trail = entry;
}

int main(int argc, char **argv)
{
    unsigned long bookings = argc > 1 ? strtoul(argv[1], NULL, 10) : 200000;
    long sum = 0;

    for (unsigned long i = 0; i < bookings; i++) {
        char line[96];

        snprintf(line, sizeof line, "booking %lu %lu from account-%lu", i, i * 7 % 1000, i % 977);
        sum += parse_line(line);
        remember(i, line);
        if (i % 10 == 0)
            audit(line);
        kprof_iteration();
    }
    printf("%lu bookings, sum %ld\n", bookings, sum);
    return 0;
}
