/* SPDX-License-Identifier: MIT */
/*
 * Which allocator it is, is told by what the object that has the next malloc exports. Called by one
 * thread at a time. The functions are looked up once, in that object alone: another allocator that
 * is loaded but serves nobody says nothing.
 *
 *   glibc     mallinfo2: used is uordblks + hblkhd less the main thread's cache of freed blocks,
 *             held is arena + hblkhd
 *   jemalloc  stats.allocated, stats.resident
 *   tcmalloc  current_allocated_bytes, heap_size without what was given back
 *   mimalloc  held is what it has committed; it can't say what is used without visiting its blocks
 */
#include "totals_malloc.h"

#include "real.h"
#include "record.h"
#include "scope.h"
#include "totals_tcache.h"

#include <stdbool.h>
#include <stddef.h>

static bool is_known;
static struct kp_malloc_calls allocator;

static struct link_map *serving_object(void)
{
    struct link_map *self = kp_scope_self(), *owner = NULL;

    if (kp_allocator.program_has_its_own)
        return kp_scope_program();
    kp_scope_find_from(self ? self->l_next : NULL, "malloc", &owner);
    return owner;
}

static void find_functions(void)
{
    static const struct {
        const char *name;
        void **function;
    } wanted[] = {
        /* tcmalloc has a mallinfo of its own: libc's is the last. */
        {"mallctl", (void **)&allocator.mallctl},
        {"MallocExtension_GetNumericProperty", (void **)&allocator.tcmalloc_property},
        {"mi_process_info", (void **)&allocator.mi_process_info},
        {"mallinfo2", (void **)&allocator.mallinfo2},
    };
    bool found = false;

    allocator.object = serving_object();
    for (unsigned i = 0; allocator.object && !found && i < sizeof wanted / sizeof *wanted; i++) {
        *wanted[i].function = kp_scope_find(allocator.object, wanted[i].name);
        found = *wanted[i].function != NULL;
    }
    is_known = true;
}

const struct kp_malloc_calls *kp_malloc_calls(void)
{
    if (!is_known)
        find_functions();
    return &allocator;
}

static uint64_t jemalloc_figure(const char *name)
{
    size_t value = 0, bytes = sizeof value;

    return allocator.mallctl(name, &value, &bytes, NULL, 0) == 0 ? value : KP_TOTAL_UNKNOWN;
}

static void ask_jemalloc(uint64_t *used, uint64_t *held)
{
    uint64_t epoch = 1;

    allocator.mallctl("epoch", NULL, NULL, &epoch, sizeof epoch);
    *used = jemalloc_figure("stats.allocated");
    *held = jemalloc_figure("stats.resident");
}

static void ask_tcmalloc(uint64_t *used, uint64_t *held)
{
    size_t allocated, heap, given_back;

    if (allocator.tcmalloc_property("generic.current_allocated_bytes", &allocated))
        *used = allocated;
    if (!allocator.tcmalloc_property("tcmalloc.pageheap_unmapped_bytes", &given_back))
        given_back = 0;
    if (allocator.tcmalloc_property("generic.heap_size", &heap))
        *held = heap - given_back;
}

static void ask_mimalloc(uint64_t *held)
{
    size_t committed = 0;

    allocator.mi_process_info(NULL, NULL, NULL, NULL, NULL, &committed, NULL, NULL);
    *held = committed;
}

static void ask_glibc(uint64_t *used, uint64_t *held)
{
    struct mallinfo2 info = allocator.mallinfo2();

    uint64_t cached = kp_totals_tcache();

    *used = info.uordblks + info.hblkhd;
    *used -= cached <= *used ? cached : 0;
    *held = info.arena + info.hblkhd;
}

void kp_totals_of_malloc(uint64_t *used, uint64_t *held)
{
    *used = *held = KP_TOTAL_UNKNOWN;
    kp_malloc_calls();
    if (allocator.mallctl)
        ask_jemalloc(used, held);
    else if (allocator.tcmalloc_property)
        ask_tcmalloc(used, held);
    else if (allocator.mi_process_info)
        ask_mimalloc(held);
    else if (allocator.mallinfo2)
        ask_glibc(used, held);
}
