/* SPDX-License-Identifier: MIT */
/*
 * A fixture tells the truth about itself: HERE("inner in outer") prints the address at which it
 * stands (in the file's own address space, as of a return address less one), the functions there
 * from the innermost to the one that is not inlined, the source file and the line.
 */
#ifndef KP_TEST_HERE_H
#define KP_TEST_HERE_H

#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static int here_visit(struct dl_phdr_info *info, size_t size, void *data)
{
    uintptr_t *pc = (uintptr_t *)data;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD &&
            *pc - info->dlpi_addr - info->dlpi_phdr[i].p_vaddr < info->dlpi_phdr[i].p_memsz) {
            *pc -= info->dlpi_addr;
            return 1;
        }
    return 0;
}
__attribute__((noinline, unused)) static void here_print(void *pc, const char *chain,
                                                         const char *file, int line)
{
    uintptr_t address = (uintptr_t)pc;
    const char *slash = strrchr(file, '/');
    dl_iterate_phdr(here_visit, &address);
    printf("%lx|%s|%s|%d\n", (unsigned long)address - 1, chain, slash ? slash + 1 : file, line);
    fflush(stdout);
}
#define HERE(chain)                                                                                \
    do {                                                                                           \
        void *here_pc;                                                                             \
        __asm__ volatile("lea 0(%%rip), %0" : "=r"(here_pc));                                      \
        here_print(here_pc, chain, __FILE__, __LINE__);                                            \
    } while (0)
/* An address elsewhere, of which no line is known. */
#define THERE(pc, chain) here_print((char *)(pc) + 1, chain, "", 0)

#endif
