/* SPDX-License-Identifier: MIT */
/*
 * Anonymous mappings in all their ways, with numbers that the test knows: what is allocated and
 * what is left. Prints "mmap COUNT BYTES LIVE" at its end.
 */
#include "target.h"

#include <sys/mman.h>

static long count, bytes, live;

NOINLINE char *map(size_t size, int protection)
{
    char *p = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        abort();
    if (protection != PROT_NONE)
        count++, bytes += (long)size, live += (long)size;
    return p;
}

static void unmap(char *p, size_t size)
{
    if (munmap(p, size) != 0)
        abort();
    live -= (long)size;
}

int main(void)
{
    for (int i = 0; i < 100; i++)
        unmap(map(8192, PROT_READ | PROT_WRITE), 8192);
    char *whole = map(1 << 20, PROT_READ | PROT_WRITE); /* stays */
    char *front = map(1 << 20, PROT_READ | PROT_WRITE);
    unmap(front, 1 << 18);
    char *back = map(1 << 20, PROT_READ | PROT_WRITE);
    unmap(back + (1 << 19), 1 << 19);
    char *middle = map(1 << 20, PROT_READ | PROT_WRITE);
    unmap(middle + 65536, 65536);
    char *reserved = map(1 << 24, PROT_NONE);
    munmap(reserved, 1 << 23);
    char *both = mmap(NULL, 1 << 16, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    count++, bytes += 1 << 16, live += 1 << 16;
    keep_pointer(whole);
    keep_pointer(both);
    say("mmap %ld %ld %ld", count, bytes, live);
    check(1, "mappings of all kinds");
    return finish();
}
