/* SPDX-License-Identifier: MIT */
/*
 * Our functions in front of Python's allocators. Host's threads; in a Python with a GIL under it,
 * in a free-threaded one anywhere.
 *
 * Everything is counted once, and where it is served. Python's own allocator ("pymalloc") serves
 * requests of 1 to 512 bytes; those we count here. Larger ones and empty ones it passes to malloc,
 * where we stand too. Around the border, with debug hooks in between and for any other allocator
 * one can't tell beforehand. So there we look afterwards: has this thread's countdown moved during
 * the call, somebody has counted it. (Taking an arena moves it too; that much is left out.)
 *
 * realloc always goes that way: a block may stay where it is or cross the border.
 *
 * An object that is given back and has the type of code is code: its address may be used again. Its
 * type stands in its second word, which the smallest block has; in free-threaded builds it has not.
 */
#include "python_domains.h"

#include "python.h"
#include "python_code.h"
#include "python_gate.h"
#include "python_layout.h"
#include "sample.h"
#include "snapshot_pymalloc.h"
#include "state.h"
#include "sys.h"

#include <stdatomic.h>
#include <sys/mman.h>

struct arena_allocator {
    void *context;
    void *(*alloc)(void *, size_t);
    void (*free)(void *, void *, size_t);
};
enum { DOMAIN_RAW, DOMAIN_MEM, DOMAIN_OBJECT, DOMAINS };

/* Somebody else may have wrapped us before we wrap again: each time has its own. */
#define WRAPS_MAX 4
static struct kp_gate domains[WRAPS_MAX][DOMAINS];
static struct kp_py_allocator fronts[WRAPS_MAX][DOMAINS]; /* what was put there */
static unsigned wraps;
static struct arena_allocator arenas;
static _Atomic uint64_t arena_bytes;
static bool maps_unseen; /* an allocator that takes its arenas without telling */
bool kp_python_domains_settled __attribute__((visibility("hidden")));

/* ---- counted before the call: Python's own allocator as it is ---- */

static KP_SLOW void *slow_malloc(void *context, size_t size)
{
    const struct kp_gate *domain = context;
    struct kp_origin origin = KP_ORIGIN_HERE();
    uint64_t rate = kp_sample_decide(size);
    void *block = domain->next.malloc(domain->next.context, size);

    kp_sample_alloc(domain->kind, size, block, rate, &origin);
    return block;
}

static KP_SLOW void *slow_calloc(void *context, size_t count, size_t size)
{
    const struct kp_gate *domain = context;
    struct kp_origin origin = KP_ORIGIN_HERE();
    uint64_t rate = kp_sample_decide(count * size);
    void *block = domain->next.calloc(domain->next.context, count, size);

    kp_sample_alloc(domain->kind, count * size, block, rate, &origin);
    return block;
}

/* The same as the gates, where no page for them is to be had. */

static void *small_malloc(void *context, size_t size)
{
    const struct kp_gate *domain = context;

    if (size - 1 < KP_GATE_SMALL_MAX && kp_counts(size))
        return slow_malloc(context, size);
    return domain->next.malloc(domain->next.context, size);
}

static void *small_calloc(void *context, size_t count, size_t size)
{
    const struct kp_gate *domain = context;
    size_t bytes;

    if (!__builtin_mul_overflow(count, size, &bytes) && bytes - 1 < KP_GATE_SMALL_MAX &&
        kp_counts(bytes))
        return slow_calloc(context, count, size);
    return domain->next.calloc(domain->next.context, count, size);
}

/* ---- counted after the call, if nobody else did ---- */

/* The countdown, but for what arenas moved it. */
static int64_t countdown(void)
{
    return kp_self.left + kp_self.moved_by_arenas;
}

/* Entered by a jump from one of ours, so that the caller is theirs. */
static KP_SLOW void *slow_after(const struct kp_gate *domain, size_t size, void *block)
{
    struct kp_origin origin = KP_ORIGIN_HERE();

    kp_sample_alloc(domain->kind, size, block, kp_sample_decide(size), &origin);
    return block;
}

static void *any_malloc(void *context, size_t size)
{
    const struct kp_gate *domain = context;
    int64_t before = countdown();
    void *block = domain->next.malloc(domain->next.context, size);

    if (block && countdown() == before && kp_counts(size))
        return slow_after(domain, size, block);
    return block;
}

