/* SPDX-License-Identifier: MIT */
/* A library whose constructor opens another one, allocates and closes it; before or after ours has
 * begun, as the loader likes. EARLY_PLUGIN is the path of what it opens. */
#include "target.h"

#include <dlfcn.h>

int early_result = -1;

__attribute__((constructor)) static void load(void)
{
    const char *path = getenv("EARLY_PLUGIN");
    void *library = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    void *(*allocate)(size_t) = NULL;
    if (library)
        allocate = (void *(*)(size_t))dlsym(library, "plugin_allocate");
    void *p = allocate ? allocate(4321) : NULL;
    early_result = p != NULL;
    free(p);
    if (library)
        dlclose(library);
}
