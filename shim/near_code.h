/* SPDX-License-Identifier: MIT */
/*
 * Code that is written while the program runs, so that it can stand beside an interpreter: from there
 * it jumps to the interpreter's functions directly, and holds as numbers what our own text would have
 * to load. An interpreter that is linked statically lies 100 TiB from its libraries, and a processor
 * follows jumps over such distances badly.
 *
 * The code is copied from a template in which marks stand for what is known only now. It is written
 * first and executable afterwards, never both. It must not touch the stack, for unwinders know no
 * table for it: to them it is the function that called or jumped there which runs. Written by host's
 * threads at import time.
 */
#ifndef KP_NEAR_CODE_H
#define KP_NEAR_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In a template, for the assembler: the value of this number as four bytes, as the distance that a
 * direct jump to it has in its last four, and as eight bytes (the other four are 0). */
#define KP_MARK_VALUE(number) "0x5a3c7e0" #number
#define KP_MARK_JUMP(number) "0x5a3c7e4" #number
#define KP_MARK_ADDRESS(number) "0x5a3c7e8" #number
#define KP_MARKS_MAX 10

/* Is one near the other, so that a direct jump gets there and a processor follows any well? */
bool kp_near_reaches(uintptr_t a, uintptr_t b);

/* Room for that many bytes of code near an image, to be written; NULL: there is none. */
char *kp_near_room(uintptr_t image, size_t bytes);

/* Makes the code executable, for good. False: it can't be, and the room is gone. */
bool kp_near_seal(char *room, size_t bytes);

/* Copies a template. False: something is out of reach, what stands there is of no use. */
bool kp_near_write(char *to, const char *template, size_t bytes,
                   const uintptr_t values[KP_MARKS_MAX]);

/* Is this an instruction of such code? A signal may have stopped there. */
bool kp_near_holds(uintptr_t pc);

#endif
