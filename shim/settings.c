/* SPDX-License-Identifier: MIT */
/*
 * Reads KPROF_* variables. Runs once, at the start of a process image, on whatever thread made the
 * first allocation, possibly before libc has set up environ: the environment is handed in.
 */
#include "settings.h"

#include "iteration.h"
#include "record.h"
#include "settings_table.h"
#include "state.h"
#include "sys.h"

#include <string.h>

struct kp_settings kp_settings;

void kp_say(const char *a, const char *b, const char *c, const char *d)
{
    const char *parts[] = {"kprof: ", a, b, c, d, "\n"};
    char line[1024];
    size_t length = 0;

    for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++) {
        size_t bytes = strlen(parts[i]);

        if (bytes > sizeof line - length - 1)
            bytes = sizeof line - length - 1;
        memcpy(line + length, parts[i], bytes);
        length += bytes;
    }
    line[length - 1] = '\n';
    kp_sys_tell(line, length);
}

static const char *value_of(char **env, const char *name)
{
    size_t bytes = strlen(name);

    for (; env && *env; env++)
        if (strncmp(*env, name, bytes) == 0 && (*env)[bytes] == '=')
            return *env + bytes + 1;
    return NULL;
}

static bool parse_digits(const char **text, uint64_t *number)
{
    uint64_t value = 0;
    const char *c = *text;

    for (; *c >= '0' && *c <= '9'; c++)
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*c - '0'), &value))
            return false;
    *number = value;
    bool any = c != *text;
    *text = c;
    return any;
}

/* 4096, 4K, 4k, 4KiB, 1M, 2G. */
static bool parse_size(const char *text, uint64_t *bytes)
{
    static const char units[] = "KMG";
    const char *unit;
    uint64_t value;

    if (!parse_digits(&text, &value))
        return false;
    unit = *text ? memchr(units, *text & ~0x20, 3) : NULL;
    if (unit) {
        unsigned shift = 10 * (unsigned)(unit - units + 1);

        if (value > UINT64_MAX >> shift)
            return false;
        value <<= shift;
        text++;
        if (strcmp(text, "iB") == 0 || strcmp(text, "B") == 0)
            text = "";
    }
    *bytes = value;
    return *text == 0;
}

static bool set_rate(const char *text)
{
    uint64_t bytes;

    if (strcmp(text, "auto") == 0) {
        kp_settings.rate_bytes = 0;
        return true;
    }
    if (!parse_size(text, &bytes) || bytes == 0 || bytes > 1ull << 40)
        return false;
    kp_settings.rate_bytes = bytes;
    return true;
}

/* "1%", "0.5%" or "1": percent. */
static bool set_budget(const char *text)
{
    uint64_t whole, part = 0, scale = 10000;

    if (!parse_digits(&text, &whole) || whole > 100)
        return false;
    if (*text == '.')
        for (text++; *text >= '0' && *text <= '9'; text++)
            part += (uint64_t)(*text - '0') * (scale /= 10);
    if (*text == '%')
        text++;
    kp_settings.budget_ppm = whole * 10000 + part;
    return *text == 0 && kp_settings.budget_ppm > 0 && kp_settings.budget_ppm <= 1000000;
}

static bool set_choice(const char *text, const char *const *names, unsigned *value)
{
    for (unsigned i = 0; names[i]; i++)
        if (strcmp(text, names[i]) == 0) {
            *value = i;
            return true;
        }
    return false;
}

static bool set_follow(const char *text)
{
    static const char *const names[] = {"all", "fork", "none", NULL};

    return set_choice(text, names, &kp_settings.follow);
}

static bool set_keep(const char *text)
{
    static const char *const names[] = {"live", "all", NULL};

    return set_choice(text, names, &kp_settings.keep);
}

static bool set_unwinder(const char *text)
{
    static const char *const names[] = {"", "cfi", "libunwind", "gcc", "fp", NULL};

    return set_choice(text, names, &kp_settings.unwinder) && kp_settings.unwinder != 0;
}

static bool set_spool_max(const char *text)
{
    uint64_t bytes;

    if (!parse_size(text, &bytes) || bytes < 1u << 20 ||
        bytes > (uint64_t)KP_CHUNKS_MAX * KP_CHUNK_BYTES)
        return false;
    kp_settings.spool_max_bytes = bytes;
    return true;
}

