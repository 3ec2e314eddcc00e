/* SPDX-License-Identifier: MIT */
/*
 * The tables behind python_layout.h. 3.9 to 3.12 were read off the headers of these versions and
 * did not change within one. 3.13 and later carry _Py_DebugOffsets at the start of _PyRuntime: a
 * cookie, the version, and an array of 64-bit offsets in groups; the numbers below are places in
 * that array. Runs in the constructor.
 */
#include "python_layout.h"

#include "python.h"
#include "record.h"

#include <string.h>

struct kp_py_layout kp_py_layout __attribute__((visibility("hidden")));

static const struct kp_py_layout known[] = {
    [9] = {.chain = KP_CHAIN_PLAIN, .place = KP_PLACE_BYTES, .state_frame = 24,
           .frame_previous = 24, .frame_code = 32, .frame_place = 104,
           .code_file = 104, .code_name = 112, .code_first_line = 40, .code_table = 120,
           .type = 8, .text_ascii = 48, .text_compact = 72, .text_shift = 2,
           .table_kind = KP_LINES_LNOTAB},
    [10] = {.chain = KP_CHAIN_CFRAME, .place = KP_PLACE_UNITS, .state_frame = 24,
            .state_cframe = 48, .cframe_previous = 8,
            .frame_previous = 24, .frame_code = 32, .frame_place = 96,
            .code_file = 104, .code_name = 112, .code_first_line = 40, .code_table = 120,
            .type = 8, .text_ascii = 48, .text_compact = 72, .text_shift = 2,
            .table_kind = KP_LINES_PEP626},
    [11] = {.chain = KP_CHAIN_CFRAME, .place = KP_PLACE_POINTER,
            .state_cframe = 56, .cframe_frame = 8, .cframe_previous = 16,
            .frame_previous = 48, .frame_code = 32, .frame_place = 56, .frame_owner = 69,
            .frame_is_entry = 68,
            .code_file = 112, .code_name = 128, .code_first_line = 72, .code_table = 136,
            .code_bytes = 184, .code_first_traceable = 168,
            .type = 8, .text_ascii = 48, .text_compact = 72, .text_shift = 2, .entry_owner = 3,
            .table_kind = KP_LINES_LOCATIONS},
    [12] = {.chain = KP_CHAIN_ENTRY, .place = KP_PLACE_POINTER,
            .state_cframe = 56, .cframe_frame = 0,
            .frame_previous = 8, .frame_code = 0, .frame_place = 56, .frame_owner = 70,
            .code_file = 112, .code_name = 128, .code_first_line = 68, .code_table = 136,
            .code_bytes = 192, .code_first_traceable = 176,
            .type = 8, .text_ascii = 40, .text_compact = 56, .text_shift = 2, .entry_owner = 3,
            .table_kind = KP_LINES_LOCATIONS},
};

/* Places in _Py_DebugOffsets, in words of 8 bytes. A group starts with the size of what it is of. */
struct places {
    uint8_t free_threaded, state, frame, code, object;
};
static const struct places places_13 = {2, 19, 28, 34, 44};
static const struct places places_14 = {2, 22, 31, 39, 50};
enum { STATE_FRAME = 4 };
enum { FRAME_PREVIOUS = 1, FRAME_CODE, FRAME_PLACE, FRAME_LOCALS, FRAME_OWNER, FRAME_STACK,
       FRAME_COPY };
enum { CODE_FILE = 1, CODE_NAME, CODE_QUALNAME, CODE_TABLE, CODE_FIRST_LINE, CODE_BYTES = 9,
       CODE_COPIES };
enum { OBJECT_SIZE, OBJECT_TYPE };

/* Offsets that can't be are those of a table that we don't know. */
static bool fits(const uint64_t *group, unsigned count)
{
    if (group[0] < 8 || group[0] > 4096)
        return false;
    for (unsigned i = 1; i < count; i++)
        if (group[i] > group[0] || group[i] % (i == FRAME_OWNER || i == CODE_FIRST_LINE ? 1 : 4))
            return false;
    return true;
}

static bool from_offsets(const uint64_t *word, const struct places *at)
{
    const uint64_t *frame = word + at->frame, *code = word + at->code;
    bool threads = word[at->free_threaded] != 0;

    if (!fits(frame, 6) || !fits(code, 10) || word[at->object + OBJECT_SIZE] > 64 ||
        word[at->object + OBJECT_TYPE] + 8 != word[at->object + OBJECT_SIZE] ||
        word[at->state + STATE_FRAME] > 4096)
        return false;
    kp_py_layout = known[12];
    kp_py_layout.state_frame = (uint16_t)word[at->state + STATE_FRAME];
    kp_py_layout.state_cframe = 0;
    kp_py_layout.frame_previous = (uint16_t)frame[FRAME_PREVIOUS];
    kp_py_layout.frame_code = (uint16_t)frame[FRAME_CODE];
    kp_py_layout.frame_place = (uint16_t)frame[FRAME_PLACE];
    kp_py_layout.frame_owner = (uint16_t)frame[FRAME_OWNER];
    kp_py_layout.code_file = (uint16_t)code[CODE_FILE];
    kp_py_layout.code_name = (uint16_t)code[CODE_QUALNAME];
    kp_py_layout.code_table = (uint16_t)code[CODE_TABLE];
    kp_py_layout.code_first_line = (uint16_t)code[CODE_FIRST_LINE];
    kp_py_layout.code_bytes = (uint16_t)code[CODE_BYTES];
    kp_py_layout.code_first_traceable = (uint16_t)(code[CODE_BYTES] - 16);
    kp_py_layout.type = (uint16_t)word[at->object + OBJECT_TYPE];
    kp_py_layout.text_ascii = (uint16_t)(kp_py_layout.type + 32);
    kp_py_layout.text_compact = (uint16_t)(kp_py_layout.type + 48);
    if (threads && kp_python.minor >= 14) {
        kp_py_layout.code_copies = (uint16_t)code[CODE_COPIES];
        kp_py_layout.frame_copy = (uint16_t)frame[FRAME_COPY];
        kp_py_layout.code_first_traceable = (uint16_t)(code[CODE_BYTES] - 24);
        kp_py_layout.text_shift = 8;
    }
    return true;
}

static bool from_runtime(void)
{
    const uint64_t *word = kp_python_symbol("_PyRuntime");
    const struct places *at = kp_python.minor == 13 ? &places_13 : &places_14;

    return word && memcmp(word, "xdebugpy", 8) == 0 &&
           (word[1] >> 16 & 0xff) == (uint64_t)kp_python.minor && from_offsets(word, at);
}

bool kp_py_layout_init(void)
{
    if (kp_python.minor >= 13)
        return kp_python.minor <= 14 && from_runtime();
    if (kp_python.minor < 9)
        return false;
    kp_py_layout = known[kp_python.minor];
    return true;
}
