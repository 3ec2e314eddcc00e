/* SPDX-License-Identifier: MIT */
/*
 * Where things are in CPython's own structures, in bytes, for the version at hand: from a table up
 * to 3.12, from then on from the table that the interpreter itself carries for debuggers.
 */
#ifndef KP_PYTHON_LAYOUT_H
#define KP_PYTHON_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

/* How the frames of a thread hang together, and where they touch the native stack. */
enum kp_py_chain {
    KP_CHAIN_PLAIN,  /* 3.9: frames alone; each has a native frame of the loop */
    KP_CHAIN_CFRAME, /* 3.10, 3.11: a record on the native stack for each run of the loop */
    KP_CHAIN_ENTRY,  /* from 3.12: a frame of its own on the native stack for each run of the loop */
};

enum kp_py_place {
    KP_PLACE_BYTES,   /* f_lasti in bytes */
    KP_PLACE_UNITS,   /* f_lasti in units of two bytes */
    KP_PLACE_POINTER, /* address of an instruction */
};

struct kp_py_layout {
    uint8_t chain; /* enum kp_py_chain */
    uint8_t place; /* enum kp_py_place */
    uint16_t state_frame;                   /* the innermost frame */
    uint16_t state_cframe, cframe_frame, cframe_previous;
    uint16_t frame_previous, frame_code, frame_place, frame_owner, frame_is_entry;
    uint16_t code_file, code_name, code_first_line, code_table, code_bytes;
    uint16_t code_first_traceable;          /* 0: no frame is ever incomplete */
    uint16_t code_copies, frame_copy;       /* free-threaded: a thread's own copy of the code */
    uint16_t type, text_ascii, text_compact;
    uint8_t text_shift;  /* of the string's kind in its state */
    uint8_t entry_owner; /* frames with at least this owner are none of Python */
    uint8_t table_kind;  /* enum kp_line_table */
};
extern struct kp_py_layout kp_py_layout __attribute__((visibility("hidden")));

/* The same in all versions without free threading; with it `type` differs, and these follow it. */
#define KP_PY_TEXT_LENGTH (kp_py_layout.type + 8u)
#define KP_PY_TEXT_HASH (kp_py_layout.type + 16u)
#define KP_PY_TEXT_STATE (kp_py_layout.type + 24u)
#define KP_PY_BYTES_SIZE (kp_py_layout.type + 8u)
#define KP_PY_BYTES_START (kp_py_layout.type + 24u)

/* Fills kp_py_layout for kp_python. False: this build is not known. */
bool kp_py_layout_init(void);

#endif
