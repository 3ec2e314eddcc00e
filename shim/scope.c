/* SPDX-License-Identifier: MIT */
/*
 * Symbol look-up over the loader's link map. Used at the start (before our constructor, in the
 * first malloc of the process) and, rarely, for C++ operators of a library loaded later. The list
 * is read without the loader's lock: at the start nobody loads, later only entries before the
 * newest are read, and the calling code keeps its own object loaded.
 */
#include "scope.h"

#include <dlfcn.h>
#include <stdint.h>
#include <string.h>

struct symbols {
    const ElfW(Sym) *table;
    const char *strings;
    const uint32_t *gnu_hash;
    const uint32_t *sysv_hash;
};

/* ld.so has relocated these addresses in most objects, but not in the vdso. */
static uintptr_t dynamic_address(const struct link_map *object, const ElfW(Dyn) *entry)
{
    uintptr_t address = entry->d_un.d_ptr;

    return address < object->l_addr ? address + object->l_addr : address;
}

static int symbols_init(struct symbols *symbols, const struct link_map *object)
{
    memset(symbols, 0, sizeof *symbols);
    for (const ElfW(Dyn) *entry = object->l_ld; entry && entry->d_tag != DT_NULL; entry++) {
        uintptr_t address = dynamic_address(object, entry);

        if (entry->d_tag == DT_SYMTAB)
            symbols->table = (const ElfW(Sym) *)address;
        else if (entry->d_tag == DT_STRTAB)
            symbols->strings = (const char *)address;
        else if (entry->d_tag == DT_GNU_HASH)
            symbols->gnu_hash = (const uint32_t *)address;
        else if (entry->d_tag == DT_HASH)
            symbols->sysv_hash = (const uint32_t *)address;
    }
    return symbols->table && symbols->strings && (symbols->gnu_hash || symbols->sysv_hash);
}

static int is_definition(const struct symbols *symbols, uint32_t index, const char *name)
{
    const ElfW(Sym) *symbol = &symbols->table[index];
    unsigned type = ELF64_ST_TYPE(symbol->st_info);

    return symbol->st_shndx != SHN_UNDEF &&
           (type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_OBJECT) &&
           strcmp(symbols->strings + symbol->st_name, name) == 0;
}

static uint32_t find_gnu(const struct symbols *symbols, const char *name)
{
    const uint32_t *table = symbols->gnu_hash;
    uint32_t buckets = table[0], first = table[1], words = table[2], hash = 5381;
    const uint32_t *bucket = table + 4 + (size_t)words * (sizeof(ElfW(Addr)) / 4);
    const uint32_t *chain = bucket + buckets;

    for (const unsigned char *c = (const unsigned char *)name; *c; c++)
        hash = hash * 33 + *c;
    uint32_t index = buckets ? bucket[hash % buckets] : 0;
    if (index < first)
        return 0;
    for (;; index++) {
        uint32_t other = chain[index - first];

        if ((other | 1) == (hash | 1) && is_definition(symbols, index, name))
            return index;
        if (other & 1)
            return 0;
    }
}

static uint32_t find_sysv(const struct symbols *symbols, const char *name)
{
    const uint32_t *table = symbols->sysv_hash;
    uint32_t hash = 0;

    for (const unsigned char *c = (const unsigned char *)name; *c; c++) {
        hash = (hash << 4) + *c;
        hash = (hash ^ (hash >> 24 & 0xf0)) & 0x0fffffff;
    }
    if (!table[0])
        return 0;
    for (uint32_t index = table[2 + hash % table[0]]; index; index = table[2 + table[0] + index])
        if (is_definition(symbols, index, name))
            return index;
    return 0;
}

static const ElfW(Sym) *find(const struct link_map *object, const char *name)
{
    struct symbols symbols;

    if (!symbols_init(&symbols, object))
        return NULL;
    uint32_t index = symbols.gnu_hash ? find_gnu(&symbols, name) : find_sysv(&symbols, name);
    return index ? &symbols.table[index] : NULL;
}

void *kp_scope_find(const struct link_map *object, const char *name)
{
    const ElfW(Sym) *symbol = find(object, name);
    void *address = symbol ? (void *)(object->l_addr + symbol->st_value) : NULL;

    if (symbol && ELF64_ST_TYPE(symbol->st_info) == STT_GNU_IFUNC)
        address = ((void *(*)(void))address)();
    return address;
}

size_t kp_scope_size(const struct link_map *object, const char *name)
{
    const ElfW(Sym) *symbol = find(object, name);

    return symbol ? symbol->st_size : 0;
}

void *kp_scope_find_from(struct link_map *from, const char *name, struct link_map **owner)
{
    for (struct link_map *object = from; object; object = object->l_next) {
        void *address = kp_scope_find(object, name);

        if (address) {
            if (owner)
                *owner = object;
            return address;
        }
    }
    return NULL;
}

struct link_map *kp_scope_program(void)
{
    return _r_debug.r_map;
}

struct link_map *kp_scope_self(void)
{
    extern ElfW(Dyn) _DYNAMIC[] __attribute__((visibility("hidden")));

    for (struct link_map *object = _r_debug.r_map; object; object = object->l_next)
        if (object->l_ld == _DYNAMIC)
            return object;
    return NULL;
}

static int take_segments(struct dl_phdr_info *info, size_t size, void *data)
{
    struct kp_segments *wanted = data;

    (void)size;
    for (unsigned i = 0; info->dlpi_addr == wanted->object->l_addr && i < info->dlpi_phnum; i++) {
        const ElfW(Dyn) *dynamic =
            (const ElfW(Dyn) *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);

        if (info->dlpi_phdr[i].p_type != PT_DYNAMIC || dynamic != wanted->object->l_ld)
            continue;
        wanted->table = info->dlpi_phdr;
        wanted->count = info->dlpi_phnum;
        return 1;
    }
    return 0;
}

/* The loader keeps the table where the file's own is not mapped: rewriters of objects (BOLT, which
 * makes many a libpython) move it behind everything else. */
struct kp_segments kp_scope_segments(const struct link_map *object)
{
    struct kp_segments segments = {.object = object};

    dl_iterate_phdr(take_segments, &segments);
    return segments;
}

void kp_scope_range(const struct link_map *object, uintptr_t *start, uintptr_t *end)
{
    struct kp_segments segments = kp_scope_segments(object);

    *start = UINTPTR_MAX;
    *end = object->l_addr;
    for (unsigned i = 0; i < segments.count; i++) {
        uintptr_t from = object->l_addr + segments.table[i].p_vaddr;
        uintptr_t to = from + segments.table[i].p_memsz;

        if (segments.table[i].p_type != PT_LOAD)
            continue;
        if (from < *start)
            *start = from;
        if (to > *end)
            *end = to;
    }
}
