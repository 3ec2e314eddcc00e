/* SPDX-License-Identifier: MIT */
/*
 * Recordings to begin with, made on the spot: a spool with every kind of record, and what a
 * collector leaves that is killed at a given point of its work. One thread, forks.
 */
#ifndef KP_FUZZ_SEEDS_H
#define KP_FUZZ_SEEDS_H

#include "fuzz_case.h"

/* A spool of two processes and their exec, threads, marks, and one of each record. Variant 0 is
 * small, 1 fills more chunks and has no exit. */
void kp_fuzz_seed_spool(struct kp_fuzz_case *one, const char *directory, unsigned variant);

/* Lets a collector work on the case and ends it at the named point (see kp_ingest_fault()) when it
 * comes there for the n-th time; NULL: it finishes. Samples read in batches of `batch` chunks. */
void kp_fuzz_seed_collect(struct kp_fuzz_case *one, const char *directory, const char *point,
                          unsigned nth);

#endif
