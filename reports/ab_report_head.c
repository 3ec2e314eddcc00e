/* SPDX-License-Identifier: MIT */
/*
 * The head that both reports of kprof-ab have, and what they share. What was left out, and what
 * failed, stands before the figures. One thread.
 */
#include "ab_report.h"
#include "ab_plan.h"
#include "alloc.h"
#include "format.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct kp_ab_row *kp_ab_rows(const struct kp_ab_comparison *comparison)
{
    struct kp_ab_row *rows = kp_alloc((comparison->configuration_count + 1) * sizeof *rows);
    for (size_t i = 0; i < comparison->configuration_count; i++)
        kp_ab_summarise(comparison, i, &rows[i]);
    return rows;
}

struct kp_value kp_ab_estimate(struct kp_estimate estimate)
{
    return isnan(estimate.value) ? kp_unknown() : kp_estimated(estimate);
}

struct kp_value kp_ab_number(double number)
{
    return isnan(number) ? kp_unknown() : kp_amount(number);
}

char *kp_ab_ratio_text(char *out, const struct kp_estimate *ratio)
{
    if (isnan(ratio->value))
        strcpy(out, "-");
    else if (ratio->low == ratio->high) /* one run on each side has no interval */
        snprintf(out, KP_FORMAT_BYTES, "%.2f", ratio->value);
    else
        snprintf(out, KP_FORMAT_BYTES, "%.2f (%.2f-%.2f)", ratio->value, ratio->low, ratio->high);
    return out;
}

static void emit_failures(const struct kp_ab_session *session, struct kp_emitter *out)
{
    static const struct kp_column columns[] = {
        {"configuration", NULL, KP_TYPE_TEXT},
        {"round", NULL, KP_TYPE_WHOLE},
        {"outcome", NULL, KP_TYPE_TEXT},
        {"said", NULL, KP_TYPE_TEXT},
    };
    const struct kp_ab_comparison *c = &session->comparison;
    kp_emit_table(out, "failures", columns, 4);
    for (size_t i = 0; i < c->run_count; i++) {
        const struct kp_ab_run *run = &c->runs[i];
        const char *name = c->configurations[run->configuration].name;
        if (run->round < 0 || kp_ab_run_is_good(run))
            continue;
        kp_emit_line(out, 2, "FAILED  %s, round %lld: %s%s%s", name, (long long)run->round + 1,
                     run->outcome, *run->said ? "; it says: " : "", run->said);
        kp_emit_row(out, (struct kp_value[]){kp_text(name), kp_whole(run->round + 1),
                                             kp_text(run->outcome), kp_text(run->said)});
    }
    kp_emit_table_end(out);
}

static void emit_left_out(const struct kp_ab_session *session, struct kp_emitter *out)
{
    static const struct kp_column columns[] = {{"reason", NULL, KP_TYPE_TEXT}};
    char *text = session->left_out ? kp_copy_text(session->left_out, strlen(session->left_out))
                                   : kp_copy_text("", 0),
         *rest = NULL;
    kp_emit_table(out, "left_out", columns, 1);
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        kp_emit_line(out, 2, "LEFT OUT  %s", line);
        kp_emit_row(out, (struct kp_value[]){kp_text(line)});
    }
    kp_emit_table_end(out);
    free(text);
}

void kp_ab_report_head(const struct kp_ab_session *session, const struct kp_ab_row *rows,
                       struct kp_emitter *out)
{
    const struct kp_ab_comparison *c = &session->comparison;
    struct kp_ab_configuration none = {.name = NULL};
    size_t least = SIZE_MAX, most = 0;
    char *line = kp_ab_command_line(&none, session->command), taken_out[512];
    for (size_t i = 0; i < c->configuration_count; i++) {
        size_t runs = rows[i].good_runs + rows[i].failed_runs;
        least = runs < least ? runs : least;
        most = runs > most ? runs : most;
    }
    kp_emit_line(out, 2, "%s: %zu configuration%s, %zu%s%.0zu run%s each, interleaved", line,
                 c->configuration_count, c->configuration_count == 1 ? "" : "s", least,
                 most > least ? " to " : "", most > least ? most : (size_t)0,
                 most == 1 ? "" : "s");
    kp_ab_disturbing(taken_out, sizeof taken_out);
    if (*taken_out && !kp_ab_only_sweeps(c))
        kp_emit_line(out, 2, "TAKEN OUT of the environment of all runs: %s", taken_out);
    emit_left_out(session, out);
    emit_failures(session, out);
    kp_emit_line(out, 0, "%s", "");
    free(line);
}
