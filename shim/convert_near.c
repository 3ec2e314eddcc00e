/* SPDX-License-Identifier: MIT */
/*
 * The shortest way through the hooks that do no more than count (convert_hooks.c), written beside the
 * interpreter: an addition or two, a store, a direct jump. When more is to be done the call is not
 * counted here, and the hook in our own text does all. Host's threads.
 */
#include "convert_near.h"

#include "convert.h"
#include "hook_table.h"
#include "near_code.h"
#include "python.h"
#include "python_layout.h"

/* What the marks stand for. */
#define BLOCK KP_MARK_VALUE(1)  /* kp_convert.now.block, from the thread's pointer */
#define LATEST KP_MARK_VALUE(2) /* and now.last_row */
#define CALLS KP_MARK_VALUE(3)  /* of this row, in the block */
#define AMOUNT KP_MARK_VALUE(4)
#define ROW_NUMBER KP_MARK_VALUE(5)
#define FUNCTION KP_MARK_JUMP(6)
#define HOOK KP_MARK_ADDRESS(7)
#define TEXT_TYPE KP_MARK_ADDRESS(8)
#define ASCII_BIT KP_MARK_VALUE(9) /* in the state of a text */

/* `special` jumps to 2 when this call is none to be simply counted, `adds` adds its amount to the row.
 * A row that has come to 2^63 gets its call back, for the hook to count. */
#define TEMPLATE(name, special, adds)                                                              \
    extern const char name[], name##_end[];                                                        \
    __asm__(".pushsection .rodata\n"                                                               \
            ".hidden " #name ", " #name "_end\n"                                                   \
            ".globl " #name ", " #name "_end\n" #name ":\n" special                                \
            "  mov %fs:" BLOCK ", %rax\n"                                                          \
            "  addq $1, " CALLS "(%rax)\n"                                                         \
            "  js 1f\n" adds                                                                       \
            "  movq $" ROW_NUMBER ", %fs:" LATEST "\n"                                             \
            "  .byte 0xe9\n" /* jmp */                                                             \
            "  .long " FUNCTION "\n"                                                               \
            "1: subq $1, " CALLS "(%rax)\n"                                                        \
            "2: jmp *3f(%rip)\n"                                                                   \
            "3: .quad " HOOK "\n" #name "_end:\n"                                                  \
            ".popsection\n")
#define SIZED(name, argument, special)                                                             \
    TEMPLATE(name, special "  cmp $65536, " argument "\n  ja 2f\n",                                \
             "  add " argument ", " AMOUNT "(%rax)\n")
_Static_assert(KP_LARGE_COPY == 65536, "the assembler knows");

TEMPLATE(kp_near_nothing, "", "");
SIZED(kp_near_first, "%rdi", "");
SIZED(kp_near_second, "%rsi", "");
SIZED(kp_near_third, "%rdx", "");
SIZED(kp_near_fill, "%rsi", "  test %rdi, %rdi\n  je 2f\n");
/* Of a text that is its own UTF-8: type, length and state, as python_layout.h has them. */
TEMPLATE(kp_near_utf8,
         "  test %rdi, %rdi\n"
         "  je 2f\n"
         "  movabs $" TEXT_TYPE ", %rax\n"
         "  cmp %rax, 8(%rdi)\n"
         "  jne 2f\n"
         "  testl $" ASCII_BIT ", 32(%rdi)\n"
         "  je 2f\n",
         "  mov 16(%rdi), %r11\n"
         "  add %r11, " AMOUNT "(%rax)\n");

static const struct {
    const char *code, *end;
} templates[] = {
    {0},
    {kp_near_nothing, kp_near_nothing_end},
    {kp_near_first, kp_near_first_end},
    {kp_near_second, kp_near_second_end},
    {kp_near_third, kp_near_third_end},
    {kp_near_fill, kp_near_fill_end},
    {kp_near_utf8, kp_near_utf8_end},
};
#define CODE_BYTES 128u /* for each hook: most take one line of the cache */

/* Where the amount is read from, as the table says; 0: left to the hook. */
enum {
    NOTHING = 1, FIRST, SECOND, THIRD, FILL, UTF8,
    NUMBER = NOTHING, ANSWER = NOTHING, UTF8_SIZE = UTF8,
    WRITE = 0, TEXT = 0, KIND = 0, PLAIN = 0, VIEW = 0, OBJECT = 0, ARRAY = 0, ITER = 0, RESIZE = 0,
    RESULT = 0, BUFFER = 0,
};
static const uint8_t reads[KP_API_ROWS] = {
#define ROW(name, class, direction, objects, copies, unit, read) [KP_API_ROW_##name] = read,
    KP_CONVERSION_BYTES(ROW)
    KP_CONVERSION_STRUCTURE(ROW)
    KP_CONVERSION_SCALAR(ROW)
#undef ROW
};

/* Where an object's type stands in free-threaded builds, the assembler does not know. */
static bool has_template(unsigned row)
{
    return reads[row] && (reads[row] != UTF8 || kp_py_layout.type == 8);
}

static bool write_hook(char *to, const struct kp_hook *hook, unsigned row)
{
    const uintptr_t thread = (uintptr_t)__builtin_thread_pointer();
    size_t calls = offsetof(struct kp_counter_block, rows) + row * sizeof(struct kp_counter_row);
    const uintptr_t values[KP_MARKS_MAX] = {
        [1] = (uintptr_t)&kp_convert.now.block - thread,
        [2] = (uintptr_t)&kp_convert.now.last_row - thread,
        [3] = calls + offsetof(struct kp_counter_row, calls),
        [4] = calls + offsetof(struct kp_counter_row, amount),
        [5] = row,
        [6] = (uintptr_t)*hook->real,
        [7] = (uintptr_t)hook->hook,
        [8] = kp_python.text_type,
        [9] = 0x10ul << kp_py_layout.text_shift,
    };
    const char *code = templates[reads[row]].code;
    size_t bytes = (size_t)(templates[reads[row]].end - code);

    return bytes <= CODE_BYTES && kp_near_write(to, code, bytes, values);
}

void kp_convert_near(void)
{
    static bool is_written[KP_API_ROWS];
    const size_t bytes = (KP_API_ROWS * CODE_BYTES + 4095) & ~4095ul;
    char *room = kp_near_room(kp_python.start, bytes);

    if (!room)
        return;
    for (const struct kp_hook *hook = kp_convert_hooks; hook->name; hook++) {
        unsigned row = (unsigned)(hook->real - kp_api_real);

        is_written[row] = has_template(row) && *hook->real &&
                          write_hook(room + row * CODE_BYTES, hook, row);
    }
    if (!kp_near_seal(room, bytes))
        return;
    for (struct kp_hook *hook = kp_convert_hooks; hook->name; hook++) {
        unsigned row = (unsigned)(hook->real - kp_api_real);

        if (is_written[row])
            hook->hook = room + row * CODE_BYTES;
    }
}
