/* SPDX-License-Identifier: MIT */
/*
 * Reading a spool without trusting it: a file may be damaged, or made to do harm. Pure functions
 * on bytes that the caller has copied out of the file, so that nobody changes them between the
 * check and the use. Whatever these functions hand out lies within the bytes given.
 */
#ifndef KP_DECODE_H
#define KP_DECODE_H

#include "record.h"

#include <stdint.h>

/* Times beyond this many us (285 years) are taken as damage. */
#define KP_DECODE_TIME_US_MAX (1ULL << 53)

/* NULL when the header is good, else what is wrong with it. */
const char *kp_decode_header(const struct kp_spool_header *header, uint64_t file_bytes);

/* Bytes that a spool with this (good) header must have for its chunks before `chunk_end`. */
uint64_t kp_decode_file_bytes(const struct kp_spool_header *header, uint32_t chunk_end);

/* Offset of a chunk in the file. */
uint64_t kp_decode_chunk_offset(const struct kp_spool_header *header, uint32_t index);

/* NULL when the chunk's header is good (its magic is not looked at), else what is wrong. */
const char *kp_decode_chunk(const struct kp_chunk_header *chunk);

/* Where the records of a (good) chunk begin. */
uint32_t kp_decode_records_offset(const struct kp_chunk_header *chunk);

/* Goes over whole records. The bytes must be aligned to 8. */
struct kp_decode_records {
    const uint8_t *bytes;
    uint32_t size;   /* of whole records, a multiple of 8 */
    uint32_t offset; /* of the next record */
    uint16_t kind;   /* enum kp_chunk_kind: data and definitions do not mix */
};

union kp_record {
    const uint8_t *bytes;
    const uint64_t *free; /* KP_REC_FREE */
    const struct kp_rec_alloc *alloc;
    const struct kp_rec_resize *resize;
    const struct kp_rec_stamp *stamp;
    const struct kp_rec_rate *rate;
    const struct kp_rec_thread *thread;
    const struct kp_rec_mark *mark;
    const struct kp_rec_node *node;
    const struct kp_rec_module *module;
    const struct kp_rec_module_gone *gone;
    const struct kp_rec_text *text;
    const struct kp_rec_totals *totals;
    const struct kp_rec_code *code;
    const struct kp_rec_code_table *table;
    const struct kp_rec_activation *activation;
    const struct kp_rec_entry *entry;
    const struct kp_rec_snapshot *snapshot;
    const struct kp_rec_snapshot_taken *taken;
    const struct kp_rec_arena *arena;
    const struct kp_rec_span *span;
    const struct kp_rec_mapping *mapping;
};

/* Returns the record's type and steps over it; 0 at the end, -1 when what follows is no record
 * (the offset then stays there). */
int kp_decode_next(struct kp_decode_records *records, union kp_record *record);

/* Block `number` of `size` bytes of a COUNTERS chunk; NULL when there is none, or it is damaged. */
const struct kp_counter_block *kp_decode_block(const uint8_t *bytes, uint32_t size, uint32_t number);

static inline uint64_t kp_decode_id(uint64_t type_id)
{
    return type_id >> 8;
}

/* The variable part of a record that kp_decode_next() has given out. */
static inline const uint8_t *kp_decode_build_id(const struct kp_rec_module *module)
{
    return (const uint8_t *)(module + 1);
}

static inline const char *kp_decode_path(const struct kp_rec_module *module)
{
    return (const char *)(module + 1) + module->build_id_bytes;
}

static inline const char *kp_decode_code_file(const struct kp_rec_code *code)
{
    return (const char *)(code + 1);
}

static inline const char *kp_decode_code_name(const struct kp_rec_code *code)
{
    return (const char *)(code + 1) + code->file_bytes;
}

static inline const uint8_t *kp_decode_code_table(const struct kp_rec_code_table *table)
{
    return (const uint8_t *)(table + 1);
}

static inline const char *kp_decode_entry_name(const struct kp_rec_entry *entry)
{
    return (const char *)(entry + 1);
}

static inline const char *kp_decode_text(const struct kp_rec_text *text)
{
    return (const char *)(text + 1);
}

#endif
