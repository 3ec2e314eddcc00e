/* SPDX-License-Identifier: MIT */
/*
 * dlsym. The real one looks at its return address to know who asks (RTLD_NEXT, $ORIGIN, RPATH and
 * namespaces depend on it), so we only jump to it. Host's threads.
 */
#include "convert.h"
#include "real.h"

#include <string.h>

void *kp_dlsym_behind(void *handle, const char *name) __attribute__((visibility("hidden")));

/* Returns the function to jump to. */
void *kp_dlsym_behind(void *handle, const char *name)
{
    (void)handle;
    if (name && strncmp(name, "PyInit", 6) == 0)
        kp_convert_look();
    return (void *)kp_real.dlsym;
}

__asm__(".text\n"
        ".p2align 4\n"
        ".globl dlsym\n"
        ".type dlsym, @function\n"
        "dlsym:\n"
        "  .cfi_startproc\n"
        "  endbr64\n"
        "  push %rdi\n"
        "  .cfi_def_cfa_offset 16\n"
        "  push %rsi\n"
        "  .cfi_def_cfa_offset 24\n"
        "  sub $8, %rsp\n"
        "  .cfi_def_cfa_offset 32\n"
        "  call kp_dlsym_behind\n"
        "  add $8, %rsp\n"
        "  .cfi_def_cfa_offset 24\n"
        "  pop %rsi\n"
        "  .cfi_def_cfa_offset 16\n"
        "  pop %rdi\n"
        "  .cfi_def_cfa_offset 8\n"
        "  jmp *%rax\n"
        "  .cfi_endproc\n"
        "  .size dlsym, . - dlsym\n");
