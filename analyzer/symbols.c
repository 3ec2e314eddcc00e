/* SPDX-License-Identifier: MIT */
/*
 * Keeps the modules that were used last open and asks each in turn: debug information, PLT stubs,
 * symbol table, labels (docs/symbols.md). What none of them knows gets a name that still tells
 * where it is, the same one for the same address of the same file: module.so+0x1234 [build-id].
 * Runs in the collector and the reports, on one thread.
 */
#include "symbols.h"

#include "demangle.h"
#include "symbols_debug_file.h"
#include "symbols_module.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct kp_symbols {
    struct kp_module *open[KP_SYMBOLS_OPEN];
    char *debug_directory;
    char *text, *file; /* what was made for the last answer */
    uint64_t calls;
};

struct kp_symbols *kp_symbols_new(void)
{
    struct kp_symbols *symbols = calloc(1, sizeof *symbols);
    if (symbols && kp_symbols_debug_directory(symbols, KP_DEBUG_DIRECTORY) != 0) {
        free(symbols);
        return NULL;
    }
    return symbols;
}

static void close_all(struct kp_symbols *symbols)
{
    for (int i = 0; i < KP_SYMBOLS_OPEN; i++)
        if (symbols->open[i])
            kp_module_close(symbols->open[i]);
    memset(symbols->open, 0, sizeof symbols->open);
}

int kp_symbols_debug_directory(struct kp_symbols *symbols, const char *directory)
{
    char *copy = strdup(directory);
    if (!copy)
        return -1;
    close_all(symbols);
    free(symbols->debug_directory);
    symbols->debug_directory = copy;
    return 0;
}

void kp_symbols_free(struct kp_symbols *symbols)
{
    if (!symbols)
        return;
    close_all(symbols);
    free(symbols->debug_directory);
    free(symbols->text);
    free(symbols->file);
    free(symbols);
}

static struct kp_module *module_of(struct kp_symbols *symbols, const char *path,
                                   const char *build_id)
{
    int oldest = 0;
    symbols->calls++;
    for (int i = 0; i < KP_SYMBOLS_OPEN; i++) {
        struct kp_module *module = symbols->open[i];
        if (module && strcmp(module->path, path) == 0 && strcmp(module->build_id, build_id) == 0) {
            module->used = symbols->calls;
            return module;
        }
        if (symbols->open[oldest] && (!module || module->used < symbols->open[oldest]->used))
            oldest = i;
    }
    struct kp_module *module = kp_module_open(path, build_id, symbols->debug_directory);
    if (!module)
        return NULL;
    if (symbols->open[oldest])
        kp_module_close(symbols->open[oldest]);
    module->used = symbols->calls;
    symbols->open[oldest] = module;
    return module;
}

/* The kernel's code in every process: in no file. */
static bool is_vdso(const char *path)
{
    return strcmp(path, "[vdso]") == 0 || strncmp(path, "linux-vdso.so", 13) == 0;
}

static const char *keep(struct kp_symbols *symbols, char *text)
{
    free(symbols->text);
    symbols->text = text;
    return text ? text : "?";
}

/* " (.init)" for what the linker puts around the code, "" in it. */
static void section_text(const struct kp_module *module, uint64_t address, char text[40])
{
    const struct kp_range *area = module ? kp_ranges_find(&module->table.code, address) : NULL;
    const char *section = area ? (const char *)(uintptr_t)area->value : NULL;
    text[0] = '\0';
    if (section && *section && strcmp(section, ".text") != 0)
        snprintf(text, 40, " (%.30s)", section);
}

static const char *address_name(struct kp_symbols *symbols, const struct kp_module *module,
                                const char *path, const char *build_id, uint64_t address)
{
    const char *slash = strrchr(path, '/'), *base = slash && slash[1] ? slash + 1 : path;
    char *text = NULL, section[40];
    int bytes;
    section_text(module, address, section);
    if (!*path)
        bytes = asprintf(&text, "0x%" PRIx64, address);
    else if (is_vdso(path))
        bytes = asprintf(&text, "[vdso]+0x%" PRIx64, address);
    else if (!*build_id)
        bytes = asprintf(&text, "%s+0x%" PRIx64 "%s", base, address, section);
    else
        bytes = asprintf(&text, "%s+0x%" PRIx64 "%s [%.8s]", base, address, section, build_id);
    return keep(symbols, bytes < 0 ? NULL : text);
}

