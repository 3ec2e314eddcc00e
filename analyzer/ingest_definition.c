/* SPDX-License-Identifier: MIT */
/*
 * Definitions of a process: texts, modules, Python code and stack nodes become entries of the
 * shared tree. They are read from the start of the PROCESS chunk in order of seq, also when a
 * killed collector's work is taken up, as nothing of them but the shared rows is in the database.
 */
#include "ingest.h"

#include "alloc.h"
#include "argument_list.h"

#include <stdlib.h>
#include <string.h>

#define BUILD_ID_MAX 64u

static void replace_text(struct kp_recorded *process, char **place, char *text)
{
    if (*place && !strcmp(*place, text)) {
        free(text);
        return;
    }
    free(*place);
    *place = text;
    process->dirty = true;
}

static void add_note(struct kp_recorded *process, const char *text, size_t bytes)
{
    process->notes = kp_array_grow(process->notes, &process->note_capacity,
                                   process->note_count + 1u, sizeof(char *));
    process->notes[process->note_count++] = kp_copy_text(text, bytes);
}

static void take_text(struct kp_recorded *process, const struct kp_rec_text *record)
{
    const char *text = kp_decode_text(record);
    size_t bytes = record->text_bytes;

    switch (record->what) {
    case KP_TEXT_EXE: replace_text(process, &process->exe, kp_copy_text(text, bytes)); break;
    case KP_TEXT_ARGV:
        replace_text(process, &process->argv, kp_argument_list_json(text, bytes));
        break;
    case KP_TEXT_ALLOCATOR:
        replace_text(process, &process->allocator, kp_copy_text(text, bytes));
        break;
    case KP_TEXT_PYTHON: replace_text(process, &process->python, kp_copy_text(text, bytes)); break;
    case KP_TEXT_DIRECTORY:
        replace_text(process, &process->directory, kp_copy_text(text, bytes));
        break;
    case KP_TEXT_NOTE: add_note(process, text, bytes); break;
    default: break;
    }
}

static int take_module(struct kp_ingest *ingest, struct kp_recorded *process,
                       const struct kp_rec_module *record)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *build_id = kp_decode_build_id(record);
    uint32_t last = process->module_count ? process->modules[process->module_count - 1].id : 0;
    char hex[2 * BUILD_ID_MAX + 1] = "";

    if (record->id <= last || record->id - last > KP_ID_STEP_MAX)
        return 1;
    for (unsigned i = 0; i < record->build_id_bytes && i < BUILD_ID_MAX; i++) {
        hex[2 * i] = digits[build_id[i] >> 4];
        hex[2 * i + 1] = digits[build_id[i] & 15];
        hex[2 * i + 2] = 0;
    }
    process->modules = kp_array_grow(process->modules, &process->module_capacity,
                                     process->module_count + 1u, sizeof *process->modules);
    const char *path = kp_decode_path(record);
    process->modules[process->module_count++] = (struct kp_module_ref){
        record->id,
        kp_stack_tree_module(&ingest->tree, path, strnlen(path, record->path_bytes), hex),
        record->bias};
    return 0;
}

/* A return address belongs to the call before it. */
static uint64_t address_of(uint64_t pc, uint64_t bias)
{
    return pc & KP_PC_EXACT ? (pc & ~KP_PC_EXACT) - bias : pc - bias - 1;
}

static uint32_t native_location(struct kp_ingest *ingest, const struct kp_recorded *process,
                                const struct kp_rec_node *record)
{
    const struct kp_module_ref *module = kp_process_module(process, record->module);

    return kp_stack_tree_location(&ingest->tree, module ? module->module : 0, 0,
                                  address_of(record->pc, module ? module->bias : 0));
}

/* An exact pc may have any bits. */
static bool is_python(uint64_t pc)
{
    return (pc & (KP_PC_PYTHON | KP_PC_EXACT)) == KP_PC_PYTHON;
}

/* 0: of code that was never defined. */
static uint32_t python_location(struct kp_ingest *ingest, const struct kp_recorded *process,
                                uint64_t pc)
{
    const struct kp_recorded_code *code =
        kp_recorded_codes_find(&process->codes, KP_PC_PYTHON_CODE(pc));

    if (!code)
        return 0;
    return kp_stack_tree_location(&ingest->tree, 0, code->code,
                                  kp_linetable_line(&code->lines, KP_PC_PYTHON_OFFSET(pc)));
}

