/* SPDX-License-Identifier: MIT */
/*
 * Start of a process image, and of a forked child. Stage one runs in the first allocation of the
 * process, on any thread, with the guard set; a forked child goes by the same way when it meets its
 * zeroed state (see state.h). Stage two is the constructor.
 */
#include "start.h"

#include "clock.h"
#include "convert.h"
#include "fallback.h"
#include "finish.h"
#include "gap.h"
#include "launch.h"
#include "live.h"
#include "python.h"
#include "python_start.h"
#include "rate.h"
#include "real.h"
#include "scope.h"
#include "session.h"
#include "settings.h"
#include "settings_table.h"
#include "spool.h"
#include "start_time.h"
#include "sys.h"

#include <pthread.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENVIRONMENT_BYTES (4u << 20)


/* The environment as the kernel has it, for a start before libc knows it. */
static char **environment_from_kernel(void)
{
    char *text = kp_sys_map(ENVIRONMENT_BYTES), **list, *at;
    long bytes = text ? kp_sys_read_file("/proc/self/environ", text, ENVIRONMENT_BYTES / 2) : 0;
    unsigned count = 0, most = ENVIRONMENT_BYTES / 2 / sizeof *list - 1;

    if (!text)
        return NULL;
    list = (char **)(text + ENVIRONMENT_BYTES / 2);
    for (at = text; bytes > 0 && at < text + bytes && count < most; at += strlen(at) + 1)
        list[count++] = at;
    list[count] = NULL;
    return list;
}

static void remember_stderr(void)
{
    struct stat about;

    if (KP_SYS2(SYS_fstat, 2, &about) == 0) {
        kp_host.stderr_device = about.st_dev;
        kp_host.stderr_inode = about.st_ino;
    }
}

static void read_program_path(void)
{
    const char *name = (const char *)getauxval(AT_EXECFN);

    if (kp_sys_read_link("/proc/self/exe", kp_host.exe, sizeof kp_host.exe) > 0 || !name)
        return;
    size_t bytes = strlen(name) < sizeof kp_host.exe ? strlen(name) : sizeof kp_host.exe - 1;
    memcpy(kp_host.exe, name, bytes); /* there is no /proc: as it was called */
    kp_host.exe[bytes] = 0;
}

static bool stage_one(void)
{
    kp_real_resolve();
    kp_scope_range(kp_scope_self(), &kp_host.own_start, &kp_host.own_end);
    read_program_path();
    kp_settings_read(environ ? environ : environment_from_kernel(), true);
    remember_stderr();
    if (KP_SYS3(SYS_madvise, &kp_state, sizeof kp_state, MADV_WIPEONFORK) != 0) {
        kp_say("this kernel is too old (4.14 is needed); nothing is recorded", "", "", "");
        return false;
    }
    return kp_live_init() && kp_session_open();
}

static void tell_texts(void)
{
    static char arguments[4096];
    long bytes = kp_sys_read_file("/proc/self/cmdline", arguments, sizeof arguments);

    kp_spool_text(KP_TEXT_EXE, kp_host.exe, (uint32_t)strlen(kp_host.exe));
    if (bytes > 0)
        kp_spool_text(KP_TEXT_ARGV, arguments, (uint32_t)bytes);
    kp_spool_text(KP_TEXT_ALLOCATOR, kp_allocator.path, (uint32_t)strlen(kp_allocator.path));
    bytes = KP_SYS2(SYS_getcwd, arguments, sizeof arguments);
    if (bytes > 1)
        kp_spool_text(KP_TEXT_DIRECTORY, arguments, (uint32_t)bytes - 1);
    if (kp_python.is_found)
        kp_spool_text(KP_TEXT_PYTHON, kp_python.version, (uint32_t)strlen(kp_python.version));
    if (kp_allocator.program_has_its_own) {
        static const char note[] = "the program defines malloc itself: its own calls, and those of "
                                   "its libraries, can't be seen by a preload";

        kp_spool_text(KP_TEXT_NOTE, note, sizeof note - 1);
    }
}

static unsigned origin(bool forked)
{
    if (forked)
        return KP_ORIGIN_FORK;
    return kp_host.made_session ? KP_ORIGIN_ROOT : KP_ORIGIN_EXEC;
}

