/* SPDX-License-Identifier: MIT */
/*
 * Where a file's separate debug information lies: by build-id below the debug directory, else by
 * .gnu_debuglink beside the file. What is found is checked before it is used.
 */
#ifndef KP_SYMBOLS_DEBUG_FILE_H
#define KP_SYMBOLS_DEBUG_FILE_H

#include <stdint.h>

#define KP_DEBUG_DIRECTORY "/usr/lib/debug"

/* An open file descriptor and in *path its path (to be freed), or -1. */
int kp_debug_file_by_build_id(const char *directory, const char *build_id_hex, char **path);
int kp_debug_file_by_link(const char *directory, const char *file, const char *link, uint32_t crc,
                          char **path);

#endif
