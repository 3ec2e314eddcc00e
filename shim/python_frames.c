/* SPDX-License-Identifier: MIT */
/*
 * Walks the frames. A thread's chain of frames is changed by that thread alone, so that reading it
 * inside one's own malloc is free of races, with or without the GIL. No reference count, no call
 * of the API but the two that look up the thread's state.
 *
 * The first walks of a process look twice: each address is asked for before it is read, and what
 * should be code must be code with names and a line table, the instruction inside of it. If
 * anything is not as known, Python frames are given up for this process, with a note in the
 * report; native stacks stay.
 */
#include "python_frames.h"

#include "python.h"
#include "python_code.h"
#include "python_layout.h"
#include "spool.h"
#include "sys.h"

#include <stdatomic.h>

#define WALKS_TESTED 32
#define CODE_BYTES_MAX (256u << 20)

static _Atomic uint32_t walks_tested;

static uintptr_t word_at(uintptr_t address)
{
    return *(const uintptr_t *)address;
}

static bool testing(void)
{
    return __builtin_expect(kp_python.frames == KP_FRAMES_TESTED, 0);
}

static inline bool may_read(uintptr_t address, uint32_t bytes)
{
    if (address & 7 || address < 4096)
        return false;
    return !testing() ||
           (kp_sys_is_readable(address) && kp_sys_is_readable(address + bytes - 1));
}

static void give_up(void)
{
    static const char note[] = "the frames of this Python are not as kprof knows them: stacks are "
                               "native ones alone";

    kp_python.frames = KP_FRAMES_OFF;
    kp_spool_text(KP_TEXT_NOTE, note, sizeof note - 1);
}

static bool is_of_type(uintptr_t object, uintptr_t type)
{
    return may_read(object, 16) && word_at(object + kp_py_layout.type) == type;
}

static bool is_code(uintptr_t code)
{
    return is_of_type(code, kp_python.code_type) && may_read(code, 256) &&
           is_of_type(word_at(code + kp_py_layout.code_file), kp_python.text_type) &&
           is_of_type(word_at(code + kp_py_layout.code_name), kp_python.text_type) &&
           is_of_type(word_at(code + kp_py_layout.code_table), kp_python.bytes_type);
}

static uintptr_t first_instruction(const struct kp_py_frame *frame)
{
    uintptr_t copies;

    if (!kp_py_layout.code_copies)
        return frame->code + kp_py_layout.code_bytes;
    copies = word_at(frame->code + kp_py_layout.code_copies);
    if (!copies)
        return frame->code + kp_py_layout.code_bytes;
    uint32_t copy = *(const uint32_t *)(frame->frame + kp_py_layout.frame_copy);
    if (copy >= word_at(copies))
        copy = 0;
    return word_at(copies + 8 + 8ul * copy);
}

uint32_t kp_python_frame_offset(const struct kp_py_frame *frame)
{
    int64_t offset = (int64_t)(int32_t)frame->place;

    if (kp_py_layout.place == KP_PLACE_POINTER)
        offset = (int64_t)(frame->place - first_instruction(frame));
    else if (kp_py_layout.place == KP_PLACE_UNITS)
        offset *= 2;
    return offset < 0 || offset > CODE_BYTES_MAX ? UINT32_MAX : (uint32_t)offset;
}

/* A frame that has not reached its first line yet: Python itself does not show it. */
static bool is_incomplete(const struct kp_py_frame *frame, uint8_t owner)
{
    if (!kp_py_layout.code_first_traceable || owner == 1)
        return false;
    uint32_t units = *(const uint32_t *)(frame->code + kp_py_layout.code_first_traceable);
    return frame->place < first_instruction(frame) + 2ul * units;
}

/* Where a walk stands. */
struct walk {
    struct kp_py_frame *frames;
    uint32_t count;
    uint32_t without_anchor; /* frames from here on wait for their entry frame */
    uintptr_t frame, cframe;
};

/* Inline, so that the walk's state stays in registers. */
static inline __attribute__((always_inline)) bool begin(struct walk *walk)
{
    const char *state = kp_python_state();

    if (!state || !may_read((uintptr_t)state, 256))
        return false;
    if (kp_py_layout.state_cframe)
        walk->cframe = word_at((uintptr_t)state + kp_py_layout.state_cframe);
    if (kp_py_layout.state_frame)
        walk->frame = word_at((uintptr_t)state + kp_py_layout.state_frame);
    else if (walk->cframe && may_read(walk->cframe, 24))
        walk->frame = word_at(walk->cframe + kp_py_layout.cframe_frame);
    return walk->frame != 0;
}

/* This frame is the outermost of a run of the loop: the next one belongs to another. */
static inline void next_cframe(struct walk *walk, uintptr_t frame)
{
    bool is_entry = !kp_py_layout.frame_is_entry ||
                    *(const uint8_t *)(frame + kp_py_layout.frame_is_entry);

    if (is_entry && walk->cframe && may_read(walk->cframe, 24))
        walk->cframe = word_at(walk->cframe + kp_py_layout.cframe_previous);
}

