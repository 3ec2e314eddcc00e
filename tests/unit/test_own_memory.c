/* SPDX-License-Identifier: MIT */
/*
 * Memory that the shim has mapped for itself is known as its own, also after more has been mapped and
 * given back than there is room to remember at once.
 */
#include "sys.h"
#include "unit_check.h"

#define TIMES 20000 /* more than are remembered */
#define BYTES 4096u

int main(void)
{
    char *kept = kp_sys_map(BYTES);
    int known = 0;

    for (int i = 0; i < TIMES; i++) {
        char *memory = kp_sys_map(BYTES);

        known += kp_sys_is_own((uintptr_t)memory + BYTES - 1);
        kp_sys_unmap(memory, BYTES);
    }
    kp_check(known == TIMES, "each mapping is ours, however many there were before", "%d of %d",
             known, TIMES);
    kp_check(kp_sys_is_own((uintptr_t)kept), "so is an old one", "%p", (void *)kept);

    char *gone = kp_sys_map(BYTES);
    kp_sys_unmap(gone, BYTES);
    kp_check(!kp_sys_is_own((uintptr_t)gone), "what was given back is not ours", "%p", (void *)gone);
    return kp_checks_failed();
}
