/* SPDX-License-Identifier: MIT */
/*
 * Modules. Host's threads, with the guard set; kp_module_of() also holds definitions_lock, as a
 * pc is asked for only once, when its stack node is new. _dl_find_object() needs no lock and the
 * pc is on our own stack, so that its object can't go away meanwhile. Before glibc 2.35 there is
 * dl_iterate_phdr() only, which takes the loader's lock.
 */
#include "modules.h"

#include "cfi.h"
#include "spool.h"
#include "stacks.h"
#include "state.h"
#include "sys.h"

#include <dlfcn.h>
#include <link.h>
#include <stdatomic.h>
#include <string.h>

#define MODULES_MAX 8192
#define BUILD_ID_BYTES_MAX 64

struct module {
    uintptr_t start, end;
    bool gone;
};

/* Of this process, made anew after a fork. */
static struct {
    uint64_t epoch;
    uint32_t count;
    struct module *all;
} modules;

struct found {
    uintptr_t pc;
    uintptr_t start, end, bias;
    const uint8_t *eh_frame_hdr;
    const char *name;
};

extern int _dl_find_object(void *, struct dl_find_object *) __attribute__((weak));

static int look_at(struct dl_phdr_info *info, size_t size, void *data)
{
    struct found *found = data;
    uintptr_t start = UINTPTR_MAX, end = 0;

    (void)size;
    found->eh_frame_hdr = NULL;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        uintptr_t address = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;

        if (info->dlpi_phdr[i].p_type == PT_LOAD) {
            start = address < start ? address : start;
            end = address + info->dlpi_phdr[i].p_memsz > end
                      ? address + info->dlpi_phdr[i].p_memsz : end;
        } else if (info->dlpi_phdr[i].p_type == PT_GNU_EH_FRAME) {
            found->eh_frame_hdr = (const uint8_t *)address;
        }
    }
    found->start = start;
    found->end = end;
    found->bias = info->dlpi_addr;
    found->name = info->dlpi_name;
    return found->pc >= start && found->pc < end;
}

static bool find(uintptr_t pc, struct found *found)
{
    struct dl_find_object object;

    found->pc = pc;
    if (!_dl_find_object)
        return dl_iterate_phdr(look_at, found) != 0;
    if (_dl_find_object((void *)pc, &object) != 0)
        return false;
    found->start = (uintptr_t)object.dlfo_map_start;
    found->end = (uintptr_t)object.dlfo_map_end;
    found->eh_frame_hdr = object.dlfo_eh_frame;
    found->bias = object.dlfo_link_map ? object.dlfo_link_map->l_addr : found->start;
    found->name = object.dlfo_link_map ? object.dlfo_link_map->l_name : "[vdso]";
    return true;
}

bool kp_object_of(uintptr_t pc, const uint8_t **eh_frame_hdr)
{
    struct found found;

    if (!find(pc, &found))
        return false;
    *eh_frame_hdr = found.eh_frame_hdr;
    return true;
}

/* The GNU build-id from the notes in memory. Returns its length, 0 when there is none. */
static unsigned build_id(const struct found *found, uint8_t *id)
{
    const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)found->start;
    const ElfW(Phdr) *segment = (const ElfW(Phdr) *)(found->start + header->e_phoff);

    if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_phoff > 4096)
        return 0;
    for (unsigned i = 0; i < header->e_phnum; i++) {
        const char *note = (const char *)(found->bias + segment[i].p_vaddr);
        const char *end = note + segment[i].p_memsz;

        while (segment[i].p_type == PT_NOTE && note + sizeof(ElfW(Nhdr)) < end) {
            const ElfW(Nhdr) *head = (const ElfW(Nhdr) *)note;
            const char *name = note + sizeof *head;
            const char *content = name + ((head->n_namesz + 3u) & ~3u);

            if (head->n_type == NT_GNU_BUILD_ID && head->n_namesz == 4 &&
                memcmp(name, "GNU", 4) == 0 && head->n_descsz <= BUILD_ID_BYTES_MAX) {
                memcpy(id, content, head->n_descsz);
                return head->n_descsz;
            }
            note = content + ((head->n_descsz + 3u) & ~3u);
        }
    }
    return 0;
}

