/* SPDX-License-Identifier: MIT */
/*
 * Built once per module and searched by bisection: dwfl_module_addrinfo looks at every symbol for
 * every address. libdwfl gives the symbols, because it also reads .gnu_debugdata and the separate
 * debug file's table. Runs in the collector and the reports, on one thread.
 */
#include "symbols_table.h"

#include <gelf.h>
#include <stdlib.h>
#include <string.h>

struct candidate {
    uint64_t start, size;
    const char *name;
    int rank; /* the lowest names the address */
};

/* Exported before local, and `read` before `__read`: what the caller's source says. */
static int rank_of(const GElf_Sym *symbol, const char *name)
{
    int rank = 0;
    if (symbol->st_size == 0)
        rank += 1000;
    if (GELF_ST_TYPE(symbol->st_info) == STT_NOTYPE)
        rank += 500;
    if (GELF_ST_BIND(symbol->st_info) == STB_LOCAL)
        rank += 200;
    while (name[0] == '_' && rank % 100 < 90 && name[1] != 'Z' && name[1] != 'R') {
        rank += 2;
        name++;
    }
    return rank + (GELF_ST_BIND(symbol->st_info) == STB_WEAK);
}

static int compare(const void *left, const void *right)
{
    const struct candidate *a = left, *b = right;
    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    if (a->rank != b->rank)
        return a->rank - b->rank;
    return strcmp(a->name, b->name);
}

static bool is_function(const GElf_Sym *symbol, const char *name)
{
    int type = GELF_ST_TYPE(symbol->st_info);
    if (!name || !*name || symbol->st_shndx == SHN_UNDEF || symbol->st_shndx == SHN_ABS)
        return false;
    if (type == STT_NOTYPE)
        return name[0] != '.' && name[0] != '$';
    return type == STT_FUNC || type == STT_GNU_IFUNC;
}

static int add_code(struct kp_ranges *code, Elf *elf)
{
    Elf_Scn *section = NULL;
    GElf_Shdr header;
    GElf_Phdr segment;
    size_t segments = 0, names = 0;
    bool named = elf_getshdrstrndx(elf, &names) == 0;
    while ((section = elf_nextscn(elf, section)))
        if (gelf_getshdr(section, &header) && header.sh_flags & SHF_EXECINSTR &&
            kp_ranges_add(code, header.sh_addr, header.sh_addr + header.sh_size,
                          named ? (uintptr_t)elf_strptr(elf, names, header.sh_name) : 0) != 0)
            return -1;
    if (!code->count && elf_getphdrnum(elf, &segments) == 0)
        for (size_t i = 0; i < segments; i++)
            if (gelf_getphdr(elf, (int)i, &segment) && segment.p_type == PT_LOAD &&
                segment.p_flags & PF_X &&
                kp_ranges_add(code, segment.p_vaddr, segment.p_vaddr + segment.p_memsz, 0) != 0)
                return -1;
    kp_ranges_sort(code);
    return 0;
}

/* One entry per start. A symbol without a size inside one with a size is a label: left out. */
static int add_symbols(struct kp_symbol_table *table, const struct candidate *all, size_t count,
                       bool full)
{
    uint64_t covered = 0;
    for (size_t i = 0; i < count; i++) {
        if (i && all[i].start == all[i - 1].start)
            continue;
        const struct kp_range *area = kp_ranges_find(&table->code, all[i].start);
        uint64_t end = all[i].start + all[i].size;
        if (!area || end < all[i].start || (!all[i].size && all[i].start < covered))
            continue;
        if (!all[i].size) {
            size_t next = i + 1;
            while (next < count && all[next].start == all[i].start)
                next++;
            end = next < count && all[next].start < area->end ? all[next].start : area->end;
            end = full ? end : all[i].start + 1;
        }
        if (all[i].size && end > covered)
            covered = end;
        if (kp_ranges_add(&table->symbols, all[i].start, end, (uintptr_t)all[i].name) != 0)
            return -1;
    }
    kp_ranges_sort(&table->symbols);
    return 0;
}

int kp_symbol_table_init(struct kp_symbol_table *table, Dwfl_Module *module, bool full)
{
    GElf_Addr bias = 0;
    *table = (struct kp_symbol_table){0};
    Elf *elf = dwfl_module_getelf(module, &bias);
    if (!elf || add_code(&table->code, elf) != 0)
        return -1;
    int symbols = dwfl_module_getsymtab(module), result = -1;
    size_t count = 0;
    struct candidate *all = symbols > 0 ? calloc((size_t)symbols, sizeof *all) : NULL;
    for (int i = 0; all && i < symbols; i++) {
        GElf_Sym symbol;
        GElf_Addr start;
        const char *name = dwfl_module_getsym_info(module, i, &symbol, &start, NULL, NULL, NULL);
        if (is_function(&symbol, name))
            all[count++] = (struct candidate){start, symbol.st_size, name, rank_of(&symbol, name)};
    }
    if (count)
        qsort(all, count, sizeof *all, compare);
    if (all || symbols <= 0)
        result = add_symbols(table, all, count, full);
    free(all);
    return result;
}

void kp_symbol_table_release(struct kp_symbol_table *table)
{
    kp_ranges_release(&table->symbols);
    kp_ranges_release(&table->code);
}

const char *kp_symbol_table_find(const struct kp_symbol_table *table, uint64_t address,
                                 uint64_t *offset, bool *exact)
{
    const struct kp_range *symbol = kp_ranges_find(&table->symbols, address);
    *exact = symbol != NULL;
    if (!symbol) {
        const struct kp_range *area = kp_ranges_find(&table->code, address);
        symbol = kp_ranges_below(&table->symbols, address);
        if (!area || !symbol || symbol->start < area->start ||
            address - symbol->start > KP_SYMBOL_REACH_BYTES)
            return NULL;
    }
    *offset = address - symbol->start;
    return (const char *)(uintptr_t)symbol->value;
}
