/* SPDX-License-Identifier: MIT */
/*
 * kprof-collect: started by the shim for each recording, to turn its spool into the database while
 * the program runs. It is nobody's child and bothers nobody: own session, no descriptors but its
 * files, no output. With --foreground it stays where it was started and tells what goes wrong.
 * SIGTERM: what is there is committed, and the spool stays for kprof-report.
 */
#include "collect.h"
#include "options.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
    (void)signal;
    stopped = 1;
}

static const char usage[] =
    "usage: kprof-collect --spool FILE [--foreground]\n"
    "Turns the spool of a recording into its database; started by libkprof.so.\n"
    "\n"
    "  --spool FILE   the spool, X.db-spool\n"
    "  --foreground   stay in this session, print errors\n"
    "  --help         this text\n"
    "  --version      the version\n";

/* Signals that the host had blocked or ignored are so for us, too. */
static void reset_signals(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        if (number != SIGKILL && number != SIGSTOP)
            sigaction(number, &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    sigaction(SIGXFSZ, &action, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void stop_on(int number)
{
    struct sigaction action = {.sa_handler = stop};

    sigaction(number, &action, NULL);
}

static void detach(void)
{
    int null;

    setsid();
    close_range(0, ~0u, 0);
    null = open("/dev/null", O_RDWR);
    if (null == 0) {
        dup2(0, 1);
        dup2(0, 2);
    }
    if (chdir("/"))
        return;
}

/* Does the work; the exit status. */
static int collect(const char *spool, bool foreground)
{
    struct kp_collect_options options = {
        .spool_path = spool, .follow = true, .stop = &stopped};
    struct kp_error error = {0};
    int status = kp_collect_run(&options, &error);

    if (status == KP_COLLECT_FAILED && foreground)
        fprintf(stderr, "kprof-collect: %s\n", error.text);
    return status == KP_COLLECT_FAILED;
}

static int refuse(const char *why)
{
    fprintf(stderr, "kprof-collect: %s; see kprof-collect --help\n", why);
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"spool", required_argument, NULL, 's'}, {"foreground", no_argument, NULL, 'f'},
        {"help", no_argument, NULL, 'h'},        {"version", no_argument, NULL, 'v'},
        {NULL, 0, NULL, 0},
    };
    const char *spool = NULL;
    bool foreground = false;

    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 's': spool = optarg; break;
        case 'f': foreground = true; break;
        case 'h': fputs(usage, stdout); return kp_options_printed("kprof-collect");
        case 'v': puts("kprof-collect " KP_VERSION); return kp_options_printed("kprof-collect");
        default: return refuse("unknown option, or no value for it");
        }
    }
    if (!spool || optind < argc)
        return refuse("it takes --spool FILE and nothing else");
    unsetenv("LD_PRELOAD");
    unsetenv("DEBUGINFOD_URLS");
    reset_signals();
    if (!foreground)
        detach();
    stop_on(SIGTERM);
    if (foreground)
        stop_on(SIGINT);
    return collect(spool, foreground);
}
