/* SPDX-License-Identifier: MIT */
/*
 * Advice in words: what is done, what to do instead, what that would save. Pure function, any
 * thread.
 */
#ifndef KP_ADVICE_TEXT_H
#define KP_ADVICE_TEXT_H

#include "advice.h"

#define KP_ADVICE_TEXT_BYTES 480

char *kp_advice_text(const struct kp_entry *entry, const struct kp_advice *advice,
                     char out[KP_ADVICE_TEXT_BYTES]);

#endif
