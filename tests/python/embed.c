/* SPDX-License-Identifier: MIT */
/*
 * A program that has Python inside, for the tests: starts it, runs code, ends it, and does so again.
 * With a library's path as argument Python is loaded by dlopen, late; otherwise it is linked.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef LINKED
void Py_InitializeEx(int handlers);
int Py_FinalizeEx(void);
int PyRun_SimpleString(const char *code);
#endif

static void (*initialize)(int);
static int (*finalize)(void);
static int (*run)(const char *);

static int find(const char *library)
{
#ifdef LINKED
    (void)library;
    initialize = Py_InitializeEx;
    finalize = Py_FinalizeEx;
    run = PyRun_SimpleString;
#else
    void *handle = dlopen(library, RTLD_NOW | RTLD_GLOBAL);

    if (!handle)
        return -1;
    initialize = (void (*)(int))dlsym(handle, "Py_InitializeEx");
    finalize = (int (*)(void))dlsym(handle, "Py_FinalizeEx");
    run = (int (*)(const char *))dlsym(handle, "PyRun_SimpleString");
#endif
    return initialize && finalize && run ? 0 : -1;
}

int main(int argc, char **argv)
{
    void *before = malloc(777);

    if (find(argc > 1 ? argv[1] : NULL)) {
        fprintf(stderr, "no Python: %s\n", dlerror());
        return 1;
    }
    for (int life = 0; life < 3; life++) {
        initialize(0);
        if (run("import json, threading\n"
                "def embedded_function(size):\n"
                "    return [bytes(size) for _ in bytes(1000)]\n"
                "kept = [embedded_function(333), embedded_function(5555)]\n"
                "t = threading.Thread(target=embedded_function, args=(99,)); t.start(); t.join()\n"
                "json.loads(json.dumps(list(range(1000))))\n"))
            return 2;
        if (finalize())
            return 3;
    }
    free(before);
    return 0;
}
