/* SPDX-License-Identifier: MIT */
/*
 * Code that is written beside an image: it stands within reach, holds what its marks stand for, can be
 * run and no longer be written; what is out of reach is refused.
 */
#include "near_code.h"
#include "unit_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096

extern const char add_code[], add_code_end[];
__asm__(".pushsection .rodata\n"
        "add_code:\n"
        "  add $" KP_MARK_VALUE(1) ", %rdi\n"
        "  add 1f(%rip), %rdi\n"
        "  .byte 0xe9\n"
        "  .long " KP_MARK_JUMP(9) "\n"
        "1: .quad " KP_MARK_ADDRESS(3) "\n"
        "add_code_end:\n"
        ".popsection\n");

static long twice(long number)
{
    return number * 2;
}

static bool write_add(char *to, uintptr_t value, uintptr_t function)
{
    const uintptr_t values[KP_MARKS_MAX] = {[1] = value, [3] = 1ul << 40, [9] = function};

    return kp_near_write(to, add_code, (size_t)(add_code_end - add_code), values);
}

/* The access of the mapping that begins there, as the kernel shows it. */
static void access_of(const char *room, char text[5])
{
    char line[512];
    unsigned long start;
    FILE *maps = fopen("/proc/self/maps", "r");

    while (maps && fgets(line, sizeof line, maps))
        if (sscanf(line, "%lx-%*x %4s", &start, text) == 2 && start == (uintptr_t)room)
            break;
    if (maps)
        fclose(maps);
}

static void test_run(char *room)
{
    long (*add)(long) = (long (*)(long))(void *)room;
    char access[5] = "";

    kp_check(write_add(room, 40, (uintptr_t)twice), "a template is filled in", "it was refused");
    kp_check(kp_near_seal(room, PAGE), "the code can be made executable", "it can't");
    access_of(room, access);
    kp_check(strcmp(access, "r-xp") == 0, "nobody can write to it any more", "it is %s", access);
    kp_check(kp_near_holds((uintptr_t)room + 9) && !kp_near_holds((uintptr_t)room - 1),
             "an unwinder is told what it is", "it is not");
    long got = add(2), expected = 2 * (2 + 40 + (1l << 40));
    kp_check(got == expected, "it does what its marks stand for", "%ld is not %ld", got, expected);
}

int main(void)
{
    uintptr_t image = (uintptr_t)twice, far = image ^ 1ul << 45;
    char *room = kp_near_room(image, PAGE);
    long distance = room - (char *)image;

    kp_check(room && labs(distance) < INT32_MAX, "room is found near an image",
             "%p is not near %p", (void *)room, (void *)image);
    if (!room)
        return 1;
    kp_check(!write_add(room, 40, far), "a jump that is too far is refused", "it was written");
    kp_check(!write_add(room, 1ul << 32, image), "a value that is too large is refused",
             "it was written");
    kp_check(!kp_near_reaches(image, far) && kp_near_reaches(image, image + PAGE),
             "near and far are told apart", "they are not");
    test_run(room);
    return kp_checks_failed();
}
