/* SPDX-License-Identifier: MIT */
/*
 * The functions that stand in for Python's, made from the table of record/conversion_api.h. Host's
 * threads, called by extensions only: what the interpreter calls itself is no conversion.
 *
 * None has more than six arguments, and all are words but where the table says NUMBER or ANSWER: so
 * they are taken and passed on as words, whatever their types. Mostly a hook is two additions to
 * the block of the entry that runs and a jump to the real function, which returns straight to the
 * caller. Where the size is known only afterwards, it is a call.
 */
#include "convert.h"
#include "hook_table.h"
#include "python.h"
#include "python_layout.h"
#include "sample.h"
#include "span.h"

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

static uint64_t tell_size(const uintptr_t *object, uint64_t bytes)
{
    kp_convert.filling = *object;
    kp_convert.filling_bytes = bytes;
    return bytes;
}

static uint64_t plain_bytes(uintptr_t characters, uintptr_t largest)
{
    return characters * ((uint32_t)largest < 0x100 ? 1 : (uint32_t)largest < 0x10000 ? 2 : 4);
}

/* Will it make a copy in UTF-8 that the string keeps for as long as it lives? */
static bool will_keep_utf8(uintptr_t text)
{
    uint32_t state;

    if (!text || word_of(text, kp_py_layout.type) != kp_python.text_type)
        return false;
    state = *(const uint32_t *)(text + KP_PY_TEXT_STATE) >> kp_py_layout.text_shift;
    return !(state >> 4 & 1) && !word_of(text, kp_py_layout.text_ascii + 8u);
}

/* Counts and jumps. A block that is not there means that more is to be done. */
#define COUNT(row_, amount_) COUNT_UNLESS(false, row_, amount_)
#define COUNT_UNLESS(special, row_, amount_)                                                       \
    struct kp_counter_block *block = kp_convert.now.block;                                         \
    uint64_t amount = (amount_);                                                                   \
    if (KP_LIKELY_NOT(!block) && kp_span_passes(kp_convert.now.span, amount))                      \
        block = kp_convert.now.entry;                                                              \
    if (KP_LIKELY_NOT(!block || (special))) {                                                                   \
        kp_convert.row = (row_);                                                                   \
        kp_convert.amount = amount;                                                                \
        return kp_convert_slowly(GIVEN);                                                           \
    }                                                                                              \
    block->rows[row_].calls++;                                                                     \
    block->rows[row_].amount += amount;                                                            \
    kp_convert.now.last = &block->rows[row_];                                                      \
    return KP_CALL(row_, words *, GIVEN);

/* Counts, calls, and reads the amount from what has come of it. */
#define CALL_AND_COUNT(row_, type_, amount_, ...)                                                  \
    struct kp_counter_block *block = kp_convert.now.block;                                         \
    struct kp_counter_row *row;                                                                    \
    if (KP_LIKELY_NOT(!block) && kp_span_passes(kp_convert.now.span, 0))                           \
        block = kp_convert.now.entry;                                                              \
    if (KP_LIKELY_NOT(!block)) {                                                                   \
        row = kp_convert_begin(row_, 0, CALLER);                                                   \
    } else {                                                                                       \
        row = kp_convert.now.last = &block->rows[row_];                                            \
        row->calls++;                                                                              \
    }                                                                                              \
    __auto_type result = KP_CALL(row_, type_, __VA_ARGS__);                                        \
    uint64_t amount = (amount_);                                                                   \
    row->amount += amount;                                                                         \
    if (KP_LIKELY_NOT(!block))                                                                     \
        kp_convert_end(row_);                                                                      \
    return result;

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
#define HOOK_FIRST(name) HOOK(name) { COUNT(R(name), a) }
#define HOOK_SECOND(name) HOOK(name) { COUNT(R(name), b) }
#define HOOK_THIRD(name) HOOK(name) { COUNT(R(name), c) }
#define HOOK_WRITE(name) HOOK(name) { COUNT(R(name), (intptr_t)c < 0 ? strlen((const char *)b) : c) }
#define HOOK_FILL(name) HOOK(name) { COUNT_UNLESS(!a || b > KP_LARGE_COPY, R(name), b) }
#define HOOK_TEXT(name) HOOK(name) { COUNT(R(name), a ? strlen((const char *)a) : 0) }
#define HOOK_KIND(name) HOOK(name) { COUNT(R(name), (uint32_t)a * c) }
#define HOOK_PLAIN(name) HOOK(name) { COUNT(R(name), plain_bytes(a, b)) }
#define HOOK_VIEW(name) HOOK(name) { COUNT(R(name), word_of(a, VIEW_LENGTH)) }
#define HOOK_OBJECT(name) HOOK(name) { COUNT(R(name), size_of_bytes(a)) }
#define HOOK_ARRAY(name) HOOK(name) { COUNT(R(name), word_of(a, KP_PY_BYTES_SIZE)) }
#define HOOK_ITER(name) HOOK(name) { note_iteration(a, CALLER); COUNT(R(name), 0) }
#define HOOK_RESIZE(name)                                                                          \
    HOOK(name)                                                                                     \
    {                                                                                              \
        uint64_t before = size_told(*(const uintptr_t *)a);                                        \
                                                                                                   \
        CALL_AND_COUNT(R(name), words *, tell_size((const uintptr_t *)a, b) - before, GIVEN)       \
    }
#define HOOK_RESULT(name)                                                                          \
    HOOK(name) { CALL_AND_COUNT(R(name), words *, size_of_bytes(result), GIVEN) }
#define HOOK_BUFFER(name)                                                                          \
    HOOK(name)                                                                                     \
    {                                                                                              \
        CALL_AND_COUNT(R(name), words *, (int)result == 0 ? word_of(b, VIEW_LENGTH) : 0, GIVEN)    \
    }
#define HOOK_NUMBER(name)                                                                          \
    static uintptr_t hook_##name(double number)                                                    \
    {                                                                                              \
        CALL_AND_COUNT(R(name), uintptr_t (*)(double), 0, number)                                  \
    }
#define HOOK_ANSWER(name)                                                                          \
    static double hook_##name(uintptr_t object)                                                    \
    {                                                                                              \
        CALL_AND_COUNT(R(name), double (*)(uintptr_t), 0, object)                                  \
    }
#define HOOK_UTF8_SIZE(name)                                                                       \
    HOOK(name)                                                                                     \
    {                                                                                              \
        uintptr_t size = 0;                                                                        \
        bool keeps = will_keep_utf8(a);                                                            \
                                                                                                   \
        if (!b)                                                                                    \
            b = (uintptr_t)&size;                                                                  \
        CALL_AND_COUNT(R(name), words *, kept(keeps, result ? *(uint64_t *)b : 0, CALLER), GIVEN)  \
    }
#define HOOK_UTF8(name)                                                                            \
    HOOK(name)                                                                                     \
    {                                                                                              \
        bool keeps = will_keep_utf8(a);                                                            \
                                                                                                   \
        CALL_AND_COUNT(R(name), words *,                                                           \
                       kept(keeps, result ? strlen((const char *)result) : 0, CALLER), GIVEN)      \
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

const struct kp_hook kp_convert_hooks[] = {
#define ROW(name, class, direction, objects, copies, unit, read)                                   \
    {#name, (void *)hook_##name, &kp_api_real[KP_API_ROW_##name]},
    KP_CONVERSION_BYTES(ROW)
    KP_CONVERSION_STRUCTURE(ROW)
    KP_CONVERSION_SCALAR(ROW)
#undef ROW
    {NULL, NULL, NULL},
};
