/* SPDX-License-Identifier: MIT */
/*
 * The table of code objects. Any thread; a look-up takes no lock. An entry is written before its
 * id (release), its definition is published before that, and nothing is ever removed: code at a
 * used address is another entry. A full table is followed by a larger one, and stays mapped, empty.
 * A forked child tells everything anew, since its table and its pointer are wiped.
 */
#include "python_code.h"

#include "python.h"
#include "python_layout.h"
#include "python_text.h"
#include "spool.h"
#include "state.h"
#include "sys.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#define ENTRIES_FIRST 1024u
#define NAME_BYTES_MAX 4096u /* as long as a path may be */
#define TABLE_BYTES_MAX (4u << 20)
#define TABLE_PIECE 16384u

struct identity {
    uintptr_t code, file, name, table;
    int64_t name_hash; /* the memory of a name may be used again too */
    uint32_t first_line;
};

struct entry {
    struct identity identity;
    _Atomic uint32_t id; /* 0: free */
    uint8_t role;
    bool is_dead;
};

struct kp_code_table {
    uint64_t mask;
    uint32_t count;
    struct entry entries[];
};

static uintptr_t word_at(uintptr_t address)
{
    return *(const uintptr_t *)address;
}

static struct identity identity_of(uintptr_t code)
{
    struct identity identity = {
        .code = code,
        .file = word_at(code + kp_py_layout.code_file),
        .name = word_at(code + kp_py_layout.code_name),
        .table = word_at(code + kp_py_layout.code_table),
        .first_line = *(const uint32_t *)(code + kp_py_layout.code_first_line),
    };

    if (identity.name)
        identity.name_hash = (int64_t)word_at(identity.name + KP_PY_TEXT_HASH);
    return identity;
}

static bool same(const struct identity *a, const struct identity *b)
{
    return a->code == b->code && a->file == b->file && a->name == b->name &&
           a->table == b->table && a->name_hash == b->name_hash && a->first_line == b->first_line;
}

static uint64_t hash(uintptr_t code)
{
    uint64_t h = code * 0x9e3779b97f4a7c15u;

    return h >> 20;
}

static struct entry *look_up(struct kp_code_table *table, const struct identity *identity)
{
    for (uint64_t i = hash(identity->code);; i++) {
        struct entry *entry = &table->entries[i & table->mask];
        uint32_t id = atomic_load_explicit(&entry->id, memory_order_acquire);

        if (!id)
            return NULL;
        if (!entry->is_dead && same(&entry->identity, identity))
            return entry;
    }
}

/* Without a lock: an entry that a growing table has copied a moment ago may be missed; then the
 * identity alone has to tell the two apart. */
void kp_python_code_gone(uintptr_t code)
{
    struct kp_code_table *table = atomic_load_explicit(&kp_state.codes, memory_order_acquire);

    for (uint64_t i = hash(code); table; i++) {
        struct entry *entry = &table->entries[i & table->mask];

        if (!atomic_load_explicit(&entry->id, memory_order_acquire))
            return;
        if (entry->identity.code != code || entry->is_dead)
            continue;
        entry->is_dead = true;
        atomic_fetch_add_explicit(&kp_state.code_deaths, 1, memory_order_release);
    }
}

static void insert(struct kp_code_table *table, const struct identity *identity, uint32_t id,
                   uint8_t role)
{
    uint64_t i = hash(identity->code);

    while (atomic_load_explicit(&table->entries[i & table->mask].id, memory_order_relaxed))
        i++;
    struct entry *entry = &table->entries[i & table->mask];
    entry->identity = *identity;
    entry->role = role;
    atomic_store_explicit(&entry->id, id, memory_order_release);
    table->count++;
}

/* Four times what lives: the dead are left behind. */
static uint64_t entries_wanted(const struct kp_code_table *table)
{
    uint64_t living = 0, entries = ENTRIES_FIRST;

    for (uint64_t i = 0; table && i <= table->mask; i++)
        living += table->entries[i].id && !table->entries[i].is_dead;
    while (entries < 4 * living)
        entries *= 2;
    return entries;
}

/* Under definitions_lock: a table with room for one more. */
static struct kp_code_table *room(void)
{
    struct kp_code_table *table = kp_state.codes, *bigger;
    uint64_t entries;

    if (table && table->count < table->mask / 2)
        return table;
    entries = entries_wanted(table);
    bigger = kp_sys_map_wiped(sizeof *bigger + entries * sizeof(struct entry));
    if (!bigger)
        return NULL;
    bigger->mask = entries - 1;
    for (uint64_t i = 0; table && i <= table->mask; i++)
        if (table->entries[i].id && !table->entries[i].is_dead)
            insert(bigger, &table->entries[i].identity, table->entries[i].id,
                   table->entries[i].role);
    atomic_store_explicit(&kp_state.codes, bigger, memory_order_release);
    if (table)
        KP_SYS3(SYS_madvise, table->entries, (table->mask + 1) * sizeof(struct entry),
                MADV_DONTNEED);
    return bigger;
}

static bool is_of_type(uintptr_t object, uintptr_t type)
{
    return object && object % 8 == 0 && word_at(object + kp_py_layout.type) == type;
}