static void *any_calloc(void *context, size_t count, size_t size)
{
    const struct kp_gate *domain = context;
    int64_t before = countdown();
    void *block = domain->next.calloc(domain->next.context, count, size);

    if (block && countdown() == before && kp_counts(count * size))
        return slow_after(domain, count * size, block);
    return block;
}

static KP_SLOW void *realloc_sampled(const struct kp_gate *domain, void *block, size_t size)
{
    uint64_t id = kp_sample_take(block);
    void *result = domain->next.realloc(domain->next.context, block, size);

    if (id && result)
        kp_sample_freed(id);
    else if (id)
        kp_sample_put_back(block, id);
    return result;
}

static void *any_realloc(void *context, void *block, size_t size)
{
    const struct kp_gate *domain = context;
    int64_t before = countdown();
    void *result = block && kp_filter_hit(block)
                       ? realloc_sampled(domain, block, size)
                       : domain->next.realloc(domain->next.context, block, size);

    if (result && countdown() == before && kp_counts(size))
        return slow_after(domain, size, result);
    return result;
}

/* A Python that ends frees its code. One that is started again in the same process may have its
 * allocators as they were before us (3.12 on), so that the next samples look once more. */
static void code_dies(const void *block)
{
    kp_python_code_gone((uintptr_t)block);
    if (kp_python.is_initialised && !kp_python.is_initialised())
        kp_python_domains_settled = false;
}

/* Another allocator than pymalloc may give out blocks of one word, where a page may end; never
 * at such an address. */
static bool is_code(const struct kp_gate *domain, const void *block)
{
    return domain->code_type != UINTPTR_MAX && (uintptr_t)block % 16 == 0 &&
           ((const uintptr_t *)block)[1] == domain->code_type;
}

static KP_SLOW void slow_free(void *context, void *block)
{
    const struct kp_gate *domain = context;

    if (is_code(domain, block))
        code_dies(block);
    if (kp_filter_hit(block))
        kp_sample_free(block);
    domain->next.free(domain->next.context, block);
}

static void any_free(void *context, void *block)
{
    const struct kp_gate *domain = context;

    if (block && (kp_filter_hit(block) || is_code(domain, block)))
        slow_free(context, block);
    else
        domain->next.free(domain->next.context, block);
}

/* ---- arenas ---- */

bool kp_python_maps_arena(uintptr_t caller, int flags)
{
    return kp_self.in_arena || (maps_unseen && flags & MAP_NORESERVE &&
                                caller >= kp_python.start && caller < kp_python.end);
}

int64_t kp_python_arena_begin(void)
{
    return kp_self.left;
}

void kp_python_arena_end(int64_t left)
{
    kp_self.moved_by_arenas += left - kp_self.left;
}

uint64_t kp_python_arena_bytes(void)
{
    return atomic_load_explicit(&arena_bytes, memory_order_relaxed);
}

static void *arena_alloc(void *context, size_t bytes)
{
    void *arena;

    (void)context;
    kp_self.in_arena = true;
    arena = arenas.alloc(arenas.context, bytes);
    kp_self.in_arena = false;
    if (arena) {
        atomic_fetch_add_explicit(&arena_bytes, bytes, memory_order_relaxed);
        kp_pymalloc_arena_came(arena, bytes);
    }
    return arena;
}

static void arena_free(void *context, void *arena, size_t bytes)
{
    (void)context;
    kp_pymalloc_arena_goes(arena);
    atomic_fetch_sub_explicit(&arena_bytes, bytes, memory_order_relaxed);
    arenas.free(arenas.context, arena, bytes);
}

/* ---- putting them in front ---- */

struct python_calls {
    void (*get)(int, struct kp_py_allocator *);
    void (*set)(int, struct kp_py_allocator *);
    void (*get_arenas)(struct arena_allocator *);
    void (*set_arenas)(struct arena_allocator *);
};

static bool find_calls(struct python_calls *calls)
{
    calls->get = (void (*)(int, struct kp_py_allocator *))kp_python_symbol("PyMem_GetAllocator");
    calls->set = (void (*)(int, struct kp_py_allocator *))kp_python_symbol("PyMem_SetAllocator");
    calls->get_arenas =
        (void (*)(struct arena_allocator *))kp_python_symbol("PyObject_GetArenaAllocator");
    calls->set_arenas =
        (void (*)(struct arena_allocator *))kp_python_symbol("PyObject_SetArenaAllocator");
    return calls->get && calls->set;
}

/* The type of an object stands where one can find it in any block. */
static bool has_type_word(void)
{
    return kp_py_layout.type == sizeof(uintptr_t);
}

