/* SPDX-License-Identifier: MIT */
/*
 * sys.monitoring tells us once of each code object that starts; for all but the function that is
 * meant we answer DISABLE, and Python does not ask again. Host's threads, with the GIL.
 *
 * The program can see that a tool named "kprof" has taken one of the six numbers of tools.
 */
#include "iteration_monitor.h"

#include "iteration.h"
#include "iteration_api.h"
#include "iteration_match.h"
#include "iteration_native.h"

static struct {
    void *monitoring; /* sys.monitoring */
    void *disable;
    void *import_end;
    int tool;
    bool saw_other_code; /* DISABLE was taken back for code that the look-up has found */
} monitor;

static void *new_reference(void *object)
{
    kp_api.Py_IncRef(object);
    return object;
}

static void set_events(long events)
{
    kp_drop(kp_api.PyObject_CallMethod(monitor.monitoring, "set_events", "il", monitor.tool,
                                       events));
}

/* Native functions need no watching once they are found. */
static void stop(void)
{
    set_events(0);
    kp_drop(kp_api.PyObject_CallMethod(monitor.monitoring, "free_tool_id", "i", monitor.tool));
    kp_api.PyErr_Clear();
}

static void after_import(void)
{
    kp_match_after_import();
    kp_api.PyErr_Clear();
    if (kp_native_is_counted()) {
        stop();
    } else if (kp_iteration.is_by_lookup && !monitor.saw_other_code) {
        monitor.saw_other_code = true;
        kp_drop(kp_api.PyObject_CallMethod(monitor.monitoring, "restart_events", NULL));
        kp_api.PyErr_Clear();
    }
}

/* code, offset of the instruction -> None: go on telling of this code, or DISABLE */
static void *on_start(void *self, void *const *arguments, ssize_t count)
{
    enum kp_match match;

    (void)self, (void)count;
    if (arguments[0] == monitor.import_end) {
        after_import();
        return new_reference(kp_iteration.is_resolved ? monitor.disable : kp_api._Py_NoneStruct);
    }
    match = kp_match_decide(arguments[0], kp_api.PyEval_GetGlobals());
    kp_api.PyErr_Clear(); /* as when there was no memory to look */
    if (match == KP_MATCH_YES)
        kp_iteration_called();
    return new_reference(match == KP_MATCH_YES ? kp_api._Py_NoneStruct : monitor.disable);
}

static int free_tool(void)
{
    static const int wishes[] = {4, 3, 5, 1, 0, 2}; /* debuggers and profilers have fixed numbers */

    for (unsigned i = 0; i < sizeof wishes / sizeof *wishes; i++) {
        void *owner = kp_api.PyObject_CallMethod(monitor.monitoring, "get_tool", "i", wishes[i]);

        kp_drop(owner);
        if (owner == kp_api._Py_NoneStruct)
            return wishes[i];
    }
    return -1;
}

static bool start(long event)
{
    static struct kp_method_definition definition = {"kprof", (void *)on_start, KP_METH_FASTCALL,
                                                     NULL};
    void *callback = kp_api.PyCFunction_NewEx(&definition, NULL, NULL);

    monitor.tool = free_tool();
    if (monitor.tool < 0 || event < 0 || !callback)
        return false;
    kp_drop(kp_api.PyObject_CallMethod(monitor.monitoring, "use_tool_id", "is", monitor.tool,
                                       "kprof"));
    kp_drop(kp_api.PyObject_CallMethod(monitor.monitoring, "register_callback", "ilO", monitor.tool,
                                       event, callback));
    kp_drop(callback);
    set_events(event);
    return true;
}

bool kp_monitor_install(void)
{
    void *events;
    long event;
    bool started;

    monitor.monitoring = kp_api.PySys_GetObject("monitoring");
    if (!monitor.monitoring)
        return false;
    kp_api.Py_IncRef(monitor.monitoring);
    monitor.disable = kp_attribute(monitor.monitoring, "DISABLE");
    monitor.import_end = kp_match_import_end();
    events = kp_attribute(monitor.monitoring, "events");
    event = kp_number_attribute(events, "PY_START");
    kp_drop(events);
    after_import(); /* built-in modules are there already */
    started = kp_native_is_counted() || (monitor.disable && start(event));
    kp_api.PyErr_Clear();
    return started;
}
