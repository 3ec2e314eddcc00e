/* SPDX-License-Identifier: MIT */
/*
 * One pass over the code collects, by function, the places it refers to, the functions that call it
 * and the imports it uses. Which of its places is the label? One that few functions refer to: the
 * places of an inlined helper are all over the file. Measured on 9,200 calls in a program with all
 * its crates in one unit (fat LTO): the file has code in the function in 99.8 % of cases, but in
 * the chain of inlined calls of the very pc in 75 %. So a line is only told where all places that
 * are the function's alone are in one file of its own crate and one is close by: 97 %.
 * Runs in the collector and the reports, on one thread.
 */
#include "symbols_labels.h"

#include "demangle.h"
#include "symbols_code.h"
#include "symbols_functions.h"
#include "symbols_label_text.h"
#include "symbols_methods.h"
#include "symbols_places.h"
#include "symbols_table.h"

#include <stdlib.h>
#include <string.h>

#define KP_CLOSE_BYTES 1024 /* a place that is further away does not tell the line */
#define KP_CALLERS_MAX 64  /* callers looked at */
#define KP_CALLERS_TELLING 8 /* what more functions call is a helper: what it does tells more */
#define KP_DEPTH_MAX 4     /* steps to a caller with a label */
#define KP_STUB_BYTES 12   /* of a PLT's stub, up to the end of its jump */
#define KP_TABLE_BYTES 256 /* from the start of a table to a function in it */

/* A reference of a function: sorted by function, so that each one's are found together. */
struct link {
    uint32_t function;
    uint32_t other; /* place, calling function or import */
    uint64_t pc;
};
struct links {
    struct link *all;
    size_t count, room;
};

/* Addresses of data that the code takes, by address. */
struct data_use {
    uint64_t target, pc;
    uint32_t function;
};
struct data_uses {
    struct data_use *all;
    size_t count, room;
};

struct kp_labels {
    struct kp_image image;
    struct kp_ranges functions;
    struct kp_pointers pointers;
    struct kp_places places;
    struct kp_methods methods;
    struct links places_of, callers_of, imports_of;
    struct links tables_of; /* functions that take the address of data with a pointer to it */
    struct data_uses data;
    const struct kp_symbol_table *symbols;
    char *module; /* its short name */
};

static int add_link(struct links *links, uint32_t function, uint32_t other, uint64_t pc)
{
    if (links->count == links->room) {
        size_t room = links->room ? links->room * 2 : 1024;
        struct link *all = realloc(links->all, room * sizeof *all);
        if (!all)
            return -1;
        links->all = all;
        links->room = room;
    }
    links->all[links->count++] = (struct link){function, other, pc};
    return 0;
}

static int compare_links(const void *left, const void *right)
{
    const struct link *a = left, *b = right;
    if (a->function != b->function)
        return a->function < b->function ? -1 : 1;
    if (a->other != b->other)
        return a->other < b->other ? -1 : 1;
    return a->pc < b->pc ? -1 : a->pc > b->pc;
}

/* Those of one function; *count may be 0. */
static const struct link *links_of(const struct links *links, uint32_t function, size_t *count)
{
    size_t low = 0, high = links->count, end;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (links->all[middle].function < function)
            low = middle + 1;
        else
            high = middle;
    }
    for (end = low; end < links->count && links->all[end].function == function; end++)
        continue;
    *count = end - low;
    return links->all + low;
}

static int add_use(struct data_uses *uses, const struct kp_reference *reference)
{
    if (uses->count == uses->room) {
        size_t room = uses->room ? uses->room * 2 : 1024;
        struct data_use *all = realloc(uses->all, room * sizeof *all);
        if (!all)
            return -1;
        uses->all = all;
        uses->room = room;
    }
    uses->all[uses->count++] =
        (struct data_use){reference->target, reference->pc, reference->function};
    return 0;
}

static int compare_uses(const void *left, const void *right)
{
    const struct data_use *a = left, *b = right;
    if (a->target != b->target)
        return a->target < b->target ? -1 : 1;
    return a->pc < b->pc ? -1 : a->pc > b->pc;
}

