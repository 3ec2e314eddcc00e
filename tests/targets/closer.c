/* SPDX-License-Identifier: MIT */
/*
 * Closes every descriptor, as daemons do, opens its own data files as 0, 1 and 2 and goes on
 * allocating. Nothing but what it writes may get into them. Also starts a child afterwards.
 *
 *   closer closefrom|close_range|loop FOLDER
 */
#include "target.h"

#include <fcntl.h>
#include <sys/wait.h>

NOINLINE void blocks_after_close(void)
{
    for (int i = 0; i < 2000; i++)
        keep_pointer(malloc(123));
}

static void close_all(const char *how)
{
    if (!strcmp(how, "closefrom"))
        closefrom(0);
    else if (!strcmp(how, "close_range"))
        close_range(0, ~0U, 0);
    else
        for (int fd = 0; fd < 1024; fd++)
            close(fd);
}

static int fill(const char *folder, int number)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/data%d", folder, number);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0666);
    return fd == number && write(fd, "mine\n", 5) == 5 ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    for (int i = 0; i < 1000; i++)
        free(keep_pointer(malloc(100)));
    close_all(argv[1]);
    if (fill(argv[2], 0) || fill(argv[2], 1) || fill(argv[2], 2))
        return 3;
    blocks_after_close();
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        blocks_after_close();
        exit(0);
    }
    waitpid(child, &status, 0);
    return status != 0 || lseek(2, 0, SEEK_END) != 5 ? 4 : 0;
}