static uint32_t padded(uint32_t bytes)
{
    return (bytes + 7) & ~7u;
}

/* Before the first node of the code. A table that is too long, or for which there is no room, is
 * left out: then only the first line is known. */
static void tell_table(uint32_t id, const uint8_t *bytes, uint32_t total)
{
    for (uint32_t offset = 0; offset < total;) {
        uint32_t piece = total - offset < TABLE_PIECE ? total - offset : TABLE_PIECE;
        uint32_t size = (uint32_t)sizeof(struct kp_rec_code_table) + padded(piece);
        struct kp_rec_code_table *record = kp_spool_define(size);

        if (!record)
            return;
        memset((char *)record + size - 8, 0, 8);
        *record =
            (struct kp_rec_code_table){KP_REC_CODE_TABLE | size << 8, id, offset, piece};
        memcpy(record + 1, bytes + offset, piece);
        kp_spool_defined(size);
        offset += piece;
    }
}

static uint8_t role_of(const char *file, uint32_t file_bytes, const char *name, uint32_t name_bytes)
{
    static const char import[] = "<frozen importlib", zip[] = "<frozen zipimport>",
                      site[] = "<frozen site>", find[] = "_find_and_load";

    if (file_bytes >= sizeof import - 1 && memcmp(file, import, sizeof import - 1) == 0)
        return name_bytes == sizeof find - 1 && memcmp(name, find, name_bytes) == 0
                   ? KP_CODE_IMPORT
                   : KP_CODE_MACHINERY;
    if ((file_bytes == sizeof zip - 1 && memcmp(file, zip, file_bytes) == 0) ||
        (file_bytes == sizeof site - 1 && memcmp(file, site, file_bytes) == 0) ||
        (file_bytes >= 8 && memcmp(file + file_bytes - 8, "/site.py", 8) == 0))
        return KP_CODE_MACHINERY;
    return KP_CODE_PROGRAM;
}

/* Under definitions_lock. Returns the new id, 0 when there is no room for it. */
static uint32_t tell(const struct identity *identity, uint8_t *role)
{
    char file[NAME_BYTES_MAX], name[NAME_BYTES_MAX];
    uint32_t file_bytes = kp_python_text(identity->file, file, sizeof file);
    uint32_t name_bytes = kp_python_text(identity->name, name, sizeof name);
    uint32_t size = (uint32_t)sizeof(struct kp_rec_code) + padded(file_bytes + name_bytes);
    bool has_table = is_of_type(identity->table, kp_python.bytes_type);
    uint64_t table_bytes = has_table ? word_at(identity->table + KP_PY_BYTES_SIZE) : 0;
    struct kp_rec_code *record = kp_spool_define(size);

    if (!record)
        return 0;
    if (table_bytes > TABLE_BYTES_MAX)
        table_bytes = 0;
    memset((char *)record + size - 8, 0, 8);
    *record = (struct kp_rec_code){
        .type_bytes = KP_REC_CODE | size << 8,
        .id = kp_state.code_count + 1,
        .first_line = identity->first_line,
        .file_bytes = (uint16_t)file_bytes,
        .name_bytes = (uint16_t)name_bytes,
        .table_bytes = (uint32_t)table_bytes,
        .table_kind = table_bytes ? kp_py_layout.table_kind : KP_LINES_NONE,
    };
    memcpy(record + 1, file, file_bytes);
    memcpy((char *)(record + 1) + file_bytes, name, name_bytes);
    kp_spool_defined(size);
    kp_state.code_count++;
    tell_table(kp_state.code_count, (const uint8_t *)identity->table + KP_PY_BYTES_START,
               (uint32_t)table_bytes);
    *role = role_of(file, file_bytes, name, name_bytes);
    return kp_state.code_count;
}

static uint32_t define(const struct identity *identity, uint8_t *role)
{
    struct kp_code_table *table = kp_state.codes;
    struct entry *entry = table ? look_up(table, identity) : NULL;
    uint32_t id;

    if (entry) {
        *role = entry->role;
        return entry->id;
    }
    table = room();
    id = table ? tell(identity, role) : 0;
    if (id)
        insert(table, identity, id, *role);
    return id;
}

struct kp_py_code kp_python_code(uintptr_t code)
{
    struct kp_code_table *table;
    struct identity identity;
    struct entry *entry;
    uint8_t role = KP_CODE_PROGRAM;
    uint32_t id;

    if (!is_of_type(code, kp_python.code_type))
        return (struct kp_py_code){0};
    identity = identity_of(code);
    table = atomic_load_explicit(&kp_state.codes, memory_order_acquire);
    entry = table ? look_up(table, &identity) : NULL;
    if (entry)
        return (struct kp_py_code){KP_PC_PYTHON | (uint64_t)entry->id << 32, entry->role};
    if (!kp_spin_lock(&kp_state.definitions_lock))
        return (struct kp_py_code){0};
    id = define(&identity, &role);
    kp_spin_unlock(&kp_state.definitions_lock);
    if (!id)
        atomic_fetch_add(&kp_state.info->lost_definitions, 1);
    return (struct kp_py_code){id ? KP_PC_PYTHON | (uint64_t)id << 32 : 0, role};
}