/* The name of `mangled`, with "+0xoffset" if the address is past its end and "@plt" for a stub. */
static const char *symbol_name(struct kp_symbols *symbols, const char *mangled, const char *suffix,
                               uint64_t offset, bool exact)
{
    char *name = kp_demangle(mangled), *text = NULL;
    int bytes = -1;
    if (name && exact)
        bytes = asprintf(&text, "%s%s", name, suffix);
    else if (name)
        bytes = asprintf(&text, "%s+0x%" PRIx64, name, offset);
    free(name);
    return keep(symbols, bytes < 0 ? NULL : text);
}

/* A symbol that ends before the address still names it if the function around the address starts
 * there; one further inside the function at least says which function it is. */
static bool is_same_function(struct kp_module *module, uint64_t address, uint64_t offset,
                             bool *exact)
{
    const struct kp_labels *labels = kp_module_labels(module);
    uint64_t start, end;
    if (!labels || !kp_labels_function(labels, address, &start, &end) || offset > address - start)
        return false;
    *exact = offset == address - start;
    return true;
}

/* Names the frame by the tables of symbols; false when they know nothing. */
static bool name_by_symbol(struct kp_symbols *symbols, struct kp_module *module, uint64_t address,
                           struct kp_symbol_frame *frame)
{
    const struct kp_range *stub = kp_ranges_find(&module->plt.stubs, address);
    uint64_t offset = 0;
    bool exact = true;
    if (stub && !stub->value)
        return false;
    const char *name = stub ? (const char *)(uintptr_t)stub->value
                            : kp_symbol_table_find(&module->table, address, &offset, &exact);
    if (!name || (!exact && !is_same_function(module, address, offset, &exact)))
        return false;
    frame->function = symbol_name(symbols, name, stub ? "@plt" : "", offset, exact);
    frame->exact = exact;
    return true;
}

static bool name_by_label(struct kp_symbols *symbols, struct kp_module *module, uint64_t address,
                          struct kp_symbol_frame *frame)
{
    const struct kp_labels *labels = kp_module_labels(module);
    struct kp_label label;
    if (!labels || !kp_labels_find(labels, address, &label))
        return false;
    free(symbols->file);
    symbols->file = label.file;
    *frame = (struct kp_symbol_frame){keep(symbols, label.function), label.file, label.line,
                                      label.exact};
    return true;
}

int kp_symbols_resolve(struct kp_symbols *symbols, const char *path, const char *build_id_hex,
                       uint64_t address, struct kp_symbol_frame *frames, int max)
{
    const char *build_id = build_id_hex ? build_id_hex : "";
    bool in_file = *path && !is_vdso(path);
    struct kp_module *module = in_file ? module_of(symbols, path, build_id) : NULL;
    int count = module && module->dwarf ? kp_dwarf_resolve(module->dwarf, address, frames, max) : 0;
    if (count == 0) {
        frames[0] = (struct kp_symbol_frame){NULL, "", 0, true};
        count = 1;
    }
    for (int i = 0; i < count; i++) {
        if (frames[i].function)
            continue;
        bool outermost = i == count - 1;
        if (outermost && module &&
            (name_by_symbol(symbols, module, address, &frames[i]) ||
             (!*frames[i].file && name_by_label(symbols, module, address, &frames[i]))))
            continue;
        frames[i].exact = false;
        frames[i].function =
            outermost ? address_name(symbols, module, path, build_id, address) : "(unnamed)";
    }
    return count;
}

const char *kp_symbols_quality(struct kp_symbols *symbols, const char *path,
                               const char *build_id_hex)
{
    if (!*path || is_vdso(path))
        return "none";
    struct kp_module *module = module_of(symbols, path, build_id_hex ? build_id_hex : "");
    return module ? module->quality : "none";
}
