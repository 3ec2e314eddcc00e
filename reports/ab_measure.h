/* SPDX-License-Identifier: MIT */
/*
 * From what was seen of a run to its figures. Pure functions but for the reading of a recording; one
 * thread.
 */
#ifndef KP_AB_MEASURE_H
#define KP_AB_MEASURE_H

#include "ab_launch.h"

/* Fills outcome, figures, samples and jobs. Orders the marks. */
void kp_ab_measure(const struct kp_ab_watch *watch, struct kp_ab_ring *ring,
                   const struct kp_ab_tree *tree, struct kp_ab_run *run);
/* What a recording of the run tells: how live memory grew. The recording is settled first. */
void kp_ab_measure_recording(const char *database, struct kp_ab_run *run);

#endif
