/* SPDX-License-Identifier: MIT */
/*
 * Conversions as a reader sees them: the list of entries, one entry whole, and the line of the
 * summary. One thread.
 */
#ifndef KP_CONVERSIONS_VIEW_H
#define KP_CONVERSIONS_VIEW_H

#include "conversions.h"
#include "report.h"

void kp_conversions_list(struct kp_report_context *context, const struct kp_entries *entries);
void kp_conversions_one(struct kp_report_context *context, const struct kp_entries *entries,
                        const struct kp_callers *callers);
/* "CONVERSIONS  38 % of all bytes allocated, ..."; nothing where nothing is converted. */
void kp_conversions_line(struct kp_report_context *context, const struct kp_entries *entries);

/* The figures of all of them, as an object; in JSON, and where CSV is of named values. */
void kp_conversions_totals(struct kp_report_context *context, const char *key,
                           const struct kp_entries *entries);

/* Shares of all bytes, and of the life of the processes; 0 where there is none. */
double kp_conversions_share(const struct kp_entries *entries);
double kp_conversions_time_share(const struct kp_entries *entries);

/* "Engine.send", "loads (orjson.so)", "tokio-worker x8" (threads), "(orjson.so)" outside of entries. */
void kp_entry_label(const struct kp_entry *entry, char *out, size_t out_bytes);

#endif
