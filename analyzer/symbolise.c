/* SPDX-License-Identifier: MIT */
/*
 * From locations to rows of frame, see symbolise.h. The work of one call is one transaction; what
 * was not committed is resolved again.
 */
#include "symbolise.h"

#include "alloc.h"
#include "symbols.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FRAMES_MAX 64

static void reserve(uint8_t **flags, size_t *capacity, size_t needed)
{
    size_t before = *capacity;

    *flags = kp_array_grow(*flags, capacity, needed, 1);
    memset(*flags + before, 0, *capacity - before);
}

int kp_symboliser_open(struct kp_symboliser *symboliser, struct kp_store *store,
                       const struct kp_stack_tree *tree, struct kp_error *error)
{
    memset(symboliser, 0, sizeof *symboliser);
    symboliser->store = store;
    symboliser->tree = tree;
    reserve(&symboliser->done, &symboliser->done_capacity, tree->location_count + 1u);
    sqlite3_stmt *query =
        kp_store_query(store, "SELECT location_id FROM frame WHERE depth = 0", error);
    if (!query)
        return 1;
    while (kp_store_next(store, query, error)) {
        int64_t id = sqlite3_column_int64(query, 0);

        if (id > 0 && id <= tree->location_count && !symboliser->done[id]) {
            symboliser->done[id] = 1;
            symboliser->resolved++;
        }
    }
    sqlite3_finalize(query);
    return error->text[0] != 0;
}

void kp_symboliser_close(struct kp_symboliser *symboliser)
{
    if (symboliser->symbols)
        kp_symbols_free(symboliser->symbols);
    free(symboliser->done);
    free(symboliser->queue);
    free(symboliser->modules_done);
    memset(symboliser, 0, sizeof *symboliser);
}

uint32_t kp_symboliser_left(const struct kp_symboliser *symboliser)
{
    return symboliser->tree->locations_stored - symboliser->resolved;
}

static int by_module(const void *a, const void *b, void *context)
{
    const struct kp_tree_location *locations = context;
    const struct kp_tree_location *x = &locations[*(const uint32_t *)a];
    const struct kp_tree_location *y = &locations[*(const uint32_t *)b];

    if (x->module != y->module)
        return x->module < y->module ? -1 : 1;
    return x->address < y->address ? -1 : x->address > y->address;
}

static void fill_queue(struct kp_symboliser *symboliser)
{
    const struct kp_stack_tree *tree = symboliser->tree;

    symboliser->queue_next = symboliser->queue_count = 0;
    reserve(&symboliser->done, &symboliser->done_capacity, tree->location_count + 1u);
    reserve(&symboliser->modules_done, &symboliser->modules_capacity, tree->module_count + 1u);
    while (symboliser->looked_at < tree->locations_stored) {
        uint32_t id = ++symboliser->looked_at;

        if (symboliser->done[id])
            continue;
        if (tree->locations[id].code) { /* its row came with it */
            symboliser->done[id] = 1;
            symboliser->resolved++;
            continue;
        }
        symboliser->queue = kp_array_grow(symboliser->queue, &symboliser->queue_capacity,
                                          symboliser->queue_count + 1, sizeof *symboliser->queue);
        symboliser->queue[symboliser->queue_count++] = id;
    }
    if (symboliser->queue_count)
        qsort_r(symboliser->queue, symboliser->queue_count, sizeof *symboliser->queue, by_module,
                tree->locations);
}

static void resolve(struct kp_symboliser *symboliser, uint32_t id)
{
    const struct kp_tree_location *location = &symboliser->tree->locations[id];
    static const struct kp_tree_module none = {(char *)"", (char *)""};
    const struct kp_tree_module *module =
        location->module ? &symboliser->tree->modules[location->module] : &none;
    struct kp_symbol_frame frames[FRAMES_MAX];
    int count = kp_symbols_resolve(symboliser->symbols, module->path, module->build_id,
                                   location->address, frames, FRAMES_MAX);

    for (int depth = 0; depth < count; depth++)
        kp_store_run(symboliser->store, KP_SQL_FRAME, "iittiit", (int64_t)id, (int64_t)depth,
                     frames[depth].function, frames[depth].file, (int64_t)frames[depth].line,
                     (int64_t)frames[depth].exact, "native");
    if (location->module && !symboliser->modules_done[location->module]) {
        symboliser->modules_done[location->module] = 1;
        kp_store_run(symboliser->store, KP_SQL_MODULE_SYMBOLS, "it", (int64_t)location->module,
                     kp_symbols_quality(symboliser->symbols, module->path, module->build_id));
    }
}

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Nothing of it was committed: the modules' qualities must be told again, too. */
static void take_back(struct kp_symboliser *symboliser, size_t first)
{
    for (size_t i = first; i < symboliser->queue_next; i++)
        symboliser->modules_done[symboliser->tree->locations[symboliser->queue[i]].module] = 0;
    symboliser->queue_next = first;
}

int kp_symboliser_run(struct kp_symboliser *symboliser, unsigned milliseconds,
                      struct kp_error *error)
{
    uint64_t until = now_ms() + milliseconds;

    if (symboliser->queue_next == symboliser->queue_count)
        fill_queue(symboliser);
    if (symboliser->queue_next == symboliser->queue_count)
        return KP_STORE_OK;
    if (!symboliser->symbols && !(symboliser->symbols = kp_symbols_new()))
        return kp_error_set(error, "cannot resolve symbols: out of memory");
    size_t first = symboliser->queue_next;
    kp_store_begin(symboliser->store);
    do
        resolve(symboliser, symboliser->queue[symboliser->queue_next++]);
    while (symboliser->queue_next < symboliser->queue_count && now_ms() < until);
    int status = kp_store_commit(symboliser->store, error);
    if (status != KP_STORE_OK) {
        take_back(symboliser, first);
        return status;
    }
    for (size_t i = first; i < symboliser->queue_next; i++)
        symboliser->done[symboliser->queue[i]] = 1;
    symboliser->resolved += (uint32_t)(symboliser->queue_next - first);
    return KP_STORE_OK;
}
