/* SPDX-License-Identifier: MIT */
/*
 * The arguments of a program as JSON, as they stand in column process.argv. Pure functions.
 */
#ifndef KP_ARGUMENT_LIST_H
#define KP_ARGUMENT_LIST_H

#include <stddef.h>

/* A JSON array of the strings in `text`, between which are NULs. What is no UTF-8 in them becomes
 * U+FFFD. Free it. */
char *kp_argument_list_json(const char *text, size_t bytes);

#endif
