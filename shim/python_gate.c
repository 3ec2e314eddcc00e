/* SPDX-License-Identifier: MIT */
/*
 * See python_gate.h. The page beside the interpreter is made once, by the thread that puts our
 * functions in front; it is written first and executable afterwards, never both.
 *
 * Neither gate touches the stack: to unwinders it is the function that jumped there which is called.
 */
#include "python_gate.h"

#include "live.h"
#include "state.h"
#include "sys.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096
#define NEAR_STEP 65536
#define NEAR_TRIES 16

extern const char kp_gates[], kp_gate_free[], kp_gates_end[];

/* %rdi the gate, %rsi the size: is it small, does it end the countdown? */
__asm__(".text\n"
        ".p2align 6\n"
        ".hidden kp_gates, kp_gate_free, kp_gates_end\n"
        ".globl kp_gates, kp_gate_free, kp_gates_end\n"
        ".type kp_gates, @function\n"
        "kp_gates:\n"
        "  .cfi_startproc\n"
        "  endbr64\n"
        "  lea -1(%rsi), %rax\n"
        "  cmp $511, %rax\n"
        "  ja 1f\n"
        "  mov 48(%rdi), %rax\n"
        "  lea 16(%rsi), %rdx\n"
        "  sub %rdx, %fs:(%rax)\n"
        "  js 2f\n"
        "1: mov 8(%rdi), %rax\n"
        "  mov (%rdi), %rdi\n"
        "  jmp *%rax\n"
        "2: jmp *64(%rdi)\n"
        "  .cfi_endproc\n"
        "  .size kp_gates, . - kp_gates\n"
        /* %rdi the gate, %rsi the block: is it code, are samples near it? */
        ".p2align 5\n"
        ".type kp_gate_free, @function\n"
        "kp_gate_free:\n"
        "  .cfi_startproc\n"
        "  endbr64\n"
        "  test %rsi, %rsi\n"
        "  je 1f\n"
        "  mov 40(%rdi), %rax\n"
        "  cmp %rax, 8(%rsi)\n"
        "  je 2f\n"
        "  mov %rsi, %rax\n"
        "  shr $10, %rax\n"
        "  and $0x1fffff, %eax\n"
        "  mov 56(%rdi), %rdx\n"
        "  cmpb $0, (%rdx,%rax)\n"
        "  jne 2f\n"
        "  mov 32(%rdi), %rax\n"
        "  mov (%rdi), %rdi\n"
        "  jmp *%rax\n"
        "1: ret\n"
        "2: jmp *72(%rdi)\n"
        "  .cfi_endproc\n"
        "  .size kp_gate_free, . - kp_gate_free\n"
        "kp_gates_end:\n");
_Static_assert(KP_GATE_SMALL_MAX == 512 && KP_SAMPLED_BYTES(0) == 16 &&
                   KP_FILTER_BLOCK_SHIFT == 10 && KP_FILTER_BYTES == 0x200000,
               "the assembler knows");
_Static_assert(offsetof(struct kp_gate, next.malloc) == 8 &&
                   offsetof(struct kp_gate, next.free) == 32 &&
                   offsetof(struct kp_gate, code_type) == 40 &&
                   offsetof(struct kp_gate, left_offset) == 48 &&
                   offsetof(struct kp_gate, filter) == 56 &&
                   offsetof(struct kp_gate, slow_malloc) == 64 &&
                   offsetof(struct kp_gate, slow_free) == 72,
               "the assembler knows");

void kp_gate_prepare(struct kp_gate *gate)
{
    uintptr_t thread;

    __asm__("mov %%fs:0, %0" : "=r"(thread));
    gate->left_offset = (int64_t)((uintptr_t)&kp_self.left - thread);
    gate->filter = kp_filter;
}

static bool is_near(uintptr_t a, uintptr_t b)
{
    return (a < b ? b - a : a - b) < INT32_MAX;
}

static struct kp_gate_calls calls_at(uintptr_t gates)
{
    return (struct kp_gate_calls){
        (void *(*)(void *, size_t))gates,
        (void (*)(void *, void *))(gates + (uintptr_t)kp_gate_free - (uintptr_t)kp_gates)};
}

/* A copy of the gates below the image: above it the heap of brk() may grow. 0: none. */
static uintptr_t copy_below(uintptr_t image)
{
    size_t bytes = (uintptr_t)kp_gates_end - (uintptr_t)kp_gates;

    for (uintptr_t i = 1; i <= NEAR_TRIES && image > i * NEAR_STEP; i++) {
        uintptr_t wanted = (image - i * NEAR_STEP) & ~(uintptr_t)(PAGE - 1);
        long page = kp_sys6(SYS_mmap, (long)wanted, PAGE, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

        if (page < 0)
            continue;
        memcpy((void *)page, kp_gates, bytes);
        if (is_near((uintptr_t)page, image) &&
            KP_SYS3(SYS_mprotect, page, PAGE, PROT_READ | PROT_EXEC) == 0)
            return (uintptr_t)page;
        KP_SYS2(SYS_munmap, page, PAGE);
        return 0;
    }
    return 0;
}

struct kp_gate_calls kp_gates_beside(uintptr_t image)
{
    static uintptr_t copy, copied_for;

    if (is_near((uintptr_t)kp_gates, image))
        return calls_at((uintptr_t)kp_gates);
    if (copied_for != image) {
        copied_for = image;
        copy = copy_below(image);
    }
    return calls_at(copy ? copy : (uintptr_t)kp_gates);
}
