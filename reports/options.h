/* SPDX-License-Identifier: MIT */
/*
 * Command lines from a table: one row an option, which says where its value goes, how it is written
 * and what --help prints for it. `--name value`, `--name=value` and, where there is a letter,
 * `-l value` and `-lvalue`. Pure functions but for the printing of help; any thread.
 */
#ifndef KP_OPTIONS_H
#define KP_OPTIONS_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum kp_option_type {
    KP_OPTION_FLAG,   /* bool: true */
    KP_OPTION_ENUM,   /* int: set to `fixed`, no argument */
    KP_OPTION_CHOICE, /* int: index in `choices` */
    KP_OPTION_WHOLE,  /* int64_t, from `fixed` to KP_OPTION_WHOLE_MAX */
    KP_OPTION_SIZE,   /* int64_t, bytes */
    KP_OPTION_TEXT,   /* const char *, checked by `check` when there is one, which `range` tells */
    KP_OPTION_TEXTS,  /* struct kp_option_texts: may be given several times; checked likewise */
};
#define KP_OPTION_TEXTS_MAX 4
struct kp_option_texts {
    const char *items[KP_OPTION_TEXTS_MAX];
    size_t count;
};
#define KP_OPTION_WHOLE_MAX 1000000000
struct kp_option {
    const char *name, *argument, *help; /* argument: what --help calls it, NULL for flags */
    enum kp_option_type type;
    size_t offset; /* of the value in the struct that is filled */
    char letter;
    int fixed;
    const char *const *choices; /* ends with NULL */
    bool (*check)(const char *text);
    const char *range; /* what passes the check: "a size from 1M to 4G" */
    unsigned groups; /* bits that mean something to the caller */
};

/* The table ends with a row without a name. Words that are no options go to words[], at most
 * word_max; with stop_at_word, parsing ends at the first of them. *next is where it ended. Which
 * options were seen is told in seen[] (one for each row, may be NULL). Returns 0 or -1. */
struct kp_command_line {
    const struct kp_option *options;
    void *values;
    bool *seen;
    const char **words;
    size_t word_max, word_count;
    bool stop_at_word;
    int next;
};
int kp_options_parse(struct kp_command_line *line, int argc, char **argv, struct kp_error *error);

/* Prints the rows that have a bit of `groups`. */
void kp_options_print(const struct kp_option *options, unsigned groups, FILE *out);

/* How a command ends that had only something to print (--help, --version): 0, or 1 when standard
 * output would not take it, which is told. */
int kp_options_printed(const char *command);

/* Index in the NULL-terminated list, -1: none. */
int kp_choice(const char *const *choices, const char *text);

#endif
