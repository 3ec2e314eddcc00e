/* SPDX-License-Identifier: MIT */
/*
 * Two tables. Address -> unit comes from the units' own ranges, since clang and rustc write no
 * .debug_aranges and a linked file may have them for some units only. Address -> function is made
 * for a unit when it is first asked for: libdw's dwarf_getscopes walks all of a unit for every
 * address, which with link-time optimization is most of the program.
 * Runs in the collector and the reports, on one thread.
 */
#include "symbols_dwarf.h"

#include "query_names.h"
#include "symbols_names.h"
#include "symbols_ranges.h"

#include <dwarf.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define KP_DIE_DEPTH 64    /* nesting of entries that is followed */
#define KP_INLINE_DEPTH 128 /* nesting of inlined functions that is followed */

struct unit {
    Dwarf_Die die;              /* has the line table */
    Dwarf_Die code;             /* has the functions: the same, or a .dwo file's */
    struct kp_ranges functions; /* value: offset of the entry */
    bool indexed;
};
struct kp_dwarf {
    Dwarf *dwarf;
    uint64_t bias;
    struct unit *units;
    size_t count, room;
    struct kp_ranges ranges; /* value: index of the unit */
    struct kp_symbol_names names;
    struct kp_names files; /* that had to be put together */
};

/* Adds all ranges of an entry. Code that the linker threw away has ranges at or near 0. */
static int add_ranges(struct kp_ranges *ranges, Dwarf_Die *die, const struct kp_ranges *code,
                      uint64_t bias, uint64_t value)
{
    Dwarf_Addr base, start, end;
    ptrdiff_t offset = 0;
    while ((offset = dwarf_ranges(die, offset, &base, &start, &end)) > 0)
        if (start < end && start != 0 && (!code || kp_ranges_find(code, start + bias)) &&
            kp_ranges_add(ranges, start, end, value) != 0)
            return -1;
    return 0;
}

static int add_unit(struct kp_dwarf *dwarf, Dwarf_Die *die, const struct kp_ranges *code)
{
    if (dwarf->count == dwarf->room) {
        size_t room = dwarf->room ? dwarf->room * 2 : 64;
        struct unit *units = realloc(dwarf->units, room * sizeof *units);
        if (!units)
            return -1;
        dwarf->units = units;
        dwarf->room = room;
    }
    size_t before = dwarf->ranges.count;
    if (add_ranges(&dwarf->ranges, die, code, dwarf->bias, dwarf->count) != 0)
        return -1;
    if (dwarf->ranges.count > before)
        dwarf->units[dwarf->count++] = (struct unit){.die = *die, .code = *die};
    return 0;
}

static int index_units(struct kp_dwarf *dwarf, const struct kp_ranges *code)
{
    Dwarf_CU *unit = NULL;
    Dwarf_Die die;
    uint8_t type;
    while (dwarf_get_units(dwarf->dwarf, unit, &unit, NULL, &type, &die, NULL) == 0)
        if ((type == DW_UT_compile || type == DW_UT_skeleton) && add_unit(dwarf, &die, code) != 0)
            return -1;
    kp_ranges_sort(&dwarf->ranges);
    return dwarf->ranges.count ? 0 : -1;
}

struct kp_dwarf *kp_dwarf_new(Dwarf *handle, uint64_t bias, const struct kp_ranges *code)
{
    struct kp_dwarf *dwarf = calloc(1, sizeof *dwarf);
    if (!dwarf)
        return NULL;
    dwarf->dwarf = handle;
    dwarf->bias = bias;
    if (index_units(dwarf, code) == 0)
        return dwarf;
    kp_dwarf_free(dwarf);
    return NULL;
}

void kp_dwarf_free(struct kp_dwarf *dwarf)
{
    if (!dwarf)
        return;
    for (size_t i = 0; i < dwarf->count; i++)
        kp_ranges_release(&dwarf->units[i].functions);
    kp_ranges_release(&dwarf->ranges);
    kp_symbol_names_release(&dwarf->names);
    kp_names_release(&dwarf->files);
    free(dwarf->units);
    free(dwarf);
}

static void index_functions(struct unit *unit, Dwarf_Die *parent, int depth)
{
    Dwarf_Die die;
    if (depth > KP_DIE_DEPTH || dwarf_child(parent, &die) != 0)
        return;
    do {
        int tag = dwarf_tag(&die);
        if (tag == DW_TAG_inlined_subroutine)
            continue;
        if (tag == DW_TAG_subprogram &&
            add_ranges(&unit->functions, &die, NULL, 0, dwarf_dieoffset(&die)) != 0)
            return;
        if (dwarf_haschildren(&die) > 0)
            index_functions(unit, &die, depth + 1);
    } while (dwarf_siblingof(&die, &die) == 0);
}

/* Of assembly, the symbol table has the better names: setpriority, where the unit says
 * __GI_setpriority, the label that came last. */
