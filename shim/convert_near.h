/* SPDX-License-Identifier: MIT */
/*
 * Hooks beside the interpreter, see convert_near.c.
 */
#ifndef KP_CONVERT_NEAR_H
#define KP_CONVERT_NEAR_H

/* Puts shorter ones in the place of the hooks of conversions, as many as can be had. Once, when the
 * functions behind them are known and before anything calls them. */
void kp_convert_near(void);

#endif
