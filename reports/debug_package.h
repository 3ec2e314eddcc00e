/* SPDX-License-Identifier: MIT */
/*
 * Where the names of a module without symbols can be had. Any thread.
 */
#ifndef KP_DEBUG_PACKAGE_H
#define KP_DEBUG_PACKAGE_H

#include <stddef.h>

/* The Debian package with the debug symbols of an installed file: "libssl3-dbgsym"; "" unknown. */
void kp_debug_package(const char *path, char *out, size_t out_bytes);

#endif
