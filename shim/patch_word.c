/* SPDX-License-Identifier: MIT */
/*
 * Definitions of functions lie in the data of their object, seldom in what is read-only after
 * relocation, and in an old kind of program beside its code. The loader's list says which; what the
 * page may be used for stays. Host's threads, at import time.
 */
#include "patch_word.h"

#include "sys.h"

#include <link.h>
#include <sys/mman.h>

#define PAGE 4096ul

struct search {
    uintptr_t address;
    int access; /* PROT_*, of the page */
};

/* The loader protects whole pages only. */
static bool is_inside(const struct dl_phdr_info *info, const ElfW(Phdr) *part, uintptr_t address)
{
    uintptr_t from = info->dlpi_addr + part->p_vaddr, to = from + part->p_memsz;

    if (part->p_type == PT_GNU_RELRO)
        to &= ~(PAGE - 1);
    return address >= (from & ~(PAGE - 1)) && address < to;
}

static int look_at(struct dl_phdr_info *info, size_t size, void *data)
{
    struct search *search = data;
    bool found = false;

    (void)size;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        bool is_relro = part->p_type == PT_GNU_RELRO;

        if ((part->p_type != PT_LOAD && !is_relro) || !is_inside(info, part, search->address))
            continue;
        found = true;
        if (is_relro || !(part->p_flags & PF_W))
            search->access &= ~PROT_WRITE;
        if (!is_relro && part->p_flags & PF_X)
            search->access |= PROT_EXEC;
    }
    return found;
}

static bool allow(const struct kp_relro *relro, int access)
{
    return relro->from >= relro->to ||
           KP_SYS3(SYS_mprotect, relro->from, relro->to - relro->from, access) == 0;
}

bool kp_relro_open(const struct kp_relro *relro)
{
    return allow(relro, PROT_READ | PROT_WRITE);
}

void kp_relro_close(const struct kp_relro *relro)
{
    allow(relro, PROT_READ);
}

bool kp_patch_word(void **place, void *value)
{
    struct search search = {(uintptr_t)place, PROT_READ | PROT_WRITE};
    struct kp_relro page = {(uintptr_t)place & ~(PAGE - 1), ((uintptr_t)place & ~(PAGE - 1)) + PAGE};

    dl_iterate_phdr(look_at, &search);
    if (search.access & PROT_WRITE)
        page.to = page.from;
    if (!allow(&page, search.access | PROT_WRITE))
        return false;
    __atomic_store_n(place, value, __ATOMIC_RELEASE);
    allow(&page, search.access);
    return true;
}