static int take_code(struct kp_ingest *ingest, struct kp_recorded *process,
                     const struct kp_rec_code *record)
{
    struct kp_code_name name = {.file = kp_decode_code_file(record),
                                .function = kp_decode_code_name(record),
                                .first_line = record->first_line};

    name.file_bytes = strnlen(name.file, record->file_bytes);
    name.function_bytes = strnlen(name.function, record->name_bytes);
    return kp_recorded_codes_add(&process->codes, record, kp_stack_tree_code(&ingest->tree, &name));
}

static int take_node(struct kp_ingest *ingest, struct kp_recorded *process,
                     const struct kp_rec_node *record)
{
    const struct kp_node *parent = kp_process_node(process, record->parent);
    uint32_t parent_stack = parent ? parent->stack : 0;
    uint32_t location = is_python(record->pc) ? python_location(ingest, process, record->pc)
                                              : native_location(ingest, process, record);
    struct kp_node *node = location ? kp_process_node_new(process, record->id) : NULL;

    if (!node)
        return 1;
    node->stack = kp_stack_tree_stack(&ingest->tree, parent_stack, location);
    return 0;
}

static int take(struct kp_ingest *ingest, struct kp_recorded *process, int type,
                union kp_record record)
{
    switch (type) {
    case KP_REC_TEXT: take_text(process, record.text); return 0;
    case KP_REC_MODULE: return take_module(ingest, process, record.module);
    case KP_REC_CODE: return take_code(ingest, process, record.code);
    case KP_REC_CODE_TABLE: return kp_recorded_codes_append(&process->codes, record.table);
    case KP_REC_SNAPSHOT_TAKEN: kp_snapshots_announce(&process->snapshots, record.taken); return 0;
    case KP_REC_NODE: return take_node(ingest, process, record.node);
    case KP_REC_ENTRY: kp_ingest_entry(process, record.entry); return 0;
    default: return 0; /* MODULE_GONE: nodes name their module, so that nothing is mistaken */
    }
}

static int read_chunk(struct kp_ingest *ingest, struct kp_recorded *process,
                      struct kp_definition_chunk *chunk, uint32_t used, struct kp_error *error)
{
    bool is_first = chunk->index == process->chunk;
    struct kp_chunk_header like = {.kind = is_first ? KP_CHUNK_PROCESS : KP_CHUNK_DEFINITION};
    struct kp_decode_records records = {ingest->buffer, used - chunk->offset, 0, like.kind};
    union kp_record record;
    int type;

    if (kp_spool_read(ingest->spool, chunk->index, kp_decode_records_offset(&like), chunk->offset,
                      used, ingest->buffer, error))
        return 1;
    do
        type = kp_decode_next(&records, &record);
    while (type > 0 && !take(ingest, process, type, record));
    if (type != 0)
        return kp_error_set(error, "cannot read the spool %s: a definition is damaged",
                            ingest->spool->path);
    ingest->batch_bytes += used - chunk->offset;
    ingest->total_bytes += used - chunk->offset;
    ingest->is_changed = true;
    chunk->offset = used;
    return 0;
}

int kp_ingest_definitions(struct kp_ingest *ingest, struct kp_recorded *process,
                          struct kp_error *error)
{
    struct kp_process_info info;

    for (uint32_t i = process->definition_open; i < process->definition_count; i++) {
        struct kp_definition_chunk *chunk = &process->definitions[i];
        uint32_t used = kp_spool_used(ingest->spool, chunk->index);

        if (used > chunk->offset && read_chunk(ingest, process, chunk, used, error))
            return 1;
        if (i + 1 < process->definition_count)
            process->definition_open = i + 1;
    }
    kp_spool_info(ingest->spool, process->chunk, &info);
    info.joined_ns = process->info.joined_ns;
    info.before_join_ns = process->info.before_join_ns;
    if (memcmp(&info, &process->info, sizeof info)) {
        process->info = info;
        process->dirty = true;
        ingest->is_changed = true;
    }
    return 0;
}
