/* SPDX-License-Identifier: MIT */
/*
 * See fuzz_fields.h. A record's first word holds its type and, above that, an id or a size: the
 * part behind the type is a field of its own.
 */
#include "fuzz_fields.h"

#include "record.h"

#define FIELD(which, structure, member)                                                            \
    {                                                                                              \
        which, offsetof(struct structure, member), sizeof(((struct structure *)0)->member)         \
    }

static const struct {
    unsigned which;
    size_t offset, width;
} fields[] = {
    {KP_REC_ALLOC, 0, 1},
    FIELD(KP_REC_ALLOC, kp_rec_alloc, kind),
    FIELD(KP_REC_ALLOC, kp_rec_alloc, node),
    FIELD(KP_REC_ALLOC, kp_rec_alloc, size),
    FIELD(KP_REC_ALLOC, kp_rec_alloc, address),
    {KP_REC_FREE, 1, 7},
    {KP_REC_FREE, 0, 1},
    {KP_REC_FREE, 6, 2},
    {KP_REC_RESIZE, 1, 7},
    FIELD(KP_REC_RESIZE, kp_rec_resize, size),
    {KP_REC_STAMP, 1, 7},
    FIELD(KP_REC_STAMP, kp_rec_stamp, time_us),
    FIELD(KP_REC_RATE, kp_rec_rate, rate),
    FIELD(KP_REC_THREAD, kp_rec_thread, tid),
    FIELD(KP_REC_THREAD, kp_rec_thread, name),
    {KP_REC_MARK, 1, 7},
    FIELD(KP_REC_MARK, kp_rec_mark, time_us),
    {KP_REC_TOTALS, 1, 7},
    FIELD(KP_REC_TOTALS, kp_rec_totals, rss),
    FIELD(KP_REC_TOTALS, kp_rec_totals, object_blocks),
    FIELD(KP_REC_NODE, kp_rec_node, id),
    FIELD(KP_REC_NODE, kp_rec_node, parent),
    FIELD(KP_REC_NODE, kp_rec_node, module),
    FIELD(KP_REC_NODE, kp_rec_node, pc),
    {KP_REC_MODULE, 1, 3},
    FIELD(KP_REC_MODULE, kp_rec_module, id),
    FIELD(KP_REC_MODULE, kp_rec_module, start),
    FIELD(KP_REC_MODULE, kp_rec_module, bias),
    FIELD(KP_REC_MODULE, kp_rec_module, build_id_bytes),
    FIELD(KP_REC_MODULE, kp_rec_module, path_bytes),
    {KP_REC_NODE, offsetof(struct kp_rec_node, pc) + 4, 4}, /* the code of a Python place */
    {KP_REC_NODE, offsetof(struct kp_rec_node, pc), 4},     /* the offset in it */
    {KP_REC_CODE, 1, 3},
    FIELD(KP_REC_CODE, kp_rec_code, id),
    FIELD(KP_REC_CODE, kp_rec_code, first_line),
    FIELD(KP_REC_CODE, kp_rec_code, file_bytes),
    FIELD(KP_REC_CODE, kp_rec_code, name_bytes),
    FIELD(KP_REC_CODE, kp_rec_code, table_bytes),
    FIELD(KP_REC_CODE, kp_rec_code, table_kind),
    {KP_REC_CODE, sizeof(struct kp_rec_code), 8}, /* the names */
    {KP_REC_CODE_TABLE, 1, 3},
    FIELD(KP_REC_CODE_TABLE, kp_rec_code_table, id),
    FIELD(KP_REC_CODE_TABLE, kp_rec_code_table, offset),
    FIELD(KP_REC_CODE_TABLE, kp_rec_code_table, bytes),
    {KP_REC_CODE_TABLE, sizeof(struct kp_rec_code_table), 8}, /* the line table */
    FIELD(KP_REC_MODULE_GONE, kp_rec_module_gone, id),
    {KP_REC_TEXT, 1, 3},
    FIELD(KP_REC_TEXT, kp_rec_text, what),
    FIELD(KP_REC_TEXT, kp_rec_text, text_bytes),
    FIELD(KP_FUZZ_HEADER, kp_spool_header, magic),
    FIELD(KP_FUZZ_HEADER, kp_spool_header, version),
    FIELD(KP_FUZZ_HEADER, kp_spool_header, chunk_bytes),
    FIELD(KP_FUZZ_HEADER, kp_spool_header, chunk_count),
    FIELD(KP_FUZZ_HEADER, kp_spool_header, directory_bytes),
    FIELD(KP_FUZZ_HEADER, kp_spool_header, session),
    FIELD(KP_FUZZ_HEADER, kp_spool_header, start_realtime_ns),
    FIELD(KP_FUZZ_HEADER, kp_spool_header, start_boottime_ns),
    FIELD(KP_FUZZ_HEADER, kp_spool_header, pid_namespace),
    FIELD(KP_FUZZ_HEADER, kp_spool_header, root_pid),
    FIELD(KP_FUZZ_HEADER, kp_spool_header, follow),
    FIELD(KP_FUZZ_HEADER, kp_spool_header, joined),
    FIELD(KP_FUZZ_HEADER, kp_spool_header, next_seq),
    FIELD(KP_FUZZ_HEADER, kp_spool_header, chunk_high),
    FIELD(KP_FUZZ_HEADER, kp_spool_header, lost_processes),
    FIELD(KP_FUZZ_HEADER, kp_spool_header, collector_pid),
    FIELD(KP_FUZZ_HEADER, kp_spool_header, finished),
    {KP_FUZZ_HEADER, offsetof(struct kp_spool_header, database_path), 8},
    FIELD(KP_FUZZ_CHUNK, kp_chunk_header, magic),
    FIELD(KP_FUZZ_CHUNK, kp_chunk_header, seq),
    FIELD(KP_FUZZ_CHUNK, kp_chunk_header, process),
    FIELD(KP_FUZZ_CHUNK, kp_chunk_header, pid),
    FIELD(KP_FUZZ_CHUNK, kp_chunk_header, kind),
    FIELD(KP_FUZZ_CHUNK, kp_chunk_header, slot),
    FIELD(KP_FUZZ_CHUNK, kp_chunk_header, used),
    FIELD(KP_FUZZ_CHUNK, kp_chunk_header, first_sample),
    FIELD(KP_FUZZ_INFO, kp_process_info, ppid),
    FIELD(KP_FUZZ_INFO, kp_process_info, origin),
    FIELD(KP_FUZZ_INFO, kp_process_info, parent),
    FIELD(KP_FUZZ_INFO, kp_process_info, joined_ns),
    FIELD(KP_FUZZ_INFO, kp_process_info, fixed_rate),
    FIELD(KP_FUZZ_INFO, kp_process_info, budget_ppm),
    FIELD(KP_FUZZ_INFO, kp_process_info, end),
    FIELD(KP_FUZZ_INFO, kp_process_info, unwinder),
    FIELD(KP_FUZZ_INFO, kp_process_info, ended_ns),
    FIELD(KP_FUZZ_INFO, kp_process_info, samples),
    FIELD(KP_FUZZ_INFO, kp_process_info, lost_samples),
    FIELD(KP_FUZZ_INFO, kp_process_info, rate_min),
    FIELD(KP_FUZZ_INFO, kp_process_info, rate_max),
    FIELD(KP_FUZZ_INFO, kp_process_info, sampling_ns),
    FIELD(KP_FUZZ_INFO, kp_process_info, cpu_ns),
    FIELD(KP_FUZZ_INFO, kp_process_info, peak_rss_bytes),
    FIELD(KP_FUZZ_INFO, kp_process_info, pid_namespace),
    FIELD(KP_FUZZ_INFO, kp_process_info, before_join_ns),
    FIELD(KP_FUZZ_INFO, kp_process_info, python_broken),
};

void kp_fuzz_damage_struct(struct kp_fuzz_random *random, struct kp_fuzz_bytes *bytes, size_t at,
                           unsigned which)
{
    size_t chosen = 0;
    unsigned seen = 0;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (fields[i].which == which && kp_fuzz_one_in(random, ++seen))
            chosen = i;
    if (seen)
        kp_fuzz_damage_value(random, bytes, at + fields[chosen].offset, fields[chosen].width);
}
