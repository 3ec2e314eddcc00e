/* SPDX-License-Identifier: MIT */
/*
 * Loads libunwind and libgcc's unwinder into a scope of their own. The constructor loads; the
 * walks run on the host's threads with the guard set, so that what these libraries allocate is
 * not recorded. They may take the loader's lock: never called from inside the allocator.
 */
#include "fallback.h"

#include "record.h"
#include "settings.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>
#include <unwind.h>

static int (*libunwind_backtrace)(void **, int);
static _Unwind_Reason_Code (*gcc_backtrace)(_Unwind_Trace_Fn, void *);
static uintptr_t (*gcc_ip)(struct _Unwind_Context *);

static void load_gcc(void)
{
    void *library = dlopen("libgcc_s.so.1", RTLD_LOCAL | RTLD_NOW);

    if (!library)
        return;
    *(void **)&gcc_ip = dlsym(library, "_Unwind_GetIP");
    if (gcc_ip)
        *(void **)&gcc_backtrace = dlsym(library, "_Unwind_Backtrace");
}

unsigned kp_fallback_load(void)
{
    void *library = NULL;

    if (kp_settings.unwinder == KP_UNWIND_FP)
        return KP_UNWIND_FP;
    if (kp_settings.unwinder != KP_UNWIND_GCC)
        library = dlopen("libunwind.so.8", RTLD_LOCAL | RTLD_NOW);
    if (library)
        *(void **)&libunwind_backtrace = dlsym(library, "unw_backtrace");
    if (libunwind_backtrace)
        return KP_UNWIND_LIBUNWIND;
    load_gcc();
    return gcc_backtrace ? KP_UNWIND_GCC : KP_UNWIND_FP;
}

struct trace {
    void **pcs;
    unsigned count, max;
};

static _Unwind_Reason_Code add_frame(struct _Unwind_Context *context, void *data)
{
    struct trace *trace = data;

    if (trace->count == trace->max)
        return _URC_END_OF_STACK;
    trace->pcs[trace->count++] = (void *)gcc_ip(context);
    return _URC_NO_REASON;
}

unsigned kp_fallback_walk(void **pcs, unsigned max)
{
    struct trace trace = {pcs, 0, max};

    if (libunwind_backtrace) {
        int count = libunwind_backtrace(pcs, (int)max);

        return count > 0 ? (unsigned)count : 0;
    }
    if (gcc_backtrace)
        gcc_backtrace(add_frame, &trace);
    return trace.count;
}
