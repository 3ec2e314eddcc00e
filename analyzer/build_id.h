/* SPDX-License-Identifier: MIT */
/*
 * The build-id of an ELF file: it tells whether a file found today is the one that was loaded then.
 */
#ifndef KP_BUILD_ID_H
#define KP_BUILD_ID_H

#include <libelf.h>
#include <stddef.h>

#define KP_BUILD_ID_HEX 129 /* room for 64 bytes in hex and a NUL; a longer one is cut */

/* Opens a regular file for reading; never waits (as a FIFO would). -1: not there, not readable or
 * not a regular file. */
int kp_open_regular(const char *path);

/* Build-id in hex, "" when there is none. */
void kp_build_id_of_elf(Elf *elf, char hex[KP_BUILD_ID_HEX]);
/* The same for a file; -1 when it cannot be opened or is no ELF file. */
int kp_build_id_of_file(const char *path, char hex[KP_BUILD_ID_HEX]);

#endif
