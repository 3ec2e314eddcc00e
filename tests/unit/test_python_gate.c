/* SPDX-License-Identifier: MIT */
/*
 * The gates in front of Python's allocator, with functions of ours for the allocator's and the long
 * way: which of them a call reaches, with which arguments, and what it takes off the countdown.
 */
#include "cfi.h"
#include "live.h"
#include "near_code.h"
#include "python_gate.h"
#include "thread.h"

#include <stdio.h>
#include <string.h>

#define CODE_TYPE 0x5555444433332222
#define MUCH 1000000

static int failed;

static void check(bool good, const char *what)
{
    printf("%s - %s", good ? "ok" : "not ok", what);
    failed |= !good;
}

/* The last call that arrived anywhere. */
static struct {
    const char *name;
    void *context;
    uintptr_t first, second;
} arrived;

static void *arrive(const char *name, void *context, uintptr_t first, uintptr_t second)
{
    arrived.name = name;
    arrived.context = context;
    arrived.first = first;
    arrived.second = second;
    return &arrived;
}

static void *next_malloc(void *context, size_t size)
{
    return arrive("malloc", context, size, 0);
}
static void *slow_malloc(void *context, size_t size)
{
    return arrive("slow malloc", context, size, 0);
}
static void *next_calloc(void *context, size_t count, size_t size)
{
    return arrive("calloc", context, count, size);
}
static void *slow_calloc(void *context, size_t count, size_t size)
{
    return arrive("slow calloc", context, count, size);
}
static void *next_realloc(void *context, void *block, size_t size)
{
    return arrive("realloc", context, (uintptr_t)block, size);
}
static void *slow_realloc(void *context, void *block, size_t size)
{
    return arrive("slow realloc", context, (uintptr_t)block, size);
}
static void next_free(void *context, void *block)
{
    arrive("free", context, (uintptr_t)block, 0);
}
static void slow_free(void *context, void *block)
{
    arrive("slow free", context, (uintptr_t)block, 0);
}

static struct kp_gate domain = {
    .next = {NULL, next_malloc, next_calloc, next_realloc, next_free},
    .slow = {NULL, slow_malloc, slow_calloc, slow_realloc, slow_free},
};
static struct kp_py_allocator gates;
static uintptr_t object[64] __attribute__((aligned(4096)));
static uintptr_t code[4] = {1, CODE_TYPE};

static void expect(const char *what, const char *name, uintptr_t first, uintptr_t second,
                   int64_t counted)
{
    bool is_slow = strncmp(name, "slow", 4) == 0;
    void *context = is_slow ? &domain : NULL;

    check(arrived.name && strcmp(arrived.name, name) == 0 && arrived.context == context &&
              arrived.first == first && arrived.second == second && kp_self.left == MUCH - counted,
          what);
    printf(" (%s of %zu, %zu; counted %ld)\n", arrived.name ? arrived.name : "nothing",
           (size_t)arrived.first, (size_t)arrived.second, (long)(MUCH - kp_self.left));
    arrived.name = NULL;
    kp_self.left = MUCH;
}

static void test_malloc(void)
{
    gates.malloc(&domain, 1);
    expect("malloc of 1 byte is counted", "malloc", 1, 0, 17);
    gates.malloc(&domain, 512);
    expect("malloc of 512 bytes is counted", "malloc", 512, 0, 528);
    gates.malloc(&domain, 513);
    expect("malloc of 513 bytes is not", "malloc", 513, 0, 0);
    gates.malloc(&domain, 0);
    expect("nor of none", "malloc", 0, 0, 0);
    kp_self.left = 115;
    gates.malloc(&domain, 100);
    expect("malloc ends the countdown", "slow malloc", 100, 0, MUCH + 1);
}

static void test_calloc(void)
{
    gates.calloc(&domain, 8, 64);
    expect("calloc of 512 bytes is counted", "calloc", 8, 64, 528);
    gates.calloc(&domain, 27, 19);
    expect("calloc of 513 bytes is not", "calloc", 27, 19, 0);
    gates.calloc(&domain, 0, 8);
    expect("nor of none", "calloc", 0, 8, 0);
    gates.calloc(&domain, SIZE_MAX / 16, 32);
    expect("nor of more than there is", "calloc", SIZE_MAX / 16, 32, 0);
    kp_self.left = 0;
    gates.calloc(&domain, 2, 8);
    expect("calloc ends the countdown", "slow calloc", 2, 8, MUCH + 32);
}

static void test_realloc(void)
{
    uintptr_t block = (uintptr_t)object;

    gates.realloc(&domain, NULL, 40);
    expect("realloc of no block is malloc", "malloc", 40, 0, 56);
    gates.realloc(&domain, object, 513);
    expect("realloc to 513 bytes goes on", "realloc", block, 513, 0);
    gates.realloc(&domain, object, 512);
    expect("realloc to 512 bytes is looked at", "slow realloc", block, 512, 0);
    gates.realloc(&domain, object, 0);
    expect("and to none", "slow realloc", block, 0, 0);
    kp_filter[block >> KP_FILTER_BLOCK_SHIFT & (KP_FILTER_BYTES - 1)] = 1;
    gates.realloc(&domain, object, 513);
    expect("and where samples are", "slow realloc", block, 513, 0);
    kp_filter[block >> KP_FILTER_BLOCK_SHIFT & (KP_FILTER_BYTES - 1)] = 0;
}

static void test_free(void)
{
    uintptr_t block = (uintptr_t)object;

    arrive("nothing", NULL, 0, 0);
    gates.free(&domain, NULL);
    expect("free of no block does nothing", "nothing", 0, 0, 0);
    gates.free(&domain, object);
    expect("free goes on", "free", block, 0, 0);
    gates.free(&domain, code);
    expect("free of code is looked at", "slow free", (uintptr_t)code, 0, 0);
    kp_filter[block >> KP_FILTER_BLOCK_SHIFT & (KP_FILTER_BYTES - 1)] = 1;
    gates.free(&domain, object);
    expect("free where samples are", "slow free", block, 0, 0);
    kp_filter[block >> KP_FILTER_BLOCK_SHIFT & (KP_FILTER_BYTES - 1)] = 0;
}

static void test_unwinding(void)
{
    uintptr_t pc = (uintptr_t)gates.free + 9;
    struct kp_rule rule = kp_cfi_rule(pc, true);

    check(kp_near_holds(pc) && !kp_near_holds((uintptr_t)next_free),
          "a gate's instructions are known\n");
    check(rule.cfa == KP_CFA_SP && rule.offset == 8 && rule.fp_offset == 0,
          "the caller of a gate that a signal has stopped is found\n");
}

int main(void)
{
    uintptr_t image = (uintptr_t)next_malloc;
    struct kp_py_allocator far = domain.next, none = {0};

    far.free = (void (*)(void *, void *))((uintptr_t)next_free ^ 1ul << 45);
    check(!kp_gates_make(image, &far, CODE_TYPE, &none) && !none.malloc,
          "there are no gates where the allocator is out of reach\n");
    check(kp_gates_make(image, &domain.next, CODE_TYPE, &gates), "gates are made\n");
    if (failed)
        return 1;
    kp_self.left = MUCH;
    test_malloc();
    test_calloc();
    test_realloc();
    test_free();
    test_unwinding();
    return failed;
}
