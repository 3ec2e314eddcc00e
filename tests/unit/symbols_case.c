/* SPDX-License-Identifier: MIT */
/*
 * See symbols_case.h. tests/run tells where the tree is; a test that is run by hand finds it above
 * its own program, in build/CONFIG/unit.
 */
#include "symbols_case.h"

#include "unit_check.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void find_tree(char tree[PATH_MAX])
{
    const char *told = getenv("KPROF_TEST_ROOT");
    ssize_t bytes = told ? snprintf(tree, PATH_MAX, "%s", told)
                         : readlink("/proc/self/exe", tree, PATH_MAX - 1);
    for (int up = told ? 4 : 0; bytes > 0 && up < 4; up++) {
        tree[bytes] = '\0';
        char *slash = strrchr(tree, '/');
        bytes = slash ? slash - tree : 0;
    }
    tree[bytes > 0 && bytes < PATH_MAX ? bytes : 0] = '\0';
}

int kp_symbols_case_begin(void)
{
    static char tree[PATH_MAX], sources[PATH_MAX + 64], path[PATH_MAX + 64];
    static char directory[] = "/tmp/kprof-symbols.XXXXXX";
    const char *own = getenv("KPROF_TEST_TMP"), *home = getenv("HOME");
    find_tree(tree);
    snprintf(sources, sizeof sources, "%s/tests/symbols", tree);
    snprintf(path, sizeof path, "%s:%s/.cargo/bin", getenv("PATH"), home ? home : "");
    setenv("S", sources, 1);
    setenv("PATH", path, 1);
    if (access(sources, R_OK) != 0)
        kp_check(false, "finds its fixtures", "no tests/symbols above the program");
    else if (chdir(own ? own : mkdtemp(directory)) == 0)
        return 0;
    return -1;
}
