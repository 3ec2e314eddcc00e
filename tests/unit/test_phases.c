/* SPDX-License-Identifier: MIT */
/*
 * What a process's time went into, over stack trees and series of samples made by hand: names of
 * modules, contexts of stacks, nested and extension imports, start-up, marks, a killed collector.
 */
#include "import_context.h"
#include "import_name.h"
#include "phases.h"
#include "unit_check.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define EXE "/usr/bin/python3.11"
#define LIB "/usr/lib/python3.11/"

static struct kp_stack_tree tree;
static struct kp_import_contexts contexts;
static struct kp_phases phases;
static struct kp_phases_life life;

static void begin(int64_t start_us, bool is_python)
{
    memset(&tree, 0, sizeof tree);
    memset(&phases, 0, sizeof phases);
    kp_import_contexts_init(&contexts, &tree);
    phases.is_begin_marked = true;
    life = (struct kp_phases_life){.start_us = start_us, .is_python = is_python};
}

static void end(void)
{
    kp_phases_release(&phases);
    kp_import_contexts_release(&contexts);
    kp_stack_tree_release(&tree);
}

static uint32_t native(uint32_t stack, const char *module, uint64_t address)
{
    uint32_t id = kp_stack_tree_module(&tree, module, strlen(module), "");

    return kp_stack_tree_stack(&tree, stack, kp_stack_tree_location(&tree, id, 0, address));
}

static uint32_t python(uint32_t stack, const char *file, const char *function, uint64_t line)
{
    struct kp_code_name name = {file, function, strlen(file), strlen(function), 1};
    uint32_t code = kp_stack_tree_code(&tree, &name);

    return kp_stack_tree_stack(&tree, stack, kp_stack_tree_location(&tree, 0, code, line));
}

/* What stands on the stack while a statement of `stack` finds a module. */
static uint32_t finding(uint32_t stack)
{
    stack = native(stack, EXE, 0x100);
    stack = python(stack, "<frozen importlib._bootstrap>", "_find_and_load", 1178);
    return python(stack, "<frozen importlib._bootstrap>", "_find_and_load_unlocked", 1149);
}

static uint32_t body(uint32_t stack, const char *file, uint64_t line)
{
    stack = python(finding(stack), "<frozen importlib._bootstrap_external>",
                   "SourceFileLoader.exec_module", 940);
    stack = python(stack, "<frozen importlib._bootstrap>", "_call_with_frames_removed", 241);
    return python(stack, file, "<module>", line);
}

static uint32_t loading(uint32_t stack)
{
    stack = python(finding(stack), "<frozen importlib._bootstrap_external>",
                   "ExtensionFileLoader.create_module", 1233);
    stack = python(stack, "<frozen importlib._bootstrap>", "_call_with_frames_removed", 241);
    return native(stack, EXE, 0x200);
}

static uint32_t program(uint64_t line)
{
    return python(native(0, EXE, 0x10), "/home/user/app.py", "<module>", line);
}

static uint32_t site(void)
{
    return python(native(0, EXE, 0x11), "<frozen site>", "<module>", 600);
}

static void sample(uint32_t stack, uint64_t time_us, uint64_t iteration, double bytes)
{
    struct kp_phases_sample what = {true, true, stack, time_us, iteration, bytes, 1};

    life.end_us = (int64_t)time_us;
    kp_phases_sample(&phases, &contexts, &life, &what);
}

static const struct kp_phase_sums *module_sums(const char *name)
{
    static const struct kp_phase_sums none = {-1, -1, -1};

    for (uint32_t i = 1; i <= phases.modules.count; i++) {
        uint32_t module = phases.modules.rows[i].module;

        if (!strcmp(module ? contexts.names[module] : "(others)", name))
            return &phases.modules.rows[i].sums;
    }
    return &none;
}

static struct kp_phase_sums sums[KP_PHASE_COUNT];

/* In the order of enum kp_phase. */
static void check_times(const char *what, const double times[KP_PHASE_COUNT])
{
    char why[160];
    int ok = 1;

    memset(sums, 0, sizeof sums);
    kp_phases_sum(&phases, &life, sums);
    for (int phase = 0; phase < KP_PHASE_COUNT; phase++)
        ok &= sums[phase].us == times[phase];
    snprintf(why, sizeof why, "start-up %.0f, imports %.0f, cold %.0f, warm %.0f, other %.0f us",
             sums[0].us, sums[1].us, sums[2].us, sums[3].us, sums[4].us);
    kp_check(ok, what, "%s", why);
}
#define TIMES(...) ((const double[KP_PHASE_COUNT]){__VA_ARGS__})

