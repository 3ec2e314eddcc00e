/* SPDX-License-Identifier: MIT */
/*
 * Gives the locations of a recording their names: rows of table frame. It works in small pieces
 * while there is nothing else to do, module by module, and does the rest at the end. One thread.
 */
#ifndef KP_SYMBOLISE_H
#define KP_SYMBOLISE_H

#include "error.h"
#include "stack_tree.h"
#include "store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kp_symbols;

struct kp_symboliser {
    struct kp_store *store;
    const struct kp_stack_tree *tree;
    struct kp_symbols *symbols; /* NULL: not needed yet */
    uint8_t *done;              /* by location: has its frames */
    size_t done_capacity;
    uint32_t looked_at;  /* locations [1, this] are done or in the queue */
    uint32_t *queue;     /* sorted by module and address */
    size_t queue_capacity, queue_count, queue_next;
    uint8_t *modules_done; /* by module: its quality is known */
    size_t modules_capacity;
    uint32_t resolved;
};

/* Finds out what an earlier collector has resolved. */
int kp_symboliser_open(struct kp_symboliser *symboliser, struct kp_store *store,
                       const struct kp_stack_tree *tree, struct kp_error *error);
void kp_symboliser_close(struct kp_symboliser *symboliser);

/* Stored locations that have no frames yet. */
uint32_t kp_symboliser_left(const struct kp_symboliser *symboliser);
/* Resolves for about this long and commits. Returns enum kp_store_status. */
int kp_symboliser_run(struct kp_symboliser *symboliser, unsigned milliseconds,
                      struct kp_error *error);

#endif
