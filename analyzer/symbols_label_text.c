/* SPDX-License-Identifier: MIT */
/*
 * Paths in panic messages are what the compiler was given: a registry's folder of this or that
 * machine, the compiler's own library, or a path in the crate that was built. What a reader wants
 * is the crate, its version and the path in it. Runs in the collector and the reports, on one
 * thread.
 */
#include "symbols_label_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Crate and path in it, as pieces of the place's path. Crate of length 0: the module's own. */
struct parts {
    const char *crate, *path;
    int crate_length, path_length;
};

/* Where other people's crates lie, and how many folders come before the crate's own. */
static const struct {
    const char *folder;
    int skip;
} stores[] = {{"/registry/src/", 1}, {"/git/checkouts/", 0}, {"/rust/deps/", 0}, {"library/", 0}};

static const char *find(const char *at, const char *end, const char *word)
{
    return at < end ? memmem(at, (size_t)(end - at), word, strlen(word)) : NULL;
}

/* Behind the folder of a store, or NULL. */
static const char *below_store(const char *path, const char *end)
{
    for (size_t i = 0; i < sizeof stores / sizeof *stores; i++) {
        const char *at = find(path, end, stores[i].folder);
        at = at ? at + strlen(stores[i].folder) : NULL;
        for (int skip = stores[i].skip; at && skip > 0; skip--) {
            at = memchr(at, '/', (size_t)(end - at));
            at = at ? at + 1 : NULL;
        }
        if (at && memchr(at, '/', (size_t)(end - at)))
            return at;
    }
    return NULL;
}

static struct parts split(const struct kp_place *place)
{
    const char *end = place->file + place->length, *crate = below_store(place->file, end);
    const char *slash = crate ? memchr(crate, '/', (size_t)(end - crate)) : NULL;
    if (!slash && (slash = find(place->file, end, "/src/")))
        for (crate = slash; crate > place->file && crate[-1] != '/'; crate--)
            continue;
    if (!slash)
        return (struct parts){"", place->file, 0, (int)place->length};
    return (struct parts){crate, slash + 1, (int)(slash - crate), (int)(end - slash - 1)};
}

char *kp_label_module(const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    if (strncmp(base, "lib", 3) == 0 && base[3])
        base += 3;
    while (base[0] == '_' && base[1])
        base++;
    size_t length = strcspn(base, ".");
    return length ? strndup(base, length) : strdup(base);
}

enum kp_place_origin kp_label_origin(const struct kp_place *place)
{
    const char *end = place->file + place->length;
    if (find(place->file, end, "/rustc/") == place->file ||
        find(place->file, end, "library/") == place->file)
        return KP_PLACE_LIBRARY;
    return below_store(place->file, end) ? KP_PLACE_CRATE : KP_PLACE_OWN;
}

char *kp_label_file(const struct kp_place *place)
{
    struct parts parts = split(place);
    char *text = NULL;
    if (!parts.crate_length || (*place->file != '/' && strncmp(place->file, "library/", 8) != 0))
        return strndup(place->file, place->length);
    int bytes = asprintf(&text, "%.*s/%.*s", parts.crate_length, parts.crate, parts.path_length,
                         parts.path);
    return bytes < 0 ? NULL : text;
}

char *kp_label_place(const char *module, const struct kp_place *place, int line)
{
    struct parts parts = split(place);
    char *text = NULL, number[16] = "";
    if (line)
        snprintf(number, sizeof number, ":%d", line);
    int bytes = asprintf(&text, "%.*s: %.*s%s (nearby)",
                         parts.crate_length ? parts.crate_length : (int)strlen(module),
                         parts.crate_length ? parts.crate : module, parts.path_length, parts.path,
                         number);
    return bytes < 0 ? NULL : text;
}

char *kp_label_called(const char *module, uint64_t start, const char *caller,
                      enum kp_label_relation relation, size_t callers)
{
    static const char *const words[] = {"called from", "in a table of", "called below"};
    char *text = NULL, more[32] = "";
    if (callers > 1 && relation == KP_LABEL_CALLED)
        snprintf(more, sizeof more, " and %zu more", callers - 1);
    int bytes = asprintf(&text, "%s+0x%" PRIx64 " (%s %s%s)", module, start, words[relation],
                         caller, more);
    return bytes < 0 ? NULL : text;
}

char *kp_label_calls(const char *module, uint64_t start, const char *imports)
{
    char *text = NULL;
    int bytes = asprintf(&text, "%s+0x%" PRIx64 " (calls %s)", module, start, imports);
    return bytes < 0 ? NULL : text;
}

char *kp_label_imports(const char *const *names, size_t count)
{
    char *text = strdup(names[0]);
    for (size_t i = 1; text && i < count; i++) {
        char *joined = NULL;
        if (asprintf(&joined, "%s, %s", text, names[i]) < 0)
            joined = NULL;
        free(text);
        text = joined;
    }
    return text;
}
