/* SPDX-License-Identifier: MIT */
/*
 * Stacks as a tree: a node is (caller's node, pc). Each node is told to the reader once; a sample
 * names the innermost.
 */
#ifndef KP_STACKS_H
#define KP_STACKS_H

#include <stdint.h>

/* Id of the node, told before this returns; the parent's own id when it could not be told.
 * With the guard set; takes definitions_lock only for a node not seen yet. */
uint32_t kp_stacks_node(uint32_t parent, uint64_t pc);

/* Under definitions_lock: code was unloaded; nodes get new ids from now on. */
void kp_stacks_forget(void);

#endif
