/* SPDX-License-Identifier: MIT */
/* C: static, inlined three deep, in a cold part, assembly without a size, PLT stub, IFUNC. */
#include "here.h"

#include <stdlib.h>

volatile int zero;

static inline __attribute__((always_inline)) void leaf(int depth)
{
    HERE("leaf in middle in outer");
    zero += depth;
}
static inline __attribute__((always_inline)) void middle(int depth)
{
    leaf(depth + 1);
    zero += 2;
}
__attribute__((noinline)) void outer(int depth)
{
    middle(depth + 1);
    HERE("outer");
}
static __attribute__((noinline)) void hidden(void)
{
    HERE("hidden");
    zero = 0;
}
__attribute__((noinline, cold)) void seldom(void)
{
    HERE("seldom");
    zero++;
}
__attribute__((noinline)) void mostly(int value)
{
    if (__builtin_expect(value == 0, 0)) {
        HERE("mostly");
        if (zero == 12345)
            abort();
    }
    HERE("mostly");
    zero += value;
}

static void implementation(void)
{
    HERE("implementation");
    zero++;
}
static void (*choose(void))(void)
{
    return implementation;
}
void chosen(void) __attribute__((ifunc("choose")));

/* No type, no size: only a label in a code section. */
__asm__(".text\n.globl bare_assembly\nbare_assembly:\n    nop\n    nop\n    nop\n    ret\n");
void bare_assembly(void);

static void there(void)
{
    void *stub;
    THERE((char *)bare_assembly + 2, "bare_assembly");
#ifndef STATIC
    __asm__("lea puts@plt(%%rip), %0" : "=r"(stub));
    THERE((char *)stub + 4, "puts@plt");
#endif
    (void)stub;
}

int main(void)
{
    if (zero)
        puts("");
    outer(0);
    hidden();
    seldom();
    mostly(zero);
    chosen();
    there();
    return 0;
}
