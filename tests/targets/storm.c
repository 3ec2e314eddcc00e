/* SPDX-License-Identifier: MIT */
/*
 * Children by every way there is, from threads that allocate all the time.
 *
 *   storm WAY CHILDREN THREADS LOG      WAY: fork vfork clone spawn exec mixed
 *
 * WAY is done CHILDREN times by each of two starters while THREADS others allocate and free. Every
 * child that can be seen as a process of its own allocates 100 blocks of 1,000 bytes and leaves
 * them alive; its pid goes to LOG, one a line. The parent leaves 1,000 blocks of 100 bytes alive.
 * `storm child` is what is exec'ed. A raw clone of a threaded program may not touch its heap (the
 * locks may be held), so there it maps memory and execs; with THREADS 0 it does allocate.
 */
#include "target.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

extern char **environ;
static const char *way, *program;
static int children, threads, log_fd, bad;
static volatile int stop;

NOINLINE void child_blocks(void)
{
    for (int i = 0; i < 100; i++)
        keep_pointer(malloc(1000));
}

NOINLINE void parent_blocks(void)
{
    for (int i = 0; i < 1000; i++)
        keep_pointer(malloc(100));
}

static void log_pid(pid_t pid)
{
    char line[32];
    int n = snprintf(line, sizeof line, "%d\n", (int)pid);
    if (write(log_fd, line, (size_t)n) != n)
        _exit(3);
}

static void *allocate_all_the_time(void *seed)
{
    uint64_t random = (uint64_t)(uintptr_t)seed;
    void *slots[64] = {0};
    while (!stop) {
        uint32_t n = next_random(&random);
        free(slots[n % 64]);
        slots[n % 64] = keep_pointer(malloc(n % 2000));
    }
    for (int i = 0; i < 64; i++)
        free(slots[i]);
    return NULL;
}

static void exec_child(void) { execl(program, program, "child", (char *)NULL); }

static pid_t raw_clone(void) { return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }

static int in_clone_child(void)
{
    void *p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ((char *)p)[5] = 1;
    munmap(p, 65536);
    if (threads > 0)
        exec_child();
    child_blocks();
    return 0;
}

static int on_clone_stack(void *unused)
{
    (void)unused;
    child_blocks();
    return 0;
}

static pid_t one(const char *how)
{
    pid_t pid = -1;
    char *argv[] = {(char *)program, "child", NULL};
    if (!strcmp(how, "fork")) {
        if ((pid = fork()) == 0) {
            child_blocks();
            _exit(0);
        }
    } else if (!strcmp(how, "exec")) {
        if ((pid = fork()) == 0) {
            exec_child();
            _exit(9);
        }
    } else if (!strcmp(how, "vfork")) {
        if ((pid = vfork()) == 0) {
            execv(program, argv);
            _exit(9);
        }
    } else if (!strcmp(how, "spawn")) {
        if (posix_spawn(&pid, program, NULL, NULL, argv, environ) != 0)
            pid = -1;
    } else if (!strcmp(how, "clone")) {
        if ((pid = raw_clone()) == 0)
            _exit(in_clone_child());
    } else if (!strcmp(how, "libclone")) {
        static char stack[2][65536] __attribute__((aligned(16)));
        pid = clone(on_clone_stack, stack[1], SIGCHLD, NULL);
    }
    return pid;
}

static void *start_children(void *unused)
{
    static const char *all[] = {"fork", "exec", "vfork", "spawn", "fork", "clone"};
    (void)unused;
    for (int i = 0; i < children; i++) {
        int status = -1;
        pid_t pid = one(strcmp(way, "mixed") ? way : all[i % 6]);
        if (pid > 0)
            log_pid(pid);
        if (pid <= 0 || waitpid(pid, &status, 0) != pid || status != 0) {
            say("# child %d of %s ended with %x", i, way, status);
            __atomic_add_fetch(&bad, 1, __ATOMIC_RELAXED);
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t thread[64], starter;
    program = argv[0];
    if (argc == 2 && !strcmp(argv[1], "child")) {
        child_blocks();
        return 0;
    }
    if (argc != 5)
        return 2;
    way = argv[1], children = atoi(argv[2]), threads = atoi(argv[3]);
    log_fd = open(argv[4], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    for (int i = 0; i < threads; i++)
        pthread_create(&thread[i], NULL, allocate_all_the_time, (void *)(uintptr_t)(i + 1));
    if (threads > 0)
        pthread_create(&starter, NULL, start_children, NULL);
    start_children(NULL);
    if (threads > 0)
        pthread_join(starter, NULL);
    parent_blocks();
    stop = 1;
    for (int i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    check_equal(0, bad, "every child ended well");
    return finish();
}
