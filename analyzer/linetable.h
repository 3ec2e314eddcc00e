/* SPDX-License-Identifier: MIT */
/*
 * From an instruction of Python code to its line, by the line table that the code object carries.
 * The table comes out of a file that may be damaged: whatever its bytes are, only they are read.
 * Any thread.
 */
#ifndef KP_LINETABLE_H
#define KP_LINETABLE_H

#include <stddef.h>
#include <stdint.h>

struct kp_linetable {
    unsigned kind; /* enum kp_line_table; of another kind only the first line is known */
    uint32_t first_line;
    const uint8_t *bytes;
    size_t count;
};

/* What PyCode_Addr2Line() says of the instruction at this offset in bytes, with 0 for "belongs to
 * no line". UINT32_MAX (before the first instruction), an offset that the table does not reach and
 * a table that makes no sense give the first line. */
uint32_t kp_linetable_line(const struct kp_linetable *table, uint32_t offset);

#endif
