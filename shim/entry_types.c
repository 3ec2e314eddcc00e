/* SPDX-License-Identifier: MIT */
/*
 * Types: their methods, and the slots by which Python makes, initialises, calls and iterates their
 * objects. A static type's slots are changed in place before PyType_Ready() hands them down to its
 * subclasses; a spec is copied, as its author may keep it in read-only memory or compare it. One
 * function has one thunk, so that slots that were equal stay equal (CPython compares tp_new).
 * Host's threads, in a call that the extension makes.
 */
#include "entry.h"
#include "entry_wrap.h"
#include "hook_table.h"
#include "patch_word.h"
#include "python.h"
#include "state.h"

#include <errno.h>
#include <string.h>

#define SPEC_SLOTS_MAX 160

/* As in CPython's headers. */
struct slot {
    int slot;
    void *function;
};
struct spec {
    const char *name;
    int basic_size, item_size;
    unsigned flags;
    struct slot *slots;
};

static const struct wrapped_slot {
    int slot;           /* in a spec */
    unsigned offset;    /* in a type, behind an object's head */
    const char *name;
} wrapped_slots[] = {
    {50, 128 - 16, "__call__"},
    {60, 296 - 16, "__init__"},
    {62, 224 - 16, "__next__"},
    {65, 312 - 16, "__new__"},
};
#define SLOTS (sizeof wrapped_slots / sizeof *wrapped_slots)
#define SLOT_METHODS 64
#define TYPE_NAME (24u - 16u)
#define TYPE_METHODS (232u - 16u)

static void *real_from_spec, *real_from_spec_with_bases, *real_from_module, *real_from_metaclass;
static void *real_ready;

static void wrap_slot(struct slot *slot, const char *type)
{
    for (unsigned i = 0; i < SLOTS; i++)
        if (slot->slot == wrapped_slots[i].slot)
            slot->function =
                kp_entry_wrap(KP_ENTRY_SLOT, slot->function, type, wrapped_slots[i].name);
}

/* The spec with its slots wrapped: the copy, or itself if it is too long. */
static struct spec *wrapped_spec(struct spec *spec, struct spec *copy, struct slot *slots)
{
    const char *type = spec ? kp_last_part(spec->name) : NULL;
    int error = errno, count = 0;
    uint64_t cookie;

    if (!spec || !spec->slots)
        return spec;
    for (; spec->slots[count].slot; count++)
        if (spec->slots[count].slot == SLOT_METHODS)
            kp_entry_wrap_methods(spec->slots[count].function, type);
    if (count >= SPEC_SLOTS_MAX || !kp_entries_open(&cookie))
        return spec;
    memcpy(slots, spec->slots, (size_t)(count + 1) * sizeof *slots);
    for (int i = 0; i < count; i++)
        wrap_slot(&slots[i], type);
    kp_entries_close();
    *copy = *spec;
    copy->slots = slots;
    errno = error;
    return copy;
}

static void *from_spec(struct spec *spec)
{
    struct slot slots[SPEC_SLOTS_MAX];
    struct spec copy;

    return ((void *(*)(struct spec *))real_from_spec)(wrapped_spec(spec, &copy, slots));
}

static void *from_spec_with_bases(struct spec *spec, void *bases)
{
    struct slot slots[SPEC_SLOTS_MAX];
    struct spec copy;

    return ((void *(*)(struct spec *, void *))real_from_spec_with_bases)(
        wrapped_spec(spec, &copy, slots), bases);
}

static void *from_module(void *module, struct spec *spec, void *bases)
{
    struct slot slots[SPEC_SLOTS_MAX];
    struct spec copy;

    return ((void *(*)(void *, struct spec *, void *))real_from_module)(
        module, wrapped_spec(spec, &copy, slots), bases);
}

static void *from_metaclass(void *metaclass, void *module, struct spec *spec, void *bases)
{
    struct slot slots[SPEC_SLOTS_MAX];
    struct spec copy;

    return ((void *(*)(void *, void *, struct spec *, void *))real_from_metaclass)(
        metaclass, module, wrapped_spec(spec, &copy, slots), bases);
}

static void wrap_type_slots(char *body, const char *type)
{
    uint64_t cookie;

    if (!kp_entries_open(&cookie))
        return;
    for (unsigned i = 0; i < SLOTS; i++) {
        void **place = (void **)(body + wrapped_slots[i].offset);
        void *thunk = kp_entry_wrap(KP_ENTRY_SLOT, *place, type, wrapped_slots[i].name);

        if (thunk != *place)
            kp_patch_word(place, thunk);
    }
    kp_entries_close();
}

static int ready(char *type)
{
    char *body = type + kp_object_head_bytes();
    const char *name = kp_last_part(*(const char **)(body + TYPE_NAME));
    int error = errno;

    kp_entry_wrap_methods(*(struct kp_method_definition **)(body + TYPE_METHODS), name);
    wrap_type_slots(body, name);
    errno = error;
    return ((int (*)(char *))real_ready)(type);
}

const struct kp_hook kp_type_hooks[] = {
    {"PyType_FromSpec", (void *)from_spec, &real_from_spec},
    {"PyType_FromSpecWithBases", (void *)from_spec_with_bases, &real_from_spec_with_bases},
    {"PyType_FromModuleAndSpec", (void *)from_module, &real_from_module},
    {"PyType_FromMetaclass", (void *)from_metaclass, &real_from_metaclass},
    {"PyType_Ready", (void *)ready, &real_ready},
    {NULL, NULL, NULL},
};
