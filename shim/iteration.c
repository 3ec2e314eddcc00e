/* SPDX-License-Identifier: MIT */
/*
 * Begins in our constructor, before Python is initialised: an audit hook waits there for the first
 * moment inside Python at which its API may be called, which is an import of its own start-up. Then
 * the hook is taken out of Python's list, since with one in it every audited event costs more.
 */
#include "iteration.h"

#include "iteration_api.h"
#include "iteration_find.h"
#include "iteration_hint.h"
#include "iteration_monitor.h"
#include "mark.h"
#include "put.h"
#include "scope.h"
#include "settings.h"
#include "spool.h"
#include "start.h"
#include "state.h"
#include "sys.h"

#include <string.h>

#define MINOR_FIRST 9

/* The head of Python's list of audit hooks. */
struct audit_entry {
    struct audit_entry *next;
    void *function;
    void *data;
};
static struct audit_entry **audit_list;
static bool is_answered; /* the hook was added, or it was said why not */

void kp_iteration_called(void)
{
    if (atomic_fetch_add_explicit(&kp_iteration.calls, 1, memory_order_relaxed) == 0 &&
        kp_host.mode == KP_MODE_ON)
        atomic_store(&kp_host.spool->named_calls, 1);
    kp_mark(KP_MARK_AT_BEGIN);
}

bool kp_iteration_takes_mark(void)
{
    if (!atomic_load_explicit(&kp_iteration.calls, memory_order_relaxed))
        return true;
    atomic_fetch_add_explicit(&kp_iteration.replaced, 1, memory_order_relaxed);
    return false;
}

static bool is_safe_moment(const char *event)
{
    return strcmp(event, "import") == 0 || strcmp(event, "exec") == 0 ||
           strcmp(event, "compile") == 0 || strncmp(event, "cpython.run_", 12) == 0;
}

static void leave_audit_list(void *function)
{
    if (audit_list && *audit_list && (*audit_list)->function == function)
        *audit_list = (*audit_list)->next;
}

static int on_audit(const char *event, void *arguments, void *data)
{
    static bool is_installing;
    void *exception[3];

    (void)arguments, (void)data;
    if (kp_iteration.is_watching || is_installing || !kp_python.is_initialised ||
        !kp_python.is_initialised() || !is_safe_moment(event))
        return 0;
    is_installing = true;
    kp_api.PyErr_Fetch(&exception[0], &exception[1], &exception[2]);
    kp_iteration.is_watching =
        kp_find_init() && (kp_python.minor >= 12 ? kp_monitor_install() : kp_eval_install());
    if (kp_iteration.is_watching) {
        leave_audit_list((void *)on_audit);
        kp_hint_at_exit();
    }
    kp_api.PyErr_Restore(exception[0], exception[1], exception[2]);
    is_installing = false;
    return 0;
}

/* The one word of Python's state that has changed from nothing to something by adding our hook. */
static struct audit_entry **changed_word(void **now, void **before, size_t words)
{
    void **found = NULL;

    for (size_t i = 0; i < words; i++)
        if (now[i] != before[i]) {
            if (found || before[i])
                return NULL;
            found = &now[i];
        }
    return (struct audit_entry **)found;
}

static void add_audit_hook(void)
{
    void **state = kp_python_symbol("_PyRuntime");
    size_t bytes = state ? kp_scope_size(kp_python.object, "_PyRuntime") : 0;
    void **copy = bytes ? kp_sys_map(bytes) : NULL;

    if (copy)
        memcpy(copy, state, bytes);
    kp_api.PySys_AddAuditHook(on_audit, NULL);
    if (copy) {
        audit_list = changed_word(state, copy, bytes / sizeof *copy);
        if (audit_list && (*audit_list)->function != (void *)on_audit)
            audit_list = NULL;
        kp_sys_unmap(copy, bytes);
    }
}

/* Is it this program that was meant, or a shared library? Other programs of the tree see the
 * variable too, and have nothing to say. */
static bool means_native_code(void)
{
    const char *program = strrchr(kp_host.exe, '/');

    return kp_host.made_session && (strstr(kp_iteration.module, ".so") ||
                                    strcmp(kp_iteration.module, program ? program + 1 : "") == 0);
}

static void refuse(const char *why)
{
    is_answered = true;
    kp_say("KPROF_ITERATION can't be used: ", why, "", "");
    kp_spool_text(KP_TEXT_NOTE, why, (uint32_t)strlen(why));
}

/* With the guard set. */
static bool is_wanted(void)
{
    if (!kp_start_ready() || !kp_iteration.name[0])
        return false;
    if (!kp_python_find()) {
        if (means_native_code())
            refuse("functions of native programs are not counted by name; have the program call "
                   "kprof_iteration(), see kprof(3)");
        return false;
    }
    if (kp_python.minor < MINOR_FIRST || !kp_api_find()) {
        refuse("this Python is none that kprof knows (3.9 to 3.14); have the program call "
               "kprof.iteration(), see kprof(3)");
        return false;
    }
    return true;
}

__attribute__((constructor)) static void begin(void)
{
    uint64_t cookie;
    bool wanted;

    if (!kp_guard_enter(&cookie))
        return;
    wanted = is_wanted();
    is_answered |= wanted;
    kp_guard_leave();
    if (wanted)
        add_audit_hook();
}

static void tell_displaced(void)
{
    static const char note[] = "KPROF_ITERATION: another library has taken Python's evaluation "
                               "hook, so later calls were not counted; mark with "
                               "kprof.iteration() instead";

    if (kp_iteration.is_displaced)
        kp_spool_text(KP_TEXT_NOTE, note, sizeof note - 1);
}

/* A program that loads libpython itself: found in the middle of a sample, too late to begin. */
static void tell_late(void)
{
    static const char note[] = "KPROF_ITERATION: Python was loaded after the program's start, so "
                               "calls were not counted; mark with kprof.iteration() instead";

    if (kp_iteration.name[0] && !is_answered && kp_python.is_found)
        kp_spool_text(KP_TEXT_NOTE, note, sizeof note - 1);
}

static void tell_replaced(void)
{
    static const char note[] = "KPROF_ITERATION says what an iteration is: the marks that the "
                               "program sets itself were not counted besides";

    if (kp_iteration.replaced)
        kp_spool_text(KP_TEXT_NOTE, note, sizeof note - 1);
}

void kp_iteration_finish(void)
{
    char text[1400], *at = text, *end = text + sizeof text - 1;
    const char *const parts[] = {"KPROF_ITERATION=", kp_iteration.module, ":", kp_iteration.name,
                                 " was never called in this process",
                                 kp_iteration.reason[0] ? "; " : "", kp_iteration.reason};

    tell_displaced();
    tell_late();
    tell_replaced();
    if (!kp_iteration.is_watching || kp_iteration.calls || kp_host.spool->named_calls ||
        kp_state.info->origin == KP_ORIGIN_FORK)
        return;
    for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++)
        at = kp_put(at, end, parts[i]);
    kp_spool_text(KP_TEXT_NOTE, text, (uint32_t)(at - text));
}