/* How many start at `address` or below. */
static size_t uses_up_to(const struct data_uses *uses, uint64_t address)
{
    size_t low = 0, high = uses->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (uses->all[middle].target <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Tables of functions (vtables): the data that starts last before a pointer holds it. */
static int link_tables(struct kp_labels *labels)
{
    for (size_t i = 0; i < labels->pointers.count; i++) {
        const struct kp_pointer *pointer = &labels->pointers.all[i];
        const struct kp_range *function = kp_ranges_find(&labels->functions, pointer->target);
        if (!function || function->start != pointer->target)
            continue;
        size_t at = uses_up_to(&labels->data, pointer->slot);
        const struct data_use *use = at ? &labels->data.all[at - 1] : NULL;
        if (use && pointer->slot - use->target <= KP_TABLE_BYTES &&
            add_link(&labels->tables_of, (uint32_t)(function - labels->functions.all),
                     use->function, use->pc) != 0)
            return -1;
    }
    return 0;
}

static int add_import(struct kp_labels *labels, const struct kp_reference *reference,
                      const struct kp_pointer *slot)
{
    return add_link(&labels->imports_of, reference->function,
                    (uint32_t)(slot - labels->pointers.all), reference->pc);
}

/* The slot of an import through which the PLT's stub at `address` jumps, or NULL. */
static const struct kp_pointer *stub_slot(const struct kp_labels *labels, uint64_t address)
{
    const uint8_t *stub = kp_image_at(&labels->image, address, KP_STUB_BYTES);
    for (size_t i = 0; stub && i + 6 <= KP_STUB_BYTES; i++) {
        int32_t distance;
        if (stub[i] != 0xff || stub[i + 1] != 0x25)
            continue;
        memcpy(&distance, stub + i + 2, sizeof distance);
        const struct kp_pointer *slot = kp_pointers_find(
            &labels->pointers, address + i + 6 + (uint64_t)(int64_t)distance);
        return slot && slot->name ? slot : NULL;
    }
    return NULL;
}

static int visit(void *context, const struct kp_reference *reference)
{
    struct kp_labels *labels = context;
    const struct kp_range *function;
    const struct kp_pointer *slot;
    if (reference->kind == KP_REFERENCE_SLOT) {
        slot = kp_pointers_find(&labels->pointers, reference->target);
        return slot && slot->name ? add_import(labels, reference, slot) : 0;
    }
    if (reference->kind == KP_REFERENCE_ADDRESS) {
        const struct kp_place *place = kp_places_find(&labels->places, reference->target);
        if (place)
            return add_link(&labels->places_of, reference->function,
                            (uint32_t)(place - labels->places.all), reference->pc);
    }
    function = kp_ranges_find(&labels->functions, reference->target);
    if (!function && reference->kind == KP_REFERENCE_ADDRESS)
        return add_use(&labels->data, reference);
    if (reference->kind == KP_REFERENCE_CALL && (slot = stub_slot(labels, reference->target)))
        return add_import(labels, reference, slot);
    if (!function || function->start != reference->target)
        return 0;
    uint32_t callee = (uint32_t)(function - labels->functions.all);
    return callee == reference->function
               ? 0
               : add_link(&labels->callers_of, callee, reference->function, reference->pc);
}

static void sort_links(struct links *links)
{
    if (links->count)
        qsort(links->all, links->count, sizeof *links->all, compare_links);
}

/* How many functions refer to each place, and whose it is. */
static void count_functions(struct kp_labels *labels)
{
    const struct link *all = labels->places_of.all;
    for (size_t i = 0; i < labels->places.count; i++)
        labels->places.all[i].origin = kp_label_origin(&labels->places.all[i]);
    for (size_t i = 0; i < labels->places_of.count; i++)
        if (!i || all[i].function != all[i - 1].function || all[i].other != all[i - 1].other)
            labels->places.all[all[i].other].functions++;
}

static int read_all(struct kp_labels *labels, Elf *elf)
{
    if (kp_image_init(&labels->image, elf) != 0 ||
        kp_functions_init(&labels->functions, &labels->image) != 0 ||
        !labels->functions.count || labels->functions.count >= UINT32_MAX ||
        kp_pointers_init(&labels->pointers, &labels->image) != 0 ||
        kp_places_init(&labels->places, &labels->image, &labels->pointers) != 0 ||
        kp_methods_init(&labels->methods, &labels->image, &labels->pointers,
                        &labels->functions) != 0 ||
        kp_code_scan(&labels->image, &labels->functions, visit, labels) != 0)
        return -1;
    if (labels->data.count)
        qsort(labels->data.all, labels->data.count, sizeof *labels->data.all, compare_uses);
    if (link_tables(labels) != 0)
        return -1;
    free(labels->data.all);
    labels->data = (struct data_uses){0};
    sort_links(&labels->tables_of);
    sort_links(&labels->places_of);
    sort_links(&labels->callers_of);
    sort_links(&labels->imports_of);
    count_functions(labels);
    return 0;
}

struct kp_labels *kp_labels_new(Elf *elf, const char *path, const struct kp_symbol_table *symbols)
{
    struct kp_labels *labels = calloc(1, sizeof *labels);
    if (labels)
        labels->symbols = symbols;
    if (labels && (labels->module = kp_label_module(path)) && read_all(labels, elf) == 0)
        return labels;
    kp_labels_free(labels);
    return NULL;
}

void kp_labels_free(struct kp_labels *labels)
{
    if (!labels)
        return;
    kp_ranges_release(&labels->functions);
    kp_pointers_release(&labels->pointers);
    kp_places_release(&labels->places);
    kp_methods_release(&labels->methods);
    free(labels->places_of.all);
    free(labels->callers_of.all);
    free(labels->imports_of.all);
    free(labels->tables_of.all);
    free(labels->data.all);
    free(labels->module);
    free(labels);
}

static bool is_better(const struct kp_place *place, uint64_t distance, const struct kp_place *best,
                      uint64_t best_distance)
{
    if (place->origin != best->origin)
        return place->origin < best->origin;
    if (place->functions != best->functions)
        return place->functions < best->functions;
    return distance < best_distance;
}

/* The function's place that is its own before all, then the nearest. NULL: it has none. */
static const struct kp_place *choose_place(const struct kp_labels *labels, uint32_t function,
                                           uint64_t pc, bool *close)
{
    size_t count;
    const struct link *links = links_of(&labels->places_of, function, &count);
    const struct kp_place *best = NULL;
    uint64_t best_distance = 0;
    for (size_t i = 0; i < count; i++) {
        const struct kp_place *place = &labels->places.all[links[i].other];
        uint64_t distance = links[i].pc > pc ? links[i].pc - pc : pc - links[i].pc;
        if (!best || is_better(place, distance, best, best_distance)) {
            best = place;
            best_distance = distance;
        }
    }
    *close = best && best->functions == 1 && best_distance < KP_CLOSE_BYTES &&
             best->origin == KP_PLACE_OWN;
    for (size_t i = 0; *close && i < count; i++) {
        const struct kp_place *place = &labels->places.all[links[i].other];
        *close = place->functions > 1 || kp_place_same_file(place, best);
    }
    return best;
}

/* "scanstring", "SSL_read" or "src/de.rs" for a caller; NULL when it has nothing of its own. */
static char *caller_text(const struct kp_labels *labels, uint32_t caller, uint64_t pc)
{
    const char *method = labels->methods.names[caller];
    uint64_t offset;
    bool close, exact;
    if (method)
        return strndup(method, strcspn(method, " "));
    const char *symbol = kp_symbol_table_find(labels->symbols, labels->functions.all[caller].start,
                                              &offset, &exact);
    if (symbol && exact)
        return kp_demangle(symbol);
    const struct kp_place *place = choose_place(labels, caller, pc, &close);
    return place ? kp_label_file(place) : NULL;
}

struct search {
    uint32_t queue[KP_CALLERS_MAX];
    int depths[KP_CALLERS_MAX];
    size_t queued;
    enum kp_label_relation relation;
};

static void enqueue(struct search *search, uint32_t function, int depth)
{
    for (size_t i = 0; i < search->queued; i++)
        if (search->queue[i] == function)
            return;
    if (search->queued < KP_CALLERS_MAX) {
        search->depths[search->queued] = depth;
        search->queue[search->queued++] = function;
    }
}

/* The text of the first of these callers that has a label; the others are queued. */
static char *try_callers(const struct kp_labels *labels, const struct links *all, size_t at,
                         struct search *search)
{
    size_t count;
    const struct link *links = links_of(all, search->queue[at], &count);
    int depth = search->depths[at] + 1;
    for (size_t i = 0; i < count && i < KP_CALLERS_MAX; i++) {
        char *text = caller_text(labels, links[i].other, links[i].pc);
        if (text) {
            search->relation = depth > 1                    ? KP_LABEL_BELOW
                               : all == &labels->callers_of ? KP_LABEL_CALLED
                                                            : KP_LABEL_TABLE;
            return text;
        }
    }
    for (size_t i = 0; i < count && depth < KP_DEPTH_MAX && search->queued < KP_CALLERS_MAX; i++)
        enqueue(search, links[i].other, depth);
    return NULL;
}

/* The nearest caller with a label of its own, breadth first. */
static char *find_caller(const struct kp_labels *labels, uint32_t function,
                         enum kp_label_relation *relation)
{
    struct search search = {.queue = {function}, .queued = 1};
    char *text = NULL;
    for (size_t at = 0; at < search.queued && !text; at++) {
        text = try_callers(labels, &labels->callers_of, at, &search);
        if (!text)
            text = try_callers(labels, &labels->tables_of, at, &search);
    }
    *relation = search.relation;
    return text;
}

static size_t count_callers(const struct kp_labels *labels, uint32_t function)
{
    size_t count, callers = 0;
    const struct link *links = links_of(&labels->callers_of, function, &count);
    for (size_t i = 0; i < count; i++)
        callers += i == 0 || links[i].other != links[i - 1].other;
    return callers;
}

static char *imports_text(const struct kp_labels *labels, uint32_t function)
{
    const char *names[KP_LABEL_IMPORTS];
    size_t count, used = 0;
    const struct link *links = links_of(&labels->imports_of, function, &count);
    for (size_t i = 0; i < count && used < KP_LABEL_IMPORTS; i++)
        if (i == 0 || links[i].other != links[i - 1].other)
            names[used++] = labels->pointers.all[links[i].other].name;
    return used ? kp_label_imports(names, used) : NULL;
}

/* What is around a function that has neither name nor place. */
static bool label_by_neighbours(const struct kp_labels *labels, uint32_t function,
                                struct kp_label *label)
{
    uint64_t start = labels->functions.all[function].start;
    size_t callers = count_callers(labels, function);
    enum kp_label_relation relation = KP_LABEL_BELOW;
    char *imports = imports_text(labels, function), *caller = NULL;
    if (!imports || callers <= KP_CALLERS_TELLING)
        caller = find_caller(labels, function, &relation);
    if (caller && (!imports || relation == KP_LABEL_CALLED))
        label->function = kp_label_called(labels->module, start, caller, relation, callers);
    else if (imports)
        label->function = kp_label_calls(labels->module, start, imports);
    label->file = strdup("");
    free(imports);
    free(caller);
    return label->function && label->file;
}

bool kp_labels_find(const struct kp_labels *labels, uint64_t address, struct kp_label *label)
{
    const struct kp_range *range = kp_ranges_find(&labels->functions, address);
    bool close, found;
    *label = (struct kp_label){0};
    if (!range)
        return false;
    uint32_t function = (uint32_t)(range - labels->functions.all);
    const char *method = labels->methods.names[function];
    const struct kp_place *place =
        method ? NULL : choose_place(labels, function, address, &close);
    if (method) {
        *label = (struct kp_label){strdup(method), strdup(""), 0, true};
        found = label->function && label->file;
    } else if (place) {
        label->line = close ? (int)place->line : 0;
        label->function = kp_label_place(labels->module, place, label->line);
        label->file = kp_label_file(place);
        found = label->function && label->file;
    } else {
        found = label_by_neighbours(labels, function, label);
    }
    if (!found) {
        free(label->function);
        free(label->file);
    }
    return found;
}

bool kp_labels_function(const struct kp_labels *labels, uint64_t address, uint64_t *start,
                        uint64_t *end)
{
    const struct kp_range *function = kp_ranges_find(&labels->functions, address);
    if (function) {
        *start = function->start;
        *end = function->end;
    }
    return function != NULL;
}
