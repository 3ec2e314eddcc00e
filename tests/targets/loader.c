/* SPDX-License-Identifier: MIT */
/*
 * Opens and closes plugin_a and plugin_b in turn, from the folder given; each allocates: a blocks
 * of 1,111 bytes, b blocks of 2,222. Says how often both were at one address.
 *
 *   loader FOLDER ROUNDS
 */
#include "target.h"

#include <dlfcn.h>
#include <pthread.h>

static const char *folder;
static int rounds, bad, same;

static void *use(const char *name, size_t size)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.so", folder, name);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void *(*allocate)(size_t) = NULL;
    if (library)
        allocate = (void *(*)(size_t))dlsym(library, "plugin_allocate");
    if (!allocate) {
        bad++;
        return NULL;
    }
    for (int i = 0; i < 10; i++)
        allocate(size);
    void *at = (void *)allocate;
    bad += dlclose(library) != 0;
    return at;
}

static void *load_in_turn(void *unused)
{
    for (int i = 0; i < rounds; i++) {
        void *a = use("plugin_a", 1111);
        same += use("plugin_b", 2222) == a;
    }
    return unused;
}

static void *allocate_meanwhile(void *stop)
{
    while (!*(volatile int *)stop)
        free(keep_pointer(malloc(555)));
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    int stop = 0;
    if (argc != 3)
        return 2;
    folder = argv[1], rounds = atoi(argv[2]);
    pthread_create(&thread, NULL, allocate_meanwhile, &stop);
    load_in_turn(NULL);
    stop = 1;
    pthread_join(thread, NULL);
    say("# %d of %d times at the same address", same, rounds);
    check_equal(0, bad, "every dlopen, dlsym and dlclose worked");
    check(same > 0, "the second library was loaded where the first had been");
    return finish();
}
