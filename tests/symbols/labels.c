/* SPDX-License-Identifier: MIT */
/*
 * What a stripped extension module has, in miniature and without Python or Rust: tables of methods,
 * a static type, a type made from a spec, PyO3's tables, panic locations of two crates, a helper, a
 * vtable, imports; and OpenSSL's table of fields, which only looks like one of methods. The test
 * asks for the functions by the symbols of the unstripped twin.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define API __attribute__((visibility("hidden"), used, noinline, noclone))
#define BODY(n) __asm__ volatile("nop\n\tnop\n\t" ::"r"(n))

extern void *PyModule_Create2(void *, int); /* what makes it a module of Python */

struct location {
    const char *file;
    size_t length;
    unsigned line, column;
};
#define AT(path, line) {path, sizeof path - 1, line, 9}
static const struct location model = AT("src/model.rs", 212), model_2 = AT("src/model.rs", 220),
                             far = AT("src/far.rs", 7),
                             dict = AT("/home/u/.cargo/registry/src/index-1949cf8c6b5b557f/"
                                       "pyo3-0.28.3/src/types/dict.rs", 55),
                             vec = AT("/rustc/59807616e1fa/library/alloc/src/vec/mod.rs", 99),
                             crates = AT("crates/orders-core/src/lib.rs", 3),
                             shared = AT("src/shared.rs", 1);

API void panic_at(const struct location *at)
{
    BODY(at);
    fputs(at->file, stderr);
    abort();
}
API void helper(int n)
{
    BODY(n);
}
API void near_model(int n)
{
    BODY(n);
    helper(n);
    if (n == 77)
        panic_at(&model);
    if (n == 78)
        panic_at(&model_2);
}
API void near_dict(int n)
{
    BODY(n);
    if (n == 77)
        panic_at(&dict);
}
API void near_crates(int n)
{
    BODY(n);
    if (n == 77)
        panic_at(&crates);
}
/* Both refer to it, so it is about neither alone. */
API void shared_1(int n)
{
    BODY(n);
    if (n == 77)
        panic_at(&shared);
}
API void shared_2(int n)
{
    BODY(n);
    if (n == 77)
        panic_at(&shared);
    if (n == 78)
        panic_at(&vec);
}
API void far_away(int n)
{
    BODY(n);
    __asm__ volatile(".skip 2000, 0x90");
    if (n == 77)
        panic_at(&far);
}
API void only_imports(char *text)
{
    puts(text);
    BODY(text);
}
API void in_vtable(void *self)
{
    BODY(self);
}
static void *const vtable[] = {0, (void *)8, (void *)8, (void *)in_vtable};
API void *makes_vtable(int n)
{
    if (n == 77)
        panic_at(&model);
    BODY(n);
    return (void *)&vtable;
}
API void below_helper(int n)
{
    BODY(n);
}
API void calls_below(int n)
{
    below_helper(n);
    BODY(n);
}
API void near_below(int n)
{
    calls_below(n);
    if (n == 77)
        panic_at(&dict);
    BODY(n);
}
API void nobody(int n)
{
    BODY(n);
}

#define FUNCTION(name)                                                                             \
    API void *name(void *self)                                                                     \
    {                                                                                              \
        BODY(self);                                                                                \
        return self;                                                                               \
    }
FUNCTION(scan)
FUNCTION(encode)
FUNCTION(lone)
FUNCTION(get_strict)
FUNCTION(set_strict)
FUNCTION(call_scanner)
FUNCTION(free_scanner)
FUNCTION(new_order)
FUNCTION(repr_order)
FUNCTION(order_total)
FUNCTION(validate_json)
FUNCTION(validate_python)
FUNCTION(get_title)
FUNCTION(only_slot)
FUNCTION(field_item)
FUNCTION(last_item)

struct method {
    const char *name;
    void *(*function)(void *);
    int flags;
    const char *doc;
};
struct getset {
    const char *name;
    void *(*get)(void *), *(*set)(void *);
    const char *doc;
    void *closure;
};
struct slot {
    int number;
    void *value;
};
static struct method module_methods[] = {{"scan_text", scan, 0x82, "scan_text(s)"}, {0}};
struct method lone_method = {"lone_name", lone, 0x1, "lone"};
static struct method scanner_methods[] = {{"encode_text", encode, 8, 0}, {0}};
static struct getset scanner_getset[] = {{"strict", get_strict, set_strict, "strict", 0}, {0}};

struct type {
    size_t references;
    void *type;
    size_t size;
    const char *name;
    size_t basic, item;
    void *fields[46];
};
#define FIELD(offset) ((offset) / 8 - 6)
struct type scanner_type = {.references = 1,
                            .name = "_labels.Scanner",
                            .basic = 48,
                            .fields = {[FIELD(48)] = free_scanner,
                                       [FIELD(128)] = call_scanner,
                                       [FIELD(168)] = (void *)0x41000,
                                       [FIELD(176)] = "a scanner",
                                       [FIELD(232)] = scanner_methods,
                                       [FIELD(248)] = scanner_getset}};

static struct method order_methods[] = {{"total", order_total, 4, "total()"}, {0}};
static struct slot order_slots[] = {
    {65, new_order}, {66, repr_order}, {64, order_methods}, {0, 0}};
struct spec {
    const char *name;
    int basic, item;
    unsigned flags;
    struct slot *slots;
} order_spec = {"_labels.Order", 32, 0, 0x1000, order_slots};

/* As one version of rustc lays them out: tag, function, name with its length, text, flags. */
struct pyo3_method {
    size_t tag;
    void *(*function)(void *);
    const char *name;
    size_t name_length;
    const char *doc;
    size_t doc_length;
    size_t flags;
};
#define PYO3(tag, function, name, flags) {tag, function, name, sizeof name, "doc", 4, flags}
static const struct pyo3_method pyo3_methods[] = {PYO3(2, validate_json, "validate_json_name", 0x82),
                                                  PYO3(2, validate_python, "validate_python_name", 4),
                                                  PYO3(4, get_title, "title_name", 0)};
static const struct slot pyo3_slots[] = {{70, only_slot}};
struct {
    const struct pyo3_method *methods;
    size_t method_count;
    const struct slot *slots;
    size_t slot_count;
} pyo3_items = {pyo3_methods, 3, pyo3_slots, 1};

struct asn1_template {
    unsigned long flags;
    long tag;
    unsigned long offset;
    const char *name;
    void *(*item)(void *);
};
struct asn1_template asn1_templates[] = {{0x1000, 0, 0, "serial", field_item},
                                         {4, 0, 8, "issuer", last_item},
                                         {4, 0, 24, "subject", last_item}};

struct method *labels_tables(int n);
struct method *labels_tables(int n)
{
    PyModule_Create2(0, n);
    near_model(n);
    near_dict(n);
    near_crates(n);
    shared_1(n);
    shared_2(n);
    far_away(n);
    only_imports("x");
    near_below(n);
    makes_vtable(n);
    return module_methods;
}

#ifdef PROGRAM
int main(int n, char **arguments)
{
    (void)arguments;
    return labels_tables(n) == NULL;
}
#endif
