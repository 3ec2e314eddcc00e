/* SPDX-License-Identifier: MIT */
/*
 * Labels of stripped files: tests/symbols/labels.c, linked in the ways that keep its pointers in
 * different places, must give each of its functions the label that its comment promises, and never
 * the name of something that only looks like a method.
 */
#include "symbols.h"

#include "symbols_label_text.h"
#include "symbols_case.h"
#include "unit_check.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FUNCTIONS_MAX 256

struct expectation {
    const char *symbol;
    const char *label; /* "..." at the end: the beginning is enough; %x: the function's start */
    const char *file;
    int line;
    bool exact;
};

static const struct expectation expectations[] = {
    {"scan", "scan_text (method)", "", 0, true},
    {"lone", "lone_name (method)", "", 0, true},
    {"encode", "Scanner.encode_text (method)", "", 0, true},
    {"get_strict", "Scanner.strict (getter)", "", 0, true},
    {"set_strict", "Scanner.strict (setter)", "", 0, true},
    {"call_scanner", "Scanner.tp_call (slot)", "", 0, true},
    {"free_scanner", "Scanner.tp_dealloc (slot)", "", 0, true},
    {"new_order", "Order.tp_new (slot)", "", 0, true},
    {"repr_order", "Order.tp_repr (slot)", "", 0, true},
    {"order_total", "Order.total (method)", "", 0, true},
    {"validate_json", "validate_json_name (method)", "", 0, true},
    {"validate_python", "validate_python_name (method)", "", 0, true},
    {"get_title", "title_name (attribute)", "", 0, true},
    {"only_slot", "tp_str (slot)", "", 0, true},
    {"field_item", "labels.so+0x...", "", 0, false},
    {"last_item", "labels.so+0x...", "", 0, false},
    {"nobody", "labels.so+0x...", "", 0, false},
    {"near_model", "labels: src/model.rs:220 (nearby)", "src/model.rs", 220, false},
    {"near_dict", "pyo3-0.28.3: src/types/dict.rs (nearby)", "pyo3-0.28.3/src/types/dict.rs", 0,
     false},
    {"near_crates", "orders-core: src/lib.rs:3 (nearby)", "crates/orders-core/src/lib.rs", 3,
     false},
    {"shared_1", "labels: src/shared.rs (nearby)", "src/shared.rs", 0, false},
    {"shared_2", "labels: src/shared.rs (nearby)", "src/shared.rs", 0, false},
    {"far_away", "labels: src/far.rs (nearby)", "src/far.rs", 0, false},
    {"helper", "labels+0x%x (called from src/model.rs)", "", 0, false},
    {"in_vtable", "labels+0x%x (in a table of src/model.rs)", "", 0, false},
    {"calls_below", "labels+0x%x (called from pyo3-0.28.3/src/types/dict.rs)", "", 0, false},
    {"below_helper", "labels+0x%x (called below pyo3-0.28.3/src/types/dict.rs)", "", 0, false},
    {"only_imports", "labels+0x%x (called from labels_tables)", "", 0, false},
};

static const struct variant {
    const char *what, *flags;
    bool no_sections;
} variants[] = {
    {"in a library", "-fPIC -shared", false},
    {"with packed relocations", "-fPIC -shared -Wl,-z,pack-relative-relocs", false},
    {"without a PLT", "-fPIC -shared -fno-plt", false},
    {"with stubs of two parts", "-fPIC -shared -fcf-protection -Wl,-z,ibtplt -Wl,-z,lazy", false},
    {"without section headers", "-fPIC -shared", true},
    {"in a program", "-fPIE -pie -rdynamic -DPROGRAM ./python.so", false},
    {"in a program at a fixed address", "-fno-pie -no-pie -rdynamic -DPROGRAM ./python.so", false},
};

static void cut_sections(const char *path)
{
    Elf64_Ehdr header;
    int fd = open(path, O_RDWR);
    if (fd < 0 || pread(fd, &header, sizeof header, 0) != sizeof header)
        abort();
    header.e_shoff = header.e_shnum = header.e_shstrndx = 0;
    if (pwrite(fd, &header, sizeof header, 0) != sizeof header || close(fd) != 0)
        abort();
}

/* The start of a function of the unstripped twin, 0 when it has none. */
static unsigned long start_of(const char *symbol)
{
    static char names[FUNCTIONS_MAX][64];
    static unsigned long starts[FUNCTIONS_MAX];
    static int count;
    char kind;
    if (!symbol) {
        FILE *pipe = popen("nm full.so", "r");
        for (count = 0; pipe && count < FUNCTIONS_MAX; count++)
            while (fscanf(pipe, "%lx %c %63s", &starts[count], &kind, names[count]) != 3)
                if (fscanf(pipe, "%*[^\n]") == EOF)
                    return (unsigned long)pclose(pipe);
        return pipe ? (unsigned long)pclose(pipe) : 0;
    }
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], symbol) == 0)
            return starts[i];
    return 0;
}

static bool is_label(const char *found, const char *expected, unsigned long start)
{
    char text[256];
    const char *offset = strstr(expected, "%x"), *end = strstr(expected, "...");
    if (end)
        return strncmp(found, expected, (size_t)(end - expected)) == 0 && !strchr(found, '(');
    if (!offset)
        return strcmp(found, expected) == 0;
    snprintf(text, sizeof text, "%.*s%lx%s", (int)(offset - expected), expected, start,
             offset + 2);
    return strcmp(found, text) == 0;
}

