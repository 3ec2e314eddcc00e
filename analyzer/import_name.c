/* SPDX-License-Identifier: MIT */
/*
 * Names of modules, see import_name.h. Where sys.path begins in a path is not recorded, so it is
 * taken from the folders that every installation of Python has.
 */
#include "import_name.h"

#include <stdio.h>
#include <string.h>

/* Where the text behind its last occurrence begins, NULL: does not occur. */
static const char *behind_last(const char *text, const char *what)
{
    const char *found = NULL;

    for (const char *at = text; (at = strstr(at, what)); at++)
        found = at + strlen(what);
    return found;
}

/* Behind ".../lib/python3.11/", also of lib64 and of a zipped library (python311.zip). */
static const char *behind_library(const char *file)
{
    const char *at = behind_last(file, "/python3");
    const char *slash = at ? strchr(at, '/') : NULL;

    return slash && strspn(at, ".0123456789tzip") == (size_t)(slash - at) ? slash + 1 : NULL;
}

static const char *in_search_path(const char *file)
{
    static const char *const folders[] = {"/site-packages/", "/dist-packages/", "/lib-dynload/"};

    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        const char *at = behind_last(file, folders[i]);

        if (at)
            return at;
    }
    return behind_library(file);
}

static bool ends_with(const char *text, size_t bytes, const char *end)
{
    size_t length = strlen(end);

    return bytes >= length && !memcmp(text + bytes - length, end, length);
}

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* Length of the path without what says which kind of file it is. */
static size_t stem_bytes(const char *path)
{
    size_t bytes = strlen(path);
    const char *base = base_of(path);

    if (ends_with(path, bytes, ".py"))
        return bytes - 3;
    if (ends_with(path, bytes, ".pyc"))
        return bytes - 4;
    return (size_t)(base - path) + strcspn(base, ".");
}

/* Without "<frozen " and ">"; other texts in brackets are kept whole. */
static void name_in_brackets(const char *file, char name[KP_IMPORT_NAME_BYTES])
{
    int frozen = !strncmp(file, "<frozen ", 8);

    snprintf(name, KP_IMPORT_NAME_BYTES, "%s", frozen ? file + 8 : file);
    if (frozen)
        name[strcspn(name, ">")] = 0;
}

void kp_import_name(const char *file, char name[KP_IMPORT_NAME_BYTES])
{
    const char *from = in_search_path(file);

    if (file[0] == '<') {
        name_in_brackets(file, name);
        return;
    }
    const char *path = from && *from ? from : file;
    size_t bytes = stem_bytes(path);

    if (ends_with(path, bytes, "/__init__"))
        bytes -= strlen("/__init__");
    if (!from)
        while (memchr(path, '/', bytes)) {
            const char *slash = memchr(path, '/', bytes);

            bytes -= (size_t)(slash + 1 - path);
            path = slash + 1;
        }
    if (bytes >= KP_IMPORT_NAME_BYTES)
        bytes = KP_IMPORT_NAME_BYTES - 1;
    for (size_t i = 0; i < bytes; i++)
        name[i] = path[i] == '/' ? '.' : path[i];
    name[bytes] = 0;
}

/* runpy runs the program of "python -m". */
bool kp_import_is_interpreter(const char *file)
{
    const char *rest = file[0] == '<' ? NULL : behind_library(file);

    if (!strncmp(file, "<frozen ", 8))
        return strcmp(file, "<frozen runpy>") != 0 && strcmp(file, "<frozen __main__>") != 0;
    return rest && (!strcmp(rest, "site.py") || !strcmp(rest, "codecs.py") ||
                    !strncmp(rest, "encodings/", 10));
}