static void test_names(void)
{
    static const char *const known[][2] = {
        {"/usr/lib/python3.11/json/decoder.py", "json.decoder"},
        {"/usr/lib/python3.11/json/__init__.py", "json"},
        {"/v/lib/python3.11/site-packages/numpy/core/__init__.py", "numpy.core"},
        {"/v/lib64/python3.13/site-packages/six.py", "six"},
        {"/usr/lib/python3/dist-packages/apt/cache.pyc", "apt.cache"},
        {"/usr/lib/python3.11/lib-dynload/_json.cpython-311-x86_64-linux-gnu.so", "_json"},
        {"/v/lib/python3.11/site-packages/a/_rust.abi3.so", "a._rust"},
        {"/usr/lib/python311.zip/json/encoder.py", "json.encoder"},
        {"<frozen os>", "os"},
        {"<attrs generated init x>", "<attrs generated init x>"},
        {"/home/user/project/pkg/part.one.py", "part.one"},
        {"/home/user/project/pkg/__init__.py", "pkg"},
        {"module.py", "module"},
        {"/home/python3/mine.py", "mine"},
    };
    char name[KP_IMPORT_NAME_BYTES], why[KP_IMPORT_NAME_BYTES + 100] = "";

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        kp_import_name(known[i][0], name);
        if (strcmp(name, known[i][1]))
            snprintf(why, sizeof why, "%s became %s", known[i][0], name);
    }
    kp_check(!why[0], "a module's name is read from its file's", "%s", why);
    char longest[5000] = "/usr/lib/python3.11/";
    memset(longest + strlen(longest), 'x', sizeof longest - strlen(longest) - 1);
    kp_import_name(longest, name);
    kp_check(strlen(name) == KP_IMPORT_NAME_BYTES - 1, "a long name is cut", "it is not");
    kp_check(kp_import_is_interpreter("<frozen importlib._bootstrap>") &&
             kp_import_is_interpreter("/usr/lib/python3.9/site.py") &&
             kp_import_is_interpreter("/usr/lib/python3.9/encodings/utf_8.py") &&
             !kp_import_is_interpreter("<frozen runpy>") &&
             !kp_import_is_interpreter("/home/user/site.py") &&
             !kp_import_is_interpreter("/usr/lib/python3.9/site-packages/encodings/x.py") &&
             !kp_import_is_interpreter("<string>"),
             "the interpreter's own start is told from a program", "it is not");
}

static void test_contexts(void)
{
    begin(0, true);
    uint32_t json = body(program(1), LIB "json/__init__.py", 7);
    uint32_t inner = finding(json), decoder = body(json, LIB "json/decoder.py", 3);
    const struct kp_import_context *at = kp_import_context_of(&contexts, decoder);
    kp_check(at->place && contexts.places[at->place].depth == 2 &&
             !strcmp(contexts.names[at->module], "json.decoder"),
             "the innermost import that is open is the one", "another");
    uint32_t place = at->place;
    at = kp_import_context_of(&contexts, inner);
    kp_check(at->place == place && !at->module, "a module that is being found has no name yet",
             "other place or a name");
    at = kp_import_context_of(&contexts, json);
    kp_check(contexts.places[place].outer == at->place && !strcmp(contexts.names[at->module],
             "json"), "the import around it is known", "it is not");
    at = kp_import_context_of(&contexts, 0);
    kp_check(!at->place && !at->program, "no stack is in no import", "it is");
    uint32_t extension = native(loading(program(2)), LIB "lib-dynload/_json.x.so", 0x500);
    at = kp_import_context_of(&contexts, native(extension, EXE, 0x300));
    kp_check(at->module && !strcmp(contexts.names[at->module], "_json"),
             "an extension module is named by its library", "it is not");
    uint32_t libc = native(loading(program(2)), "/lib/x86_64-linux-gnu/libc.so.6", 0x500);
    uint32_t linker = native(libc, "/lib64/ld-linux-x86-64.so.2", 0x600);
    at = kp_import_context_of(&contexts, native(linker, "/usr/lib/libblas.so.3", 0x700));
    kp_check(at->place && !at->module, "constructors of other libraries give it no name",
             "they do");
    uint32_t builtin = python(finding(program(3)), "<frozen importlib._bootstrap>",
                              "BuiltinImporter.create_module", 5);
    at = kp_import_context_of(&contexts, builtin);
    kp_check(at->module && !strcmp(contexts.names[at->module], "(built-in)"),
             "built-in modules are told as such", "they are not");
    uint32_t frozen =
        python(finding(program(4)), "<frozen importlib._bootstrap>", "exec_module", 6);
    at = kp_import_context_of(&contexts, python(frozen, "<frozen abc>", "<module>", 1));
    kp_check(!strcmp(contexts.names[at->module], "abc"), "frozen ones are not built-in",
             "they are");
    end();
}

