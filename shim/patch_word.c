/* SPDX-License-Identifier: MIT */
/*
 * Definitions of functions lie in the data of their object, seldom in what is read-only after
 * relocation. The loader's list says which. Host's threads, at import time.
 */
#include "patch_word.h"

#include "scope.h"
#include "sys.h"

#include <link.h>
#include <sys/mman.h>

#define PAGE 4096ul

static bool part_is_read_only(const struct link_map *object, uintptr_t address)
{
    uintptr_t start, end;
    bool inside = false;

    kp_scope_range(object, &start, &end);
    if (address < start || address >= end)
        return false;
    const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)start;
    const ElfW(Phdr) *part = (const ElfW(Phdr) *)(start + header->e_phoff);
    for (unsigned i = 0; i < header->e_phnum; i++) {
        uintptr_t from = object->l_addr + part[i].p_vaddr, to = from + part[i].p_memsz;
        bool read_only = part[i].p_type == PT_GNU_RELRO ||
                         (part[i].p_type == PT_LOAD && !(part[i].p_flags & PF_W));

        inside |= read_only && address >= (from & ~(PAGE - 1)) && address < to;
    }
    return inside;
}

static bool is_read_only(uintptr_t address)
{
    for (const struct link_map *object = kp_scope_program(); object; object = object->l_next)
        if (object->l_name && part_is_read_only(object, address))
            return true;
    return false;
}

bool kp_relro_open(const struct kp_relro *relro)
{
    return relro->from >= relro->to || KP_SYS3(SYS_mprotect, relro->from, relro->to - relro->from,
                                               PROT_READ | PROT_WRITE) == 0;
}

void kp_relro_close(const struct kp_relro *relro)
{
    if (relro->from < relro->to)
        KP_SYS3(SYS_mprotect, relro->from, relro->to - relro->from, PROT_READ);
}

bool kp_patch_word(void **place, void *value)
{
    uintptr_t page = (uintptr_t)place & ~(PAGE - 1);
    struct kp_relro relro = {page, page};

    if (is_read_only((uintptr_t)place))
        relro.to += PAGE;
    if (!kp_relro_open(&relro))
        return false;
    __atomic_store_n(place, value, __ATOMIC_RELEASE);
    kp_relro_close(&relro);
    return true;
}
