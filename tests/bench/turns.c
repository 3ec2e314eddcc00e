/* SPDX-License-Identifier: MIT */
/*
 * Leads an extension's calls of Python's C API past kprof's hooks and back again, so that both ways
 * can be timed in one process, by turns of a millisecond: what counting costs differs from process to
 * process by more than it is.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <dlfcn.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>

#define PLACES_MAX 1024
#define PAGE 4096ul

static struct {
    void **place, *hook, *function;
} places[PLACES_MAX];
static unsigned place_count;

static void look_at_place(void **place, const char *name)
{
    void *function = dlsym(RTLD_DEFAULT, name);

    if (!function || *place == function || place_count == PLACES_MAX || !strstr(name, "Py") ||
        mprotect((void *)((uintptr_t)place & ~(PAGE - 1)), PAGE, PROT_READ | PROT_WRITE))
        return;
    places[place_count].place = place;
    places[place_count].hook = *place;
    places[place_count++].function = function;
}

static void look_at_tables(uintptr_t base, const ElfW(Dyn) *entry)
{
    const ElfW(Sym) *symbols = NULL;
    const char *strings = NULL;
    const ElfW(Rela) *relocation = NULL;
    size_t bytes = 0;

    for (; entry->d_tag != DT_NULL; entry++)
        switch (entry->d_tag) {
        case DT_SYMTAB: symbols = (void *)entry->d_un.d_ptr; break;
        case DT_STRTAB: strings = (void *)entry->d_un.d_ptr; break;
        case DT_RELA: relocation = (void *)entry->d_un.d_ptr; break;
        case DT_RELASZ: bytes = entry->d_un.d_val; break;
        }
    for (; bytes; bytes -= sizeof *relocation, relocation++)
        if (ELF64_R_TYPE(relocation->r_info) == R_X86_64_GLOB_DAT)
            look_at_place((void **)(base + relocation->r_offset),
                          strings + symbols[ELF64_R_SYM(relocation->r_info)].st_name);
}

static int look_at(struct dl_phdr_info *info, size_t size, void *name)
{
    (void)size;
    if (!strstr(info->dlpi_name, name))
        return 0;
    for (unsigned i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
            look_at_tables(info->dlpi_addr,
                           (const ElfW(Dyn) *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr));
    return 0;
}

/* How many places of this extension lead through hooks. */
static PyObject *find(PyObject *self, PyObject *name)
{
    const char *text = PyUnicode_AsUTF8(name);

    (void)self;
    if (!text)
        return NULL;
    dl_iterate_phdr(look_at, (void *)text);
    return PyLong_FromUnsignedLong(place_count);
}

static PyObject *hooks(PyObject *self, PyObject *on)
{
    (void)self;
    for (unsigned i = 0; i < place_count; i++)
        *places[i].place = on == Py_True ? places[i].hook : places[i].function;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"find", find, METH_O, NULL},
    {"hooks", hooks, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "turns", NULL, 0, methods,
                                    NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_turns(void)
{
    return PyModuleDef_Init(&module);
}
