/* SPDX-License-Identifier: MIT */
/*
 * Opens a recorded module: the file itself if it still has the recorded build-id, else a debug file
 * of that build-id, which has everything but the code. libdwfl joins the file, its separate debug
 * file, dwz's common file and .gnu_debugdata; what it may open is decided here.
 * Runs in the collector and the reports, on one thread.
 */
#include "symbols_module.h"

#include "build_id.h"
#include "symbols_debug_file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Called by libdwfl for the separate debug file and, with a name and no CRC, for dwz's common file:
 * that one libdw finds itself. */
static int find_debuginfo(Dwfl_Module *dwfl_module, void **user_data, const char *name,
                          Dwarf_Addr base, const char *file, const char *link, GElf_Word crc,
                          char **path)
{
    struct kp_module *module = *user_data;
    char build_id[KP_BUILD_ID_HEX];
    GElf_Addr bias;
    (void)name;
    (void)base;
    if (link && crc == 0)
        return -1;
    Elf *elf = dwfl_module_getelf(dwfl_module, &bias);
    if (elf) {
        kp_build_id_of_elf(elf, build_id);
        int fd = kp_debug_file_by_build_id(module->debug_directory, build_id, path);
        if (fd >= 0)
            return fd;
    }
    return link ? kp_debug_file_by_link(module->debug_directory, file, link, crc, path) : -1;
}

/* The file is always given; libdwfl's own search would ask servers for it. */
static int find_no_elf(Dwfl_Module *module, void **user_data, const char *name, Dwarf_Addr base,
                       char **path, Elf **elf)
{
    (void)module;
    (void)user_data;
    (void)name;
    (void)base;
    (void)path;
    (void)elf;
    return -1;
}

static const Dwfl_Callbacks callbacks = {
    .find_elf = find_no_elf,
    .find_debuginfo = find_debuginfo,
};

/* Is this a program or library, and the one that was recorded? "" if so. */
static const char *judge(int fd, const char *build_id)
{
    char found[KP_BUILD_ID_HEX];
    const char *verdict = "none";
    GElf_Ehdr header;
    Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
    if (elf && elf_kind(elf) == ELF_K_ELF && gelf_getehdr(elf, &header)) {
        kp_build_id_of_elf(elf, found);
        if (*build_id && strcmp(found, build_id) != 0)
            verdict = "changed";
        else if (header.e_type == ET_EXEC || header.e_type == ET_DYN)
            verdict = "";
    }
    elf_end(elf);
    return verdict;
}

/* The file to read, or -1 with the reason in module->quality. */
static int open_file(struct kp_module *module, char **path)
{
    int fd = kp_open_regular(module->path);
    module->quality = fd < 0 ? "missing" : judge(fd, module->build_id);
    if (fd >= 0 && !*module->quality) {
        *path = strdup(module->path);
        return fd;
    }
    if (fd >= 0)
        close(fd);
    fd = kp_debug_file_by_build_id(module->debug_directory, module->build_id, path);
    if (fd >= 0 && *judge(fd, module->build_id)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static bool has_section(Elf *elf, GElf_Word type, const char *wanted)
{
    Elf_Scn *section = NULL;
    GElf_Shdr header;
    size_t names = 0;
    if (!elf || elf_getshdrstrndx(elf, &names) != 0)
        return false;
    while ((section = elf_nextscn(elf, section))) {
        if (!gelf_getshdr(section, &header))
            continue;
        const char *name = elf_strptr(elf, names, header.sh_name);
        if (header.sh_type == type && (!wanted || (name && strcmp(name, wanted) == 0)))
            return true;
    }
    return false;
}

/* Does the symbol table have local symbols too? libdwfl does not tell which one it took. */
static bool has_full_table(Elf *elf, Dwarf *dwarf)
{
    return has_section(elf, SHT_SYMTAB, NULL) ||
           has_section(elf, SHT_PROGBITS, ".gnu_debugdata") ||
           (dwarf && has_section(dwarf_getelf(dwarf), SHT_SYMTAB, NULL));
}

static void read_tables(struct kp_module *module, Dwfl_Module *dwfl_module)
{
    GElf_Addr bias = 0;
    Dwarf_Addr dwarf_bias = 0;
    Elf *elf = dwfl_module_getelf(dwfl_module, &bias);
    Dwarf *dwarf = dwfl_module_getdwarf(dwfl_module, &dwarf_bias);
    bool full = has_full_table(elf, dwarf);
    module->quality = "none";
    if (kp_symbol_table_init(&module->table, dwfl_module, full) == 0 && module->table.symbols.count)
        module->quality = full ? "symtab" : "dynsym";
    if (elf)
        kp_plt_init(&module->plt, elf);
    if (dwarf)
        module->dwarf = kp_dwarf_new(dwarf, dwarf_bias, &module->table.code);
    if (module->dwarf)
        module->quality = "debug";
}

static void read_file(struct kp_module *module, int fd, const char *path)
{
    void **user_data = NULL;
    Dwfl_Module *dwfl_module = NULL;
    module->dwfl = dwfl_begin(&callbacks);
    if (module->dwfl)
        dwfl_module = dwfl_report_elf(module->dwfl, path, path, fd, 0, true);
    if (!dwfl_module) {
        close(fd);
        module->quality = "none";
        return;
    }
    dwfl_report_end(module->dwfl, NULL, NULL);
    dwfl_module_info(dwfl_module, &user_data, NULL, NULL, NULL, NULL, NULL, NULL);
    *user_data = module;
    module->dwfl_module = dwfl_module;
    read_tables(module, dwfl_module);
}

struct kp_module *kp_module_open(const char *path, const char *build_id,
                                 const char *debug_directory)
{
    struct kp_module *module = calloc(1, sizeof *module);
    char *file = NULL;
    if (!module)
        return NULL;
    module->path = strdup(path);
    module->build_id = strdup(build_id);
    module->debug_directory = debug_directory;
    if (!module->path || !module->build_id) {
        kp_module_close(module);
        return NULL;
    }
    elf_version(EV_CURRENT);
    int fd = open_file(module, &file);
    if (fd >= 0)
        read_file(module, fd, file ? file : path);
    free(file);
    return module;
}

const struct kp_labels *kp_module_labels(struct kp_module *module)
{
    GElf_Addr bias = 0;
    if (!module->asked_labels) {
        Elf *elf = module->dwfl_module ? dwfl_module_getelf(module->dwfl_module, &bias) : NULL;
        module->labels = elf ? kp_labels_new(elf, module->path, &module->table) : NULL;
        module->asked_labels = true;
    }
    return module->labels;
}

void kp_module_close(struct kp_module *module)
{
    kp_labels_free(module->labels);
    kp_dwarf_free(module->dwarf);
    kp_symbol_table_release(&module->table);
    kp_plt_release(&module->plt);
    if (module->dwfl)
        dwfl_end(module->dwfl);
    free(module->path);
    free(module->build_id);
    free(module);
}
