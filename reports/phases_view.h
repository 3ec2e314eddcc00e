/* SPDX-License-Identifier: MIT */
/*
 * Start-up, imports, the first iteration and the others: one line of the summary, a section of the
 * timeline, and the tables of their JSON. One thread.
 */
#ifndef KP_PHASES_VIEW_H
#define KP_PHASES_VIEW_H

#include "report.h"

/* "START-UP  138 ms of the first call: interpreter 61, imports 64, cold 13, then 0.3 warm" */
void kp_phases_line(struct kp_report_context *context, const struct kp_phase_list *phases);
/* The tables of the first process that has phases (text), of all (JSON). */
void kp_phases_tables(struct kp_report_context *context, const struct kp_phase_list *phases);

#endif
