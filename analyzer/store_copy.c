/* SPDX-License-Identifier: MIT */
/*
 * A byte copy of a database that nobody writes (the caller holds the spool's lock): for recordings
 * that lie where nothing can be written. The -wal or the -journal goes with it; SQLite recovers the
 * copy by it.
 */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int copy_bytes(int from, int to)
{
    static char buffer[1 << 16];
    ssize_t got;

    while ((got = read(from, buffer, sizeof buffer)) > 0)
        for (ssize_t done = 0; done < got;) {
            ssize_t wrote = write(to, buffer + done, (size_t)(got - done));

            if (wrote <= 0)
                return wrote < 0 ? errno : ENOSPC;
            done += wrote;
        }
    return got < 0 ? errno : 0;
}

/* A file that is not there is not copied. */
static int copy_file(const char *from, const char *to, struct kp_error *error)
{
    int source = open(from, O_RDONLY | O_CLOEXEC);
    int wrong = source < 0 ? errno : 0;

    if (wrong == ENOENT)
        return 0;
    int target = wrong ? -1 : open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (!wrong)
        wrong = target < 0 ? errno : copy_bytes(source, target);
    if (source >= 0)
        close(source);
    if (target >= 0 && close(target) && !wrong)
        wrong = errno;
    return wrong ? kp_error_set(error, "cannot copy %s to %s: %s", from, to, strerror(wrong)) : 0;
}

int kp_store_copy(const char *from, const char *to, struct kp_error *error)
{
    static const char *const tails[] = {"", "-wal", "-journal"};

    kp_store_remove(to);
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        char tail_from[4200], tail_to[4200];

        snprintf(tail_from, sizeof tail_from, "%s%s", from, tails[i]);
        snprintf(tail_to, sizeof tail_to, "%s%s", to, tails[i]);
        if (copy_file(tail_from, tail_to, error))
            return 1;
    }
    return 0;
}
