/* SPDX-License-Identifier: MIT */
/*
 * A run with the profiler is there for two answers: what the profiler costs, and whether live memory
 * grows, which no resident set can tell. The second is that of the leak report. One thread.
 */
#include "ab_measure.h"
#include "query_leaks.h"
#include "recording.h"

void kp_ab_measure_recording(const char *database, struct kp_ab_run *run)
{
    struct kp_settled settled;
    struct kp_error error = {""};
    struct kp_query *query = NULL;
    struct kp_leaks leaks;
    struct kp_leak_request request = {.group = KP_LEAK_BY_PLACE};
    if (kp_recording_settle(database, false, &settled, &error) == 0 &&
        kp_query_open(&query, settled.path, &error) == 0 &&
        kp_query_leaks(query, &request, &leaks, &error) == 0) {
        bool leaks_surely = leaks.verdict >= KP_LEAK_PROBABLE;
        if (leaks.has_marks && leaks.verdict != KP_LEAK_UNSURE)
            run->figures[KP_AB_LIVE_SLOPE] = leaks_surely ? leaks.rate.value : 0;
        run->figures[KP_AB_ITERATIONS] = leaks.has_marks ? leaks.iterations : 0;
        kp_leaks_release(&leaks);
    }
    kp_query_close(query);
    kp_settled_release(&settled);
}
