/* SPDX-License-Identifier: MIT */
/*
 * Not getopt: a table gives the help text, the check of values and the list of what a wrong choice
 * could have been from the same rows. Any thread.
 */
#include "options.h"
#include "format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int kp_choice(const char *const *choices, const char *text)
{
    for (int i = 0; choices[i]; i++)
        if (strcmp(choices[i], text) == 0)
            return i;
    return -1;
}

static int wrong_choice(const struct kp_option *o, const char *text, struct kp_error *error)
{
    char list[200] = "";
    for (int i = 0; o->choices[i]; i++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i > 0 ? ", " : "", o->choices[i]);
    }
    return -kp_error_set(error, "--%s: '%.100s' is not one of %s", o->name, text, list);
}

static int set_whole(const struct kp_option *o, const char *text, int64_t *value,
                     struct kp_error *error)
{
    char *end;
    errno = 0;
    *value = strtoll(text, &end, 10);
    if (end == text || *end || errno || *value < o->fixed || *value > KP_OPTION_WHOLE_MAX)
        return -kp_error_set(error, "--%s: '%.100s' is not a whole number from %d to %d", o->name,
                             text, o->fixed, KP_OPTION_WHOLE_MAX);
    return 0;
}

static int check_text(const struct kp_option *o, const char *text, struct kp_error *error)
{
    if (o->check && !o->check(text))
        return -kp_error_set(error, "--%s: '%.100s' is not %s", o->name, text, o->range);
    return 0;
}

static int add_text(const struct kp_option *o, const char *text, struct kp_option_texts *texts,
                    struct kp_error *error)
{
    if (texts->count == KP_OPTION_TEXTS_MAX)
        return -kp_error_set(error, "--%s: no more than %d", o->name, KP_OPTION_TEXTS_MAX);
    texts->items[texts->count++] = text;
    return check_text(o, text, error);
}

static int set_value(const struct kp_option *o, const char *text, void *values,
                     struct kp_error *error)
{
    void *at = (char *)values + o->offset;
    switch (o->type) {
    case KP_OPTION_FLAG: *(bool *)at = true; return 0;
    case KP_OPTION_ENUM: *(int *)at = o->fixed; return 0;
    case KP_OPTION_WHOLE: return set_whole(o, text, at, error);
    case KP_OPTION_CHOICE:
        *(int *)at = kp_choice(o->choices, text);
        return *(int *)at < 0 ? wrong_choice(o, text, error) : 0;
    case KP_OPTION_SIZE:
        *(int64_t *)at = kp_parse_size(text);
        if (*(int64_t *)at < 0)
            return -kp_error_set(
                error, "--%s: '%.100s' is not a size from 0 to 8E, such as 4096, 10KB or 1MiB",
                o->name, text);
        return 0;
    case KP_OPTION_TEXT:
        *(const char **)at = text;
        return check_text(o, text, error);
    case KP_OPTION_TEXTS: return add_text(o, text, at, error);
    }
    return 0;
}

static bool takes_argument(const struct kp_option *o)
{
    return o->type != KP_OPTION_FLAG && o->type != KP_OPTION_ENUM;
}

/* The row for "--name", "--name=..." or "-l..."; *value is what is attached to it, or NULL. */
static const struct kp_option *find_option(const struct kp_option *options, const char *word,
                                           const char **value)
{
    *value = NULL;
    for (const struct kp_option *o = options; o->name; o++) {
        size_t length = strlen(o->name);
        if (word[1] == '-' && strncmp(word + 2, o->name, length) == 0 &&
            (word[2 + length] == '\0' || word[2 + length] == '=')) {
            *value = word[2 + length] ? word + 3 + length : NULL;
            return o;
        }
        if (word[1] == o->letter && o->letter && (takes_argument(o) || !word[2])) {
            *value = word[2] ? word + 2 : NULL;
            return o;
        }
    }
    return NULL;
}

static int parse_option(struct kp_command_line *line, int argc, char **argv, struct kp_error *error)
{
    const char *value, *word = argv[line->next++];
    const struct kp_option *o = find_option(line->options, word, &value);
    if (!o)
        return -kp_error_set(error, "no such option: %.100s; see --help", word);
    if (!takes_argument(o) && value)
        return -kp_error_set(error, "--%s takes no value", o->name);
    if (takes_argument(o) && !value) {
        if (line->next >= argc)
            return -kp_error_set(error, "--%s needs a value: %s", o->name, o->argument);
        value = argv[line->next++];
    }
    if (line->seen)
        line->seen[o - line->options] = true;
    return set_value(o, value, line->values, error);
}

int kp_options_parse(struct kp_command_line *line, int argc, char **argv, struct kp_error *error)
{
    bool only_words = false;
    line->word_count = 0;
    line->next = 1;
    while (line->next < argc) {
        const char *word = argv[line->next];
        if (!only_words && strcmp(word, "--") == 0) {
            only_words = true;
            line->next++;
            continue;
        }
        if (!only_words && word[0] == '-' && word[1]) {
            if (parse_option(line, argc, argv, error) != 0)
                return -1;
            continue;
        }
        if (line->stop_at_word)
            return 0;
        if (line->word_count == line->word_max)
            return -kp_error_set(error, "too many arguments: '%.100s'; see --help", word);
        line->words[line->word_count++] = word;
        line->next++;
    }
    return 0;
}

void kp_options_print(const struct kp_option *options, unsigned groups, FILE *out)
{
    for (const struct kp_option *o = options; o->name; o++) {
        char left[80];
        if (!(o->groups & groups))
            continue;
        int used = o->letter ? snprintf(left, sizeof left, "-%c, --%s", o->letter, o->name)
                             : snprintf(left, sizeof left, "    --%s", o->name);
        if (o->argument)
            snprintf(left + used, sizeof left - (size_t)used, " %s", o->argument);
        fprintf(out, "  %-32s %s\n", left, o->help);
    }
}

int kp_options_printed(const char *command)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    fprintf(stderr, "%s: cannot write this text: is the disk full?\n", command);
    return 1;
}
