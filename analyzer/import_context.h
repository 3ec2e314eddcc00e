/* SPDX-License-Identifier: MIT */
/*
 * Which import a stack is in. Worked out once for each stack of the tree from that of its caller,
 * and shared by all processes.
 *
 * Every call of importlib's _find_and_load opens an import. Its place is the caller's stack: a
 * statement can import one module after another, but only one at a time, so that samples at the
 * same place are of one import or of one that follows another. What is imported there shows as soon
 * as a module's body runs inside (Python code <module>), or as the interpreter calls into the
 * library of an extension module; until then it is not known. One thread.
 */
#ifndef KP_IMPORT_CONTEXT_H
#define KP_IMPORT_CONTEXT_H

#include "id_index.h"
#include "stack_tree.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kp_import_context {
    uint32_t place;   /* of the innermost open import; 0: none is open */
    uint32_t module;  /* number of its name; 0: not known here */
    uint32_t program; /* outermost Python code if that is the program's own, or 0 */
    uint32_t native;  /* module of the innermost native frame */
    bool is_python;   /* some frame is Python's */
    bool is_built_in; /* the interpreter makes the module itself, its name does not show */
    bool is_loading;  /* an extension module, whose library has not been called yet */
};

struct kp_import_place {
    uint32_t below;       /* stack that called */
    uint32_t code;        /* of _find_and_load */
    uint32_t outer;       /* place of the import around it, 0: none */
    uint32_t depth;       /* imports open, this one included */
    uint32_t interpreter; /* module that runs Python code */
};

struct kp_import_contexts {
    const struct kp_stack_tree *tree;
    struct kp_import_context *contexts; /* by stack, [0 .. known] */
    size_t context_capacity;
    uint32_t known;
    struct kp_import_place *places; /* [1 .. place_count] */
    size_t place_capacity;
    uint32_t place_count;
    char **names; /* of modules, [1 .. name_count] */
    size_t name_capacity;
    uint32_t name_count;
    struct kp_index place_index, name_index;
};

void kp_import_contexts_init(struct kp_import_contexts *contexts, const struct kp_stack_tree *tree);
void kp_import_contexts_release(struct kp_import_contexts *contexts);

/* Valid until a new stack is asked for. Stack 0 is in no import. */
const struct kp_import_context *kp_import_context_of(struct kp_import_contexts *contexts,
                                                     uint32_t stack);

/* Number of a module's name, which is added if it is new. */
uint32_t kp_import_name_number(struct kp_import_contexts *contexts, const char *name);

#endif
