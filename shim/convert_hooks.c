/* SPDX-License-Identifier: MIT */
/*
 * The functions that stand in for Python's, made from the table of record/conversion_api.h. Host's
 * threads, called by extensions only: what the interpreter calls itself is no conversion.
 *
 * None has more than six arguments, and all are words but where the table says NUMBER or ANSWER: so
 * they are taken and passed on as words, whatever their types. Mostly a hook is two additions to
 * the block of the activation and a jump to the real function, which returns straight to the
 * caller. Where the size is known only afterwards, it is a call.
 */
#include "convert.h"
#include "hook_table.h"
#include "python.h"
#include "python_layout.h"
#include "sample.h"

#include <string.h>

/* Two counters side by side invite the compiler to vector registers, which take longer here. */
#pragma GCC optimize("no-tree-slp-vectorize")

#define TYPE_FLAGS 168u /* in a type, behind its head of 16 bytes or more */
#define BYTES_FLAG (1ul << 27)
#define VIEW_LENGTH 16u

#define WORDS uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t e, uintptr_t f
#define GIVEN a, b, c, d, e, f
typedef uintptr_t words(WORDS);
#define CALLER ((uintptr_t)__builtin_return_address(0))

/* A figure of our own, on top of the function's row. */
static KP_SLOW void also(unsigned row, uint64_t amount, uintptr_t caller)
{
    struct kp_counter_block *block = kp_convert_block(caller);

    block->rows[row].calls++;
    block->rows[row].amount += amount;
}

static uint64_t word_of(uintptr_t object, uint32_t offset)
{
    return *(const uint64_t *)(object + offset);
}

static bool is_bytes(uintptr_t object)
{
    uintptr_t type = word_of(object, kp_py_layout.type);

    return type == kp_python.bytes_type ||
           (word_of(type, TYPE_FLAGS + kp_py_layout.type - 8) & BYTES_FLAG);
}

static uint64_t size_of_bytes(uintptr_t object)
{
    return object && is_bytes(object) ? word_of(object, KP_PY_BYTES_SIZE) : 0;
}

/* Of bytes that are being filled: what was counted for them. Their author may have written another
 * size into the object before he asks for it. */
static uint64_t size_told(uintptr_t object)
{
    return object && object == kp_convert.filling ? kp_convert.filling_bytes : size_of_bytes(object);
}

/* By how much it has grown. Where that failed there is no object any more. */
static uint64_t resized(const uintptr_t *object, uint64_t bytes, uint64_t before)
{
    if (!*object)
        return 0;
    kp_convert.filling = *object;
    kp_convert.filling_bytes = bytes;
    return bytes - before;
}

static uint64_t plain_bytes(uintptr_t characters, uintptr_t largest)
{
    return characters * ((uint32_t)largest < 0x100 ? 1 : (uint32_t)largest < 0x10000 ? 2 : 4);
}

static bool is_ascii(uintptr_t text)
{
    return text && word_of(text, kp_py_layout.type) == kp_python.text_type &&
           (*(const uint32_t *)(text + KP_PY_TEXT_STATE) >> kp_py_layout.text_shift >> 4 & 1);
}

/* Will it make a copy in UTF-8 that the string keeps for as long as it lives? */
static bool will_keep_utf8(uintptr_t text)
{
    return text && word_of(text, kp_py_layout.type) == kp_python.text_type && !is_ascii(text) &&
           !word_of(text, kp_py_layout.text_ascii + 8u);
}

