/* SPDX-License-Identifier: MIT */
/*
 * What a stack is told by, and what is left out of it: stacks of Python, extensions and the
 * interpreter as they are met in life; function names as they are shortened.
 */
#include "query.h"
#include "query_interpreter.h"
#include "unit_check.h"

#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct kp_frame python(const char *file, int line, const char *function)
{
    return (struct kp_frame){.function = function, .file = file, .module = "", .line = line,
                             .python = true, .exact = true,
                             .is_stdlib = kp_is_standard_library(file)};
}

static struct kp_frame native(const char *module, const char *function)
{
    bool interpreter = strstr(module, "python3") != NULL;
    return (struct kp_frame){.function = function, .file = "", .module = module, .exact = true,
                             .plumbing = kp_frame_is_plumbing(function, module),
                             .of_python = interpreter && !strstr(module, "lib-dynload"),
                             .is_stdlib = strstr(module, "lib-dynload") != NULL};
}

#define PYTHON "/usr/bin/python3.11"
#define EXTENSION "/srv/bridge.so"
#define JSON "/usr/lib/python3.11/lib-dynload/_json.so"
#define STDLIB "/usr/lib/python3.11/"

/* Marks the interpreter; what is left as "function function ...", innermost first. */
static const char *left(struct kp_frame *frames, size_t count)
{
    static char text[1024];
    kp_frames_mark_interpreter(frames, count);
    count = kp_frames_without_interpreter(frames, count);
    *text = '\0';
    for (size_t i = 0; i < count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "",
                 frames[i].function);
    return text;
}

static void expect_left(const char *what, struct kp_frame *frames, size_t count, const char *wanted)
{
    const char *got = left(frames, count);
    kp_check(strcmp(got, wanted) == 0, what, "%s", got);
}

static void test_left_out(void)
{
    struct kp_frame list[] = {
        native("/lib/libc.so.6", "realloc"), native(PYTHON, "list_resize"),
        python("/srv/app.py", 17, "run"),    native(PYTHON, "_PyEval_EvalFrameDefault"),
        native(PYTHON, "Py_BytesMain"),      native("/lib/libc.so.6", "__libc_start_main"),
    };
    expect_left("a list grows: the Python line alone", list, COUNT(list), "run");
    struct kp_frame api[] = {
        native(PYTHON, "PyObject_Malloc"), native(PYTHON, "new_keys_object"),
        native(PYTHON, "PyDict_SetItem"),  native(EXTENSION, "to_python"),
        native(PYTHON, "cfunction_call"),  python("/srv/app.py", 17, "run"),
        native(PYTHON, "_PyEval_EvalFrameDefault"),
    };
    expect_left("an extension: it, and what it asked of the interpreter", api, COUNT(api),
                "PyDict_SetItem to_python run");
    struct kp_frame callback[] = {
        python("/srv/app.py", 30, "on_token"), native(PYTHON, "_PyEval_EvalFrameDefault"),
        native(PYTHON, "PyObject_Call"),       native(EXTENSION, "call_back"),
        native(PYTHON, "cfunction_call"),      python("/srv/app.py", 17, "run"),
    };
    expect_left("a callback: the extension stays between its lines", callback, COUNT(callback),
                "on_token call_back run");
    struct kp_frame start[] = {native(PYTHON, "PyType_Ready"), native(PYTHON, "Py_BytesMain")};
    expect_left("no Python line: everything stays", start, COUNT(start),
                "PyType_Ready Py_BytesMain");
    struct kp_frame import[] = {
        native(PYTHON, "unmarshal"),
        python("<frozen importlib._bootstrap_external>", 729, "_compile_bytecode"),
        python("<frozen importlib._bootstrap>", 1176, "_find_and_load"),
        python("/srv/app.py", 3, "<module>"),
    };
    expect_left("an import: not the import system", import, COUNT(import), "<module>");
    struct kp_frame bare[] = {
        python("<frozen importlib._bootstrap>", 241, "_call_with_frames_removed"),
        native(PYTHON, "Py_InitializeFromConfig"),
    };
    expect_left("but where nothing else is there", bare, COUNT(bare), "_call_with_frames_removed");
    struct kp_frame thread[] = {native(EXTENSION, "worker"), native("/lib/libc.so.6", "clone3")};
    expect_left("a thread without Python", thread, COUNT(thread), "worker clone3");
}

/* "line python native" of a stack, as function names. */
static const char *told_by(const struct kp_frame *frames, size_t count)
{
    static char text[512];
    struct kp_telling t = kp_frames_telling(frames, count);
    snprintf(text, sizeof text, "%s %s %s", t.line == KP_NO_FRAME ? "-" : frames[t.line].function,
             t.python == KP_NO_FRAME ? "-" : frames[t.python].function,
             t.native == KP_NO_FRAME ? "-" : frames[t.native].function);
    return text;
}

static void expect_told(const char *what, const struct kp_frame *frames, size_t count,
                        const char *wanted)
{
    const char *got = told_by(frames, count);
    kp_check(strcmp(got, wanted) == 0, what, "%s", got);
}

