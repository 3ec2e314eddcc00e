/* SPDX-License-Identifier: MIT */
/*
 * Symbol names for people: C++ (Itanium), Rust legacy and Rust v0, which one binary may mix.
 *
 *   _ZN3foo3barIiEEvi          foo::bar<int>            no parameters, no return type
 *   _ZN4core3ptr4readE17h...E  core::ptr::read          no hash
 *   _RNvC5crate4main           crate::main
 *   memcpy@@GLIBC_2.14         memcpy                   no version
 *   parse.part.0, parse.cold   parse                    pieces count for the whole
 *   malloc@plt                 malloc@plt
 *
 * Parameters are left out because overloads differ by line anyway and a table has little room;
 * template arguments stay because they tell instances apart. A suffix that chooses between
 * different code (.avx2) stays. What is not mangled, or not well mangled, comes back as it is.
 */
#ifndef KP_DEMANGLE_H
#define KP_DEMANGLE_H

#include <stdbool.h>

#define KP_DEMANGLED_MAX 4096 /* bytes; a longer name is cut and ends in "..." */

/* A new string; NULL: no memory. */
char *kp_demangle(const char *name);
/* Does it look like a mangled name? (So what kp_demangle gave back for it is not readable.) */
bool kp_is_mangled(const char *name);

#endif
