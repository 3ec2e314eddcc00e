/* SPDX-License-Identifier: MIT */
/*
 * Writes a spool as the shim would, for tests, fuzz seeds and benchmarks: one writer, no limits but
 * those of the file, aborts on misuse. Process numbers and ids of modules,
 * codes and nodes count from 1.
 */
#ifndef KP_SPOOL_FAKE_H
#define KP_SPOOL_FAKE_H

#include "record.h"

#include <stddef.h>
#include <stdint.h>

struct kp_fake;

/* A pid that no process can have: the recording looks as if it had ended. */
#define KP_FAKE_DEAD_PID(n) (0x10000000u + (uint32_t)(n))

/* A new spool at `path` for a database at `database` (absolute). */
struct kp_fake *kp_fake_new(const char *path, const char *database, uint32_t chunk_count);
/* Unmaps it; the file stays. */
void kp_fake_close(struct kp_fake *fake);

struct kp_spool_header *kp_fake_header(struct kp_fake *fake);
/* Raw access, to make damage: the bytes of the file. */
uint8_t *kp_fake_bytes(struct kp_fake *fake, size_t *size);

/* Processes. They join with number 1, 2, ... */
uint32_t kp_fake_process(struct kp_fake *fake, uint32_t pid, enum kp_process_origin origin,
                         uint64_t joined_ns);
struct kp_process_info *kp_fake_info(struct kp_fake *fake, uint32_t process);
/* Says that the process has ended by exit, and marks its chunks done. */
void kp_fake_exit(struct kp_fake *fake, uint32_t process, uint64_t ended_ns);

/* Definitions. */
void kp_fake_text(struct kp_fake *fake, uint32_t process, enum kp_text what, const char *text,
                  size_t bytes);
uint32_t kp_fake_module(struct kp_fake *fake, uint32_t process, const char *path,
                        const char *build_id, size_t build_id_bytes, uint64_t bias);
void kp_fake_module_gone(struct kp_fake *fake, uint32_t process, uint32_t module);
uint32_t kp_fake_node(struct kp_fake *fake, uint32_t process, uint32_t parent, uint32_t module,
                      uint64_t pc);

/* Python code with its line table, in pieces of at most KP_FAKE_PIECE bytes. */
#define KP_FAKE_PIECE 4096u
uint32_t kp_fake_code(struct kp_fake *fake, uint32_t process, const char *file,
                      const char *function, uint32_t first_line, enum kp_line_table kind,
                      const void *table, uint32_t table_bytes);
/* A piece alone, at any offset. */
void kp_fake_code_table(struct kp_fake *fake, uint32_t process, uint32_t code, uint32_t offset,
                        const void *piece, uint32_t bytes);
#define KP_FAKE_PYTHON_PC(code, offset) (KP_PC_PYTHON | (uint64_t)(code) << 32 | (uint32_t)(offset))

/* Data of a writer slot. Time, iteration, rate and thread hold until changed, and are repeated at
 * the start of each chunk. The sample's id is returned. */
void kp_fake_stamp(struct kp_fake *fake, uint32_t process, unsigned slot, uint64_t time_us,
                   uint64_t iteration);
void kp_fake_rate(struct kp_fake *fake, uint32_t process, unsigned slot, uint64_t rate);
void kp_fake_thread(struct kp_fake *fake, uint32_t process, unsigned slot, uint32_t tid,
                    const char *name);
uint64_t kp_fake_alloc(struct kp_fake *fake, uint32_t process, unsigned slot, enum kp_kind kind,
                       uint32_t node, uint64_t size);
/* Of the allocations that follow: kp_rec_alloc.flags. */
void kp_fake_flags(struct kp_fake *fake, uint32_t process, unsigned slot, uint16_t flags);
void kp_fake_free(struct kp_fake *fake, uint32_t process, unsigned slot, uint64_t id);
void kp_fake_resize(struct kp_fake *fake, uint32_t process, unsigned slot, uint64_t id,
                    uint64_t size);
void kp_fake_mark(struct kp_fake *fake, uint32_t process, unsigned slot, uint64_t iteration,
                  uint64_t time_us);
/* Conversions: an entry; its block of counters in this slot, to be filled in place; and an
 * activation, whose type is set here. */
void kp_fake_entry(struct kp_fake *fake, uint32_t process, uint16_t id, enum kp_entry_kind kind,
                   uint32_t module, const char *name);
struct kp_counter_block *kp_fake_block(struct kp_fake *fake, uint32_t process, unsigned slot,
                                       uint16_t entry);
void kp_fake_activation(struct kp_fake *fake, uint32_t process, unsigned slot,
                        struct kp_rec_activation activation);
/* Any record of data, and any definition, as it stands. */
void kp_fake_record(struct kp_fake *fake, uint32_t process, unsigned slot, const void *record,
                    uint32_t bytes);
void kp_fake_definition(struct kp_fake *fake, uint32_t process, const void *record, uint32_t bytes);
/* Behind the mark of this number; its type is set here. */
void kp_fake_totals(struct kp_fake *fake, uint32_t process, unsigned slot, uint64_t iteration,
                    struct kp_rec_totals totals);

#endif
