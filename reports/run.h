/* SPDX-License-Identifier: MIT */
/*
 * The parts of kprof-run: finding the library, the allocator and the command, before it becomes the
 * command. Functions return 0, or -1 with a message. One thread.
 */
#ifndef KP_RUN_H
#define KP_RUN_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>

#define KP_PATH_BYTES 4096

/* libkprof.so: beside kprof-run (the build tree), in ../lib, or where it was installed. */
int kp_run_find_library(char path[KP_PATH_BYTES], struct kp_error *error);

/* The file for --allocator: "" for glibc. *usage: the name makes no sense, whatever is
 * installed. */
int kp_run_find_allocator(const char *name, char path[KP_PATH_BYTES], bool *usage,
                          struct kp_error *error);

/* What can be known of a command before it runs. */
struct kp_run_command {
    char path[KP_PATH_BYTES]; /* as execvp would find it */
    int exec_status;          /* 127 not found, 126 not executable, 0 it can be run */
    const char *hindrance;    /* why it cannot be recorded, NULL when it can */
    bool leave_alone;         /* the library would even keep it from starting */
};
void kp_run_look_at(const char *command, struct kp_run_command *found);

/* A path may stand in LD_PRELOAD: it holds no space and no colon. */
bool kp_run_can_preload(const char *path);

#endif
