/* SPDX-License-Identifier: MIT */
/*
 * Waits for all its children until there are none: as process 1, or as a subreaper, it would wait
 * for ever for a collector that it had inherited.
 *
 *   waits [subreaper]       the second time, after an exec of itself, as a subreaper
 */
#include "target.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/wait.h>

int main(int argc, char **argv)
{
    int children = 0;
    if (argc > 1 && !strcmp(argv[1], "subreaper")) {
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        execl("/proc/self/exe", argv[0], NULL);
        return 2;
    }
    for (int i = 0; i < 3; i++)
        if (fork() == 0)
            _exit(0);
    while (wait(NULL) > 0)
        children++;
    check_equal(3, children, "as many children as were made");
    check_equal(ECHILD, errno, "then there are none");
    return finish();
}
