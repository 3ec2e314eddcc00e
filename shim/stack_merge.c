/* SPDX-License-Identifier: MIT */
/*
 * Merging. The calling thread, with the guard set.
 *
 * Both kinds of frames are kept from sample to sample, outermost first. A native frame's place is
 * the address that holds its return address, a Python frame's place is its anchor: the stack grows
 * downwards, so that the merged order is that of falling addresses. What lies above the first
 * change of either kind keeps its nodes; only the rest is looked up again. Reading a Python frame
 * costs about a nanosecond, so that all of them are read and compared each time: a caller may have
 * gone on to another line while every native frame stayed.
 *
 * Python 3.9 leaves nothing on the native stack that we know: there the frames are paired with the
 * native frames of the loop, one each, from the innermost.
 */
#include "stack_merge.h"

#include "python.h"
#include "python_code.h"
#include "python_frames.h"
#include "python_layout.h"
#include "stacks.h"

#include <stdatomic.h>

/* Takes over the new native frames. Returns the highest address at which something has changed. */
static uintptr_t keep_native(struct kp_slot *slot, uint32_t keep, uint32_t fresh)
{
    uintptr_t changed = keep < slot->depth ? slot->frames[keep].slot : 0;

    if (fresh > KP_STACK_DEPTH_MAX - keep) {
        atomic_fetch_add(&kp_state.info->cut_frames, keep + fresh - KP_STACK_DEPTH_MAX);
        fresh = KP_STACK_DEPTH_MAX - keep;
    }
    if (fresh && slot->fresh[fresh - 1].slot > changed)
        changed = slot->fresh[fresh - 1].slot;
    slot->depth = keep;
    for (uint32_t i = fresh; i-- > 0;) {
        struct kp_frame *frame = &slot->frames[slot->depth++];

        *frame = slot->fresh[i];
        frame->serial = ++slot->serial;
        frame->needs_fp = frame->uses_fp ||
                          (frame > slot->frames && !frame[-1].fp_slot && frame[-1].needs_fp);
        /* Memory that may be unmapped the next time is not to be compared. */
        frame->is_foreign = !kp_slot_stack_holds(slot, (void *)frame->slot) ||
                            (frame->fp_slot && !kp_slot_stack_holds(slot, (void *)frame->fp_slot));
        slot->checks[slot->depth - 1] = (struct kp_frame_check){
            frame->is_foreign || frame->needs_fp ? 0 : frame->slot, frame->pc};
        if (frame->is_foreign)
            changed = UINTPTR_MAX;
    }
    return changed;
}

static bool is_loop(uintptr_t pc)
{
    return pc >= kp_python.loop_start && pc < kp_python.loop_end;
}

static void pair_with_loops(struct kp_slot *slot, uint32_t count)
{
    uint32_t at = slot->depth;

    for (uint32_t i = 0; i < count; i++) {
        while (at && !is_loop(slot->frames[at - 1].pc & ~KP_PC_EXACT))
            at--;
        if (!at)
            return;
        slot->py_fresh[i].anchor = slot->frames[--at].slot + 1;
    }
}

static bool same(const struct kp_py_frame *kept, const struct kp_py_frame *fresh)
{
    return kept->anchor == fresh->anchor &&
           kp_python_frame_is_kept(kept, fresh->frame, fresh->code, fresh->place);
}

static void adopt(struct kp_slot *slot, const struct kp_py_frame *fresh)
{
    struct kp_py_frame *frame = &slot->py[slot->py_depth];
    struct kp_py_code code = kp_python_code(fresh->code);

    *frame = *fresh;
    frame->imports = (slot->py_depth ? frame[-1].imports : 0) + (code.role == KP_CODE_IMPORT);
    frame->role = code.role;
    frame->pc = code.pc ? code.pc | kp_python_frame_offset(fresh) : 0;
    if (code.pc) {
        frame->name = *(const uintptr_t *)(fresh->code + kp_py_layout.code_name);
        frame->table = *(const uintptr_t *)(fresh->code + kp_py_layout.code_table);
    } else {
        atomic_fetch_add(&kp_state.info->python_broken, 1);
        frame->code = 0; /* equal to none the next time */
    }
    slot->py_depth++;
}

