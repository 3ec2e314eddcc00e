/* SPDX-License-Identifier: MIT */
/*
 * The one table of the shim's environment variables: the shim reads them by it, `kprof-run --help`
 * prints it. X(NAME, value, default, what it means)
 */
#ifndef KP_SETTINGS_TABLE_H
#define KP_SETTINGS_TABLE_H

#define KP_SETTINGS(X)                                                                             \
    X("KPROF_DB", "FILE", "kprof-%e-%p.db", "database; %p is the pid, %e the program")             \
    X("KPROF_RATE", "auto|SIZE", "auto",                                                           \
      "mean bytes between samples: auto, or a size such as 4K; 1 records every allocation")        \
    X("KPROF_BUDGET", "PERCENT", "1%", "share of the CPU time that auto may use")                  \
    X("KPROF_ITERATION", "module:function", "",                                                    \
      "each call of module:function, or module:Class.method, is an iteration")                     \
    X("KPROF_FOLLOW", "all|fork|none", "all", "which child processes are recorded")                \
    X("KPROF_SPOOL_MAX", "SIZE", "256M", "bound of the spool file")                                \
    X("KPROF_UNWINDER", "cfi|libunwind|gcc|fp", "cfi", "how native stacks are walked; for trouble only")   \
    X("KPROF_PAGES", "0|1", "0", "1: look at each page of the heap, for the report fragmentation") \
    X("KPROF_KEEP", "live|all", "live",                                                            \
      "all: keep freed allocations too, for kprof-ab replay; with KPROF_RATE=1")                   \
    X("KPROF_CONVERSIONS", "0|1", "1", "0: calls of Python's C API by extensions are not counted")     \
    X("KPROF_CONVERSIONS_SKIP", "NAME,...", "",                                                    \
      "nor those of these modules: files or folders by name, such as numpy,_rust")                 \
    X("KPROF_QUIET", "0|1", "0", "1: no closing line on stderr")

/* Set by the shim itself for the processes that follow: the spool of the session, or that there is
 * none that they could join. */
#define KP_SESSION_VARIABLE "KPROF_SESSION"
#define KP_SESSION_NONE "-"
#define KP_SESSION_NEW "/" /* of one's own: neither what the environment says nor the parent's */

#endif
