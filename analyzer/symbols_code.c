/* SPDX-License-Identifier: MIT */
/*
 * Looks for the bytes of the few instructions that matter at every offset, instead of decoding all:
 * 8 MB of code in 20 ms. What looks like one within another instruction has a target all over the
 * address space; the visitor only cares for targets that are the start of something, which such a
 * one hits less than once in a million. Runs in the collector and the reports, on one thread.
 */
#include "symbols_code.h"

#include <string.h>

/* Is this the second byte of an operand that is relative to the pc? */
static bool is_relative(uint8_t mod_rm)
{
    return (mod_rm & 0xc7) == 0x05;
}

/* How many bytes stand before the 32 bits of the operand; 0 when it is no such instruction. */
static size_t match(const uint8_t *code, bool fixed, enum kp_reference_kind *kind, bool *relative)
{
    *relative = true;
    switch (code[0]) {
    case 0x48:
    case 0x4c:
        *kind = code[1] == 0x8d ? KP_REFERENCE_ADDRESS : KP_REFERENCE_SLOT;
        return (code[1] == 0x8d || code[1] == 0x8b) && is_relative(code[2]) ? 3 : 0;
    case 0xe8:
    case 0xe9: *kind = KP_REFERENCE_CALL; return 1;
    case 0xff:
        *kind = KP_REFERENCE_SLOT;
        return code[1] == 0x15 || code[1] == 0x25 ? 2 : 0;
    default:
        *kind = KP_REFERENCE_ADDRESS;
        *relative = false;
        return fixed && (code[0] & 0xf8) == 0xb8 ? 1 : 0;
    }
}

int kp_code_scan(const struct kp_image *image, const struct kp_ranges *functions,
                 int (*visit)(void *context, const struct kp_reference *reference), void *context)
{
    for (size_t f = 0; f < functions->count; f++) {
        uint64_t start = functions->all[f].start, bytes = functions->all[f].end - start;
        if (f + 1 < functions->count && functions->all[f + 1].start - start < bytes)
            bytes = functions->all[f + 1].start - start;
        const uint8_t *code = kp_image_at(image, start, bytes);
        for (uint64_t i = 0; code && i + 7 <= bytes; i++) {
            struct kp_reference reference = {.function = (uint32_t)f, .pc = start + i};
            bool relative;
            size_t before = match(code + i, image->fixed, &reference.kind, &relative);
            int32_t operand;
            if (!before)
                continue;
            memcpy(&operand, code + i + before, sizeof operand);
            reference.target = relative
                                   ? reference.pc + before + 4 + (uint64_t)(int64_t)operand
                                   : (uint32_t)operand;
            if (visit(context, &reference) != 0)
                return -1;
        }
    }
    return 0;
}
