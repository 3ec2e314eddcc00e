/* SPDX-License-Identifier: MIT */
/*
 * The hooks of functions that take any number of arguments. Host's threads, called by extensions.
 *
 * These can be passed on only by a jump that leaves all argument registers and the stack alone, so
 * the hooks are written in assembler. They do what the others do (convert_hooks.c): count in the
 * block that stands for the activation, note the row as the last one, jump. When more is to be done
 * the registers are kept meanwhile; but that such a call has ended is never seen.
 */
#include "convert.h"
#include "hook_table.h"
#include "span.h"

_Static_assert(offsetof(struct kp_convert, now.block) == 0, "the assembler knows");

/* Counts the call that is about to be made; returns the function to jump to. */
void *kp_convert_arguments(unsigned row, uint64_t amount, uintptr_t caller)
    __attribute__((visibility("hidden")));

void *kp_convert_arguments(unsigned row, uint64_t amount, uintptr_t caller)
{
    struct kp_convert *self = &kp_convert;
    struct kp_counter_row *counted = kp_convert_begin(row, caller);

    counted->amount += amount <= KP_AMOUNT_MAX ? amount : 0;
    if (self->now.span)
        kp_span_leaves_open(self->now.span, row);
    else
        self->outside = NULL;
    return kp_api_real[row];
}

/* The row is in r11, the amount in r10. Registers of arguments: six whole ones, al, xmm0 to 7. */
__asm__(".text\n"
        ".type kp_convert_arguments_slowly, @function\n"
        "kp_convert_arguments_slowly:\n"
        "  .cfi_startproc\n"
        "  push %rbp\n"
        "  .cfi_def_cfa_offset 16\n"
        "  .cfi_offset %rbp, -16\n"
        "  mov %rsp, %rbp\n"
        "  .cfi_def_cfa_register %rbp\n"
        "  sub $192, %rsp\n"
        "  mov %rdi, -8(%rbp)\n"
        "  mov %rsi, -16(%rbp)\n"
        "  mov %rdx, -24(%rbp)\n"
        "  mov %rcx, -32(%rbp)\n"
        "  mov %r8, -40(%rbp)\n"
        "  mov %r9, -48(%rbp)\n"
        "  mov %rax, -56(%rbp)\n"
        ".irp n, 0, 1, 2, 3, 4, 5, 6, 7\n"
        "  movups %xmm\\n, 16 * \\n(%rsp)\n"
        ".endr\n"
        "  mov %r11d, %edi\n"
        "  mov %r10, %rsi\n"
        "  mov 8(%rbp), %rdx\n"
        "  call kp_convert_arguments\n"
        "  mov %rax, %r11\n"
        ".irp n, 0, 1, 2, 3, 4, 5, 6, 7\n"
        "  movups 16 * \\n(%rsp), %xmm\\n\n"
        ".endr\n"
        "  mov -8(%rbp), %rdi\n"
        "  mov -16(%rbp), %rsi\n"
        "  mov -24(%rbp), %rdx\n"
        "  mov -32(%rbp), %rcx\n"
        "  mov -40(%rbp), %r8\n"
        "  mov -48(%rbp), %r9\n"
        "  mov -56(%rbp), %rax\n"
        "  leave\n"
        "  .cfi_def_cfa %rsp, 8\n"
        "  .cfi_restore %rbp\n"
        "  jmp *%r11\n"
        "  .cfi_endproc\n"
        "  .size kp_convert_arguments_slowly, . - kp_convert_arguments_slowly\n");

/* `amount` is an instruction that adds it to the row, or none; `same` one that has it in r10. */
#define HOOK(name, amount, same)                                                                   \
    __attribute__((naked)) static void hook_##name(void)                                           \
    {                                                                                              \
        __asm__("mov kp_convert@gottpoff(%%rip), %%r10\n"                                          \
                "mov %%fs:(%%r10), %%r11\n"                                                        \
                "addq $1, %c[row](%%r11)\n"                                                        \
                "js 1f\n" amount                                                                   \
                "movq %[number], %%fs:%c[last](%%r10)\n"                                           \
                "jmp *kp_api_real + %c[real](%%rip)\n"                                             \
                "1: " same                                                                         \
                "mov %[number], %%r11d\n"                                                          \
                "jmp kp_convert_arguments_slowly\n"                                                \
                :                                                                                  \
                : [row] "i"(offsetof(struct kp_counter_block, rows) +                              \
                            KP_API_ROW_##name * sizeof(struct kp_counter_row)),                    \
                  [number] "i"(KP_API_ROW_##name),                                                 \
                  [real] "i"(KP_API_ROW_##name * sizeof(void *)),                                  \
                  [last] "i"(offsetof(struct kp_convert, now.last_row)));                              \
    }
#define HOOK_ARGUMENTS(name) HOOK(name, "", "xor %%r10d, %%r10d\n")
#define HOOK_PACK(name) HOOK(name, "add %%rdi, %c[row] + 8(%%r11)\n", "mov %%rdi, %%r10\n")

#define ROW(name, class, direction, objects, copies, unit, read) HOOK_##read(name)
KP_CONVERSION_VARIADIC(ROW)
#undef ROW

const struct kp_hook kp_variadic_hooks[] = {
#define ROW(name, class, direction, objects, copies, unit, read)                                   \
    {#name, (void *)hook_##name, &kp_api_real[KP_API_ROW_##name]},
    KP_CONVERSION_VARIADIC(ROW)
#undef ROW
    {NULL, NULL, NULL},
};
