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

/* What the marks stand for. */
#define BLOCK KP_MARK_VALUE(1)  /* kp_convert.now.block, from the thread's pointer */
#define LATEST KP_MARK_VALUE(2) /* and now.last_row */
#define CALLS KP_MARK_VALUE(3)  /* of this row, in the block */
#define AMOUNT KP_MARK_VALUE(4)
#define ROW_NUMBER KP_MARK_VALUE(5)
#define FUNCTION KP_MARK_JUMP(6)
#define HOOK KP_MARK_ADDRESS(7)

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

static const struct {
    const char *code, *end;
} templates[] = {
    {0},
    {kp_near_nothing, kp_near_nothing_end},
    {kp_near_first, kp_near_first_end},
    {kp_near_second, kp_near_second_end},
    {kp_near_third, kp_near_third_end},
    {kp_near_fill, kp_near_fill_end},
};
#define CODE_BYTES 128u /* for each hook: most take one line of the cache */

/* Where the amount is read from, as the table says; 0: not with one instruction. */
enum {
    NOTHING = 1, FIRST, SECOND, THIRD, FILL,
    NUMBER = NOTHING, ANSWER = NOTHING,
    WRITE = 0, TEXT = 0, KIND = 0, PLAIN = 0, VIEW = 0, OBJECT = 0, ARRAY = 0, ITER = 0, RESIZE = 0,
    RESULT = 0, BUFFER = 0, UTF8 = 0, UTF8_SIZE = 0,
};
static const uint8_t reads[KP_API_ROWS] = {
#define ROW(name, class, direction, objects, copies, unit, read) [KP_API_ROW_##name] = read,
    KP_CONVERSION_BYTES(ROW)
    KP_CONVERSION_STRUCTURE(ROW)
    KP_CONVERSION_SCALAR(ROW)
#undef ROW
};

static uintptr_t offset_of_thread(const void *own)
{
    uintptr_t thread;

    __asm__("mov %%fs:0, %0" : "=r"(thread));
    return (uintptr_t)own - thread;
}

static bool write_hook(char *to, const struct kp_hook *hook, unsigned row)
{
    size_t calls = offsetof(struct kp_counter_block, rows) + row * sizeof(struct kp_counter_row);
    const uintptr_t values[KP_MARKS_MAX] = {
        [1] = offset_of_thread(&kp_convert.now.block),
        [2] = offset_of_thread(&kp_convert.now.last_row),
        [3] = calls + offsetof(struct kp_counter_row, calls),
        [4] = calls + offsetof(struct kp_counter_row, amount),
        [5] = row,
        [6] = (uintptr_t)*hook->real,
        [7] = (uintptr_t)hook->hook,
    };
    const char *code = templates[reads[row]].code;

    return kp_near_write(to, code, (size_t)(templates[reads[row]].end - code), values);
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

        is_written[row] = reads[row] && *hook->real &&
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
