/* SPDX-License-Identifier: MIT */
/*
 * What is compared, from the command line or from the database that is taken up again; the runs are
 * in ab_rounds.c. One thread.
 */
#include "ab_session.h"

#include "alloc.h"
#include "argument_list.h"
#include "run.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RUNS_BY_DEFAULT 5

static char *json_of(char *const *words)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    for (size_t i = 0; out && words[i]; i++)
        fwrite(words[i], 1, strlen(words[i]) + (words[i + 1] != NULL), out);
    if (out)
        fclose(out);
    char *json = kp_argument_list_json(text ? text : "", bytes);
    free(text);
    return json;
}

/* What the options ask for, as far as it can be known before the first run. */
static int make_plan(struct kp_ab_session *session, struct kp_ab_comparison *to,
                     struct kp_error *error)
{
    struct kp_ab_plan plan = {.allocators = session->options->allocators,
                              .sweeps = session->options->sweeps,
                              .python = to->is_python,
                              .with_probe = !session->options->no_probe};
    return kp_ab_plan_make(&plan, to, &session->left_out, &session->usage, error);
}

static bool is_same_plan(const struct kp_ab_comparison *a, const struct kp_ab_comparison *b)
{
    bool same = a->configuration_count == b->configuration_count;
    for (size_t i = 0; same && i < a->configuration_count; i++)
        same = strcmp(a->configurations[i].name, b->configurations[i].name) == 0;
    return same;
}

/* A database that is taken up again holds the same comparison. */
static int check_same(struct kp_ab_session *session, struct kp_error *error)
{
    const struct kp_ab_options *o = session->options;
    struct kp_ab_comparison wanted = {.is_python = session->comparison.is_python};
    char *command = session->command ? json_of(session->command) : NULL;
    bool same = !command || strcmp(command, session->comparison.command) == 0;
    free(command);
    if (!same)
        return -kp_error_set(error, "%.300s compares another command; choose another name with -o",
                             o->output);
    if (o->allocators || o->sweeps.count > 0) {
        int result = make_plan(session, &wanted, error);
        same = result == 0 && is_same_plan(&wanted, &session->comparison);
        kp_ab_comparison_release(&wanted);
        if (result == 0 && !same)
            result = -kp_error_set(error, "%.300s compares other configurations; choose another "
                                          "name with -o", o->output);
        if (result != 0)
            return -1;
    }
    if (!session->command)
        session->command = session->stored_command =
            kp_ab_store_words(session->store, session->comparison.command);
    return session->command ? 0 : -kp_error_set(error, "%.300s is damaged", o->output);
}

static int check_new(struct kp_ab_session *session, struct kp_error *error)
{
    struct kp_ab_comparison trial = {.command = NULL};
    struct kp_run_command found;
    char directory[KP_PATH_BYTES];
    session->usage = !session->command;
    if (!session->command)
        return -kp_error_set(error, "which command? usage: kprof-ab [options] -- command "
                                    "[argument ...]");
    int result = make_plan(session, &trial, error);
    kp_ab_comparison_release(&trial);
    if (result != 0)
        return -1;
    kp_run_look_at(session->command[0], &found);
    if (found.exec_status != 0)
        return -kp_error_set(error, "%.300s: %s", session->command[0],
                             found.exec_status == 127 ? "command not found" : "cannot be executed");
    if (found.hindrance)
        return -kp_error_set(error, "%.300s %s: no allocator can be put into it", found.path,
                             found.hindrance);
    session->comparison.command = json_of(session->command);
    if (!getcwd(directory, sizeof directory))
        strcpy(directory, ".");
    session->comparison.directory = kp_copy_text(directory, strlen(directory));
    return 0;
}

/* A number that was asked for stays so, also when the comparison is taken up again. */
static void ask_for(struct kp_ab_session *session, int64_t *number, int64_t given)
{
    session->is_changed |= given > 0 && given != *number;
    if (given > 0)
        *number = given;
}

int kp_ab_session_open(struct kp_ab_session *session, struct kp_error *error)
{
    const char *output = session->options->output;
    session->is_new = output && access(output, F_OK) != 0;
    session->usage = session->is_new && !session->command;
    if (session->usage)
        return -kp_error_set(error, "%.300s is not there; to begin with it: kprof-ab -o %.300s -- "
                                    "command", output, output);
    session->store = kp_ab_store_open(output, error);
    if (!session->store ||
        kp_ab_store_load(session->store, &session->comparison, error) != 0)
        return -1;
    struct kp_ab_comparison *comparison = &session->comparison;
    if (!comparison->command)
        comparison->wanted_runs = RUNS_BY_DEFAULT;
    ask_for(session, &comparison->wanted_runs, session->options->runs);
    ask_for(session, &comparison->idle_s, session->options->idle_s);
    ask_for(session, &comparison->timeout_s, session->options->timeout_s);
    ask_for(session, &comparison->keeps_output, session->options->keep_output);
    return comparison->command ? check_same(session, error) : check_new(session, error);
}

void kp_ab_session_close(struct kp_ab_session *session)
{
    kp_ab_store_close(session->store);
    if (session->is_new && session->comparison.run_count == 0)
        unlink(session->options->output);
    kp_ab_comparison_release(&session->comparison);
    kp_ab_words_free(session->stored_command);
    free(session->left_out);
}
