/* SPDX-License-Identifier: MIT */
/*
 * Python calls native functions by the pointer in their PyMethodDef, in every calling convention
 * and also from its specialised instructions (but for a few builtins, such as len, that have
 * instructions of their own). We put a thunk there: it counts, restores every register that can
 * hold an argument, and jumps to the original, so that no frame of ours stays on the stack.
 */
#include "iteration_native.h"

#include "iteration.h"
#include "patch_word.h"

#include <stddef.h>

extern char kp_native_thunk[] __attribute__((visibility("hidden")));
extern void *kp_native_original __attribute__((visibility("hidden")));
void *kp_native_original;

__asm__(".text\n"
        ".p2align 4\n"
        ".globl kp_native_thunk\n"
        ".hidden kp_native_thunk\n"
        ".type kp_native_thunk, @function\n"
        "kp_native_thunk:\n"
        "  .cfi_startproc\n"
        "  endbr64\n"
        "  push %rbp\n"
        "  .cfi_def_cfa_offset 16\n"
        "  .cfi_offset %rbp, -16\n"
        "  mov %rsp, %rbp\n"
        "  .cfi_def_cfa_register %rbp\n"
        "  push %rdi\n"
        "  push %rsi\n"
        "  push %rdx\n"
        "  push %rcx\n"
        "  push %r8\n"
        "  push %r9\n"
        "  call kp_iteration_called\n"
        "  pop %r9\n"
        "  pop %r8\n"
        "  pop %rcx\n"
        "  pop %rdx\n"
        "  pop %rsi\n"
        "  pop %rdi\n"
        "  pop %rbp\n"
        "  .cfi_def_cfa %rsp, 8\n"
        "  .cfi_restore %rbp\n"
        "  jmp *kp_native_original(%rip)\n"
        "  .cfi_endproc\n"
        "  .size kp_native_thunk, . - kp_native_thunk\n");

bool kp_native_is_counted(void)
{
    return kp_native_original != NULL;
}

void kp_native_count(struct kp_method_definition *definition)
{
    if (kp_native_is_counted())
        return;
    kp_native_original = definition->function;
    kp_patch_word(&definition->function, kp_native_thunk);
}
