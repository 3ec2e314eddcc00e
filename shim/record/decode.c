/* SPDX-License-Identifier: MIT */
/*
 * The checks behind decode.h: every size, type, offset and path length that a reader relies on.
 * What a value means (does this node exist, was this sample freed before) is the reader's to
 * check. Any thread; depends on nothing.
 */
#include "decode.h"

#include <stdbool.h>
#include <stddef.h>

#define SLOTS_MAX (1u << 12)

const char *kp_decode_header(const struct kp_spool_header *header, uint64_t file_bytes)
{
    if (file_bytes < sizeof *header)
        return "it is shorter than a header";
    if (header->magic != KP_SPOOL_MAGIC)
        return "it is no spool of kprof";
    if (header->version != KP_SPOOL_VERSION)
        return header->version > KP_SPOOL_VERSION
                   ? "it was made by a newer version of kprof; use its kprof-report"
                   : "it was made by an older version of kprof; record again";
    if (header->chunk_bytes != KP_CHUNK_BYTES || header->chunk_count == 0 ||
        header->chunk_count > KP_CHUNKS_MAX)
        return "its chunk sizes are impossible";
    if (header->directory_bytes != ((header->chunk_count * 8 + 4095) & ~4095u))
        return "its directory has an impossible size";
    if (header->session == 0)
        return "its header is not filled in";
    if (file_bytes < kp_decode_file_bytes(header, header->chunk_count))
        return "it is truncated";
    for (size_t i = 0; i < sizeof header->database_path; i++)
        if (!header->database_path[i])
            return header->database_path[0] == '/' ? NULL : "its database path is not absolute";
    return "its database path does not end";
}

uint64_t kp_decode_file_bytes(const struct kp_spool_header *header, uint32_t chunk_end)
{
    return kp_decode_chunk_offset(header, chunk_end);
}

uint64_t kp_decode_chunk_offset(const struct kp_spool_header *header, uint32_t index)
{
    return sizeof *header + header->directory_bytes + (uint64_t)index * KP_CHUNK_BYTES;
}

uint32_t kp_decode_records_offset(const struct kp_chunk_header *chunk)
{
    return chunk->kind == KP_CHUNK_PROCESS
               ? (uint32_t)(sizeof *chunk + sizeof(struct kp_process_info))
               : (uint32_t)sizeof *chunk;
}

const char *kp_decode_chunk(const struct kp_chunk_header *chunk)
{
    uint32_t used = chunk->used;

    if (chunk->kind < KP_CHUNK_PROCESS || chunk->kind > KP_CHUNK_COUNTERS)
        return "a chunk has an impossible kind";
    if (used % 8 || used > KP_CHUNK_BYTES - kp_decode_records_offset(chunk))
        return "a chunk has an impossible size";
    if (chunk->kind == KP_CHUNK_COUNTERS && used % sizeof(struct kp_counter_block))
        return "a chunk holds part of a block";
    if (chunk->process == 0 || chunk->process >= KP_JOINED_CLOSED || chunk->slot >= SLOTS_MAX)
        return "a chunk belongs to an impossible process";
    if (chunk->first_sample >> KP_SAMPLE_SLOT_SHIFT)
        return "a chunk counts impossible samples";
    return NULL;
}

/* Does a record of this type belong into a chunk of this kind? */
static bool belongs(unsigned type, unsigned kind)
{
    return kind != KP_CHUNK_COUNTERS && (type >= KP_REC_NODE) == (kind != KP_CHUNK_DATA);
}

