/* SPDX-License-Identifier: MIT */
/*
 * The table of stack nodes. Any thread; a look-up takes no lock. An entry is written before its id
 * (release), and the record that defines the node is published before that, so whoever can name a
 * node names one that the reader will know. Tables grow by doubling; old ones stay mapped, empty,
 * since somebody may still read them.
 */
#include "stacks.h"

#include "modules.h"
#include "spool.h"
#include "state.h"
#include "sys.h"

#include <stdatomic.h>
#include <sys/mman.h>

#define ENTRIES_FIRST 2048u

struct node {
    uint64_t pc;
    uint32_t parent;
    _Atomic uint32_t id; /* 0: free */
};

struct table {
    uint64_t mask;
    struct node nodes[];
};

/* Of this process (epoch) and the code that is loaded (code_epoch). */
static struct {
    _Atomic uint64_t epoch;
    struct table *_Atomic table;
    uint32_t count, next_id;
} stacks;

static uint64_t hash(uint32_t parent, uint64_t pc)
{
    uint64_t h = (pc ^ (uint64_t)parent << 40 ^ parent) * 0x9e3779b97f4a7c15u;

    return h ^ h >> 29;
}

static uint32_t look_up(const struct table *table, uint32_t parent, uint64_t pc)
{
    for (uint64_t i = hash(parent, pc);; i++) {
        const struct node *node = &table->nodes[i & table->mask];
        uint32_t id = atomic_load_explicit(&node->id, memory_order_acquire);

        if (!id || (node->pc == pc && node->parent == parent))
            return id;
    }
}

static struct table *table_new(uint64_t entries)
{
    struct table *table = kp_sys_map(sizeof *table + entries * sizeof(struct node));

    if (table)
        table->mask = entries - 1;
    return table;
}

/* Gives the memory back; a late reader finds nothing in it. */
static void table_empty(struct table *table)
{
    if (table)
        KP_SYS3(SYS_madvise, table, sizeof *table + (table->mask + 1) * sizeof(struct node),
                MADV_DONTNEED);
}

static void insert(struct table *table, uint32_t parent, uint64_t pc, uint32_t id)
{
    uint64_t i = hash(parent, pc);

    while (atomic_load_explicit(&table->nodes[i & table->mask].id, memory_order_relaxed))
        i++;
    struct node *node = &table->nodes[i & table->mask];
    node->pc = pc;
    node->parent = parent;
    atomic_store_explicit(&node->id, id, memory_order_release);
}

/* Under definitions_lock: a table of this process with room for one more. */
static struct table *room(void)
{
    struct table *table = atomic_load(&stacks.table), *bigger;

    if (stacks.epoch != kp_state.epoch) {
        /* The table first: who sees the new epoch must not see the parent's nodes. */
        atomic_store(&stacks.table, NULL);
        atomic_store(&stacks.epoch, kp_state.epoch);
        stacks.count = stacks.next_id = 0;
        table = NULL;
    }
    if (table && stacks.count < table->mask / 2)
        return table;
    bigger = table_new(table ? (table->mask + 1) * 2 : ENTRIES_FIRST);
    if (!bigger)
        return table && stacks.count < table->mask ? table : NULL;
    for (uint64_t i = 0; table && i <= table->mask; i++)
        if (table->nodes[i].id)
            insert(bigger, table->nodes[i].parent, table->nodes[i].pc, table->nodes[i].id);
    atomic_store_explicit(&stacks.table, bigger, memory_order_release);
    table_empty(table);
    return bigger;
}

/* Under definitions_lock. Returns the new node's id, 0 when there is no room. */
static uint32_t define(uint32_t parent, uint64_t pc)
{
    struct table *table = room();
    uint32_t module = pc & KP_PC_PYTHON ? 0 : kp_module_of(pc & ~KP_PC_EXACT);
    struct kp_rec_node *record = table ? kp_spool_define(sizeof *record) : NULL;
    uint32_t id;

    if (!record)
        return 0;
    id = ++stacks.next_id;
    *record = (struct kp_rec_node){
        .type = KP_REC_NODE, .id = id, .parent = parent, .module = module, .pc = pc};
    kp_spool_defined(sizeof *record);
    insert(table, parent, pc, id);
    stacks.count++;
    return id;
}

uint32_t kp_stacks_node(uint32_t parent, uint64_t pc)
{
    bool ours = atomic_load_explicit(&stacks.epoch, memory_order_acquire) == kp_state.epoch;
    struct table *table = ours ? atomic_load_explicit(&stacks.table, memory_order_acquire) : NULL;
    uint32_t id = table ? look_up(table, parent, pc) : 0;

    if (id)
        return id;
    if (!kp_spin_lock(&kp_state.definitions_lock))
        return parent;
    table = stacks.epoch == kp_state.epoch ? atomic_load(&stacks.table) : NULL;
    id = table ? look_up(table, parent, pc) : 0;
    if (!id)
        id = define(parent, pc);
    kp_spin_unlock(&kp_state.definitions_lock);
    if (!id)
        atomic_fetch_add(&kp_state.info->lost_definitions, 1);
    return id ? id : parent;
}

void kp_stacks_forget(void)
{
    struct table *table = atomic_exchange(&stacks.table, NULL);

    table_empty(table);
    stacks.count = 0;
    atomic_fetch_add(&kp_state.code_epoch, 1);
}
