/* SPDX-License-Identifier: MIT */
/*
 * operator new and delete. Host's threads.
 *
 * An allocator such as mimalloc exports them beside malloc, and its operator new does not come by
 * our malloc; libstdc++'s does. So each exported name jumps through a pointer: to the counted
 * version when the allocator has its own operators, straight to libstdc++'s otherwise. A program
 * that loads libstdc++ later (a C++ extension of a C program) is found at its first call.
 *
 * new may throw: the real call is made outside the guard, in a frame that has unwind tables and
 * nothing to clean up.
 */
#include "hooks_new.h"

#include "real.h"
#include "sample.h"
#include "scope.h"

#include <stdlib.h>

#define KP_EXPORT __attribute__((visibility("default")))

/* X(index, mangled name, parameters, arguments, size) */
#define NEW_OPERATORS(X)                                                                           \
    X(0, _Znwm, (size_t n), (n))                                                                   \
    X(1, _Znam, (size_t n), (n))                                                                   \
    X(2, _ZnwmRKSt9nothrow_t, (size_t n, void *t), (n, t))                                         \
    X(3, _ZnamRKSt9nothrow_t, (size_t n, void *t), (n, t))                                         \
    X(4, _ZnwmSt11align_val_t, (size_t n, size_t a), (n, a))                                       \
    X(5, _ZnamSt11align_val_t, (size_t n, size_t a), (n, a))                                       \
    X(6, _ZnwmSt11align_val_tRKSt9nothrow_t, (size_t n, size_t a, void *t), (n, a, t))             \
    X(7, _ZnamSt11align_val_tRKSt9nothrow_t, (size_t n, size_t a, void *t), (n, a, t))

#define DELETE_OPERATORS(X)                                                                        \
    X(8, _ZdlPv, (void *p), (p))                                                                   \
    X(9, _ZdaPv, (void *p), (p))                                                                   \
    X(10, _ZdlPvm, (void *p, size_t n), (p, n))                                                    \
    X(11, _ZdaPvm, (void *p, size_t n), (p, n))                                                    \
    X(12, _ZdlPvRKSt9nothrow_t, (void *p, void *t), (p, t))                                        \
    X(13, _ZdaPvRKSt9nothrow_t, (void *p, void *t), (p, t))                                        \
    X(14, _ZdlPvSt11align_val_t, (void *p, size_t a), (p, a))                                      \
    X(15, _ZdaPvSt11align_val_t, (void *p, size_t a), (p, a))                                      \
    X(16, _ZdlPvmSt11align_val_t, (void *p, size_t n, size_t a), (p, n, a))                        \
    X(17, _ZdaPvmSt11align_val_t, (void *p, size_t n, size_t a), (p, n, a))                        \
    X(18, _ZdlPvSt11align_val_tRKSt9nothrow_t, (void *p, size_t a, void *t), (p, a, t))            \
    X(19, _ZdaPvSt11align_val_tRKSt9nothrow_t, (void *p, size_t a, void *t), (p, a, t))
#define OPERATORS 20

/* The definition behind us, and where our exported name jumps to. */
static void *real_operator[OPERATORS];
static void *entry_operator[OPERATORS];

static void *look_again(unsigned index);

#define NEW_OPERATOR(index, name, parameters, arguments)                                           \
    typedef void *type_##name parameters;                                                          \
    static KP_SLOW void *slow_##name parameters                                                    \
    {                                                                                              \
        struct kp_origin origin = KP_ORIGIN_HERE();                                                \
        uint64_t rate = kp_sample_decide(n);                                                       \
        void *block = ((type_##name *)real_operator[index])arguments;                              \
                                                                                                   \
        kp_sample_alloc(KP_KIND_NEW, n, block, rate, &origin);                                     \
        return block;                                                                              \
    }                                                                                              \
    static void *counted_##name parameters                                                         \
    {                                                                                              \
        if (kp_counts(n))                                                                          \
            return slow_##name arguments;                                                          \
        return ((type_##name *)real_operator[index])arguments;                                     \
    }                                                                                              \
    static void *late_##name parameters                                                            \
    {                                                                                              \
        return ((type_##name *)look_again(index))arguments;                                        \
    }                                                                                              \
    KP_EXPORT void *name parameters;                                                               \
    void *name parameters                                                                          \
    {                                                                                              \
        return ((type_##name *)entry_operator[index])arguments;                                    \
    }
NEW_OPERATORS(NEW_OPERATOR)

#define DELETE_OPERATOR(index, name, parameters, arguments)                                        \
    typedef void type_##name parameters;                                                           \
    static KP_SLOW void slow_##name parameters                                                     \
    {                                                                                              \
        kp_sample_free(p);                                                                         \
        ((type_##name *)real_operator[index])arguments;                                            \
    }                                                                                              \
    static void counted_##name parameters                                                          \
    {                                                                                              \
        if (kp_filter_hit(p))                                                                      \
            slow_##name arguments;                                                                 \
        else                                                                                       \
            ((type_##name *)real_operator[index])arguments;                                        \
    }                                                                                              \
    static void late_##name parameters                                                             \
    {                                                                                              \
        ((type_##name *)look_again(index))arguments;                                               \
    }                                                                                              \
    KP_EXPORT void name parameters;                                                                \
    void name parameters                                                                           \
    {                                                                                              \
        ((type_##name *)entry_operator[index])arguments;                                           \
    }
DELETE_OPERATORS(DELETE_OPERATOR)

struct operator_row {
    const char *name;
    void *counted;
    void *late;
};
#define ROW(index, name, parameters, arguments) {#name, (void *)counted_##name, (void *)late_##name},
static const struct operator_row rows[OPERATORS] = {NEW_OPERATORS(ROW) DELETE_OPERATORS(ROW)};

#define LATE(index, name, parameters, arguments) (void *)late_##name,
static void *entry_operator[OPERATORS] = {NEW_OPERATORS(LATE) DELETE_OPERATORS(LATE)};

void kp_new_resolve(struct link_map *next, const struct link_map *allocator)
{
    for (unsigned i = 0; i < OPERATORS; i++) {
        struct link_map *owner = NULL;
        void *found = kp_scope_find_from(next, rows[i].name, &owner);

        void *entry = !found ? rows[i].late : owner == allocator ? rows[i].counted : found;

        __atomic_store_n(&real_operator[i], found, __ATOMIC_RELEASE);
        __atomic_store_n(&entry_operator[i], entry, __ATOMIC_RELEASE);
    }
}

static void *plain_new(size_t size)
{
    void *block = malloc(size ? size : 1);

    if (!block)
        __builtin_trap(); /* there is no libstdc++ to throw bad_alloc */
    return block;
}

/* An operator that nobody had at the start: look in all objects loaded since. */
static void *look_again(unsigned index)
{
    kp_real_resolve();
    if (!__atomic_load_n(&real_operator[index], __ATOMIC_ACQUIRE))
        return index < 8 ? (void *)plain_new : (void *)free;
    return __atomic_load_n(&entry_operator[index], __ATOMIC_ACQUIRE);
}