/* Counts and jumps, unless more is to be done. */
#define COUNT(row_, amount_) COUNT_UNLESS(false, row_, amount_)
#define COUNT_UNLESS(special, row_, amount_)                                                       \
    struct kp_counter_row *counted = &kp_convert.now.block->rows[row_];                            \
    uint64_t amount = (amount_);                                                                   \
    bool is_special = (special);                                                                   \
    kp_convert.now.last_row = (row_);                                                              \
    if (KP_LIKELY_NOT(is_special))                                                                 \
        counted->calls++;                                                                          \
    if (KP_LIKELY_NOT(is_special) || kp_counts_call(counted)) {                                    \
        kp_convert.amount = amount;                                                                \
        return kp_convert_slowly(GIVEN);                                                           \
    }                                                                                              \
    counted->amount += amount;                                                                     \
    return KP_CALL(row_, words *, GIVEN);

/* A size as it was given may be large, or none at all. */
#define COUNT_SIZE(row_, size_) COUNT_UNLESS(amount > KP_LARGE_COPY, row_, size_)

/* Counts, calls, and reads the amount from what has come of it. */
#define CALL_AND_COUNT(row_, amount_)                                                              \
    struct kp_counter_row *counted = &kp_convert.now.block->rows[row_];                            \
    bool is_special = kp_counts_call(counted);                                                     \
    if (KP_LIKELY_NOT(is_special))                                                                 \
        counted = kp_convert_begin(row_, CALLER);                                                  \
    kp_convert.now.last_row = (row_);                                                              \
    uintptr_t result = KP_CALL(row_, words *, GIVEN);                                              \
    uint64_t amount = (amount_);                                                                   \
    counted->amount += amount;                                                                     \
    if (KP_LIKELY_NOT(is_special))                                                                 \
        kp_convert_end(row_);                                                                      \
    return result;

/* A hook that counts and jumps, whatever it is given and whatever it returns. */
#define HOOK_TYPED(name, result_, argument_)                                                       \
    static KP_SLOW result_ slow_##name(argument_ given)                                            \
    {                                                                                              \
        kp_convert_begin(R(name), CALLER);                                                         \
        result_ result = KP_CALL(R(name), result_ (*)(argument_), given);                          \
        kp_convert_end(R(name));                                                                   \
        return result;                                                                             \
    }                                                                                              \
    static result_ hook_##name(argument_ given)                                                    \
    {                                                                                              \
        struct kp_counter_row *counted = &kp_convert.now.block->rows[R(name)];                     \
        if (kp_counts_call(counted))                                                               \
            return slow_##name(given);                                                             \
        kp_convert.now.last_row = R(name);                                                         \
        return KP_CALL(R(name), result_ (*)(argument_), given);                                    \
    }

static inline void note_iteration(uintptr_t object, uintptr_t caller)
{
    uintptr_t type = object ? word_of(object, kp_py_layout.type) : 0;

    if (KP_LIKELY_NOT(type && (type == kp_python.bytes_type || type == kp_python.bytearray_type)))
        also(KP_API_ROW_iter_bytes, word_of(object, KP_PY_BYTES_SIZE), caller);
}

static inline uint64_t kept(bool keeps, uint64_t bytes, uintptr_t caller)
{
    if (KP_LIKELY_NOT(keeps))
        also(KP_API_ROW_utf8_kept, bytes + 1, caller);
    return bytes;
}

#define R(name) KP_API_ROW_##name
#define HOOK(name) static uintptr_t hook_##name(WORDS)

#define HOOK_NOTHING(name) HOOK(name) { COUNT(R(name), 0) }
#define HOOK_FIRST(name) HOOK(name) { COUNT_SIZE(R(name), a) }
#define HOOK_SECOND(name) HOOK(name) { COUNT_SIZE(R(name), b) }
#define HOOK_THIRD(name) HOOK(name) { COUNT_SIZE(R(name), c) }
#define HOOK_WRITE(name)                                                                           \
    HOOK(name) { COUNT_SIZE(R(name), (intptr_t)c < 0 ? strlen((const char *)b) : c) }