/* The file's absolute path into `path`; returns its length. */
static unsigned path_of(const struct found *found, char *path, size_t bytes)
{
    size_t length = 0;

    if (!found->name || !found->name[0]) {
        length = strlen(kp_host.exe);
        memcpy(path, kp_host.exe, length);
        return (unsigned)length;
    }
    if (found->name[0] != '/' && strchr(found->name, '/')) {
        long cwd = KP_SYS2(SYS_getcwd, path, bytes / 2);

        length = cwd > 0 ? (size_t)cwd - 1 : 0;
        if (length && path[length - 1] != '/')
            path[length++] = '/';
    }
    size_t rest = strlen(found->name);
    if (rest > bytes - length)
        rest = bytes - length;
    memcpy(path + length, found->name, rest);
    return (unsigned)(length + rest);
}

static bool tell(uint32_t id, const struct found *found)
{
    uint8_t bytes[BUILD_ID_BYTES_MAX];
    char path[1024];
    unsigned id_bytes = build_id(found, bytes), path_bytes = path_of(found, path, sizeof path);
    if (strstr(found->name, "libpython"))
        kp_host.python_may_have_come = true;
    uint32_t whole = (uint32_t)sizeof(struct kp_rec_module) + ((id_bytes + path_bytes + 7) & ~7u);
    struct kp_rec_module *record = kp_spool_define(whole);

    if (!record)
        return false;
    memset(record, 0, whole);
    *record = (struct kp_rec_module){.type_bytes = KP_REC_MODULE | whole << 8,
                                     .id = id,
                                     .start = found->start,
                                     .end = found->end,
                                     .bias = found->bias,
                                     .build_id_bytes = (uint16_t)id_bytes,
                                     .path_bytes = (uint16_t)path_bytes};
    memcpy(record + 1, bytes, id_bytes);
    memcpy((char *)(record + 1) + id_bytes, path, path_bytes);
    kp_spool_defined(whole);
    return true;
}

static bool ready(void)
{
    if (!modules.all)
        modules.all = kp_sys_map(MODULES_MAX * sizeof *modules.all);
    if (modules.epoch != kp_state.epoch) {
        modules.epoch = kp_state.epoch;
        modules.count = 0;
    }
    return modules.all != NULL;
}

uint32_t kp_module_of(uintptr_t pc)
{
    struct found found;

    if (!ready())
        return 0;
    for (uint32_t i = modules.count; i-- > 0;)
        if (pc >= modules.all[i].start && pc < modules.all[i].end && !modules.all[i].gone)
            return i + 1;
    if (modules.count == MODULES_MAX || !find(pc, &found) || !tell(modules.count + 1, &found))
        return 0;
    modules.all[modules.count] =
        (struct module){found.start, found.end, false};
    return ++modules.count;
}

static void tell_gone(uint32_t id)
{
    struct kp_rec_module_gone *record = kp_spool_define(sizeof *record);

    if (!record)
        return;
    *record = (struct kp_rec_module_gone){KP_REC_MODULE_GONE, id};
    kp_spool_defined(sizeof *record);
}

void kp_modules_recheck(void)
{
    bool changed = false;

    if (!kp_spin_lock(&kp_state.definitions_lock))
        return;
    for (uint32_t i = 0; ready() && i < modules.count; i++) {
        struct module *module = &modules.all[i];
        struct found found;

        if (module->gone || (find(module->start, &found) && found.start == module->start &&
                             found.end == module->end))
            continue;
        module->gone = true;
        changed = true;
        tell_gone(i + 1);
    }
    if (changed) {
        kp_cfi_forget();
        kp_stacks_forget();
    }
    kp_spin_unlock(&kp_state.definitions_lock);
}
