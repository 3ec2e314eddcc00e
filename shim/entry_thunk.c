/* SPDX-License-Identifier: MIT */
/*
 * The thunks that Python calls instead of an extension's functions: one for each entry, all alike but
 * for the number that they push. They note that the entry begins, call the function with all that
 * can be an argument, note that it has ended, and return its result. Host's threads.
 *
 * They are part of our own text, so that no memory is ever both written and executed, unwinders find
 * tables for them, and a stack that passes through them is walked like any other; frames of ours are
 * not shown. What an activation replaces is kept by value in the frame of its thunk: a function that
 * never returns (a longjmp, an exception) or returns on another stack (greenlets) leaves nothing
 * behind that the next one to leave does not put right.
 */
#include "convert_own.h"
#include "entry.h"
#include "state.h"

#include <stddef.h>

extern char kp_thunks[] __attribute__((visibility("hidden")));

/* On the stack of a thunk, below the arguments that it keeps. */
struct thunk_frame {
    struct kp_activation outer;
    struct kp_span *span; /* of this activation, if it is timed */
    uint32_t serial, spans;
};
#define FRAME_BYTES 80
_Static_assert(sizeof(struct thunk_frame) == FRAME_BYTES, "the assembler knows");

/* The number is at 8(%rbp), the return address at 16(%rbp). 136 = FRAME_BYTES + six arguments, aligned. */
__asm__(".text\n"
        ".type kp_entry_common, @function\n"
        "kp_entry_common:\n"
        "  .cfi_startproc\n"
        "  .cfi_def_cfa_offset 16\n"
        "  push %rbp\n"
        "  .cfi_def_cfa_offset 24\n"
        "  .cfi_offset %rbp, -24\n"
        "  mov %rsp, %rbp\n"
        "  .cfi_def_cfa_register %rbp\n"
        "  sub $136, %rsp\n"
        "  mov %rdi, -8(%rbp)\n"
        "  mov %rsi, -16(%rbp)\n"
        "  mov %rdx, -24(%rbp)\n"
        "  mov %rcx, -32(%rbp)\n"
        "  mov %r8, -40(%rbp)\n"
        "  mov %r9, -48(%rbp)\n"
        "  mov 8(%rbp), %edi\n"
        "  mov %rsp, %rsi\n"
        "  mov %rbp, %rdx\n"
        "  call kp_entry_enter\n"
        "  mov -8(%rbp), %rdi\n"
        "  mov -16(%rbp), %rsi\n"
        "  mov -24(%rbp), %rdx\n"
        "  mov -32(%rbp), %rcx\n"
        "  mov -40(%rbp), %r8\n"
        "  mov -48(%rbp), %r9\n"
        "  call *%rax\n"
        "  mov %rax, -8(%rbp)\n"
        "  mov %rsp, %rdi\n"
        "  call kp_entry_leave\n"
        "  mov -8(%rbp), %rax\n"
        "  leave\n"
        "  .cfi_def_cfa %rsp, 16\n"
        "  .cfi_restore %rbp\n"
        "  lea 8(%rsp), %rsp\n"
        "  .cfi_def_cfa_offset 8\n"
        "  ret\n"
        "  .cfi_endproc\n"
        "  .size kp_entry_common, . - kp_entry_common\n"
        ".p2align 4\n"
        ".globl kp_thunks\n"
        ".hidden kp_thunks\n"
        ".type kp_thunks, @function\n"
        "kp_thunks:\n"
        "  .cfi_startproc\n"
        /* CFA: rsp + 8, and 8 more behind the push: (rip & 15) >= 9. */
        "  .cfi_escape 0x0f,0x0b,0x77,0x08,0x80,0x00,0x3f,0x1a,0x39,0x2a,0x33,0x24,0x22\n"
        ".set number, 0\n"
        ".rept 8193\n"
        "  .p2align 4\n"
        "  endbr64\n"
        "  .byte 0x68\n" /* push, always with four bytes */
        "  .long number\n"
        "  .byte 0xe9\n" /* jmp, likewise */
        "  .long kp_entry_common - . - 4\n"
        ".set number, number + 1\n"
        ".endr\n"
        "  .cfi_endproc\n"
        "  .size kp_thunks, . - kp_thunks\n");
