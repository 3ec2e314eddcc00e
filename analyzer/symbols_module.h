/* SPDX-License-Identifier: MIT */
/*
 * One opened module with all there is to name its addresses by.
 */
#ifndef KP_SYMBOLS_MODULE_H
#define KP_SYMBOLS_MODULE_H

#include "symbols_dwarf.h"
#include "symbols_labels.h"
#include "symbols_plt.h"
#include "symbols_table.h"

#include <elfutils/libdwfl.h>

struct kp_module {
    char *path, *build_id;       /* as recorded; build_id "" when there was none */
    const char *debug_directory; /* belongs to the owner */
    const char *quality;         /* as kp_symbols_quality */
    uint64_t used;               /* when it was asked last, in calls */
    Dwfl *dwfl;                  /* NULL: no usable file */
    Dwfl_Module *dwfl_module;    /* of it, or NULL */
    struct kp_dwarf *dwarf;      /* NULL: no debug information */
    struct kp_symbol_table table;
    struct kp_plt plt;
    struct kp_labels *labels; /* NULL: there are none, or nobody has asked */
    bool asked_labels;
};

/* NULL: no memory. A module whose file cannot be used is a module, too. */
struct kp_module *kp_module_open(const char *path, const char *build_id,
                                 const char *debug_directory);
void kp_module_close(struct kp_module *module);
/* Made when they are first asked for: only then is a file's code read. NULL: there are none. */
const struct kp_labels *kp_module_labels(struct kp_module *module);

#endif