static void test_imports(void)
{
    begin(-1000, true);
    sample(0, 0, 0, 10);
    sample(site(), 2000, 0, 10);
    sample(body(site(), LIB "sysconfig.py", 1), 3000, 0, 10);
    sample(program(1), 5000, 0, 10);                              /* started at 4000 */
    sample(finding(program(2)), 5200, 0, 100);                    /* imports from 5100 */
    uint32_t json = body(program(2), LIB "json/__init__.py", 7);
    sample(json, 5400, 0, 100);                                   /* json 300 with its finding */
    sample(finding(json), 5600, 0, 1000);                         /* json 100 more */
    sample(body(json, LIB "json/decoder.py", 3), 5800, 0, 1000);
    sample(finding(program(2)), 6000, 0, 100);                    /* decoder 100 + 200 + 100 */
    sample(program(3), 6400, 0, 10);                              /* json 100 + 200 */
    sample(finding(program(4)), 6500, 0, 7);                      /* never shows what: 50 + 50 */
    sample(program(5), 6600, 0, 10);
    life.end_us = 9000;
    life.is_exit = true;
    kp_phases_end(&phases, &contexts, &life);
    check_times("start-up, imports and the rest add up to the life", TIMES(5000, 1200, 0, 0, 3800));
    kp_check(module_sums("json")->us == 700 && module_sums("json.decoder")->us == 400,
             "time of an import is what it does not spend in others", "another sum");
    kp_check(module_sums("json")->bytes == 300 && module_sums("json.decoder")->bytes == 2000 &&
             sums[KP_PHASE_START_UP].bytes == 30 && sums[KP_PHASE_IMPORTS].bytes == 2307 &&
             sums[KP_PHASE_OTHER].bytes == 30,
             "bytes go to the phase and the module they were allocated in", "another sum");
    kp_check(module_sums("(imported by the program)")->us == 100 &&
             module_sums("(imported by the program)")->bytes == 7,
             "an import that shows nothing is told by who imports", "it is not");
    kp_check(module_sums("sysconfig")->us == -1, "what the interpreter imports itself is start-up",
             "it is an import");
    end();
}

/* The same place imports one module after another, and a coarse clock steps back. */
static void test_sequence(void)
{
    begin(0, true);
    sample(program(1), 1000, 0, 0);
    uint32_t loop = program(2);
    sample(finding(loop), 1000, 0, 0);
    sample(body(loop, "/app/a.py", 1), 1400, 0, 0);
    sample(finding(loop), 1600, 0, 0);
    sample(finding(loop), 1800, 0, 0);
    sample(body(loop, "/app/b.py", 1), 2000, 0, 0);
    sample(program(3), 1990, 0, 0);
    sample(program(3), 2400, 0, 0);
    kp_check(module_sums("a")->us == 500 && module_sums("b")->us == 500,
             "finding is the next module's that shows at its place", "it is not");
    check_times("time never runs backwards", TIMES(500, 1000, 0, 0, 900));
    end();
}

static void test_iterations(void)
{
    begin(0, true);
    sample(program(1), 2000, 0, 1);
    for (uint64_t i = 1; i <= 5; i++) {
        uint64_t at = i == 1 ? 10000 : 20000 + 1000 * i;

        kp_phases_mark(&phases, i, at);
        sample(program(3), at + 100, i, 10);
        if (i > 1)
            continue;
        sample(finding(program(4)), at + 200, i, 10);
        sample(body(program(4), "/app/lazy.py", 1), at + 1100, i, 10);
        sample(program(4), at + 1100, i, 10);
    }
    life.end_us = 40000;
    check_times("cold is the first iteration, less imports", TIMES(1000, 950, 11050, 4000, 23000));
    kp_check(sums[KP_PHASE_COLD].bytes == 20 && sums[KP_PHASE_WARM].bytes == 40 &&
             sums[KP_PHASE_IMPORTS].bytes == 20,
             "bytes of iterations are told apart", "another sum");
    kp_check(module_sums("lazy")->us == 950, "an import inside an iteration is an import",
             "another time");
    end();
}

