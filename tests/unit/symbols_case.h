/* SPDX-License-Identifier: MIT */
/*
 * What the tests of symbols share: their fixtures are compiled on the spot, from sources that lie
 * beside the tests, in a directory of the test's own.
 */
#ifndef KP_SYMBOLS_CASE_H
#define KP_SYMBOLS_CASE_H

/* Goes to the directory; $S is that of the sources, and cargo's programs are in $PATH. When there
 * are no sources, a check fails. Returns 0 when all is there. */
int kp_symbols_case_begin(void);

#endif