static uintptr_t code_type(void)
{
    return has_type_word() ? kp_python.code_type : UINTPTR_MAX;
}

/* What to put in front of it. */
static struct kp_py_allocator choose(const struct kp_py_allocator *next, bool is_pymalloc)
{
    struct kp_py_allocator gates = {NULL, any_malloc, any_calloc, any_realloc, any_free};

    if (is_pymalloc && !kp_gates_make(kp_python.start, next, code_type(), &gates)) {
        gates.malloc = small_malloc;
        gates.calloc = small_calloc;
    }
    return gates;
}

static void wrap_domain(const struct python_calls *calls, int which,
                        const struct kp_py_allocator *now, const struct kp_py_allocator *gates)
{
    struct kp_gate *domain = &domains[wraps][which];
    struct kp_py_allocator ours = *gates;

    domain->next = *now;
    domain->slow = (struct kp_py_allocator){NULL, slow_malloc, slow_calloc, any_realloc, slow_free};
    domain->code_type = which == DOMAIN_OBJECT ? code_type() : UINTPTR_MAX;
    domain->kind = which == DOMAIN_OBJECT ? KP_KIND_OBJECT : KP_KIND_MEM;
    ours.context = domain;
    fronts[wraps][which] = ours;
    calls->set(which, &ours);
}

/* In front of pymalloc there were functions of ours already, and Python has forgotten them. */
static bool put_again(const struct python_calls *calls, const struct kp_py_allocator *pymalloc)
{
    for (unsigned i = 0; i < wraps; i++) {
        if (domains[i][DOMAIN_OBJECT].next.malloc != pymalloc->malloc ||
            domains[i][DOMAIN_MEM].next.malloc != pymalloc->malloc)
            continue;
        calls->set(DOMAIN_OBJECT, &fronts[i][DOMAIN_OBJECT]);
        calls->set(DOMAIN_MEM, &fronts[i][DOMAIN_MEM]);
        return true;
    }
    return false;
}

static void wrap_arenas(const struct python_calls *calls)
{
    struct arena_allocator now, ours = {NULL, arena_alloc, arena_free};

    if (!calls->get_arenas || !calls->set_arenas)
        return;
    calls->get_arenas(&now);
    if (now.alloc == arena_alloc)
        return;
    arenas = now;
    calls->set_arenas(&ours);
}

static bool is_ours(const struct kp_py_allocator *now)
{
    return (uintptr_t)now->context - (uintptr_t)domains < sizeof domains;
}

/* A domain that malloc serves is seen there. */
static bool is_to_wrap(const struct kp_py_allocator *now, const struct kp_py_allocator *raw)
{
    return !is_ours(now) && now->malloc != raw->malloc;
}

/* The plain pymalloc serves both domains with the same functions and has no context; in the raw
 * domain there is malloc then. Debug hooks have a context, mimalloc has functions for each. */
static void wrap(const struct python_calls *calls)
{
    struct kp_py_allocator raw, mem, object;

    calls->get(DOMAIN_RAW, &raw);
    calls->get(DOMAIN_MEM, &mem);
    calls->get(DOMAIN_OBJECT, &object);
    bool wrap_mem = is_to_wrap(&mem, &raw), wrap_object = is_to_wrap(&object, &raw);
    bool is_pymalloc = object.malloc == mem.malloc && !object.context && !mem.context &&
                       !kp_python.is_free_threaded;
    if (is_pymalloc && wrap_mem && wrap_object && put_again(calls, &object))
        return;
    kp_python.tells_code_deaths = has_type_word() && (is_ours(&object) ||
                                                     (wrap_object && wraps < WRAPS_MAX));
    if ((!wrap_mem && !wrap_object) || wraps == WRAPS_MAX)
        return;
    maps_unseen = kp_python.minor >= 13 && !is_pymalloc;
    struct kp_py_allocator ours = choose(&object, is_pymalloc);
    if (wrap_object)
        wrap_domain(calls, DOMAIN_OBJECT, &object, &ours);
    if (wrap_mem)
        wrap_domain(calls, DOMAIN_MEM, &mem, &ours);
    wraps++;
}

void kp_python_domains_wrap(void)
{
    struct python_calls calls;
    bool initialised;

    if (!kp_python.is_found || (kp_state.pid && kp_sys_gettid() != kp_state.pid))
        return;
    initialised = kp_python.is_initialised && kp_python.is_initialised();
    if (find_calls(&calls)) {
        wrap(&calls);
        wrap_arenas(&calls);
    }
    kp_python_domains_settled = initialised;
}