static void test_one_mark(void)
{
    begin(0, true);
    sample(program(1), 2000, 0, 1);
    kp_phases_mark(&phases, 1, 4000);
    sample(program(2), 9000, 1, 1);
    life.end_us = 12000;
    check_times("one mark: cold runs to the end", TIMES(1000, 0, 8000, 0, 3000));
    life.is_exit = true;
    check_times("... half of what is left after the last sample is the interpreter's",
                TIMES(1000, 0, 6500, 0, 4500));
    sample(python(native(0, EXE, 0x12), LIB "threading.py", "_shutdown", 1), 11000, 1, 1);
    life.end_us = 15000;
    check_times("... of the program, before the interpreter's", TIMES(1000, 0, 6000, 0, 8000));
    end();
}

/* A short program has no sample of its own after its imports. */
static void test_few_samples(void)
{
    begin(0, true);
    phases.is_begin_marked = false;
    sample(program(1), 2000, 0, 1);
    sample(body(program(2), "/app/a.py", 1), 4000, 0, 2);
    kp_phases_main_mark(&phases, &contexts, 1, 5000);
    life.end_us = 9000;
    life.is_exit = true;
    kp_phases_end(&phases, &contexts, &life);
    check_times("a mark of the main thread ends its imports", TIMES(1000, 1500, 2500, 0, 4000));
    end();
    begin(0, true);
    sample(program(1), 2000, 0, 1);
    sample(body(program(2), "/app/a.py", 1), 4000, 0, 2);
    life.end_us = 9000;
    life.is_exit = true;
    kp_phases_end(&phases, &contexts, &life);
    check_times("so does its exit", TIMES(1000, 3500, 0, 0, 4500));
    life.gone_us = 9600;
    check_times("what the kernel then takes is no import's", TIMES(1000, 3500, 0, 0, 5100));
    end();
}

static void test_marks_at_ends(void)
{
    begin(0, true);
    phases.is_begin_marked = false;
    sample(program(1), 2000, 0, 1);
    sample(body(program(2), "/app/a.py", 1), 4000, 0, 2);
    sample(program(3), 6000, 0, 4);
    kp_phases_mark(&phases, 1, 8000);
    sample(program(3), 8500, 1, 8);
    life.end_us = 9000;
    check_times("a mark at the end: all before it is cold", TIMES(1000, 2000, 5000, 0, 1000));
    kp_check(sums[KP_PHASE_COLD].bytes == 5 && sums[KP_PHASE_OTHER].bytes == 8, "so are the bytes",
             "another sum");
    kp_phases_mark(&phases, 2, 9000);
    kp_phases_mark(&phases, 3, 9500);
    sample(body(program(4), "/app/b.py", 1), 9500, 3, 2);
    sample(program(3), 9800, 3, 16);
    life.end_us = 10000;
    check_times("warm lasts to the last mark", TIMES(1000, 2650, 5000, 850, 500));
    kp_check(sums[KP_PHASE_WARM].bytes == 24, "so do the bytes", "another sum");
    end();
}

/* Marks at the end, and the begin of the first iteration is known. */
static void test_first_begin(void)
{
    begin(0, true);
    phases.is_begin_marked = false;
    sample(program(1), 2000, 0, 1);
    sample(body(program(2), "/app/a.py", 1), 4000, 0, 2);
    sample(program(3), 6000, 0, 4);
    kp_phases_first_begin(&phases, &contexts, 7000);
    kp_phases_first_begin(&phases, &contexts, 7500);
    sample(program(3), 7500, 0, 8);
    kp_phases_mark(&phases, 1, 8000);
    kp_phases_first_begin(&phases, &contexts, 8500);
    life.end_us = 9000;
    check_times("cold begins where that is told first", TIMES(1000, 2000, 1000, 0, 5000));
    kp_check(sums[KP_PHASE_COLD].bytes == 8 && sums[KP_PHASE_IMPORTS].bytes == 2 &&
                 sums[KP_PHASE_OTHER].bytes == 5,
             "what was allocated before is not of it", "another sum");
    end();
}

