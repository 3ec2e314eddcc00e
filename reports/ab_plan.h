/* SPDX-License-Identifier: MIT */
/*
 * What is to be compared: allocators and their settings by name, and variables that are swept. Each
 * becomes a configuration with the environment lines that a user would type. One thread.
 */
#ifndef KP_AB_PLAN_H
#define KP_AB_PLAN_H

#include "ab_comparison.h"
#include "error.h"
#include "options.h"

#include <stdio.h>

struct kp_ab_plan {
    const char *allocators; /* list as given, NULL: the usual ones */
    struct kp_option_texts sweeps; /* VAR=a,b,c */
    int python;       /* as in struct kp_ab_tree: the second axis makes sense */
    bool with_probe;  /* one configuration with the profiler */
};

/* Adds the configurations. What had to be left out is told in `left_out`, lines for free() (may
 * end NULL). *usage: the lists make no sense. */
int kp_ab_plan_make(const struct kp_ab_plan *plan, struct kp_ab_comparison *comparison,
                    char **left_out, bool *usage, struct kp_error *error);
bool kp_ab_plan_check_sweep(const char *text);
/* For --help. */
void kp_ab_plan_print(FILE *out);

/* The environment of a run: ours, without what would disturb the comparison, with the settings of
 * the configuration and `preload` before everything. as_is: nothing of ours disturbs. */
char **kp_ab_environment(const struct kp_ab_configuration *configuration, const char *preload,
                         bool as_is, char *const *extra);
void kp_ab_words_free(char **words);
/* The variables of ours that a comparison of allocators takes out: "MALLOC_ARENA_MAX, ..." or "". */
void kp_ab_disturbing(char *out, size_t out_bytes);
/* "MALLOC_ARENA_MAX=2 python app.py" as one would type it. */
char *kp_ab_command_line(const struct kp_ab_configuration *configuration, char *const *command);
/* {"MALLOC_ARENA_MAX": "2"}, for free(). */
char *kp_ab_environment_json(const struct kp_ab_configuration *configuration);

#endif
