/* SPDX-License-Identifier: MIT */
/*
 * Patching. Host's threads: the constructor, and whoever is about to initialise a module, before
 * any code of it has run. The loader's lock is held by dl_iterate_phdr(), so that no object goes
 * away meanwhile and no two threads patch at once; the guard is set.
 *
 * A place is changed only while it holds the interpreter's own function (or, not bound yet, an
 * address in the object itself): what somebody else has put there stays.
 */
#include "got.h"

#include "entry.h"
#include "got_skip.h"
#include "patch_word.h"
#include "python.h"
#include "state.h"
#include "sys.h"

#include <elf.h>
#include <link.h>
#include <stdatomic.h>
#include <string.h>

#define OBJECTS_MAX 4096u
#define PAGE 4096ul

struct object {
    uintptr_t start, end;
    const char *name; /* the loader's */
    uint32_t entry;   /* KP_ENTRY_MODULE, 0: not made */
    uint32_t seen;    /* number of the look that met it last, 0: empty */
    uint64_t subs;    /* of the loader, when it was examined */
    void **place;     /* one that we have changed, NULL: none */
    void *hook;       /* to this */
    bool wraps;
};

static struct {
    struct object *all;
    uint32_t count, looks;
    uint64_t adds, subs; /* of the loader when we last looked */
} objects;

/* What an object's dynamic section says. */
struct tables {
    const ElfW(Sym) *symbols;
    const char *strings;
    const ElfW(Rela) *rela, *plt;
    size_t rela_count, plt_count;
    struct kp_relro relro;
    bool relro_is_open;
};

static void read_dynamic(struct tables *tables, const ElfW(Dyn) *entry)
{
    for (; entry->d_tag != DT_NULL; entry++) {
        const void *address = (const void *)entry->d_un.d_ptr;

        switch (entry->d_tag) {
        case DT_SYMTAB: tables->symbols = address; break;
        case DT_STRTAB: tables->strings = address; break;
        case DT_RELA: tables->rela = address; break;
        case DT_RELASZ: tables->rela_count = entry->d_un.d_val / sizeof(ElfW(Rela)); break;
        case DT_JMPREL: tables->plt = address; break;
        case DT_PLTRELSZ: tables->plt_count = entry->d_un.d_val / sizeof(ElfW(Rela)); break;
        default: break;
        }
    }
}

static bool tables_of(struct tables *tables, const struct dl_phdr_info *info)
{
    memset(tables, 0, sizeof *tables);
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t address = info->dlpi_addr + part->p_vaddr;

        if (part->p_type == PT_DYNAMIC)
            read_dynamic(tables, (const ElfW(Dyn) *)address);
        else if (part->p_type == PT_GNU_RELRO)
            tables->relro = (struct kp_relro){address & ~(PAGE - 1),
                                              (address + part->p_memsz) & ~(PAGE - 1)};
    }
    return tables->symbols && tables->strings && (tables->rela || tables->plt);
}

/* The hook for what this relocation refers to, NULL. */
static const struct kp_hook *hook_for(const struct tables *tables, const ElfW(Rela) *relocation)
{
    unsigned type = (unsigned)ELF64_R_TYPE(relocation->r_info);
    const ElfW(Sym) *symbol = &tables->symbols[ELF64_R_SYM(relocation->r_info)];
    const char *name = tables->strings + symbol->st_name;

    if (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT &&
        (type != R_X86_64_64 || relocation->r_addend != 0))
        return NULL;
    if (symbol->st_shndx != SHN_UNDEF || (name[0] != 'P' && name[0] != '_'))
        return NULL;
    return kp_hook_find(name);
}

static bool may_change(const struct object *object, const void *held, const struct kp_hook *hook)
{
    return held == *hook->real ||
           ((uintptr_t)held >= object->start && (uintptr_t)held < object->end);
}

/* False: what is read-only there can't be changed. */
static bool may_write(struct tables *tables, uintptr_t place)
{
    if (place < tables->relro.from || place >= tables->relro.to || tables->relro_is_open)
        return true;
    tables->relro_is_open = kp_relro_open(&tables->relro);
    return tables->relro_is_open;
}

static void patch(struct object *object, struct tables *tables, const ElfW(Rela) *relocation,
                  size_t count, uintptr_t base)
{
    for (; count--; relocation++) {
        const struct kp_hook *hook = hook_for(tables, relocation);
        void **place = (void **)(base + relocation->r_offset);

        if (!hook || !may_change(object, *place, hook) || !may_write(tables, (uintptr_t)place))
            continue;
        __atomic_store_n(place, hook->hook, __ATOMIC_RELEASE);
        object->place = place;
        object->hook = hook->hook;
    }
}

