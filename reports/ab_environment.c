/* SPDX-License-Identifier: MIT */
/*
 * The environment of a run, and how it is written for people and in JSON. What would reach into the
 * allocators of all configurations alike is taken out of it. One thread.
 */
#include "ab_plan.h"

#include "alloc.h"
#include "mark_ring.h"
#include "settings_table.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a comparison of allocators sets itself, or must not have: names, or beginnings with '*'. */
static const char *const disturbing[] = {"MALLOC_*", "MIMALLOC_*", "TCMALLOC_*", "PYTHONMALLOC",
                                         "GLIBC_TUNABLES", NULL};
/* Ours: a recording that kprof-ab itself runs in is none of the program's business. */
static const char *const always_out[] = {"LD_PRELOAD", "KPROF_DB", KP_SESSION_VARIABLE,
                                         KP_MARKS_VARIABLE, "KPROF_QUIET", NULL};

static bool is_named(const char *const *names, const char *variable)
{
    for (size_t i = 0; names[i]; i++) {
        size_t length = strcspn(names[i], "*");
        if (strncmp(variable, names[i], length) == 0 &&
            (names[i][length] == '*' || variable[length] == '='))
            return true;
    }
    return false;
}

void kp_ab_disturbing(char *out, size_t out_bytes)
{
    size_t used = 0;
    *out = '\0';
    for (char **v = environ; *v; v++)
        if (is_named(disturbing, *v) && used < out_bytes)
            used += (size_t)snprintf(out + used, out_bytes - used, "%s%.*s", used ? ", " : "",
                                     (int)strcspn(*v, "="), *v);
}

static bool is_set_by(const struct kp_ab_configuration *configuration, const char *variable)
{
    for (size_t i = 0; i < configuration->setting_count; i++) {
        size_t length = strlen(configuration->settings[i].name);
        if (strncmp(variable, configuration->settings[i].name, length) == 0 &&
            variable[length] == '=')
            return true;
    }
    return false;
}

struct list {
    char **items;
    size_t capacity, count;
};

static void put(struct list *list, const char *text)
{
    list->items = kp_array_grow(list->items, &list->capacity, list->count + 2, sizeof(char *));
    list->items[list->count++] = kp_copy_text(text, strlen(text));
    list->items[list->count] = NULL;
}

/* Ours first, then the configuration's, then what the user preloads anyway. */
static void put_preload(struct list *list, const struct kp_ab_configuration *configuration,
                        const char *preload)
{
    const char *parts[] = {preload, kp_ab_setting(configuration, "LD_PRELOAD"),
                           getenv("LD_PRELOAD")};
    char line[16384] = "LD_PRELOAD=";
    size_t used = strlen(line), empty = used;
    for (size_t i = 0; i < 3; i++)
        if (parts[i] && *parts[i] && used < sizeof line)
            used += (size_t)snprintf(line + used, sizeof line - used, "%s%s",
                                     used > empty ? ":" : "", parts[i]);
    if (used > empty && used < sizeof line)
        put(list, line);
}

char **kp_ab_environment(const struct kp_ab_configuration *configuration, const char *preload,
                         bool as_is, char *const *extra)
{
    struct list list = {NULL, 0, 0};
    char line[16384];
    for (char **v = environ; *v; v++)
        if (!is_named(always_out, *v) && (as_is || !is_named(disturbing, *v)) &&
            !is_set_by(configuration, *v))
            put(&list, *v);
    put_preload(&list, configuration, preload);
    for (size_t i = 0; i < configuration->setting_count; i++) {
        const struct kp_ab_setting *s = &configuration->settings[i];
        if (strcmp(s->name, "LD_PRELOAD") == 0)
            continue;
        snprintf(line, sizeof line, "%s=%s", s->name, s->value);
        put(&list, line);
    }
    for (; extra && *extra; extra++)
        put(&list, *extra);
    return list.items;
}

void kp_ab_words_free(char **words)
{
    for (char **w = words; w && *w; w++)
        free(*w);
    free(words);
}

/* As a shell needs it. */
static void put_word(FILE *out, const char *word)
{
    bool plain = *word != '\0';
    for (const char *c = word; *c; c++)
        plain &= isalnum((unsigned char)*c) || strchr("_-./=:,+%@^", *c);
    if (plain) {
        fputs(word, out);
        return;
    }
    putc('\'', out);
    for (const char *c = word; *c; c++)
        fputs(*c == '\'' ? "'\\''" : (char[2]){*c, '\0'}, out);
    putc('\'', out);
}

char *kp_ab_command_line(const struct kp_ab_configuration *configuration, char *const *command)
{
    char *line = NULL;
    size_t bytes;
    FILE *out = open_memstream(&line, &bytes);
    for (size_t i = 0; out && i < configuration->setting_count; i++) {
        fprintf(out, "%s%s=", i > 0 ? " " : "", configuration->settings[i].name);
        put_word(out, configuration->settings[i].value);
    }
    for (size_t i = 0; out && command && command[i]; i++) {
        fputs(i > 0 || configuration->setting_count > 0 ? " " : "", out);
        put_word(out, command[i]);
    }
    if (out)
        fclose(out);
    return line;
}

static void put_json(FILE *out, const char *text)
{
    putc('"', out);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fprintf(out, "\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            fprintf(out, "\\u%04x", (unsigned char)*text);
        else
            putc(*text, out);
    }
    putc('"', out);
}

char *kp_ab_environment_json(const struct kp_ab_configuration *configuration)
{
    char *json = NULL;
    size_t bytes;
    FILE *out = open_memstream(&json, &bytes);
    if (!out)
        return NULL;
    putc('{', out);
    for (size_t i = 0; i < configuration->setting_count; i++) {
        fputs(i > 0 ? ", " : "", out);
        put_json(out, configuration->settings[i].name);
        fputs(": ", out);
        put_json(out, configuration->settings[i].value);
    }
    putc('}', out);
    fclose(out);
    return json;
}
