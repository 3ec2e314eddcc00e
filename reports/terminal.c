/* SPDX-License-Identifier: MIT */
/*
 * The line is redrawn ten times a second at most, in place, and wiped at the end, so that what
 * stays on the screen is the report alone. One thread.
 */
#include "terminal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define QUIET_S 0.5
#define REDRAW_S 0.1

size_t kp_terminal_width(void)
{
    struct winsize size;
    if (isatty(STDOUT_FILENO))
        return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
    const char *columns = getenv("COLUMNS");
    long width = columns ? atol(columns) : 0;
    return width >= 20 && width <= 10000 ? (size_t)width : 100;
}

static double seconds_since(const struct timespec *then, const struct timespec *now)
{
    return (double)(now->tv_sec - then->tv_sec) + (double)(now->tv_nsec - then->tv_nsec) / 1e9;
}

void kp_progress_start(struct kp_progress *progress)
{
    *progress = (struct kp_progress){.visible = false};
    clock_gettime(CLOCK_MONOTONIC, &progress->started);
}

void kp_progress_show(struct kp_progress *progress, uint64_t done, uint64_t total, const char *what)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (seconds_since(&progress->started, &now) < QUIET_S ||
        seconds_since(&progress->shown, &now) < REDRAW_S || !isatty(STDERR_FILENO))
        return;
    progress->shown = now;
    progress->visible = true;
    if (total > 0)
        fprintf(stderr, "\r\033[K%s: %s, %.0f %%", program_invocation_short_name, what,
                100 * (done < total ? (double)done / (double)total : 1));
    else
        fprintf(stderr, "\r\033[K%s: %s", program_invocation_short_name, what);
}

void kp_progress_end(struct kp_progress *progress)
{
    if (progress->visible)
        fputs("\r\033[K", stderr);
    progress->visible = false;
}
