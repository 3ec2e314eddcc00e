/* SPDX-License-Identifier: MIT */
/*
 * Around libiberty's demanglers, whose recursion limit is on. They have no limit on their output,
 * and twenty bytes of back references can stand for a gigabyte; so the output goes through a
 * callback that leaves by longjmp when it is full. That is safe: in callback mode neither of them
 * holds heap memory but for punycode, and only while it decodes.
 * Runs in the collector and the reports, on one thread.
 */
#include "demangle.h"

#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KP_MANGLED_MAX 8192 /* a longer name is not worth the time */

struct output {
    char text[KP_DEMANGLED_MAX + 1];
    size_t used;
    jmp_buf full;
};

static void append(const char *piece, size_t bytes, void *opaque)
{
    struct output *output = opaque;
    size_t room = KP_DEMANGLED_MAX - output->used;
    size_t taken = bytes < room ? bytes : room;
    if (taken)
        memcpy(output->text + output->used, piece, taken);
    output->used += taken;
    if (taken < bytes) {
        memcpy(output->text + KP_DEMANGLED_MAX - 3, "...", 3);
        longjmp(output->full, 1);
    }
}

typedef int demangler(const char *, int, demangle_callbackref, void *);

static bool run(demangler *demangle, const char *name, int options, struct output *output)
{
    output->used = 0;
    bool good = setjmp(output->full) ? true : demangle(name, options, append, output) != 0;
    output->text[output->used] = '\0';
    return good && output->used > 0;
}

/* Without DMGL_PARAMS the C++ demangler ignores what follows the name, so it would read a name into
 * any rubbish that starts like one. With it, everything must make sense. */
static bool demangle_cplus(const char *name, struct output *output)
{
    return run(cplus_demangle_v3_callback, name, DMGL_PARAMS, output) &&
           run(cplus_demangle_v3_callback, name, 0, output);
}

/* Is this a compiler's word for a piece or a copy of a function? */
static bool is_clone_word(const char *word)
{
    static const char *const words[] = {
        "cold", "hot",      "warm",       "unlikely", "part", "isra", "constprop",
        "llvm", "lto_priv", "localalias", "__uniq",
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(word, words[i]) == 0)
            return true;
    return false;
}

/* Cuts `.word` and `.word.number` off the end, as many as there are. */
static void cut_clones(char *name)
{
    char *dot, *number = NULL;
    while (*name && (dot = strrchr(name + 1, '.'))) {
        *dot = '\0';
        if (is_clone_word(dot + 1)) {
            number = NULL;
        } else if (!number && dot[1] && !dot[1 + strspn(dot + 1, "0123456789")]) {
            number = dot;
        } else {
            *dot = '.';
            break;
        }
    }
    if (number)
        *number = '.';
}

/* Cuts the symbol's version and clone suffixes off; says whether it was a PLT's symbol. */
static bool cut_suffixes(char *name)
{
    char *at = *name ? strchr(name + 1, '@') : NULL;
    bool plt = at && strcmp(at, "@plt") == 0;
    if (at)
        *at = '\0';
    cut_clones(name);
    return plt;
}

static char *join(const char *name, const char *suffix, bool plt)
{
    char *joined = NULL;
    int bytes = asprintf(&joined, "%.*s%s%s", KP_DEMANGLED_MAX + 1, name, suffix,
                         plt ? "@plt" : "");
    if (bytes < 0)
        return NULL;
    if (bytes > KP_DEMANGLED_MAX)
        strcpy(joined + KP_DEMANGLED_MAX - 3, "...");
    return joined;
}

char *kp_demangle(const char *name)
{
    struct output output;
    if (strnlen(name, KP_MANGLED_MAX) == KP_MANGLED_MAX)
        return join(name, "", false);
    char *base = strdup(name);
    if (!base)
        return NULL;
    bool plt = cut_suffixes(base), mangled = kp_is_mangled(base);
    const char *readable = base, *suffix = "";
    if (mangled && run(rust_demangle_callback, base, 0, &output)) {
        readable = output.text;
    } else if (mangled && demangle_cplus(base, &output)) {
        readable = output.text;
        suffix = base + strcspn(base, ".");
    }
    char *result = join(readable, suffix, plt);
    free(base);
    return result;
}

bool kp_is_mangled(const char *name)
{
    return strncmp(name, "_Z", 2) == 0 || strncmp(name, "_R", 2) == 0;
}
