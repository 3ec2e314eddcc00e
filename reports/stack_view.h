/* SPDX-License-Identifier: MIT */
/*
 * A whole stack as text, innermost frame first. One thread.
 */
#ifndef KP_STACK_VIEW_H
#define KP_STACK_VIEW_H

#include "report.h"

void kp_stack_view(struct kp_report_context *context, const struct kp_site *site);

#endif
