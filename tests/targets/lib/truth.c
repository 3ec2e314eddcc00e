/* SPDX-License-Identifier: MIT */
/*
 * The ground truth: stands in front of the library in LD_PRELOAD and counts every successful call
 * of the malloc family, with a table of its own of what is alive. Totals are kept in a shared
 * file, TRUTH_LOG, one row a process (by pid, from fork or exec on), so that they are right however
 * a process ends; tests/tools/show_truth prints them. Blocks that a fork inherits count as
 * nobody's, and what the loader allocates while our library opens its unwinder is not the program's.
 */
#include "target.h"

#include "truth.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>

#define SLOTS (1u << 22)

struct block {
    uintptr_t address; /* 0 free, 1 removed */
    size_t size;
    unsigned owner;
};

static struct block *table;
static struct truth *truth;
static struct truth_row *row;
static unsigned owner;
static int lock, ready;
static char early[65536];
static size_t early_used;
static struct {
    void *(*malloc)(size_t), *(*calloc)(size_t, size_t), *(*realloc)(void *, size_t);
    void *(*reallocarray)(void *, size_t, size_t), *(*aligned_alloc)(size_t, size_t);
    void *(*memalign)(size_t, size_t), *(*valloc)(size_t), *(*pvalloc)(size_t);
    int (*posix_memalign)(void **, size_t, size_t);
    void (*free)(void *);
} next;

static void take_lock(void)
{
    while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
        __builtin_ia32_pause();
}
static void give_lock(void) { __atomic_store_n(&lock, 0, __ATOMIC_RELEASE); }

static void new_row(void)
{
    owner = __atomic_fetch_add(&truth->rows, 1, __ATOMIC_RELAXED);
    row = &truth->row[owner % TRUTH_ROWS];
    row->pid = (uint64_t)getpid();
}

static void in_child(void)
{
    new_row();
    give_lock();
}

#define FIND(name) next.name = (__typeof__(next.name))dlsym(RTLD_NEXT, #name)

static void begin(void)
{
    static int begun;
    if (__atomic_exchange_n(&begun, 1, __ATOMIC_ACQ_REL))
        return;
    int fd = open(getenv("TRUTH_LOG"), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0 || ftruncate(fd, sizeof *truth) != 0)
        _exit(99);
    truth = mmap(NULL, sizeof *truth, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    table = mmap(NULL, SLOTS * sizeof *table, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    FIND(calloc), FIND(malloc), FIND(realloc), FIND(reallocarray), FIND(aligned_alloc);
    FIND(memalign), FIND(valloc), FIND(pvalloc), FIND(posix_memalign), FIND(free);
    new_row();
    pthread_atfork(take_lock, give_lock, in_child);
    __atomic_store_n(&ready, 1, __ATOMIC_RELEASE);
}

static struct block *find(uintptr_t address, int insert)
{
    struct block *reuse = NULL;
    for (uint32_t i = (uint32_t)(address >> 4) * 2654435761u % SLOTS;; i = (i + 1) % SLOTS) {
        if (table[i].address == address)
            return &table[i];
        if (table[i].address == 1 && !reuse)
            reuse = &table[i];
        if (table[i].address == 0)
            return insert ? (reuse ? reuse : &table[i]) : NULL;
    }
}

/* Calls that are not the program's: below a call that is counted already, or below our library. */
static __thread int uncounted;

static void add(void *p, size_t size, enum truth_family family)
{
    if (uncounted)
        return;
    int error = errno;
    take_lock();
    *find((uintptr_t)p, 1) = (struct block){(uintptr_t)p, size, owner};
    row->count[family]++;
    row->bytes[family] += size;
    row->live_count++;
    row->live_bytes += size;
    give_lock();
    errno = error;
}

static void drop(void *p, size_t *size_back)
{
    take_lock();
    struct block *block = find((uintptr_t)p, 0);
    if (size_back)
        *size_back = block ? block->size : 0;
    if (block && block->owner == owner) {
        row->live_count--;
        row->live_bytes -= block->size;
    }
    if (block)
        block->address = 1;
    give_lock();
}

static int is_early(void *p) { return (char *)p >= early && (char *)p < early + sizeof early; }

static void *from_early(size_t size)
{
    void *p = early + early_used;
    early_used += (size + 15) & ~(size_t)15;
    return early_used <= sizeof early ? p : NULL;
}

#define RETURN_COUNTED(call, size, family)                                                         \
    if (!ready)                                                                                    \
        begin();                                                                                   \
    if (!ready)                                                                                    \
        return from_early(size);                                                                   \
    void *p = call;                                                                                \
    if (p)                                                                                         \
        add(p, size, family);                                                                      \
    return p

void *malloc(size_t size) { RETURN_COUNTED(next.malloc(size), size, TRUTH_MALLOC); }
void *calloc(size_t n, size_t size)
{
    RETURN_COUNTED(next.calloc(n, size), n * size, TRUTH_CALLOC);
}
void *memalign(size_t align, size_t size)
{
    RETURN_COUNTED(next.memalign(align, size), size, TRUTH_ALIGNED);
}
void *aligned_alloc(size_t align, size_t size)
{
    RETURN_COUNTED(next.aligned_alloc(align, size), size, TRUTH_ALIGNED);
}
void *valloc(size_t size) { RETURN_COUNTED(next.valloc(size), size, TRUTH_ALIGNED); }
void *pvalloc(size_t size) { RETURN_COUNTED(next.pvalloc(size), size, TRUTH_ALIGNED); }

int posix_memalign(void **p, size_t align, size_t size)
{
    if (!ready)
        begin();
    int result = next.posix_memalign(p, align, size);
    if (result == 0)
        add(*p, size, TRUTH_ALIGNED);
    return result;
}

static void *resize(void *p, size_t n, size_t size, int array)
{
    size_t old = 0;
    if (!ready)
        begin();
    if (is_early(p)) {
        void *q = malloc(n * size);
        return q ? memcpy(q, p, n * size) : NULL;
    }
    if (uncounted)
        return next.realloc(p, n * size);
    if (p)
        drop(p, &old); /* before the call: another thread may get the address at once */
    int error = errno;
    errno = 0;
    uncounted++; /* the C library's reallocarray calls realloc by its public name */
    void *q = array ? next.reallocarray(p, n, size) : next.realloc(p, size);
    uncounted--;
    int failed = !q && errno == ENOMEM;
    if (!errno)
        errno = error;
    if (q)
        add(q, n * size, TRUTH_REALLOC);
    else if (p && failed) { /* still there: put it back as it was */
        add(p, old, TRUTH_REALLOC);
        take_lock();
        row->count[TRUTH_REALLOC]--;
        row->bytes[TRUTH_REALLOC] -= old;
        give_lock();
    }
    return q;
}

void *realloc(void *p, size_t size) { return resize(p, 1, size, 0); }
void *reallocarray(void *p, size_t n, size_t size) { return resize(p, n, size, 1); }

void free(void *p)
{
    if (!p || is_early(p))
        return;
    if (!ready)
        begin();
    int error = errno;
    drop(p, NULL);
    errno = error;
    next.free(p);
}

void *dlopen(const char *path, int mode)
{
    static void *(*next_dlopen)(const char *, int);
    Dl_info caller = {0};
    if (!next_dlopen)
        next_dlopen = (void *(*)(const char *, int))dlsym(RTLD_NEXT, "dlopen");
    dladdr(__builtin_return_address(0), &caller);
    int ours = caller.dli_fname && strstr(caller.dli_fname, "libkprof.so");
    uncounted += ours;
    void *library = next_dlopen(path, mode);
    uncounted -= ours;
    return library;
}
