/* SPDX-License-Identifier: MIT */
/*
 * Reads .plt, .plt.sec and .plt.got once and finds the `jmp *slot(%rip)` of each stub, instead of
 * counting entries: linkers do not agree on the order. The stubs have no symbols of their own, and
 * the nearest one below (_init) would be a wrong name for them.
 * Runs in the collector and the reports, on one thread.
 */
#include "symbols_plt.h"

#include <string.h>

/* Slot address -> name, of all relocations that bind one slot to one symbol. */
static int add_slots(struct kp_ranges *slots, Elf *elf, Elf_Scn *section, const GElf_Shdr *header)
{
    GElf_Shdr symbols_header, names_header;
    Elf_Scn *symbols = elf_getscn(elf, header->sh_link);
    Elf_Data *relocations = elf_getdata(section, NULL), *table = elf_getdata(symbols, NULL);
    if (!relocations || !table || !gelf_getshdr(symbols, &symbols_header) ||
        !gelf_getshdr(elf_getscn(elf, symbols_header.sh_link), &names_header))
        return 0;
    size_t count = header->sh_entsize ? relocations->d_size / header->sh_entsize : 0;
    for (size_t i = 0; i < count; i++) {
        GElf_Rela relocation;
        GElf_Sym symbol;
        if (!gelf_getrela(relocations, (int)i, &relocation))
            break;
        uint64_t type = GELF_R_TYPE(relocation.r_info);
        if ((type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT) ||
            !gelf_getsym(table, (int)GELF_R_SYM(relocation.r_info), &symbol))
            continue;
        const char *name = elf_strptr(elf, symbols_header.sh_link, symbol.st_name);
        if (name && *name && kp_ranges_add(slots, relocation.r_offset, relocation.r_offset + 8,
                                           (uintptr_t)name) != 0)
            return -1;
    }
    return 0;
}

/* Bytes from the start of a stub to its `jmp *disp(%rip)`, or -1. */
static int find_jump(const unsigned char *stub, size_t bytes)
{
    for (size_t i = 0; i + 6 <= bytes && i <= 6; i++)
        if (stub[i] == 0xff && stub[i + 1] == 0x25)
            return (int)i;
    return -1;
}

static int add_stubs(struct kp_plt *plt, const struct kp_ranges *slots, Elf_Scn *section,
                     const GElf_Shdr *header, size_t stub_bytes)
{
    Elf_Data *data = elf_getdata(section, NULL);
    if (!data || !data->d_buf)
        return 0;
    for (size_t at = 0; at + stub_bytes <= data->d_size; at += stub_bytes) {
        const unsigned char *stub = (const unsigned char *)data->d_buf + at;
        uint64_t start = header->sh_addr + at;
        int jump = find_jump(stub, stub_bytes);
        const struct kp_range *slot = NULL;
        if (jump >= 0) {
            int32_t distance;
            memcpy(&distance, stub + jump + 2, sizeof distance);
            slot = kp_ranges_find(slots, start + (uint64_t)jump + 6 + (uint64_t)(int64_t)distance);
        }
        if (kp_ranges_add(&plt->stubs, start, start + stub_bytes, slot ? slot->value : 0) != 0)
            return -1;
    }
    return 0;
}

/* With .plt.sec, the stubs of .plt have no jump through a slot: they only push its number. */
static size_t stub_bytes_of(const char *name)
{
    if (strcmp(name, ".plt") == 0 || strcmp(name, ".plt.sec") == 0)
        return 16;
    return strcmp(name, ".plt.got") == 0 ? 8 : 0;
}

static int for_each_section(struct kp_plt *plt, struct kp_ranges *slots, Elf *elf, int want_stubs)
{
    Elf_Scn *section = NULL;
    GElf_Shdr header;
    size_t names = 0;
    if (elf_getshdrstrndx(elf, &names) != 0)
        return 0;
    while ((section = elf_nextscn(elf, section))) {
        if (!gelf_getshdr(section, &header) || header.sh_type == SHT_NOBITS)
            continue;
        const char *name = elf_strptr(elf, names, header.sh_name);
        size_t stub_bytes = name ? stub_bytes_of(name) : 0;
        int result = 0;
        if (!want_stubs && header.sh_type == SHT_RELA && header.sh_flags & SHF_ALLOC)
            result = add_slots(slots, elf, section, &header);
        else if (want_stubs && stub_bytes)
            result = add_stubs(plt, slots, section, &header,
                               header.sh_entsize == 16 ? 16 : stub_bytes);
        if (result != 0)
            return -1;
    }
    return 0;
}

int kp_plt_init(struct kp_plt *plt, Elf *elf)
{
    struct kp_ranges slots = {0};
    GElf_Ehdr header;
    *plt = (struct kp_plt){0};
    if (!gelf_getehdr(elf, &header) || header.e_machine != EM_X86_64)
        return 0;
    int result = for_each_section(plt, &slots, elf, 0);
    kp_ranges_sort(&slots);
    if (result == 0)
        result = for_each_section(plt, &slots, elf, 1);
    kp_ranges_release(&slots);
    kp_ranges_sort(&plt->stubs);
    return result;
}

void kp_plt_release(struct kp_plt *plt)
{
    kp_ranges_release(&plt->stubs);
}