#define HOOK_FILL(name) HOOK(name) { COUNT_UNLESS(!a || amount > KP_LARGE_COPY, R(name), b) }
#define HOOK_TEXT(name) HOOK(name) { COUNT_SIZE(R(name), a ? strlen((const char *)a) : 0) }
#define HOOK_KIND(name) HOOK(name) { COUNT_SIZE(R(name), (uint32_t)a * c) }
#define HOOK_PLAIN(name) HOOK(name) { COUNT_SIZE(R(name), plain_bytes(a, b)) }
#define HOOK_VIEW(name) HOOK(name) { COUNT(R(name), word_of(a, VIEW_LENGTH)) }
#define HOOK_OBJECT(name) HOOK(name) { COUNT(R(name), size_of_bytes(a)) }
#define HOOK_ARRAY(name) HOOK(name) { COUNT(R(name), word_of(a, KP_PY_BYTES_SIZE)) }
#define HOOK_ITER(name) HOOK(name) { note_iteration(a, CALLER); COUNT(R(name), 0) }
#define HOOK_RESIZE(name)                                                                          \
    HOOK(name)                                                                                     \
    {                                                                                              \
        uint64_t before = size_told(*(const uintptr_t *)a);                                        \
                                                                                                   \
        CALL_AND_COUNT(R(name), resized((const uintptr_t *)a, b, before))                          \
    }
#define HOOK_RESULT(name) HOOK(name) { CALL_AND_COUNT(R(name), size_of_bytes(result)) }
#define HOOK_BUFFER(name)                                                                          \
    HOOK(name) { CALL_AND_COUNT(R(name), (int)result == 0 ? word_of(b, VIEW_LENGTH) : 0) }
#define HOOK_NUMBER(name) HOOK_TYPED(name, uintptr_t, double)
#define HOOK_ANSWER(name) HOOK_TYPED(name, double, uintptr_t)
#define HOOK_UTF8_SIZE(name)                                                                       \
    static __attribute__((noinline)) uintptr_t other_##name(WORDS)                                 \
    {                                                                                              \
        uintptr_t size = 0;                                                                        \
        bool keeps = will_keep_utf8(a);                                                            \
                                                                                                   \
        if (!b)                                                                                    \
            b = (uintptr_t)&size;                                                                  \
        CALL_AND_COUNT(R(name), kept(keeps, result ? *(uint64_t *)b : 0, CALLER))                  \
    }                                                                                              \
    HOOK_ASCII(name)
#define HOOK_UTF8(name)                                                                            \
    static __attribute__((noinline)) uintptr_t other_##name(WORDS)                                 \
    {                                                                                              \
        bool keeps = will_keep_utf8(a);                                                            \
                                                                                                   \
        CALL_AND_COUNT(R(name), kept(keeps, result ? strlen((const char *)result) : 0, CALLER))    \
    }                                                                                              \
    HOOK_ASCII(name)
/* Mostly a text is its UTF-8, and its length known. */
#define HOOK_ASCII(name)                                                                           \
    HOOK(name)                                                                                     \
    {                                                                                              \
        if (!is_ascii(a))                                                                          \
            return other_##name(GIVEN);                                                            \
        COUNT(R(name), word_of(a, KP_PY_TEXT_LENGTH))                                              \
    }

#define ROW(name, class, direction, objects, copies, unit, read) HOOK_##read(name)
KP_CONVERSION_BYTES(ROW)
KP_CONVERSION_STRUCTURE(ROW)
KP_CONVERSION_SCALAR(ROW)
#undef ROW

uintptr_t kp_convert_probe(WORDS)
{
    COUNT(R(in_place), 0)
}

struct kp_hook kp_convert_hooks[] = {
#define ROW(name, class, direction, objects, copies, unit, read)                                   \
    {#name, (void *)hook_##name, &kp_api_real[KP_API_ROW_##name]},
    KP_CONVERSION_BYTES(ROW)
    KP_CONVERSION_STRUCTURE(ROW)
    KP_CONVERSION_SCALAR(ROW)
#undef ROW
    {NULL, NULL, NULL},
};
