/* SPDX-License-Identifier: MIT */
/*
 * The table of what is compared unless the user says otherwise. Tuned glibc is in it, since it often
 * wins what another allocator would. One thread.
 */
#include "ab_plan.h"

#include "alloc.h"
#include "run.h"

#include <stdlib.h>
#include <string.h>

#define LIST_BYTES 4096

struct entry {
    const char *id, *name, *library, *variable, *value;
};
static const struct entry entries[] = {
    {"glibc", "glibc", "", NULL, NULL},
    {"arena1", "glibc ARENA_MAX=1", "", "MALLOC_ARENA_MAX", "1"},
    {"arena2", "glibc ARENA_MAX=2", "", "MALLOC_ARENA_MAX", "2"},
    {"trim", "glibc TRIM_THRESHOLD=64K", "", "MALLOC_TRIM_THRESHOLD_", "65536"},
    {"jemalloc", "jemalloc", "jemalloc", NULL, NULL},
    {"jemalloc-bg", "jemalloc background", "jemalloc", "MALLOC_CONF", "background_thread:true"},
    {"mimalloc", "mimalloc", "mimalloc", NULL, NULL},
    {"tcmalloc", "tcmalloc", "tcmalloc", NULL, NULL},
};
#define USUAL "glibc,arena1,arena2,trim,jemalloc,jemalloc-bg,mimalloc,tcmalloc"
#define USUAL_PYTHON                                                                               \
    USUAL ",glibc+PYTHONMALLOC=malloc,jemalloc+PYTHONMALLOC=malloc,mimalloc+PYTHONMALLOC=malloc,"  \
          "tcmalloc+PYTHONMALLOC=malloc"

#define PYTHON_WITH_MIMALLOC 13 /* 3.13 brings one of its own */
#define USUAL_PYTHON_MIMALLOC USUAL_PYTHON ",glibc+PYTHONMALLOC=mimalloc"

void kp_ab_plan_print(FILE *out)
{
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
        fprintf(out, entries[i].variable ? "  %-14s %s=%s\n" : "  %-14s as it is\n", entries[i].id,
                entries[i].variable, entries[i].value);
}

bool kp_ab_plan_check_sweep(const char *text)
{
    size_t name = strcspn(text, "=");
    return name > 0 && text[name] == '=' && text[name + 1] && text[name + 1] != ',' &&
           !strstr(text + name, ",,") && text[strlen(text) - 1] != ',' &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") >= name;
}

static const struct entry *find_entry(const char *id)
{
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
        if (strcmp(entries[i].id, id) == 0)
            return &entries[i];
    return NULL;
}

static void note(char **notes, const char *text)
{
    char *longer = NULL;
    if (asprintf(&longer, "%s%s%s", *notes ? *notes : "", *notes ? "\n" : "", text) < 0)
        return;
    if (*notes && strstr(*notes, text)) {
        free(longer);
        return;
    }
    free(*notes);
    *notes = longer;
}

/* "glibc (2)": the same thing twice is how to see what chance does. */
static void make_unique(const struct kp_ab_comparison *comparison, char *name, size_t bytes)
{
    size_t length = strlen(name);
    for (int number = 2;; number++) {
        bool taken = false;
        for (size_t i = 0; i < comparison->configuration_count; i++)
            taken |= strcmp(comparison->configurations[i].name, name) == 0;
        if (!taken)
            return;
        snprintf(name + length, bytes - length, " (%d)", number);
    }
}

static void add_settings(struct kp_ab_configuration *c, const struct entry *entry,
                         const char *library, char *variables)
{
    char *rest = NULL;
    if (*library)
        kp_ab_add_setting(c, "LD_PRELOAD", library, false);
    if (entry && entry->variable)
        kp_ab_add_setting(c, entry->variable, entry->value, false);
    for (char *one = strtok_r(variables, "+", &rest); one; one = strtok_r(NULL, "+", &rest)) {
        char *value = strchr(one, '=');
        *value++ = '\0';
        kp_ab_add_setting(c, one, value, false);
    }
}

/* VARIABLE=VALUE[+VARIABLE=VALUE]... */
static bool are_settings(const char *text)
{
    for (const char *at = text;; at++) {
        size_t name = strcspn(at, "=+");
        if (name == 0 || at[name] != '=')
            return false;
        at += strcspn(at, "+");
        if (!*at)
            return true;
    }
}

/* NAME[+SETTINGS] */
static int add_one(struct kp_ab_comparison *comparison, const char *item, char **left_out,
                   bool *usage, struct kp_error *error)
{
    char text[LIST_BYTES], name[256], library[KP_PATH_BYTES] = "";
    struct kp_error problem = {""};
    snprintf(text, sizeof text, "%s", item);
    char *plus = strchr(text, '+'), *variables = plus ? plus + 1 : text + strlen(text);
    if (plus)
        *plus = '\0';
    const struct entry *entry = find_entry(text);
    *usage = (!entry && !strchr(text, '/')) || (plus && !are_settings(variables));
    if (*usage)
        return -kp_error_set(error, "--allocators: '%.100s' is not NAME or NAME+VARIABLE=VALUE with "
                                    "a name that kprof-ab --help has, or a path", item);
    if (kp_run_find_allocator(entry ? (*entry->library ? entry->library : "glibc") : text, library,
                              usage, &problem) != 0) {
        note(left_out, problem.text);
        return 0;
    }
    snprintf(name, sizeof name, "%.120s%s%.100s", entry ? entry->name : strrchr(text, '/') + 1,
             plus ? " " : "", variables);
    make_unique(comparison, name, sizeof name);
    add_settings(kp_ab_add_configuration(comparison, name), entry, library, variables);
    return 0;
}

