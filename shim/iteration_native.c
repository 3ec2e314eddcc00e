/* SPDX-License-Identifier: MIT */
/*
 * Python calls native functions by the pointer in their PyMethodDef, in every calling convention
 * and also from its specialised instructions (but for a few builtins, such as len, that have
 * instructions of their own). We put a thunk there: it counts, restores every register that can
 * hold an argument, and jumps to the original, so that no frame of ours stays on the stack.
 */
#include "iteration_native.h"

#include "iteration.h"
#include "scope.h"
#include "sys.h"

#include <link.h>
#include <stddef.h>
#include <sys/mman.h>

#define PAGE 4096ul

extern char kp_native_thunk[] __attribute__((visibility("hidden")));
extern void *kp_native_original __attribute__((visibility("hidden")));
void *kp_native_original;

__asm__(".text\n"
        ".p2align 4\n"
        ".globl kp_native_thunk\n"
        ".hidden kp_native_thunk\n"
        ".type kp_native_thunk, @function\n"
        "kp_native_thunk:\n"
        "  .cfi_startproc\n"
        "  endbr64\n"
        "  push %rbp\n"
        "  .cfi_def_cfa_offset 16\n"
        "  .cfi_offset %rbp, -16\n"
        "  mov %rsp, %rbp\n"
        "  .cfi_def_cfa_register %rbp\n"
        "  push %rdi\n"
        "  push %rsi\n"
        "  push %rdx\n"
        "  push %rcx\n"
        "  push %r8\n"
        "  push %r9\n"
        "  call kp_iteration_called\n"
        "  pop %r9\n"
        "  pop %r8\n"
        "  pop %rcx\n"
        "  pop %rdx\n"
        "  pop %rsi\n"
        "  pop %rdi\n"
        "  pop %rbp\n"
        "  .cfi_def_cfa %rsp, 8\n"
        "  .cfi_restore %rbp\n"
        "  jmp *kp_native_original(%rip)\n"
        "  .cfi_endproc\n"
        "  .size kp_native_thunk, . - kp_native_thunk\n");

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

/* Definitions lie in the data of their object, seldom in what is read-only after relocation. */
static bool is_read_only(uintptr_t address)
{
    for (const struct link_map *object = kp_scope_program(); object; object = object->l_next)
        if (object->l_name && part_is_read_only(object, address))
            return true;
    return false;
}

static void store(void **place, void *value)
{
    uintptr_t page = (uintptr_t)place & ~(PAGE - 1);
    bool read_only = is_read_only((uintptr_t)place);

    if (read_only && KP_SYS3(SYS_mprotect, page, PAGE, PROT_READ | PROT_WRITE) != 0)
        return;
    __atomic_store_n(place, value, __ATOMIC_RELEASE);
    if (read_only)
        KP_SYS3(SYS_mprotect, page, PAGE, PROT_READ);
}

bool kp_native_is_counted(void)
{
    return kp_native_original != NULL;
}

void kp_native_count(struct kp_method_definition *definition)
{
    if (kp_native_is_counted())
        return;
    kp_native_original = definition->function;
    store(&definition->function, kp_native_thunk);
}