/* Takes over the Python frames as they are now. As keep_native(). */
static uintptr_t keep_python(struct kp_slot *slot, uint32_t *keep)
{
    uint32_t deaths = atomic_load_explicit(&kp_state.code_deaths, memory_order_acquire);
    uint32_t count, kept = 0;
    uintptr_t changed = 0;

    if (slot->code_deaths != deaths) {
        slot->code_deaths = deaths;
        changed = slot->py_depth ? UINTPTR_MAX : 0;
        slot->py_depth = 0;
    }
    *keep = slot->py_depth;
    if (slot->py_depth && kp_python_frames_unchanged(slot))
        return 0;
    count = kp_python_frames_read(slot);
    slot->py_serial++;
    if (count && kp_py_layout.chain == KP_CHAIN_PLAIN)
        pair_with_loops(slot, count);
    while (kept < slot->py_depth && kept < count &&
           same(&slot->py[kept], &slot->py_fresh[count - 1 - kept]))
        kept++;
    if (kept < slot->py_depth && slot->py[kept].anchor > changed)
        changed = slot->py[kept].anchor;
    if (kept < count && slot->py_fresh[count - 1 - kept].anchor > changed)
        changed = slot->py_fresh[count - 1 - kept].anchor;
    slot->py_depth = kept;
    for (uint32_t i = kept; i < count; i++)
        adopt(slot, &slot->py_fresh[count - 1 - i]);
    *keep = kept;
    return changed;
}

static bool native_is_next(const struct kp_slot *slot, uint32_t native, uint32_t python)
{
    if (python == slot->py_depth)
        return true;
    return native < slot->depth &&
           (slot->frames[native].slot == 0 || slot->frames[native].slot > slot->py[python].anchor);
}

/* Our own functions in front of Python's allocators call on: nobody wants to read of them. */
static uint32_t node_of(uint32_t caller, uint64_t pc)
{
    if (pc >= kp_host.own_start && pc < kp_host.own_end)
        return caller;
    return kp_stacks_node(caller, pc);
}

/* Nodes for all frames from these on; what comes before them has its own. */
static uint32_t name_nodes(struct kp_slot *slot, uint32_t native, uint32_t python)
{
    uint32_t node = 0;

    if (native)
        node = slot->frames[native - 1].node;
    if (python && (!native || slot->py[python - 1].anchor < slot->frames[native - 1].slot))
        node = slot->py[python - 1].node;
    while (native < slot->depth || python < slot->py_depth) {
        if (native_is_next(slot, native, python)) {
            node = node_of(node, slot->frames[native].pc);
            slot->frames[native++].node = node;
        } else {
            if (slot->py[python].pc)
                node = kp_stacks_node(node, slot->py[python].pc);
            slot->py[python++].node = node;
        }
    }
    return node;
}

uint32_t kp_stack_merge(struct kp_slot *slot, uint32_t keep, uint32_t fresh)
{
    uintptr_t changed = keep_native(slot, keep, fresh);
    uint32_t python = 0;

    if (kp_python.is_found && kp_python.frames != KP_FRAMES_OFF) {
        uintptr_t elsewhere = keep_python(slot, &python);

        if (elsewhere > changed)
            changed = elsewhere;
        while (keep && slot->frames[keep - 1].slot <= changed)
            keep--;
        while (python && slot->py[python - 1].anchor < changed)
            python--;
    }
    return name_nodes(slot, keep, python);
}

bool kp_stack_is_start_up(const struct kp_slot *slot)
{
    const struct kp_py_frame *innermost;

    if (!kp_python.is_found || kp_python.frames == KP_FRAMES_OFF)
        return false;
    if (!slot->py_depth)
        return atomic_load_explicit(&slot->owner, memory_order_relaxed) == (uint32_t)kp_state.pid;
    innermost = &slot->py[slot->py_depth - 1];
    return innermost->imports || slot->py[0].role == KP_CODE_MACHINERY;
}
