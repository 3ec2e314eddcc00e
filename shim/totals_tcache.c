/* SPDX-License-Identifier: MIT */
/*
 * The cache fills slowly, with sizes that are seldom freed: to whoever reads mallinfo2 it looks
 * like a leak of some bytes per iteration, for a thousand iterations and more. It is a struct in the
 * first chunk of the heap, made by the first malloc; its layout (64 counts of 16 bits, 64 lists)
 * has been the same from glibc 2.30 to 2.41, and the size of the chunk tells it from others. Only read,
 * and only by one thread at a time, with the totals; the main thread may change a count meanwhile,
 * which makes a figure that was true a moment before.
 */
#include "totals_tcache.h"

#include "sys.h"

#include <stdbool.h>
#include <stddef.h>

#define BINS 64u
#define SMALLEST_CHUNK 32u
#define STEP 16u
#define COUNT_MAX 4096u /* of blocks of one size; more is no count */
#define CHUNK_SIZE_WORD 0x291u /* 64 * 2 + 64 * 8 bytes, a header of 16, and the bit of a chunk */
#define START_BRK_FIELD 47

struct first_chunk {
    uint64_t before, size;
    uint16_t counts[BINS];
};

/* Field 47 of /proc/self/stat; the second is a name in parentheses, which may hold anything. */
static uint64_t read_heap_start(void)
{
    char text[1024], *at = text;
    long bytes = kp_sys_read_file("/proc/self/stat", text, sizeof text - 1);
    uint64_t start = 0;
    int field = 2;

    if (bytes <= 0)
        return 0;
    text[bytes] = 0;
    for (char *c = text; *c; c++)
        if (*c == ')')
            at = c;
    for (; *at && field < START_BRK_FIELD; at++)
        field += *at == ' ';
    for (; *at >= '0' && *at <= '9'; at++)
        start = start * 10 + (uint64_t)(*at - '0');
    return start;
}

static const struct first_chunk *find_first_chunk(void)
{
    uint64_t start = read_heap_start(), end = (uint64_t)KP_SYS1(SYS_brk, 0);

    if (!start || start % STEP || end < start + sizeof(struct first_chunk))
        return NULL;
    return (const struct first_chunk *)start;
}

uint64_t kp_totals_tcache(void)
{
    static const struct first_chunk *chunk;
    static bool is_known;
    uint64_t bytes = 0;

    if (!is_known) {
        chunk = find_first_chunk();
        is_known = true;
    }
    if (!chunk || chunk->size != CHUNK_SIZE_WORD)
        return 0;
    for (unsigned bin = 0; bin < BINS; bin++) {
        uint64_t count = *(const volatile uint16_t *)&chunk->counts[bin];

        if (count > COUNT_MAX)
            return 0;
        bytes += count * (SMALLEST_CHUNK + STEP * bin);
    }
    return bytes;
}
