/* SPDX-License-Identifier: MIT */
/*
 * What kprof-ab prints: the comparison of allocators, or the sweep. One thread.
 */
#ifndef KP_AB_REPORT_H
#define KP_AB_REPORT_H

#include "ab_session.h"
#include "ab_summary.h"
#include "emitter.h"

void kp_ab_report_comparison(const struct kp_ab_session *session, struct kp_emitter *out);
void kp_ab_report_sweep(const struct kp_ab_session *session, struct kp_emitter *out);

/* Shared: how many runs of what, and what was left out or failed. */
void kp_ab_report_head(const struct kp_ab_session *session, const struct kp_ab_row *rows,
                       struct kp_emitter *out);
/* Rows for all configurations, for free(). */
struct kp_ab_row *kp_ab_rows(const struct kp_ab_comparison *comparison);
/* NAN becomes unknown. */
struct kp_value kp_ab_estimate(struct kp_estimate estimate);
struct kp_value kp_ab_number(double number);
/* "0.71 (0.69-0.74)"; out holds KP_FORMAT_BYTES. */
char *kp_ab_ratio_text(char *out, const struct kp_estimate *ratio);
#endif
