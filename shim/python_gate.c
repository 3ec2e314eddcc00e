/* SPDX-License-Identifier: MIT */
/*
 * See python_gate.h. The gates are made by the thread that puts our functions in front, each time
 * that it does.
 *
 * No gate touches the stack: to unwinders it is the function that jumped there which is called.
 */
#include "python_gate.h"

#include "live.h"
#include "near_code.h"
#include "state.h"

#define PAGE 4096

/* The marks of the template. */
#define LEFT 0 /* the thread's countdown, from the thread's pointer */
#define FILTER 1
#define CODE_TYPE 2
#define NEXT_MALLOC 3
#define NEXT_CALLOC 4
#define NEXT_REALLOC 5
#define NEXT_FREE 6

#define COUNT(bytes) "  sub " bytes ", %fs:" KP_MARK_VALUE(0) "\n"
/* On to pymalloc, which has no context. */
#define GO_ON(jump)                                                                                \
    "  xor %edi, %edi\n"                                                                           \
    "  .byte 0xe9\n"                                                                               \
    "  .long " jump "\n"
/* Are samples near the block in %rsi? */
#define LOOK                                                                                       \
    "  mov %esi, %eax\n"                                                                           \
    "  shr $10, %eax\n"                                                                            \
    "  and $0x1fffff, %eax\n"                                                                      \
    "  movabs $" KP_MARK_ADDRESS(1) ", %rcx\n"                                                     \
    "  cmpb $0, (%rcx,%rax)\n"
#define BEGIN(name)                                                                                \
    ".p2align 5\n"                                                                                 \
    ".hidden " name "\n"                                                                           \
    ".globl " name "\n" name ":\n"                                                                 \
    "  endbr64\n"

/* In each %rdi is the domain. */
__asm__(".pushsection .rodata\n"
        ".p2align 6\n"
        /* %rsi bytes: is that small, does it end the countdown? */
        BEGIN("kp_gate_malloc")
        "  lea -1(%rsi), %rax\n"
        "  cmp $511, %rax\n"
        "  ja 1f\n"
        "  lea 16(%rsi), %rax\n"
        COUNT("%rax")
        "  js 2f\n"
        "1:\n"
        GO_ON(KP_MARK_JUMP(3))
        "2: jmp *48(%rdi)\n"
        /* %rsi times %rdx bytes. */
        BEGIN("kp_gate_calloc")
        "  mov %rsi, %rax\n"
        "  imul %rdx, %rax\n"
        "  jo 1f\n"
        "  lea -1(%rax), %rcx\n"
        "  cmp $511, %rcx\n"
        "  ja 1f\n"
        "  add $16, %rax\n"
        COUNT("%rax")
        "  js 2f\n"
        "1:\n"
        GO_ON(KP_MARK_JUMP(4))
        "2: jmp *56(%rdi)\n"
        /* The block %rsi shall have %rdx bytes. Without a block it is malloc. What becomes large is
         * counted by the real malloc; for what becomes small one must look afterwards. */
        BEGIN("kp_gate_realloc")
        "  test %rsi, %rsi\n"
        "  je 1f\n"
        "  cmp $512, %rdx\n"
        "  jbe 2f\n"
        LOOK
        "  jne 2f\n"
        GO_ON(KP_MARK_JUMP(5))
        "1: mov %rdx, %rsi\n"
        "  jmp kp_gate_malloc\n"
        "2: jmp *64(%rdi)\n"
        /* The block %rsi: is it code? The smallest has two words. */
        BEGIN("kp_gate_free")
        "  test %rsi, %rsi\n"
        "  je 1f\n"
        "  movabs $" KP_MARK_ADDRESS(2) ", %rax\n"
        "  cmp %rax, 8(%rsi)\n"
        "  je 2f\n"
        LOOK
        "  jne 2f\n"
        GO_ON(KP_MARK_JUMP(6))
        "1: ret\n"
        "2: jmp *72(%rdi)\n"
        ".hidden kp_gates_end\n"
        ".globl kp_gates_end\n"
        "kp_gates_end:\n"
        ".popsection\n");
_Static_assert(KP_GATE_SMALL_MAX == 512 && KP_SAMPLED_BYTES(0) == 16 &&
                   KP_FILTER_BLOCK_SHIFT == 10 && KP_FILTER_BYTES == 0x200000,
               "the assembler knows");
_Static_assert(offsetof(struct kp_gate, slow.malloc) == 48 &&
                   offsetof(struct kp_gate, slow.calloc) == 56 &&
                   offsetof(struct kp_gate, slow.realloc) == 64 &&
                   offsetof(struct kp_gate, slow.free) == 72,
               "the assembler knows");

extern const char kp_gate_malloc[], kp_gate_calloc[], kp_gate_realloc[], kp_gate_free[],
    kp_gates_end[];

/* Where it stands in the page. */
static uintptr_t place_of(const char *gate)
{
    return (uintptr_t)gate - (uintptr_t)kp_gate_malloc;
}

static char *write_page(uintptr_t image, const struct kp_py_allocator *next, uintptr_t code_type)
{
    const uintptr_t values[KP_MARKS_MAX] = {
        [LEFT] = (uintptr_t)&kp_self.left - (uintptr_t)__builtin_thread_pointer(),
        [FILTER] = (uintptr_t)kp_filter,
        [CODE_TYPE] = code_type,
        [NEXT_MALLOC] = (uintptr_t)next->malloc,
        [NEXT_CALLOC] = (uintptr_t)next->calloc,
        [NEXT_REALLOC] = (uintptr_t)next->realloc,
        [NEXT_FREE] = (uintptr_t)next->free,
    };
    char *page = kp_near_room(image, PAGE);

    if (!page || !kp_near_write(page, kp_gate_malloc, place_of(kp_gates_end), values))
        return NULL;
    return kp_near_seal(page, PAGE) ? page : NULL;
}

bool kp_gates_make(uintptr_t image, const struct kp_py_allocator *next, uintptr_t code_type,
                   struct kp_py_allocator *gates)
{
    uintptr_t page = (uintptr_t)write_page(image, next, code_type);

    if (!page)
        return false;
    gates->malloc = (void *(*)(void *, size_t))page;
    gates->calloc = (void *(*)(void *, size_t, size_t))(page + place_of(kp_gate_calloc));
    gates->realloc = (void *(*)(void *, void *, size_t))(page + place_of(kp_gate_realloc));
    gates->free = (void (*)(void *, void *))(page + place_of(kp_gate_free));
    return true;
}
