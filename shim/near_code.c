/* SPDX-License-Identifier: MIT */
/*
 * See near_code.h. Host's threads, with the guard set or before Python has more than one.
 */
#include "near_code.h"

#include "sys.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096ul
#define STEP 65536ul
#define TRIES 16
/* What an image and what is near it may take; a direct jump reaches 2 GiB. */
#define REACH (INT32_MAX - (512l << 20))

#define ROOMS_MAX 8 /* one for the hooks, and one each time that Python is given new functions */
static struct {
    _Atomic uintptr_t start; /* 0: none, or not yet */
    size_t bytes;
} rooms[ROOMS_MAX]; /* that are executable */
static _Atomic unsigned room_count;

bool kp_near_reaches(uintptr_t a, uintptr_t b)
{
    return (a < b ? b - a : a - b) < REACH;
}

/* 0: not there. The kernel chooses where the address is 0. */
static uintptr_t map(uintptr_t address, size_t bytes, uintptr_t image)
{
    long room = kp_sys6(SYS_mmap, (long)address, (long)bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | (address ? MAP_FIXED_NOREPLACE : 0), -1, 0);

    if (room < 0 && room > -4096)
        return 0;
    if (kp_near_reaches((uintptr_t)room, image))
        return (uintptr_t)room;
    KP_SYS2(SYS_munmap, room, bytes);
    return 0;
}

/* Where the kernel likes it, which is beside the libraries; else below the image: above it the heap
 * of brk() may grow. */
char *kp_near_room(uintptr_t image, size_t bytes)
{
    uintptr_t room = map(0, bytes, image);

    for (uintptr_t i = 1; !room && i <= TRIES && image > i * STEP + bytes; i++)
        room = map((image - bytes - i * STEP) & ~(PAGE - 1), bytes, image);
    return (char *)room;
}

bool kp_near_seal(char *room, size_t bytes)
{
    unsigned number = atomic_fetch_add(&room_count, 1);

    if (number >= ROOMS_MAX ||
        KP_SYS3(SYS_mprotect, room, bytes, PROT_READ | PROT_EXEC) != 0) {
        KP_SYS2(SYS_munmap, room, bytes);
        return false;
    }
    rooms[number].bytes = bytes;
    atomic_store_explicit(&rooms[number].start, (uintptr_t)room, memory_order_release);
    return true;
}

bool kp_near_holds(uintptr_t pc)
{
    for (unsigned i = 0; i < ROOMS_MAX; i++) {
        uintptr_t start = atomic_load_explicit(&rooms[i].start, memory_order_acquire);

        if (start && pc - start < rooms[i].bytes)
            return true;
    }
    return false;
}

/* The mark's value in its place, if that is a mark. False: it does not fit. */
static bool fill(char *place, const uintptr_t values[])
{
    uint32_t mark, number;
    intptr_t value;
    int32_t held;

    memcpy(&mark, place, sizeof mark);
    number = mark & 0xf;
    if ((mark & ~0xcfu) != 0x5a3c7e00 || number >= KP_MARKS_MAX)
        return true;
    value = (intptr_t)values[number];
    if ((mark & 0xc0) == 0x80) {
        memcpy(place, &value, sizeof value);
        return true;
    }
    if ((mark & 0xc0) == 0x40)
        value -= (intptr_t)(place + sizeof held);
    held = (int32_t)value;
    memcpy(place, &held, sizeof held);
    return held == value;
}

bool kp_near_write(char *to, const char *template, size_t bytes,
                   const uintptr_t values[KP_MARKS_MAX])
{
    memcpy(to, template, bytes);
    for (size_t i = 0; i + sizeof(uint32_t) <= bytes; i++)
        if (!fill(to + i, values))
            return false;
    return true;
}