static void check_functions(struct kp_symbols *symbols, char *problem, size_t room)
{
    struct kp_symbol_frame frame;
    start_of(NULL);
    for (size_t i = 0; i < sizeof expectations / sizeof *expectations && !*problem; i++) {
        const struct expectation *expected = &expectations[i];
        unsigned long start = start_of(expected->symbol);
        if (!start) {
            snprintf(problem, room, "the fixture has no %s", expected->symbol);
            return;
        }
        kp_symbols_resolve(symbols, "labels.so", "", start + 2, &frame, 1);
        if (!is_label(frame.function, expected->label, start) ||
            strcmp(frame.file, expected->file) != 0 || frame.line != expected->line ||
            frame.exact != expected->exact)
            snprintf(problem, room, "%s is %s, %s:%d, exact %d; not %s, %s:%d", expected->symbol,
                     frame.function, frame.file, frame.line, frame.exact, expected->label,
                     expected->file, expected->line);
    }
}

static void check_variant(const struct variant *variant)
{
    char what[128], command[PATH_MAX + 256], problem[1024] = "";
    snprintf(what, sizeof what, "labels the functions of a stripped file: %s", variant->what);
    snprintf(command, sizeof command, "gcc -O2 -w -o full.so $S/labels.c %s 2>/dev/null && strip -o labels.so full.so",
             variant->flags);
    if (system(command) != 0) {
        printf("skip - %s: this compiler cannot make it\n", what);
        return;
    }
    if (variant->no_sections)
        cut_sections("labels.so");
    struct kp_symbols *symbols = kp_symbols_new();
    check_functions(symbols, problem, sizeof problem);
    kp_symbols_free(symbols);
    kp_say(what, problem);
}

static void check_sections(void)
{
    char problem[256] = "";
    struct kp_symbol_frame frame;
    struct kp_symbols *symbols = kp_symbols_new();
    if (system("gcc -O2 -w -fPIC -shared -o full.so $S/labels.c && strip -o labels.so full.so") != 0)
        snprintf(problem, sizeof problem, "the fixture cannot be made");
    start_of(NULL);
    kp_symbols_resolve(symbols, "labels.so", "", start_of("_init"), &frame, 1);
    if (!*problem && !strstr(frame.function, " (.init)"))
        snprintf(problem, sizeof problem, "_init is %.200s", frame.function);
    kp_say("names the section of code around the code", problem);
    kp_symbols_free(symbols);
}

static void check_paths(void)
{
    static const struct {
        const char *path, *label, *file;
    } paths[] = {
        {"src/lib.rs", "m: src/lib.rs (nearby)", "src/lib.rs"},
        {"build.rs", "m: build.rs (nearby)", "build.rs"},
        {"/io/build.rs", "m: /io/build.rs (nearby)", "/io/build.rs"},
        {"/io/orders/src/a/b.rs", "orders: src/a/b.rs (nearby)", "orders/src/a/b.rs"},
        {"/rustc/5980/library/core/src/option.rs", "core: src/option.rs (nearby)",
         "core/src/option.rs"},
        {"library/std/src/io.rs", "std: src/io.rs (nearby)", "std/src/io.rs"},
        {"/rust/deps/gimli-0.32.3/src/read.rs", "gimli-0.32.3: src/read.rs (nearby)",
         "gimli-0.32.3/src/read.rs"},
        {"/home/u/.cargo/registry/src/github.com-1ecc6299db9ec823/url-2.5.8/src/lib.rs",
         "url-2.5.8: src/lib.rs (nearby)", "url-2.5.8/src/lib.rs"},
        {"/registry/src/index", "registry: src/index (nearby)", "registry/src/index"},
        {"/src/", "m: src/ (nearby)", "/src/"},
    };
    char problem[512] = "";
    for (size_t i = 0; i < sizeof paths / sizeof *paths && !*problem; i++) {
        struct kp_place place = {.file = paths[i].path, .length = (uint32_t)strlen(paths[i].path)};
        char *label = kp_label_place("m", &place, 0), *file = kp_label_file(&place);
        if (strcmp(label, paths[i].label) != 0 || strcmp(file, paths[i].file) != 0)
            snprintf(problem, sizeof problem, "%s is %s, %s", paths[i].path, label, file);
        free(label);
        free(file);
    }
    kp_say("shortens the paths of crates", problem);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    check_paths();
    if (kp_symbols_case_begin() != 0)
        return 1;
    if (system("command -v gcc >/dev/null && command -v strip >/dev/null && "
               "command -v nm >/dev/null") != 0) {
        printf("skip - labels the functions of a stripped file: no gcc, strip or nm here\n");
        return kp_checks_failed();
    }
    if (system("echo 'void *PyModule_Create2(void *a) { return a; }' | "
               "gcc -w -shared -fPIC -x c -o python.so -") != 0)
        kp_say("makes its fixture", "gcc cannot make a library");
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
        check_variant(&variants[i]);
    check_sections();
    return kp_checks_failed();
}