static bool set_switch(const char *text, bool *value)
{
    *value = *text == '1';
    return strcmp(text, "0") == 0 || strcmp(text, "1") == 0;
}

static bool set_quiet(const char *text)
{
    return set_switch(text, &kp_settings.quiet);
}

static bool set_conversions(const char *text)
{
    return set_switch(text, &kp_settings.conversions);
}

static bool set_conversions_skip(const char *text)
{
    kp_settings.conversions_skip = text;
    return true;
}

static bool set_pages(const char *text)
{
    return set_switch(text, &kp_settings.pages);
}

static bool set_iteration(const char *text)
{
    kp_settings.iteration = *text ? text : NULL;
    return !*text || kp_iteration_parse(text);
}

static char *put(char *to, const char *end, const char *from)
{
    while (*from && to < end)
        *to++ = *from++;
    *to = 0;
    return to;
}

static char *put_number(char *to, const char *end, unsigned number)
{
    char digits[12], *at = digits + sizeof digits - 1;

    *at = 0;
    do
        *--at = (char)('0' + number % 10);
    while (number /= 10);
    return put(to, end, at);
}

static bool set_database(const char *text)
{
    char *to = kp_settings.database, *end = to + sizeof kp_settings.database - 32;
    const char *program = strrchr(kp_host.exe, '/');

    if (!*text)
        return false;
    if (*text != '/') {
        long cwd = KP_SYS2(SYS_getcwd, to, sizeof kp_settings.database / 2);

        if (cwd <= 0 || *to != '/') {
            *to = 0; /* removed, out of reach or too long: there is no such place */
            return true;
        }
        to += cwd - 1;
        to = put(to, end, cwd == 2 ? "" : "/");
    }
    for (; *text && to < end; text++) {
        if (text[0] == '%' && text[1] == 'p')
            to = put_number(to, end, (unsigned)kp_sys_getpid());
        else if (text[0] == '%' && text[1] == 'e')
            to = put(to, end, program ? program + 1 : kp_host.exe);
        else if (text[0] == '%' && text[1] == '%')
            to = put(to, end, "%");
        else {
            *to++ = *text;
            *to = 0;
            continue;
        }
        text++;
    }
    return to < end;
}

static bool set(const char *name, const char *text)
{
    static const struct {
        const char *name;
        bool (*set)(const char *);
    } setters[] = {
        {"KPROF_DB", set_database},         {"KPROF_RATE", set_rate},
        {"KPROF_BUDGET", set_budget},       {"KPROF_ITERATION", set_iteration},
        {"KPROF_FOLLOW", set_follow},       {"KPROF_SPOOL_MAX", set_spool_max},
        {"KPROF_UNWINDER", set_unwinder},   {"KPROF_QUIET", set_quiet},
        {"KPROF_PAGES", set_pages},         {"KPROF_KEEP", set_keep},
        {"KPROF_CONVERSIONS", set_conversions},
        {"KPROF_CONVERSIONS_SKIP", set_conversions_skip},
    };

    for (unsigned i = 0; i < sizeof setters / sizeof *setters; i++)
        if (strcmp(setters[i].name, name) == 0)
            return setters[i].set(text);
    return false;
}

void kp_settings_read(char **env, bool loud)
{
    static const struct {
        const char *name, *values, *standard;
    } table[] = {
#define ROW(name, values, standard, meaning) {name, values, standard},
        KP_SETTINGS(ROW)
#undef ROW
    };

    kp_settings.session = value_of(env, KP_SESSION_VARIABLE);
    for (unsigned i = 0; i < sizeof table / sizeof *table; i++) {
        const char *given = value_of(env, table[i].name);

        if (given && *given && set(table[i].name, given))
            continue;
        set(table[i].name, table[i].standard);
        if (given && *given && loud) {
            char what[160], *end = what + sizeof what - 1;

            put(put(put(put(what, end, table[i].name), end, "="), end, given), end, "");
            kp_say(what, " cannot be used (it takes ", table[i].values, "); the default is used");
        }
    }
}