static void take_anchor(struct walk *walk, uintptr_t anchor)
{
    for (; walk->without_anchor < walk->count; walk->without_anchor++)
        walk->frames[walk->without_anchor].anchor = anchor;
}

static uintptr_t place_of(uintptr_t frame)
{
    if (kp_py_layout.place == KP_PLACE_POINTER)
        return word_at(frame + kp_py_layout.frame_place);
    return *(const uint32_t *)(frame + kp_py_layout.frame_place);
}

static uint8_t owner_of(uintptr_t frame)
{
    return kp_py_layout.frame_owner ? *(const uint8_t *)(frame + kp_py_layout.frame_owner) : 0;
}

static bool is_entry_frame(uint8_t owner)
{
    return kp_py_layout.entry_owner && owner >= kp_py_layout.entry_owner;
}

static uintptr_t code_of(uintptr_t frame)
{
    return word_at(frame + kp_py_layout.frame_code) & ~7ul;
}

/* Steps over one frame; false when it is not as we know them. */
static bool step(struct walk *walk)
{
    uintptr_t at = walk->frame;

    if (!may_read(at, 112))
        return false;
    uint8_t owner = owner_of(at);
    walk->frame = word_at(at + kp_py_layout.frame_previous);
    if (is_entry_frame(owner)) {
        take_anchor(walk, at);
        return true;
    }
    struct kp_py_frame frame = {.frame = at,
                                .code = code_of(at),
                                .place = place_of(at),
                                .anchor = walk->cframe ? walk->cframe : UINTPTR_MAX};
    if (testing() && !is_code(frame.code))
        return false;
    if (!is_incomplete(&frame, owner))
        walk->frames[walk->count++] = frame;
    if (kp_py_layout.chain == KP_CHAIN_CFRAME)
        next_cframe(walk, at);
    return true;
}

uint32_t kp_python_frames_read(struct kp_slot *slot)
{
    struct walk walk = {.frames = slot->py_fresh};

    if (!begin(&walk))
        return 0;
    while (walk.frame && walk.count < KP_PYTHON_DEPTH_MAX)
        if (!step(&walk)) {
            atomic_fetch_add(&kp_state.info->python_broken, 1);
            if (testing())
                give_up();
            return 0;
        }
    if (walk.frame)
        atomic_fetch_add(&kp_state.info->python_cut_frames, 1);
    if (kp_py_layout.chain == KP_CHAIN_ENTRY)
        take_anchor(&walk, UINTPTR_MAX);
    if (testing() && walk.count && atomic_fetch_add(&walks_tested, 1) + 1 >= WALKS_TESTED)
        kp_python.frames = KP_FRAMES_TRUSTED;
    return walk.count;
}

static inline bool is_kept(const struct kp_py_frame *kept, uintptr_t frame, uintptr_t code,
                           uintptr_t place)
{
    if (kept->frame != frame || kept->code != code || kept->place != place)
        return false;
    /* Where code that dies is noticed (python_domains.c), its address says it all. */
    return kp_python.tells_code_deaths ||
           (kept->name == word_at(code + kp_py_layout.code_name) &&
            kept->table == word_at(code + kp_py_layout.code_table));
}

bool kp_python_frame_is_kept(const struct kp_py_frame *kept, uintptr_t frame, uintptr_t code,
                             uintptr_t place)
{
    return is_kept(kept, frame, code, place);
}

/* One frame of the comparison; *at counts the kept frames that are left. */
static inline bool is_next_kept(const struct kp_slot *slot, const struct walk *walk, uint32_t *at)
{
    const struct kp_py_frame *kept = &slot->py[*at - 1];

    if (!*at || !is_kept(kept, walk->frame, code_of(walk->frame), place_of(walk->frame)))
        return false;
    if (kp_py_layout.chain == KP_CHAIN_CFRAME && kept->anchor != walk->cframe)
        return false;
    --*at;
    return true;
}

bool kp_python_frames_unchanged(const struct kp_slot *slot)
{
    struct walk walk = {0};
    uint32_t at = slot->py_depth, group = at;

    if (kp_python.frames != KP_FRAMES_TRUSTED || kp_py_layout.chain == KP_CHAIN_PLAIN)
        return false;
    if (!begin(&walk))
        return at == 0;
    while (walk.frame) {
        uintptr_t frame = walk.frame;

        if (!is_entry_frame(owner_of(frame))) {
            if (!is_next_kept(slot, &walk, &at))
                return false;
            if (kp_py_layout.chain == KP_CHAIN_CFRAME)
                next_cframe(&walk, frame);
        } else if (group != at) {
            if (slot->py[group - 1].anchor != frame || slot->py[at].anchor != frame)
                return false;
            group = at;
        }
        walk.frame = word_at(frame + kp_py_layout.frame_previous);
    }
    return at == 0 && (kp_py_layout.chain != KP_CHAIN_ENTRY || group == 0);
}
