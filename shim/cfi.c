/* SPDX-License-Identifier: MIT */
/*
 * The cache of unwind rules. Any thread, no lock: an entry is two words of which the first is the
 * pc XORed with the second, so that a torn read never matches. The tables are read by cfi_table.c.
 */
#include "cfi.h"

#include "cfi_table.h"
#include "modules.h"
#include "near_code.h"

#include <stdatomic.h>
#include <stddef.h>

#define CACHE_ENTRIES 16384u

struct cached {
    _Atomic uint64_t pc_and_rule, rule;
};
static struct cached cache[CACHE_ENTRIES];

/* Bits 0-3 kind, 4-33 offset + 2^29, 34-63 (rbp's offset)/8 + 2^29. */
#define BIAS (1 << 29)

static uint64_t pack(struct kp_rule rule)
{
    return rule.cfa | (uint64_t)(uint32_t)(rule.offset + BIAS) << 4 |
           (uint64_t)(uint32_t)(rule.fp_offset / 8 + BIAS) << 34;
}

static struct kp_rule unpack(uint64_t packed)
{
    return (struct kp_rule){.cfa = packed & 15,
                            .offset = (int32_t)(packed >> 4 & 0x3fffffff) - BIAS,
                            .fp_offset = ((int32_t)(packed >> 34) - BIAS) * 8};
}

static struct kp_rule make(uintptr_t pc, bool exact)
{
    const uint8_t *eh_frame_hdr = NULL;

    if (kp_near_holds(pc))
        return (struct kp_rule){.cfa = KP_CFA_SP, .offset = sizeof(uintptr_t)};
    if (!kp_object_of(pc, &eh_frame_hdr) || !eh_frame_hdr)
        return (struct kp_rule){.cfa = KP_CFA_NONE};
    return kp_cfi_table_rule(eh_frame_hdr, exact ? pc : pc - 1);
}

struct kp_rule kp_cfi_rule(uintptr_t pc, bool exact)
{
    uint64_t key = pc | (uint64_t)exact << 63;
    struct cached *entry = &cache[(key ^ key >> 14 ^ key >> 63) % CACHE_ENTRIES];
    uint64_t rule = atomic_load_explicit(&entry->rule, memory_order_relaxed);
    uint64_t both = atomic_load_explicit(&entry->pc_and_rule, memory_order_relaxed);

    if (__builtin_expect((both ^ rule) == key, 1))
        return unpack(rule);
    struct kp_rule made = make(pc, exact);
    rule = pack(made);
    atomic_store_explicit(&entry->rule, rule, memory_order_relaxed);
    atomic_store_explicit(&entry->pc_and_rule, key ^ rule, memory_order_relaxed);
    return made;
}

void kp_cfi_forget(void)
{
    for (unsigned i = 0; i < CACHE_ENTRIES; i++)
        atomic_store_explicit(&cache[i].pc_and_rule, 0, memory_order_relaxed);
}
