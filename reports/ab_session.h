/* SPDX-License-Identifier: MIT */
/*
 * The work of a comparison: a run to warm up, then round after round of all configurations, each
 * round in the opposite order of the one before, every run stored when it is done. What is in the
 * database already is not done again. One thread.
 */
#ifndef KP_AB_SESSION_H
#define KP_AB_SESSION_H

#include "ab_comparison.h"
#include "ab_plan.h"
#include "ab_store.h"

struct kp_ab_options {
    const char *allocators, *output;
    struct kp_option_texts sweeps;
    int64_t runs, idle_s, timeout_s; /* 0: not given */
    bool json, no_probe, keep_output, help, version;
};

struct kp_ab_session {
    const struct kp_ab_options *options;
    struct kp_ab_store *store;
    struct kp_ab_comparison comparison;
    char **command; /* NULL: the one of the database */
    char **stored_command; /* that one, once it is needed */
    char *left_out; /* lines, NULL: nothing was */
    int python; /* as in struct kp_ab_tree, of the warm-up */
    bool is_new; /* the database was not there before */
    bool is_changed; /* other numbers are asked for than the database has */
    bool is_interrupted;
    bool usage; /* the failure is one of usage */
};

int kp_ab_session_open(struct kp_ab_session *session, struct kp_error *error);
int kp_ab_session_run(struct kp_ab_session *session, struct kp_error *error);
void kp_ab_session_close(struct kp_ab_session *session);

#endif
