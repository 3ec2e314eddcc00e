/* SPDX-License-Identifier: MIT */
/*
 * Python's name of a module, guessed from the file that it comes from: of a file below
 * site-packages, dist-packages, lib/python3.X or lib-dynload the dotted rest of the path, of other
 * files the base name. Pure functions, any thread.
 */
#ifndef KP_IMPORT_NAME_H
#define KP_IMPORT_NAME_H

#include <stdbool.h>
#include <stddef.h>

#define KP_IMPORT_NAME_BYTES 256

/* ".../site-packages/numpy/core/__init__.py" is numpy.core, "<frozen os>" is os, an extension
 * module's library is named up to its first dot. Longer names are cut. */
void kp_import_name(const char *file, char name[KP_IMPORT_NAME_BYTES]);

/* Is Python code from this file part of the interpreter's own start (importlib, site, codecs and
 * encodings), if nothing else has called it? */
bool kp_import_is_interpreter(const char *file);

#endif