static void test_telling(void)
{
    struct kp_frame json[] = {
        native(PYTHON, "PyUnicode_New"), native(JSON, "scanstring"),
        python(STDLIB "json/decoder.py", 353, "raw_decode"), python("/srv/app.py", 9, "load"),
    };
    expect_told("the standard library: the program's own line first", json, COUNT(json),
                "load raw_decode scanstring");
    struct kp_frame library[] = {python("<frozen importlib._bootstrap>", 241, "frozen"),
                                 python(STDLIB "site.py", 73, "site")};
    expect_told("nothing but the library: not the import system", library, COUNT(library),
                "site frozen -");
    struct kp_frame installed[] = {
        python("/venv/lib/python3.11/site-packages/pydantic/main.py", 847, "validate"),
        python("/srv/app.py", 18, "parse"),
    };
    expect_told("a package is the program's", installed, COUNT(installed), "validate validate -");
    struct kp_frame start[] = {native(PYTHON, "PyObject_Malloc"), native(PYTHON, "gc_alloc"),
                               native(PYTHON, "Py_InitializeFromConfig"),
                               native(PYTHON, "Py_BytesMain")};
    expect_told("start-up: what the interpreter was asked for", start, COUNT(start),
                "Py_InitializeFromConfig - Py_InitializeFromConfig");
    struct kp_frame labelled[] = {native(EXTENSION, "bridge.so+0x12"),
                                  native(EXTENSION, "src/de.rs:7 (nearby)"),
                                  native(EXTENSION, "exported")};
    labelled[0].exact = labelled[1].exact = false;
    labelled[0].nameless = true;
    labelled[1].file = "src/de.rs";
    expect_told("a stripped library: the nearest that can be found", labelled, COUNT(labelled),
                "src/de.rs:7 (nearby) - src/de.rs:7 (nearby)");
    expect_told("no stack", NULL, 0, "- - -");
}

static void test_files(void)
{
    static const struct {
        const char *file;
        bool is_stdlib;
    } files[] = {
        {STDLIB "json/__init__.py", true},
        {"/usr/lib64/python3.13t/abc.py", true},
        {"/home/me/.pyenv/versions/3.9.1/lib/python3.9/re.py", true},
        {"<frozen os>", true},
        {"/usr/lib/python311.zip/os.py", true},
        {"/usr/lib/python3/dist-packages/six.py", false},
        {"/venv/lib/python3.11/site-packages/numpy/__init__.py", false},
        {"/srv/python3.11/app.py", false},
        {"<string>", true},
        {"<stdin>", false},
        {"<ipython-input-3-f00>", false},
        {"app.py", false},
        {"", false},
    };
    for (size_t i = 0; i < COUNT(files); i++)
        kp_check(kp_is_standard_library(files[i].file) == files[i].is_stdlib,
                 "which files are the standard library's", "%s", files[i].file);
}

static void test_names(void)
{
    static const char *const names[][2] = {
        {"<pythonize::ser::Map as serde::ser::SerializeMap>::serialize_value",
         "pythonize::ser::Map::serialize_value"},
        {"<alloc::vec::Vec<T> as core::ops::Drop>::drop", "alloc::vec::Vec::drop"},
        {"<bridge::Engine>::run", "bridge::Engine::run"},
        {"<F as core::ops::FnOnce<(A, B)>>::call_once", "F::call_once"},
        {"std::vector<int>::reserve(unsigned long)", "std::vector::reserve"},
        {"int ns::run(char)", "ns::run"},
        {"scanstring (method)", "scanstring"},
        {"Scanner.tp_call (slot)", "Scanner.tp_call"},
        {"serde-1.0: src/de.rs:212 (nearby)", "serde-1.0: src/de.rs:212 (nearby)"},
        {"orders+0x1d (called from src/de.rs and 3 more)",
         "orders+0x1d (called from src/de.rs and 3 more)"},
        {"<<<", "<"},
        {"<a as b", "<a as b"},
        {"<>::", "::"},
        {"", ""},
    };
    for (size_t i = 0; i < COUNT(names); i++) {
        char got[200];
        kp_function_short(names[i][0], got, sizeof got);
        kp_check(strcmp(got, names[i][1]) == 0, names[i][0][0] ? names[i][0] : "an empty name",
                 "%s", got);
    }
}

static void rust_files(void)
{
    static const struct {
        const char *file;
        bool is_library;
    } files[] = {
        {"/rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/alloc/src/raw_vec/mod.rs", true},
        {"/usr/src/rustc-1.63.0/library/core/src/option.rs", true},
        {"/home/me/.rustup/toolchains/stable/lib/rustlib/src/rust/library/std/src/io/mod.rs", true},
        {"/rust/deps/hashbrown-0.15.4/src/raw/mod.rs", true},
        {"library/alloc/src/alloc.rs", true},
        {"/home/me/library/src/lib.rs", false},
        {"/home/me/.cargo/registry/src/index/serde-1.0.0/src/de.rs", false},
        {"src/record.rs", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        kp_check(kp_is_rust_library(files[i].file) == files[i].is_library,
                 "which files are Rust's standard library", "%s", files[i].file);
}

int main(void)
{
    test_left_out();
    test_telling();
    test_files();
    test_names();
    rust_files();
    return kp_checks_failed();
}
