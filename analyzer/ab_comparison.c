/* SPDX-License-Identifier: MIT */
/*
 * Lists of configurations and runs, small enough that nothing is indexed. One thread.
 */
#include "ab_comparison.h"

#include "alloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void release_run(struct kp_ab_run *run)
{
    for (size_t i = 0; i < run->job_count; i++)
        free(run->jobs[i].name);
    free(run->jobs);
    free(run->samples);
}

void kp_ab_comparison_release(struct kp_ab_comparison *comparison)
{
    for (size_t i = 0; i < comparison->configuration_count; i++) {
        struct kp_ab_configuration *c = &comparison->configurations[i];
        for (size_t k = 0; k < c->setting_count; k++) {
            free(c->settings[k].name);
            free(c->settings[k].value);
        }
        free(c->settings);
        free(c->name);
    }
    for (size_t i = 0; i < comparison->run_count; i++)
        release_run(&comparison->runs[i]);
    free(comparison->configurations);
    free(comparison->runs);
    free(comparison->command);
    free(comparison->directory);
    *comparison = (struct kp_ab_comparison){.command = NULL};
}

/* Room for one more; the lists are short. */
static void *grown(void *items, size_t count, size_t item_bytes)
{
    size_t capacity = count;
    return kp_array_grow(items, &capacity, count + 1, item_bytes);
}

struct kp_ab_configuration *kp_ab_add_configuration(struct kp_ab_comparison *comparison,
                                                    const char *name)
{
    comparison->configurations =
        grown(comparison->configurations, comparison->configuration_count,
              sizeof *comparison->configurations);
    struct kp_ab_configuration *added =
        &comparison->configurations[comparison->configuration_count++];
    *added = (struct kp_ab_configuration){.name = kp_copy_text(name, strlen(name))};
    return added;
}

struct kp_ab_run *kp_ab_add_run(struct kp_ab_comparison *comparison)
{
    comparison->runs =
        grown(comparison->runs, comparison->run_count, sizeof *comparison->runs);
    struct kp_ab_run *added = &comparison->runs[comparison->run_count++];
    *added = (struct kp_ab_run){.configuration = 0};
    for (int i = 0; i < KP_AB_FIGURE_COUNT; i++)
        added->figures[i] = NAN;
    return added;
}

void kp_ab_drop_last_run(struct kp_ab_comparison *comparison)
{
    release_run(&comparison->runs[--comparison->run_count]);
}

void kp_ab_add_setting(struct kp_ab_configuration *configuration, const char *name,
                       const char *value, bool is_swept)
{
    configuration->settings = grown(configuration->settings, configuration->setting_count,
                                    sizeof *configuration->settings);
    configuration->settings[configuration->setting_count++] =
        (struct kp_ab_setting){kp_copy_text(name, strlen(name)),
                               kp_copy_text(value, strlen(value)), is_swept};
}

const char *kp_ab_setting(const struct kp_ab_configuration *configuration, const char *name)
{
    for (size_t i = 0; i < configuration->setting_count; i++)
        if (strcmp(configuration->settings[i].name, name) == 0)
            return configuration->settings[i].value;
    return NULL;
}

bool kp_ab_only_sweeps(const struct kp_ab_comparison *comparison)
{
    size_t swept = 0;
    for (size_t i = 0; i < comparison->configuration_count; i++)
        for (size_t k = 0; k < comparison->configurations[i].setting_count; k++) {
            if (!comparison->configurations[i].settings[k].is_swept)
                return false;
            swept++;
        }
    return swept > 0;
}

bool kp_ab_run_is_good(const struct kp_ab_run *run)
{
    return strcmp(run->outcome, "ok") == 0;
}

static size_t count_runs(const struct kp_ab_comparison *comparison, size_t configuration, bool good)
{
    size_t count = 0;
    for (size_t i = 0; i < comparison->run_count; i++) {
        const struct kp_ab_run *run = &comparison->runs[i];
        count += run->round >= 0 && (size_t)run->configuration == configuration &&
                 kp_ab_run_is_good(run) == good;
    }
    return count;
}

size_t kp_ab_good_runs(const struct kp_ab_comparison *comparison, size_t configuration)
{
    return count_runs(comparison, configuration, true);
}

size_t kp_ab_failed_runs(const struct kp_ab_comparison *comparison, size_t configuration)
{
    return count_runs(comparison, configuration, false);
}

size_t kp_ab_values(const struct kp_ab_comparison *comparison, size_t configuration,
                    enum kp_ab_figure figure, double *out)
{
    size_t count = 0;
    for (size_t i = 0; i < comparison->run_count; i++) {
        const struct kp_ab_run *run = &comparison->runs[i];
        if (run->round >= 0 && (size_t)run->configuration == configuration &&
            kp_ab_run_is_good(run) && isfinite(run->figures[figure]))
            out[count++] = run->figures[figure];
    }
    return count;
}