static void index_unit(struct unit *unit)
{
    Dwarf_Die split;
    uint8_t type;
    if (unit->indexed)
        return;
    unit->indexed = true;
    if (dwarf_cu_info(unit->die.cu, NULL, &type, NULL, &split, NULL, NULL, NULL) == 0 &&
        type == DW_UT_skeleton && split.addr)
        unit->code = split;
    if (dwarf_srclang(&unit->die) != DW_LANG_Mips_Assembler)
        index_functions(unit, &unit->code, 0);
    kp_ranges_sort(&unit->functions);
}

/* The next entry inwards that holds `address`, or false. */
static bool descend(Dwarf_Die *die, uint64_t address)
{
    Dwarf_Die child;
    if (dwarf_child(die, &child) != 0)
        return false;
    do {
        int tag = dwarf_tag(&child);
        if ((tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block ||
             tag == DW_TAG_try_block || tag == DW_TAG_catch_block) &&
            dwarf_haspc(&child, address) > 0) {
            *die = child;
            return true;
        }
    } while (dwarf_siblingof(&child, &child) == 0);
    return false;
}

/* chain[0] is the function, each further one inlined in the one before. Returns how many. */
static int find_chain(struct unit *unit, uint64_t address, Dwarf_Die chain[KP_INLINE_DEPTH])
{
    const struct kp_range *function = kp_ranges_find(&unit->functions, address);
    Dwarf_Die die;
    int count = 0;
    if (!function ||
        !dwarf_offdie(dwarf_cu_getdwarf(unit->code.cu), function->value, &die))
        return 0;
    chain[count++] = die;
    for (int depth = 0; depth < 2 * KP_INLINE_DEPTH && descend(&die, address); depth++)
        if (dwarf_tag(&die) == DW_TAG_inlined_subroutine && count < KP_INLINE_DEPTH)
            chain[count++] = die;
    return count;
}

/* rustc names the files of a crate from the folder in which it ran. */
static const char *whole_path(struct kp_dwarf *dwarf, struct unit *unit, const char *file)
{
    Dwarf_Attribute attribute;
    char path[PATH_MAX];
    const char *folder = NULL;
    if (*file == '/' || *file == '<' || !*file)
        return file;
    if (dwarf_attr(&unit->die, DW_AT_comp_dir, &attribute))
        folder = dwarf_formstring(&attribute);
    if (!folder || *folder != '/' ||
        snprintf(path, sizeof path, "%s/%s", folder, file) >= (int)sizeof path)
        return file;
    return kp_names_add(&dwarf->files, path);
}

/* Where the code at `address` comes from, by the line table. */
static void set_line(struct kp_dwarf *dwarf, struct unit *unit, uint64_t address,
                     struct kp_symbol_frame *frame)
{
    Dwarf_Line *line = dwarf_getsrc_die(&unit->die, address);
    const char *file = line ? dwarf_linesrc(line, NULL, NULL) : NULL;
    if (file) {
        frame->file = whole_path(dwarf, unit, file);
        dwarf_lineno(line, &frame->line);
    }
}

/* Where the inlined function was called, by its entry. */
static void set_call(struct kp_dwarf *dwarf, struct unit *unit, Dwarf_Die *inlined,
                     struct kp_symbol_frame *frame)
{
    Dwarf_Attribute attribute;
    Dwarf_Files *files;
    Dwarf_Word number = 0;
    size_t count;
    if (dwarf_attr(inlined, DW_AT_call_line, &attribute) &&
        dwarf_formudata(&attribute, &number) == 0)
        frame->line = (int)number;
    if (dwarf_attr(inlined, DW_AT_call_file, &attribute) &&
        dwarf_formudata(&attribute, &number) == 0 &&
        dwarf_getsrcfiles(&unit->code, &files, &count) == 0 && number < count) {
        const char *file = dwarf_filesrc(files, number, NULL, NULL);
        frame->file = file ? whole_path(dwarf, unit, file) : "";
    }
}

int kp_dwarf_resolve(struct kp_dwarf *dwarf, uint64_t address, struct kp_symbol_frame *frames,
                     int max)
{
    Dwarf_Die chain[KP_INLINE_DEPTH];
    uint64_t pc = address - dwarf->bias;
    const struct kp_range *range = kp_ranges_find(&dwarf->ranges, pc);
    if (!range)
        return 0;
    struct unit *unit = &dwarf->units[range->value];
    index_unit(unit);
    int count = find_chain(unit, pc, chain), given = 0;
    for (int i = count ? count - 1 : 0; i >= 0; i--) {
        struct kp_symbol_frame frame = {NULL, "", 0, true};
        if (i < count)
            frame.function = kp_symbol_names_of(&dwarf->names, &chain[i]);
        if (i + 1 >= count)
            set_line(dwarf, unit, pc, &frame);
        else
            set_call(dwarf, unit, &chain[i + 1], &frame);
        if (i < max)
            frames[given++] = frame;
    }
    return count || frames[0].line ? given : 0;
}