static void range_of(struct object *object, const struct dl_phdr_info *info)
{
    object->start = UINTPTR_MAX;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        uintptr_t from = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
        uintptr_t to = from + info->dlpi_phdr[i].p_memsz;

        if (info->dlpi_phdr[i].p_type != PT_LOAD)
            continue;
        object->start = from < object->start ? from : object->start;
        object->end = to > object->end ? to : object->end;
    }
}

/* Another object may stand where one was unloaded, even under the same name. */
static bool is_same(const struct object *object, const struct object *like)
{
    return object->start == like->start && object->end == like->end &&
           object->name == like->name &&
           (object->place ? *object->place == object->hook : object->subs == like->subs);
}

static struct object *known(const struct object *like)
{
    for (uint32_t i = 0; i < objects.count; i++)
        if (objects.all[i].seen && is_same(&objects.all[i], like))
            return &objects.all[i];
    return NULL;
}

/* The interpreter and we ourselves keep what they have. */
static bool is_left_alone(const struct object *object)
{
    return (kp_python.start >= object->start && kp_python.start < object->end) ||
           object->start == kp_host.own_start || kp_got_skips(object->name);
}

/* What the last whole look did not meet has been unloaded. */
static struct object *place_for_new(void)
{
    for (uint32_t i = 0; i < objects.count; i++)
        if (objects.all[i].seen + 1 < objects.looks)
            return &objects.all[i];
    return objects.count < OBJECTS_MAX ? &objects.all[objects.count++] : NULL;
}

/* Nothing is asked about an unloaded object before another one stands where it was. */
static void forget_where(const struct object *stands)
{
    for (uint32_t i = 0; i < objects.count; i++)
        if (objects.all[i].start < stands->end && stands->start < objects.all[i].end)
            objects.all[i].seen = 0;
}

static void examine(struct object *object, const struct dl_phdr_info *info)
{
    struct tables tables;

    if (is_left_alone(object) || !tables_of(&tables, info))
        return;
    patch(object, &tables, tables.rela, tables.rela_count, info->dlpi_addr);
    patch(object, &tables, tables.plt, tables.plt_count, info->dlpi_addr);
    if (tables.relro_is_open)
        kp_relro_close(&tables.relro);
    if (!object->place)
        return;
    object->wraps = !kp_got_compares_functions(info);
    atomic_fetch_add(&kp_state.info->patched_modules, 1);
}

static struct object *add(struct object *found, const struct dl_phdr_info *info)
{
    forget_where(found);
    struct object *object = place_for_new();

    if (object) {
        examine(found, info);
        *object = *found;
    }
    return object;
}

static bool begin(const struct dl_phdr_info *info)
{
    if (!objects.all)
        objects.all = kp_sys_map(OBJECTS_MAX * sizeof *objects.all);
    if (!objects.all || (info->dlpi_adds == objects.adds && info->dlpi_subs == objects.subs))
        return false;
    objects.looks++;
    objects.adds = info->dlpi_adds;
    objects.subs = info->dlpi_subs;
    return true;
}

static int look_at(struct dl_phdr_info *info, size_t size, void *has_begun)
{
    struct object found = {.name = info->dlpi_name ? info->dlpi_name : "",
                           .subs = info->dlpi_subs};
    struct object *object;

    (void)size;
    if (!*(bool *)has_begun && !begin(info))
        return 1;
    *(bool *)has_begun = true;
    range_of(&found, info);
    object = known(&found);
    if (!object)
        object = add(&found, info);
    if (!object)
        return 1;
    object->seen = objects.looks;
    object->subs = info->dlpi_subs;
    return 0;
}

void kp_got_look(void)
{
    bool has_begun = false;

    dl_iterate_phdr(look_at, &has_begun);
}

static struct object *object_of(uintptr_t address)
{
    for (uint32_t i = 0; i < objects.count; i++)
        if (objects.all[i].seen && address >= objects.all[i].start &&
            address < objects.all[i].end)
            return &objects.all[i];
    return NULL;
}

uint32_t kp_got_module_entry(uintptr_t address)
{
    struct object *object = object_of(address);

    if (!object || !object->place)
        return 0;
    if (!object->entry)
        object->entry = kp_entry_of_module(object->start, object->name);
    return object->entry;
}

bool kp_got_wraps(uintptr_t address)
{
    const struct object *object = object_of(address);

    return object && object->place && object->wraps;
}
