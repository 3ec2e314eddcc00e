/* SPDX-License-Identifier: MIT */
/*
 * The text of a line of the program, when its source is there. Keeps the last file. One thread.
 */
#ifndef KP_SOURCE_LINE_H
#define KP_SOURCE_LINE_H

#include "report.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kp_sources {
    const char *directory; /* where relative names start; "" unknown */
    double recorded_unix_s;
    bool newer; /* set: a line shown is from a file that was changed since the recording began */
    char path[4096];
    char *text; /* of the file at path, NULL: none */
    size_t bytes;
    bool text_is_newer;
};

/* Of a process; 0: of the first that has a directory. */
void kp_sources_init(struct kp_sources *sources, const struct kp_report_context *context,
                     int64_t process_id);
/* The line without what indents it, tabs as spaces; false when it cannot be had. */
bool kp_source_line(struct kp_sources *sources, const struct kp_frame *frame, char *out,
                    size_t out_bytes);
void kp_sources_release(struct kp_sources *sources);

#endif
