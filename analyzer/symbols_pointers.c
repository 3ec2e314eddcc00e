/* SPDX-License-Identifier: MIT */
/*
 * Reads DT_RELA, DT_JMPREL and DT_RELR (the packed form, whose addends lie in place). A program at
 * a fixed address has no relocations: there every aligned word of its data that is an address of
 * the file counts as a pointer. Runs in the collector and the reports, on one thread.
 */
#include "symbols_pointers.h"

#include <stdlib.h>
#include <string.h>

#define KP_NAME_MAX 4096 /* of an imported function */

#ifndef DT_RELR
#define DT_RELRSZ 35
#define DT_RELR 36
#endif

struct tables {
    uint64_t rela, rela_bytes, plt, plt_bytes, relr, relr_bytes, symbols, strings;
};

static void read_dynamic(const struct kp_image *image, struct tables *tables)
{
    static const struct {
        int64_t tag;
        size_t field;
    } known[] = {
        {DT_RELA, offsetof(struct tables, rela)},
        {DT_RELASZ, offsetof(struct tables, rela_bytes)},
        {DT_JMPREL, offsetof(struct tables, plt)},
        {DT_PLTRELSZ, offsetof(struct tables, plt_bytes)},
        {DT_RELR, offsetof(struct tables, relr)},
        {DT_RELRSZ, offsetof(struct tables, relr_bytes)},
        {DT_SYMTAB, offsetof(struct tables, symbols)},
        {DT_STRTAB, offsetof(struct tables, strings)},
    };
    const uint8_t *bytes = kp_image_at(image, image->dynamic, image->dynamic_bytes);
    *tables = (struct tables){0};
    for (uint64_t i = 0; bytes && i + 16 <= image->dynamic_bytes; i += 16) {
        Elf64_Dyn entry;
        memcpy(&entry, bytes + i, sizeof entry);
        if (entry.d_tag == DT_NULL)
            break;
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            if (known[k].tag == entry.d_tag)
                memcpy((char *)tables + known[k].field, &entry.d_un.d_val, 8);
    }
}

static int add(struct kp_pointers *pointers, uint64_t slot, uint64_t target, const char *name)
{
    if (pointers->count == pointers->room) {
        size_t room = pointers->room ? pointers->room * 2 : 256;
        struct kp_pointer *all = realloc(pointers->all, room * sizeof *all);
        if (!all)
            return -1;
        pointers->all = all;
        pointers->room = room;
    }
    pointers->all[pointers->count++] = (struct kp_pointer){slot, target, name};
    return 0;
}

static int add_rela(struct kp_pointers *pointers, const struct kp_image *image,
                    const struct tables *tables, uint64_t start, uint64_t bytes)
{
    uint64_t rest = kp_image_rest(image, start);
    const uint8_t *table = kp_image_at(image, start, rest);
    Elf64_Rela entry;
    Elf64_Sym symbol;
    for (uint64_t i = 0; table && i + sizeof entry <= bytes && i + sizeof entry <= rest;
         i += sizeof entry) {
        memcpy(&entry, table + i, sizeof entry);
        uint32_t type = ELF64_R_TYPE(entry.r_info);
        uint64_t target = (uint64_t)entry.r_addend;
        const char *name = NULL;
        if (type == R_X86_64_64 || type == R_X86_64_GLOB_DAT || type == R_X86_64_JUMP_SLOT) {
            const void *at = kp_image_at(
                image, tables->symbols + ELF64_R_SYM(entry.r_info) * sizeof symbol, sizeof symbol);
            if (!at)
                continue;
            memcpy(&symbol, at, sizeof symbol);
            target = symbol.st_shndx ? symbol.st_value + (uint64_t)entry.r_addend : 0;
            if (!target)
                name = kp_image_string(image, tables->strings + symbol.st_name, KP_NAME_MAX);
        } else if (type != R_X86_64_RELATIVE) {
            continue;
        }
        if ((target || name) && add(pointers, entry.r_offset, target, name) != 0)
            return -1;
    }
    return 0;
}

static int add_in_place(struct kp_pointers *pointers, const struct kp_image *image, uint64_t slot)
{
    uint64_t target;
    bool there = kp_image_word(image, slot, &target);
    return there && target ? add(pointers, slot, target, NULL) : 0;
}

/* An even word is an address; an odd one says which of the 63 words behind it are pointers. */
static int add_relr(struct kp_pointers *pointers, const struct kp_image *image, uint64_t start,
                    uint64_t bytes)
{
    uint64_t slot = 0, word, rest = kp_image_rest(image, start), added = 0;
    for (uint64_t i = 0; i + 8 <= bytes && i + 8 <= rest; i += 8) {
        kp_image_word(image, start + i, &word);
        if (!(word & 1)) {
            if (add_in_place(pointers, image, word) != 0)
                return -1;
            slot = word + 8;
            continue;
        }
        for (unsigned bit = 1; bit < 64; bit++)
            if (word >> bit & 1 && add_in_place(pointers, image, slot + 8 * (bit - 1)) != 0)
                return -1;
        slot += 63 * 8;
        if ((added += 63) > image->file_bytes)
            break;
    }
    return 0;
}

static int add_words(struct kp_pointers *pointers, const struct kp_image *image)
{
    for (size_t i = 0; i < image->count; i++) {
        const struct kp_image_segment *segment = &image->segments[i];
        uint64_t word;
        for (uint64_t slot = (segment->start + 7) & ~7ull; !segment->code && slot < segment->end;
             slot += 8)
            if (kp_image_word(image, slot, &word) && word && kp_image_rest(image, word) &&
                add(pointers, slot, word, NULL) != 0)
                return -1;
    }
    return 0;
}

static int compare(const void *left, const void *right)
{
    const struct kp_pointer *a = left, *b = right;
    if (a->slot != b->slot)
        return a->slot < b->slot ? -1 : 1;
    return (b->name != NULL) - (a->name != NULL);
}

static void sort(struct kp_pointers *pointers)
{
    size_t kept = 0;
    if (pointers->count)
        qsort(pointers->all, pointers->count, sizeof *pointers->all, compare);
    for (size_t i = 0; i < pointers->count; i++)
        if (!kept || pointers->all[kept - 1].slot != pointers->all[i].slot)
            pointers->all[kept++] = pointers->all[i];
    pointers->count = kept;
}

int kp_pointers_init(struct kp_pointers *pointers, const struct kp_image *image)
{
    struct tables tables;
    *pointers = (struct kp_pointers){0};
    read_dynamic(image, &tables);
    if (add_rela(pointers, image, &tables, tables.rela, tables.rela_bytes) != 0 ||
        add_relr(pointers, image, tables.relr, tables.relr_bytes) != 0 ||
        (image->fixed && add_words(pointers, image) != 0) ||
        add_rela(pointers, image, &tables, tables.plt, tables.plt_bytes) != 0)
        return -1;
    sort(pointers);
    return 0;
}

void kp_pointers_release(struct kp_pointers *pointers)
{
    free(pointers->all);
    *pointers = (struct kp_pointers){0};
}

const struct kp_pointer *kp_pointers_find(const struct kp_pointers *pointers, uint64_t slot)
{
    size_t low = 0, high = pointers->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (pointers->all[middle].slot == slot)
            return &pointers->all[middle];
        if (pointers->all[middle].slot < slot)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
