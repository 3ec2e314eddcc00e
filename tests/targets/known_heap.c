/* SPDX-License-Identifier: MIT */
/*
 * A heap whose state is known because it was built so: blocks of one size from two lines, of which
 * one line's are given back, and a dense stretch of others behind them. Tells on stdout what has to
 * be found: bytes in use and held in blocks of that size, the pages with anything in them, and what
 * of these pages is not given out.
 *
 * usage: known_heap [rounds [stay]]      each of 16 blocks, of which one is kept; stays until it is
 * killed; HEADER is the number of bytes before a block that are the allocator's
 */
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define IN_A_ROUND 16
#define BLOCK_BYTES 248
#define DENSE 10000
#define PAGE 4096u

static __attribute__((noinline)) void *planted_block(void)
{
    return memset(malloc(BLOCK_BYTES), 1, BLOCK_BYTES);
}

static __attribute__((noinline)) void *passing_block(void)
{
    return memset(malloc(BLOCK_BYTES), 2, BLOCK_BYTES);
}

static __attribute__((noinline)) void *dense_block(void)
{
    return memset(malloc(BLOCK_BYTES), 3, BLOCK_BYTES);
}

static int compare(const void *a, const void *b)
{
    uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;

    return (x > y) - (x < y);
}

struct sums {
    uint64_t pages, used, planted_waste;
};

/* Adds a page, with `planted` of its `used` bytes. */
static void add_page(struct sums *sums, uint64_t used, uint64_t planted)
{
    if (!used)
        return;
    sums->pages++;
    sums->used += used;
    if (used < PAGE)
        sums->planted_waste += (PAGE - used) * planted / used;
}

/* Pages that hold a live block, and what they have beside. The lowest bit of an address is set when
 * the block is a planted one; `header` bytes lie before each block. */
static void tell_pages(uintptr_t *live, long count, size_t block, size_t header)
{
    struct sums sums = {0, 0, 0};
    uint64_t used = 0, planted = 0;
    uintptr_t page = 0;

    qsort(live, (size_t)count, sizeof *live, compare);
    for (long i = 0; i < count; i++) {
        uintptr_t start = (live[i] & ~(uintptr_t)1) - header, end = start + block;

        while (start < end) {
            uintptr_t border = (start / PAGE + 1) * PAGE;
            size_t part = (end < border ? end : border) - start;

            if (start / PAGE != page) {
                add_page(&sums, used, planted);
                page = start / PAGE;
                used = planted = 0;
            }
            used += part;
            planted += live[i] & 1 ? part : 0;
            start += part;
        }
    }
    add_page(&sums, used, planted);
    printf("pages %llu\nwaste %llu\nplanted_waste %llu\n", (unsigned long long)sums.pages,
           (unsigned long long)(sums.pages * PAGE - sums.used),
           (unsigned long long)sums.planted_waste);
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? atol(argv[1]) : 20000;
    long all = rounds * IN_A_ROUND, live_count = rounds + DENSE;
    size_t list = (size_t)(all + live_count) * sizeof(void *);
    /* Lists lie outside of the heap. */
    void **blocks = mmap(NULL, list, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uintptr_t *live = (uintptr_t *)(blocks + all);

    for (long i = 0; i < all; i++)
        blocks[i] = i % IN_A_ROUND == 7 ? planted_block() : passing_block();
    size_t usable = malloc_usable_size(blocks[0]);
    size_t header = (size_t)atoi(getenv("HEADER") ? getenv("HEADER") : "0");
    for (long i = 0; i < DENSE; i++)
        live[rounds + i] = (uintptr_t)dense_block();
    for (long i = 0, kept = 0; i < all; i++)
        if (i % IN_A_ROUND == 7)
            live[kept++] = (uintptr_t)blocks[i] | 1;
        else
            free(blocks[i]);
    printf("in_use %llu\nheld %llu\n", (unsigned long long)(live_count * (long)(usable + header)),
           (unsigned long long)((all + DENSE) * (long)(usable + header)));
    tell_pages(live, live_count, header ? usable + header : BLOCK_BYTES, header);
    fflush(stdout);
    while (argc > 2) { /* something has to be sampled for a snapshot to be taken */
        free(malloc(200000));
        usleep(10000);
    }
    return 0;
}
