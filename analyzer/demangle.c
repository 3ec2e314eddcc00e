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

#define KP_MANGLED_MAX 32768 /* a longer name is not worth the time */

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

/* Is everything from here on `.word` or `.number`, with a word of a compiler's first? */
static bool is_clone_suffix(const char *suffix)
{
    static const char *const words[] = {"cold",  "part",      "isra", "constprop", "lto_priv", "llvm",
                                        "hot",   "localalias", "warm", "unlikely",  "__uniq"};
    for (bool first = true; *suffix == '.'; first = false) {
        size_t bytes = strcspn(++suffix, ".");
        bool known = !first && bytes > 0 && strspn(suffix, "0123456789abcdefABCDEF") >= bytes;
        for (size_t i = 0; !known && i < sizeof words / sizeof *words; i++)
            known = strlen(words[i]) == bytes && memcmp(suffix, words[i], bytes) == 0;
        if (!known)
            return false;
        suffix += bytes;
    }
    return *suffix == '\0';
}

/* Cuts the symbol's version and clone suffixes off; says whether it was a PLT's symbol. */
static bool cut_suffixes(char *name)
{
    char *at = *name ? strchr(name + 1, '@') : NULL;
    bool plt = at && strcmp(at, "@plt") == 0;
    if (at)
        *at = '\0';
    for (char *dot = *name ? strchr(name + 1, '.') : NULL; dot; dot = strchr(dot + 1, '.'))
        if (is_clone_suffix(dot)) {
            *dot = '\0';
            break;
        }
    return plt;
}

static char *join(const char *name, const char *suffix, bool plt)
{
    size_t bytes = strlen(name) + strlen(suffix) + sizeof "@plt";
    char *joined = malloc(bytes);
    if (joined)
        snprintf(joined, bytes, "%s%s%s", name, suffix, plt ? "@plt" : "");
    return joined;
}

char *kp_demangle(const char *name)
{
    struct output output;
    char *base = strdup(name);
    if (!base)
        return NULL;
    bool plt = cut_suffixes(base);
    bool mangled = kp_is_mangled(base) && strlen(base) <= KP_MANGLED_MAX;
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
