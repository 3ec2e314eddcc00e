/* SPDX-License-Identifier: MIT */
/*
 * Prints the file of tests/targets/lib/truth.c, one line a process: pid, number of allocations,
 * their bytes, live blocks, live bytes; then the counts of each family.
 *
 *   show_truth FILE
 */
#include "truth.h"

#include <inttypes.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    static struct truth truth;
    FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
    if (!file || fread(&truth, sizeof truth, 1, file) != 1)
        return 1;
    for (uint32_t i = 0; i < truth.rows && i < TRUTH_ROWS; i++) {
        const struct truth_row *row = &truth.row[i];
        uint64_t count = 0, bytes = 0;
        for (int f = 0; f < TRUTH_FAMILIES; f++)
            count += row->count[f], bytes += row->bytes[f];
        printf("%" PRIu64 "|%" PRIu64 "|%" PRIu64 "|%" PRIu64 "|%" PRIu64, row->pid, count, bytes,
               row->live_count, row->live_bytes);
        for (int f = 0; f < TRUTH_FAMILIES; f++)
            printf("|%" PRIu64, row->count[f]);
        putchar('\n');
    }
    fclose(file);
    return 0;
}