static void test_other_lives(void)
{
    begin(-500, false);
    sample(native(0, "/usr/bin/tool", 1), 1000, 0, 5);
    kp_check(!kp_phases_sum(&phases, &life, sums), "a native program without marks has no phases",
             "it has");
    kp_phases_mark(&phases, 1, 2000);
    kp_phases_mark(&phases, 2, 5000);
    sample(native(0, "/usr/bin/tool", 1), 8000, 2, 7);
    life.end_us = 9500;
    check_times("a native program with marks has iterations", TIMES(0, 0, 3000, 3000, 4000));
    kp_check(sums[KP_PHASE_OTHER].bytes == 5 && sums[KP_PHASE_WARM].bytes == 7,
             "and what they allocate", "another sum");
    end();
    begin(100, true);
    life.is_forked = true;
    sample(program(9), 500, 0, 0);
    life.end_us = 2100;
    check_times("a forked child never starts up", TIMES(0, 0, 0, 0, 2000));
    end();
    begin(0, true);
    sample(native(0, EXE, 1), 400, 0, 0);
    life.end_us = 450;
    kp_check(!kp_phases_sum(&phases, &life, sums), "a Python that cannot be read has no phases",
             "it has");
    sample(site(), 500, 0, 0);
    life.end_us = 2000;
    check_times("a program that never shows is all start-up", TIMES(2000, 0, 0, 0, 0));
    end();
    begin(0, true);
    sample(program(1), 0, 0, 0);
    sample(body(program(1), "/app/a.py", 1), 1000, 0, 0);
    life.end_us = 5000;
    kp_phases_end(&phases, &contexts, &life);
    check_times("one that is killed in an import died importing", TIMES(0, 4500, 0, 0, 500));
    end();
}

/* Marks come from another thread's records, later than the samples after them. */
static void test_order(void)
{
    begin(0, true);
    sample(program(1), 2000, 0, 1);
    sample(program(1), 30000, 3, 1);
    kp_phases_mark(&phases, 3, 20000);
    kp_phases_mark(&phases, 1, 10000);
    kp_phases_mark(&phases, 2, 14000);
    struct kp_phases_sample elsewhere = {false, true, body(program(5), "/app/t.py", 1),
                                         31000, 3, 64, 1};
    kp_phases_sample(&phases, &contexts, &life, &elsewhere);
    life.end_us = 40000;
    check_times("marks may come in any order", TIMES(1000, 0, 4000, 12000, 23000));
    kp_check(module_sums("t")->us == 0 && module_sums("t")->bytes == 64,
             "other threads' imports count for their memory alone", "another sum");
    end();
}

static void test_resume(void)
{
    struct kp_phase_sums before[KP_PHASE_COUNT] = {0};

    begin(-2000, true);
    sample(program(1), 2000, 0, 1);
    sample(body(program(1), "/app/a.py", 1), 4000, 0, 8);
    sample(program(1), 6000, 0, 1);
    kp_phases_mark(&phases, 1, 7000);
    sample(program(1), 9000, 1, 3);
    kp_phases_sum(&phases, &life, before);
    end();
    begin(-2000, true);
    for (int phase = 0; phase < KP_PHASE_COUNT; phase++)
        if (before[phase].us > 0)
            kp_phases_load(&phases, (enum kp_phase)phase, &before[phase]);
    kp_phases_loaded(&phases, &contexts);
    kp_check(module_sums("(imported by the program)")->us == 2000 &&
             module_sums("(imported by the program)")->bytes == 8,
             "what was not told of any module by then stays an import", "it does not");
    kp_phases_mark(&phases, 1, 7000);
    sample(program(1), 10000, 1, 3);
    sample(body(program(1), "/app/b.py", 1), 12000, 1, 8);
    sample(program(1), 14000, 1, 1);
    kp_phases_mark(&phases, 2, 15000);
    life.end_us = 15500;
    check_times("times of a killed collector go on", TIMES(2000, 4000, 6000, 500, 5000));
    kp_check(sums[KP_PHASE_COLD].bytes == 7 && sums[KP_PHASE_IMPORTS].bytes == 16,
             "so do its bytes", "another sum");
    end();
}

static void test_bound(void)
{
    char file[64];

    begin(0, true);
    sample(program(1), 0, 0, 0);
    for (int i = 0; i < 5000; i++) {
        snprintf(file, sizeof file, "/app/m%d.py", i);
        sample(body(program(2), file, 1), 10 + 10 * (uint64_t)i, 0, 1);
    }
    kp_check(phases.modules.count == KP_IMPORTS_MAX + 1 &&
             module_sums("(others)")->bytes == 5000 - KP_IMPORTS_MAX,
             "more than 4,096 modules share a row", "another number");
    end();
}

int main(void)
{
    test_names();
    test_contexts();
    test_imports();
    test_sequence();
    test_iterations();
    test_one_mark();
    test_few_samples();
    test_marks_at_ends();
    test_first_begin();
    test_other_lives();
    test_order();
    test_resume();
    test_bound();
    return kp_checks_failed();
}