/* Do the variable parts of a record of this type fit into its size? */
static bool parts_fit(const uint8_t *bytes, unsigned type, uint64_t size)
{
    const struct kp_rec_module *module = (const void *)bytes;
    const struct kp_rec_text *text = (const void *)bytes;
    const struct kp_rec_code *code = (const void *)bytes;
    const struct kp_rec_code_table *table = (const void *)bytes;
    const struct kp_rec_entry *entry = (const void *)bytes;
    const struct kp_rec_span *span = (const void *)bytes;
    const struct kp_rec_mapping *mapping = (const void *)bytes;

    switch (type) {
    case KP_REC_MODULE:
        return size >= sizeof *module &&
               sizeof *module + module->build_id_bytes + module->path_bytes <= size;
    case KP_REC_TEXT: return size >= sizeof *text && sizeof *text + text->text_bytes <= size;
    case KP_REC_CODE:
        return size >= sizeof *code && sizeof *code + code->file_bytes + code->name_bytes <= size;
    case KP_REC_ENTRY:
        return size >= sizeof *entry && sizeof *entry + entry->name_bytes <= size;
    case KP_REC_SPAN:
        return size >= sizeof *span &&
               sizeof *span + (span->is_unseen ? 0 : (uint64_t)span->cells * 4) <= size;
    case KP_REC_MAPPING:
        return size >= sizeof *mapping && sizeof *mapping + mapping->path_bytes <= size;
    default:
        return size >= sizeof *table && sizeof *table + (uint64_t)table->bytes <= size;
    }
}

/* The size of the record at `bytes`, of which `left` can be read; 0 when it is none. */
static uint32_t record_bytes(const uint8_t *bytes, uint32_t left, unsigned kind)
{
    unsigned type = bytes[0];
    int fixed = kp_record_fixed_bytes(type);

    if (fixed < 0 || !belongs(type, kind))
        return 0;
    if (fixed > 0)
        return (uint32_t)fixed <= left ? (uint32_t)fixed : 0;
    uint32_t size = *(const uint32_t *)(const void *)bytes >> 8;
    return size % 8 == 0 && size <= left && parts_fit(bytes, type, size) ? size : 0;
}

static bool entry_is_possible(const struct kp_rec_entry *entry)
{
    return entry->id > 0 && entry->id <= KP_ENTRY_LAST && entry->kind >= KP_ENTRY_METHOD &&
           entry->kind <= KP_ENTRY_MODULE;
}

static bool values_are_possible(unsigned type, union kp_record record)
{
    switch (type) {
    case KP_REC_ALLOC:
        return record.alloc->kind >= KP_KIND_MALLOC && record.alloc->kind <= KP_KIND_LAST;
    case KP_REC_STAMP: return record.stamp->time_us < KP_DECODE_TIME_US_MAX;
    case KP_REC_MARK: return record.mark->time_us < KP_DECODE_TIME_US_MAX;
    case KP_REC_SNAPSHOT:
        return record.snapshot->time_us < KP_DECODE_TIME_US_MAX &&
               (record.snapshot->page_shift == 12 || record.snapshot->page_shift == 16);
    case KP_REC_SNAPSHOT_TAKEN: return record.taken->time_us < KP_DECODE_TIME_US_MAX;
    case KP_REC_ARENA:
        return record.arena->kind >= KP_ARENA_TOTAL && record.arena->kind <= KP_ARENA_LAST;
    case KP_REC_MAPPING:
        return record.mapping->kind >= KP_MAPPING_FILE && record.mapping->kind <= KP_MAPPING_LAST;
    case KP_REC_RATE: return record.rate->rate > 0 && record.rate->rate < 1ULL << 62;
    case KP_REC_NODE: return record.node->id > 0 && record.node->parent < record.node->id;
    case KP_REC_MODULE: return record.module->id > 0;
    case KP_REC_ACTIVATION:
        return record.activation->entry > 0 && record.activation->entry <= KP_ENTRY_LAST &&
               record.activation->weight > 0;
    case KP_REC_ENTRY: return entry_is_possible(record.entry);
    case KP_REC_CODE: return record.code->id > 0 && record.code->id < 1u << 30;
    default: return true;
    }
}

int kp_decode_next(struct kp_decode_records *records, union kp_record *record)
{
    if (records->offset >= records->size)
        return 0;
    record->bytes = records->bytes + records->offset;
    uint32_t size = record_bytes(record->bytes, records->size - records->offset, records->kind);
    unsigned type = record->bytes[0];

    if (size == 0 || !values_are_possible(type, *record))
        return -1;
    records->offset += size;
    return (int)type;
}

const struct kp_counter_block *kp_decode_block(const uint8_t *bytes, uint32_t size, uint32_t number)
{
    const struct kp_counter_block *block = (const void *)bytes;

    if (number >= size / sizeof *block)
        return NULL;
    block += number;
    return block->entry > 0 && block->entry <= KP_ENTRY_LAST ? block : NULL;
}
