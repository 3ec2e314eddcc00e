/* SPDX-License-Identifier: MIT */
/*
 * The Python frames of the calling thread, read as memory. Each run of the interpreter's loop
 * leaves something on the native stack; its address, the frame's anchor, says between which native
 * frames the Python frames belong (stack_merge.c).
 */
#ifndef KP_PYTHON_FRAMES_H
#define KP_PYTHON_FRAMES_H

#include "state.h"

/* They are, to the last one, those that the slot keeps in slot->py. */
bool kp_python_frames_unchanged(const struct kp_slot *slot);

/* Is this the frame that was kept, at the same instruction of the same code? */
bool kp_python_frame_is_kept(const struct kp_py_frame *kept, uintptr_t frame, uintptr_t code,
                             uintptr_t place);

/* Reads them into slot->py_fresh, innermost first, and returns how many there are. With the guard
 * set. Up to 3.9 anchors are UINTPTR_MAX and for the caller to find. */
uint32_t kp_python_frames_read(struct kp_slot *slot);

/* Offset of the instruction in the frame's code, as in KP_PC_PYTHON_OFFSET. */
uint32_t kp_python_frame_offset(const struct kp_py_frame *frame);

#endif