static int add_allocators(const struct kp_ab_plan *plan, struct kp_ab_comparison *comparison,
                          char **left_out, bool *usage, struct kp_error *error)
{
    const char *list = plan->allocators      ? plan->allocators
                       : plan->sweeps.count  ? "glibc"
                       : plan->python > PYTHON_WITH_MIMALLOC ? USUAL_PYTHON_MIMALLOC
                       : plan->python        ? USUAL_PYTHON
                                             : USUAL;
    char text[LIST_BYTES], *rest = NULL;
    snprintf(text, sizeof text, "%s", list);
    for (char *item = strtok_r(text, ",", &rest); item; item = strtok_r(NULL, ",", &rest))
        if (add_one(comparison, item, left_out, usage, error) != 0)
            return -1;
    if (comparison->configuration_count == 1 && plan->sweeps.count > 0)
        *comparison->configurations[0].name = '\0'; /* the values are name enough */
    if (comparison->configuration_count > 0)
        return 0;
    *usage = !*left_out;
    return -kp_error_set(error, *left_out ? "none of these allocators is here: %.400s"
                                          : "--allocators: the list is empty%s",
                         *left_out ? *left_out : "");
}

static void copy_settings(const struct kp_ab_configuration *from, struct kp_ab_configuration *to)
{
    for (size_t i = 0; i < from->setting_count; i++)
        kp_ab_add_setting(to, from->settings[i].name, from->settings[i].value,
                          from->settings[i].is_swept);
}

/* Every configuration so far with every value of the variable, in place of those. */
static void multiply(struct kp_ab_comparison *comparison, const char *sweep)
{
    struct kp_ab_comparison grid = {.command = NULL};
    char text[LIST_BYTES], name[LIST_BYTES];
    for (size_t i = 0; i < comparison->configuration_count; i++) {
        const struct kp_ab_configuration *from = &comparison->configurations[i];
        char *rest = NULL;
        snprintf(text, sizeof text, "%s", sweep);
        char *values = strchr(text, '=');
        *values++ = '\0';
        for (char *v = strtok_r(values, ",", &rest); v; v = strtok_r(NULL, ",", &rest)) {
            snprintf(name, sizeof name, "%.1000s%s%.1000s=%.1000s", from->name,
                     *from->name ? " " : "", text, v);
            make_unique(&grid, name, sizeof name);
            struct kp_ab_configuration *to = kp_ab_add_configuration(&grid, name);
            copy_settings(from, to);
            kp_ab_add_setting(to, text, v, true);
        }
    }
    struct kp_ab_comparison before = {.configurations = comparison->configurations,
                                      .configuration_count = comparison->configuration_count};
    comparison->configurations = grid.configurations;
    comparison->configuration_count = grid.configuration_count;
    kp_ab_comparison_release(&before);
}

/* The baseline once more, with the profiler. */
static void add_probe(struct kp_ab_comparison *comparison)
{
    char name[256];
    snprintf(name, sizeof name, "%.200s, recorded", comparison->configurations[0].name);
    struct kp_ab_configuration *probe = kp_ab_add_configuration(comparison, name);
    copy_settings(&comparison->configurations[0], probe);
    probe->is_recorded = true;
}

/* The second of two lists for one variable would always win. */
static int check_sweeps(const struct kp_ab_plan *plan, struct kp_error *error)
{
    for (size_t i = 1; i < plan->sweeps.count; i++)
        for (size_t j = 0; j < i; j++) {
            const char *sweep = plan->sweeps.items[i];
            int name = (int)strcspn(sweep, "=");
            if (strncmp(sweep, plan->sweeps.items[j], (size_t)name + 1) == 0)
                return -kp_error_set(error, "--sweep: %.*s is named twice; all its values go into "
                                            "one list, %.*s=a,b,c", name, sweep, name, sweep);
        }
    return 0;
}

int kp_ab_plan_make(const struct kp_ab_plan *plan, struct kp_ab_comparison *comparison,
                    char **left_out, bool *usage, struct kp_error *error)
{
    if (check_sweeps(plan, error) != 0) {
        *usage = true;
        return -1;
    }
    if (add_allocators(plan, comparison, left_out, usage, error) != 0)
        return -1;
    for (size_t i = 0; i < plan->sweeps.count; i++)
        multiply(comparison, plan->sweeps.items[i]);
    if (plan->with_probe && plan->sweeps.count == 0)
        add_probe(comparison);
    return 0;
}