/* Under start_lock: this process gets its number, its first chunk and its figures. */
static bool join(bool forked)
{
    struct kp_process_info *info;
    uint32_t number = kp_session_number();

    kp_state.pid = kp_sys_getpid();
    if (!number || !kp_spool_join(number))
        return false;
    info = kp_state.info;
    info->ppid = (uint32_t)KP_SYS0(SYS_getppid);
    info->origin = origin(forked);
    info->parent = forked ? kp_host.last_process : 0;
    info->joined_ns = kp_clock_us() * 1000;
    if (!forked)
        info->before_join_ns = kp_start_time_ago_ns();
    info->fixed_rate = kp_settings.rate_bytes;
    info->budget_ppm = kp_settings.budget_ppm;
    info->unwinder = kp_settings.unwinder;
    info->pid_namespace = kp_session_pid_namespace();
    kp_host.last_process = number;
    kp_spool_joined();
    atomic_store(&kp_state.epoch, kp_ticks() << 1 | 1);
    kp_rate_init();
    tell_texts();
    return true;
}

static bool start_once(void)
{
    int mode = kp_host.mode;

    if (mode == KP_MODE_OFF)
        return false;
    if (mode == KP_MODE_ON && kp_state.epoch)
        return true;
    if (mode == KP_MODE_NEW && !stage_one()) {
        kp_host.mode = KP_MODE_OFF;
        return false;
    }
    bool forked = mode == KP_MODE_ON;
    bool wanted = !forked || kp_host.spool->follow != KP_FOLLOW_NONE;
    if (!wanted || !join(forked)) {
        kp_host.mode = KP_MODE_OFF;
        return false;
    }
    kp_host.mode = KP_MODE_ON;
    return true;
}

bool kp_start_slowly(void)
{
    bool ready = false;

    if (kp_spin_lock(&kp_state.start_lock)) {
        ready = start_once();
        kp_spin_unlock(&kp_state.start_lock);
    }
    return ready;
}

/* In the parent, before fork(): the session must not be closed before the child has come. */
static void before_fork(void)
{
    if (kp_host.mode == KP_MODE_ON)
        atomic_fetch_add(&kp_host.spool->forks, 1);
}

/* In the child of fork(): only this thread is left, whatever others held is void. */
static void after_fork(void)
{
    uint64_t cookie;

    if (kp_host.mode != KP_MODE_ON)
        return;
    kp_self.held_count = 0;
    kp_convert_forget();
    if (kp_guard_enter(&cookie)) {
        kp_start_ready();
        kp_self.rate = 0;
        kp_self.left = 0;
        kp_guard_leave();
    }
    atomic_fetch_add(&kp_host.spool->forks_arrived, 1);
}

/* Children find the session in their environment. The host's own array stays as it is. */
static void pass_on_session(const char *session)
{
    size_t name = sizeof KP_SESSION_VARIABLE - 1, path = strlen(session), count = 0;
    char **list, *entry = NULL;

    while (environ && environ[count])
        count++;
    list = kp_sys_map((count + 2) * sizeof *list + name + path + 2);
    if (!list)
        return;
    entry = (char *)(list + count + 2);
    memcpy(entry, KP_SESSION_VARIABLE "=", name + 1);
    memcpy(entry + name + 1, session, path + 1);
    if (count)
        memcpy(list, environ, count * sizeof *list);
    list[count] = entry;
    for (size_t i = 0; i < count; i++)
        if (strncmp(list[i], entry, name + 1) == 0) {
            list[i] = entry;
            list[count] = NULL;
        }
    environ = list;
}

static void load_fallback(void)
{
    unsigned have = kp_fallback_load();

    kp_host.can_fall_back = have != KP_UNWIND_FP;
    if (kp_settings.unwinder == KP_UNWIND_CFI && have != KP_UNWIND_LIBUNWIND) {
        static const char note[] = "libunwind.so.8 is not installed (package libunwind8): some "
                                   "stacks may end early";

        kp_spool_text(KP_TEXT_NOTE, note, sizeof note - 1);
    }
}

__attribute__((constructor)) static void stage_two(void)
{
    uint64_t cookie;

    if (!kp_guard_enter(&cookie))
        return;
    kp_host.starting = true;
    kp_host.main_thread = (uintptr_t)__builtin_thread_pointer();
    if (kp_start_ready()) {
        kp_python_start();
        load_fallback();
        pthread_atfork(before_fork, NULL, after_fork);
        if (kp_host.made_session) {
            pass_on_session(kp_host.spool_path);
            kp_launch_collector();
        }
    } else if (kp_host.is_shut_out) {
        pass_on_session(KP_SESSION_NONE);
    }
    kp_host.starting = false;
    kp_guard_leave();
    kp_convert_look();
}

__attribute__((destructor)) static void end(void)
{
    kp_finish();
}