_Static_assert(KP_THUNKS == 8192, "the assembler counts from 0");

void *kp_entry_enter(uint32_t number, struct thunk_frame *frame, const uintptr_t *base)
    __attribute__((visibility("hidden")));
void kp_entry_leave(struct thunk_frame *frame) __attribute__((visibility("hidden")));

static inline void *enter(uint32_t number, struct thunk_frame *frame, const uintptr_t *base,
                          struct kp_counter_block *block)
{
    struct kp_convert *self = &kp_convert;

    frame->outer = self->now;
    frame->spans = self->spans;
    frame->span = NULL;
    self->now.block = self->now.entry = block;
    self->now.last_row = 0;
    self->now.span = NULL;
    self->now.frame = (uintptr_t)base;
    self->now.released_ticks = 0;
    self->now.entries = self->now.entries << 16 | number;
    block->rows[KP_API_ROW_entry_calls].calls++;
    return kp_entries[number].address;
}

/* Is it already one of the innermost entries that run? */
static bool is_among(uint64_t entries, uint32_t number)
{
    for (; entries; entries >>= 16)
        if ((entries & 0xffff) == number)
            return true;
    return false;
}

/* The first time in this thread, or one that is to be timed. */
static KP_SLOW void *enter_slowly(uint32_t number, struct thunk_frame *frame, const uintptr_t *base)
{
    const struct kp_origin caller = {base[2], (uintptr_t)(base + 3), base[0]};
    struct kp_counter_block *block = kp_convert_block_of(number);

    if (!block) /* no room: what it does is counted for nobody */
        block = kp_convert_scratch();
    void *function = enter(number, frame, base, block);
    if (block->shim[KP_BLOCK_LEFT]-- == 0) {
        kp_span_begin(block, &caller, is_among(frame->outer.entries, number));
        frame->span = kp_convert.now.span;
        frame->serial = frame->span ? frame->span->serial : 0;
    }
    return function;
}

void *kp_entry_enter(uint32_t number, struct thunk_frame *frame, const uintptr_t *base)
{
    const struct kp_convert *self = &kp_convert;
    struct kp_counter_block *block;

    if (KP_LIKELY_NOT(self->now.epoch != kp_state.epoch || !self->own))
        return enter_slowly(number, frame, base);
    block = self->own->blocks[number];
    if (KP_LIKELY_NOT(!block || block->shim[KP_BLOCK_LEFT] == 0))
        return enter_slowly(number, frame, base);
    block->shim[KP_BLOCK_LEFT]--;
    return enter(number, frame, base, block);
}

static inline void restore(struct kp_convert *self, const struct thunk_frame *frame)
{
    self->now = frame->outer;
    self->spans = frame->spans;
}

/* It was timed, or the process has forked in it. */
static KP_SLOW void leave_slowly(struct thunk_frame *frame)
{
    struct kp_convert *self = &kp_convert;

    if (frame->span && frame->serial == frame->span->serial)
        kp_span_end(frame->span);
    if (frame->outer.epoch == self->now.epoch)
        restore(self, frame);
    else
        self->now = (struct kp_activation)KP_NO_ACTIVATION(self->now.epoch);
}

void kp_entry_leave(struct thunk_frame *frame)
{
    struct kp_convert *self = &kp_convert;

    if (KP_LIKELY_NOT(frame->span || frame->outer.epoch != self->now.epoch)) {
        leave_slowly(frame);
        return;
    }
    restore(self, frame);
}

void *kp_entry_thunk(uint32_t number)
{
    return kp_thunks + (size_t)number * KP_THUNK_BYTES;
}

bool kp_entry_is_thunk(const void *function)
{
    return (const char *)function > kp_thunks &&
           (const char *)function <= kp_thunks + (size_t)KP_THUNKS * KP_THUNK_BYTES;
}

void *kp_entry_function(void *function)
{
    if (!kp_entry_is_thunk(function))
        return function;
    return kp_entries[((char *)function - kp_thunks) / (ptrdiff_t)KP_THUNK_BYTES].address;
}
