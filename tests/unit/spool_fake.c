/* SPDX-License-Identifier: MIT */
/*
 * The spool writer of the tests, see spool_fake.h. It shares nothing with the shim's writer but
 * record.h, so that a misunderstanding shows on one of the two sides.
 */
#include "spool_fake.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SLOTS_MAX 4096u

struct fake_slot {
    struct kp_chunk_header *chunk; /* NULL: none claimed yet */
    uint64_t counter;
    uint64_t time_us, iteration, rate;
    uint16_t flags;
    struct kp_chunk_header *counters;
    uint32_t tid;
    char name[16];
};

struct fake_process {
    uint32_t pid;
    uint32_t modules, codes, nodes;
    struct kp_chunk_header *first, *definitions;
    struct kp_process_info *info;
    struct fake_slot *slots[SLOTS_MAX];
};

struct kp_fake {
    uint8_t *bytes;
    size_t size;
    struct kp_spool_header *header;
    _Atomic uint64_t *directory;
    uint8_t *chunks;
    struct fake_process **processes; /* by number */
    uint32_t next_chunk;             /* where the search for a free one starts */
};

static void must(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "spool_fake: %s\n", what);
    abort();
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void fill_header(struct kp_spool_header *header, const char *database, uint32_t chunk_count,
                        uint32_t directory_bytes)
{
    struct stat status;
    must(strlen(database) < sizeof header->database_path, "database path too long");
    header->version = KP_SPOOL_VERSION;
    header->chunk_bytes = KP_CHUNK_BYTES;
    header->chunk_count = chunk_count;
    header->directory_bytes = directory_bytes;
    header->session = clock_ns(CLOCK_BOOTTIME) << 16 ^ (uint64_t)getpid();
    header->start_realtime_ns = clock_ns(CLOCK_REALTIME);
    header->start_boottime_ns = clock_ns(CLOCK_BOOTTIME);
    header->pid_namespace = stat("/proc/self/ns/pid", &status) ? 0 : (uint64_t)status.st_ino;
    header->root_pid = KP_FAKE_DEAD_PID(0);
    strcpy(header->database_path, database);
    header->magic = KP_SPOOL_MAGIC;
}

struct kp_fake *kp_fake_new(const char *path, const char *database, uint32_t chunk_count)
{
    struct kp_fake *fake = calloc(1, sizeof *fake);
    uint32_t directory_bytes = (chunk_count * 8 + 4095) & ~4095u;
    fake->size = 4096 + (size_t)directory_bytes + (size_t)chunk_count * KP_CHUNK_BYTES;
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    must(file >= 0 && !ftruncate(file, (off_t)fake->size), path);
    fake->bytes = mmap(NULL, fake->size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    must(fake->bytes != MAP_FAILED, "mmap");
    close(file);
    fake->header = (struct kp_spool_header *)fake->bytes;
    fake->directory = (_Atomic uint64_t *)(fake->bytes + 4096);
    fake->chunks = fake->bytes + 4096 + directory_bytes;
    fill_header(fake->header, database, chunk_count, directory_bytes);
    return fake;
}

void kp_fake_close(struct kp_fake *fake)
{
    for (uint32_t p = 1; p <= (fake->header->joined & ~KP_JOINED_CLOSED); p++) {
        for (unsigned s = 0; s < SLOTS_MAX; s++)
            free(fake->processes[p]->slots[s]);
        free(fake->processes[p]);
    }
    free(fake->processes);
    munmap(fake->bytes, fake->size);
    free(fake);
}

struct kp_spool_header *kp_fake_header(struct kp_fake *fake)
{
    return fake->header;
}

uint8_t *kp_fake_bytes(struct kp_fake *fake, size_t *size)
{
    *size = fake->size;
    return fake->bytes;
}

static uint32_t find_free(struct kp_fake *fake)
{
    for (uint32_t n = 0; n < fake->header->chunk_count; n++) {
        uint32_t i = (fake->next_chunk + n) % fake->header->chunk_count;
        if (KP_CHUNK_STATE(fake->directory[i]) == KP_CHUNK_FREE)
            return i;
    }
    must(false, "the spool is full");
    return 0;
}

static struct kp_chunk_header *claim(struct kp_fake *fake, uint32_t process, uint32_t pid,
                                     enum kp_chunk_kind kind, unsigned slot, uint64_t first_sample)
{
    uint32_t index = find_free(fake);
    fake->next_chunk = index + 1;
    fake->directory[index] = KP_CHUNK_WORD(KP_CHUNK_OWNED, pid);
    struct kp_chunk_header *chunk = (void *)(fake->chunks + (size_t)index * KP_CHUNK_BYTES);
    chunk->seq = fake->header->next_seq++;
    if (index >= fake->header->chunk_high)
        fake->header->chunk_high = index + 1;
    chunk->process = process;
    chunk->pid = pid;
    chunk->kind = (uint16_t)kind;
    chunk->slot = (uint16_t)slot;
    chunk->used = 0;
    chunk->first_sample = first_sample;
    atomic_thread_fence(memory_order_release);
    chunk->magic = KP_CHUNK_MAGIC;
    return chunk;
}

static void mark_done(struct kp_fake *fake, struct kp_chunk_header *chunk)
{
    size_t index = (size_t)((uint8_t *)chunk - fake->chunks) / KP_CHUNK_BYTES;
    fake->directory[index] = KP_CHUNK_WORD(KP_CHUNK_DONE, chunk->pid);
}

static uint32_t chunk_start(const struct kp_chunk_header *chunk)
{
    return chunk->kind == KP_CHUNK_PROCESS
               ? sizeof *chunk + (uint32_t)sizeof(struct kp_process_info)
               : sizeof *chunk;
}

/* NULL when it does not fit. */
static bool append(struct kp_chunk_header *chunk, const void *record, uint32_t bytes)
{
    if (!chunk || chunk_start(chunk) + chunk->used + bytes > KP_CHUNK_BYTES)
        return false;
    memcpy((uint8_t *)chunk + chunk_start(chunk) + chunk->used, record, bytes);
    atomic_store_explicit(&chunk->used, chunk->used + bytes, memory_order_release);
    return true;
}

uint32_t kp_fake_process(struct kp_fake *fake, uint32_t pid, enum kp_process_origin origin,
                         uint64_t joined_ns)
{
    uint32_t number = ++fake->header->joined;
    fake->processes = realloc(fake->processes, (number + 1) * sizeof *fake->processes);
    struct fake_process *p = fake->processes[number] = calloc(1, sizeof *p);
    p->pid = pid;
    p->first = p->definitions = claim(fake, number, pid, KP_CHUNK_PROCESS, 0, 0);
    p->info = (struct kp_process_info *)(p->first + 1);
    memset(p->info, 0, sizeof *p->info);
    p->info->ppid = 1;
    p->info->origin = origin;
    p->info->joined_ns = joined_ns;
    p->info->budget_ppm = 10000;
    p->info->unwinder = KP_UNWIND_CFI;
    return number;
}

struct kp_process_info *kp_fake_info(struct kp_fake *fake, uint32_t process)
{
    return fake->processes[process]->info;
}

void kp_fake_exit(struct kp_fake *fake, uint32_t process, uint64_t ended_ns)
{
    struct fake_process *p = fake->processes[process];
    p->info->end = KP_END_EXIT;
    p->info->ended_ns = ended_ns;
    mark_done(fake, p->first);
    mark_done(fake, p->definitions);
    for (unsigned s = 0; s < SLOTS_MAX; s++)
        if (p->slots[s] && p->slots[s]->chunk)
            mark_done(fake, p->slots[s]->chunk);
}

static void define(struct kp_fake *fake, uint32_t process, const void *record, uint32_t bytes)
{
    struct fake_process *p = fake->processes[process];
    if (append(p->definitions, record, bytes))
        return;
    mark_done(fake, p->definitions);
    p->definitions = claim(fake, process, p->pid, KP_CHUNK_DEFINITION, 0, 0);
    must(append(p->definitions, record, bytes), "definition too large");
}

void kp_fake_text(struct kp_fake *fake, uint32_t process, enum kp_text what, const char *text,
                  size_t bytes)
{
    union {
        struct kp_rec_text text;
        uint8_t bytes[32768];
    } record = {0};
    uint32_t total = (uint32_t)(sizeof record.text + bytes + 7) & ~7u;
    must(total <= sizeof record, "text too long");
    record.text.type_bytes = KP_REC_TEXT | total << 8;
    record.text.what = (uint16_t)what;
    record.text.text_bytes = (uint16_t)bytes;
    memcpy(record.bytes + sizeof record.text, text, bytes);
    define(fake, process, &record, total);
}

uint32_t kp_fake_module(struct kp_fake *fake, uint32_t process, const char *path,
                        const char *build_id, size_t build_id_bytes, uint64_t bias)
{
    union {
        struct kp_rec_module module;
        uint8_t bytes[8192];
    } record = {0};
    size_t path_bytes = strlen(path);
    uint32_t total = (uint32_t)(sizeof record.module + build_id_bytes + path_bytes + 7) & ~7u;
    must(total <= sizeof record, "path too long");
    record.module.type_bytes = KP_REC_MODULE | total << 8;
    record.module.id = ++fake->processes[process]->modules;
    record.module.start = bias;
    record.module.end = bias + 0x100000;
    record.module.bias = bias;
    record.module.build_id_bytes = (uint16_t)build_id_bytes;
    record.module.path_bytes = (uint16_t)path_bytes;
    memcpy(record.bytes + sizeof record.module, build_id, build_id_bytes);
    memcpy(record.bytes + sizeof record.module + build_id_bytes, path, path_bytes);
    define(fake, process, &record, total);
    return record.module.id;
}

void kp_fake_module_gone(struct kp_fake *fake, uint32_t process, uint32_t module)
{
    struct kp_rec_module_gone record = {KP_REC_MODULE_GONE, module};
    define(fake, process, &record, sizeof record);
}

void kp_fake_code_table(struct kp_fake *fake, uint32_t process, uint32_t code, uint32_t offset,
                        const void *piece, uint32_t bytes)
{
    union {
        struct kp_rec_code_table table;
        uint8_t bytes[sizeof(struct kp_rec_code_table) + KP_FAKE_PIECE];
    } record = {0};
    uint32_t total = (uint32_t)(sizeof record.table + bytes + 7) & ~7u;
    must(bytes <= KP_FAKE_PIECE, "piece too long");
    record.table = (struct kp_rec_code_table){KP_REC_CODE_TABLE | total << 8, code, offset, bytes};
    memcpy(record.bytes + sizeof record.table, piece, bytes);
    define(fake, process, &record, total);
}

uint32_t kp_fake_code(struct kp_fake *fake, uint32_t process, const char *file,
                      const char *function, uint32_t first_line, enum kp_line_table kind,
                      const void *table, uint32_t table_bytes)
{
    union {
        struct kp_rec_code code;
        uint8_t bytes[8192];
    } record = {0};
    size_t file_bytes = strlen(file), name_bytes = strlen(function);
    uint32_t total = (uint32_t)(sizeof record.code + file_bytes + name_bytes + 7) & ~7u;
    must(total <= sizeof record, "name too long");
    record.code = (struct kp_rec_code){.type_bytes = KP_REC_CODE | total << 8,
                                       .id = ++fake->processes[process]->codes,
                                       .first_line = first_line,
                                       .file_bytes = (uint16_t)file_bytes,
                                       .name_bytes = (uint16_t)name_bytes,
                                       .table_bytes = table_bytes,
                                       .table_kind = (uint16_t)kind};
    memcpy(record.bytes + sizeof record.code, file, file_bytes);
    memcpy(record.bytes + sizeof record.code + file_bytes, function, name_bytes);
    define(fake, process, &record, total);
    for (uint32_t at = 0; at < table_bytes; at += KP_FAKE_PIECE)
        kp_fake_code_table(fake, process, record.code.id, at, (const uint8_t *)table + at,
                           table_bytes - at < KP_FAKE_PIECE ? table_bytes - at : KP_FAKE_PIECE);
    return record.code.id;
}

uint32_t kp_fake_node(struct kp_fake *fake, uint32_t process, uint32_t parent, uint32_t module,
                      uint64_t pc)
{
    struct kp_rec_node record = {KP_REC_NODE, ++fake->processes[process]->nodes, parent, module,
                                 pc};
    define(fake, process, &record, sizeof record);
    return record.id;
}

static void put_state(struct fake_slot *slot)
{
    struct kp_rec_stamp stamp = {KP_REC_STAMP | slot->iteration << 8, slot->time_us};
    struct kp_rec_rate rate = {KP_REC_RATE, slot->rate};
    struct kp_rec_thread thread = {KP_REC_THREAD, slot->tid, {0}};
    memcpy(thread.name, slot->name, sizeof thread.name);
    must(append(slot->chunk, &stamp, sizeof stamp) && append(slot->chunk, &rate, sizeof rate) &&
             append(slot->chunk, &thread, sizeof thread),
         "a new chunk has no room");
}

static struct fake_slot *slot_of(struct kp_fake *fake, uint32_t process, unsigned slot)
{
    struct fake_process *p = fake->processes[process];
    if (p->slots[slot])
        return p->slots[slot];
    struct fake_slot *s = p->slots[slot] = calloc(1, sizeof *s);
    s->rate = 1;
    s->tid = p->pid + slot;
    s->time_us = p->info->joined_ns / 1000;
    snprintf(s->name, sizeof s->name, "thread %u", slot);
    return s;
}

static void put(struct kp_fake *fake, uint32_t process, unsigned slot, const void *record,
                uint32_t bytes)
{
    struct fake_slot *s = slot_of(fake, process, slot);
    if (append(s->chunk, record, bytes))
        return;
    if (s->chunk)
        mark_done(fake, s->chunk);
    uint32_t pid = fake->processes[process]->pid;
    s->chunk = claim(fake, process, pid, KP_CHUNK_DATA, slot, s->counter);
    put_state(s);
    must(append(s->chunk, record, bytes), "data record too large");
}

void kp_fake_record(struct kp_fake *fake, uint32_t process, unsigned slot, const void *record,
                    uint32_t bytes)
{
    put(fake, process, slot, record, bytes);
}

void kp_fake_definition(struct kp_fake *fake, uint32_t process, const void *record, uint32_t bytes)
{
    define(fake, process, record, bytes);
}

void kp_fake_stamp(struct kp_fake *fake, uint32_t process, unsigned slot, uint64_t time_us,
                   uint64_t iteration)
{
    struct fake_slot *s = slot_of(fake, process, slot);
    struct kp_rec_stamp record = {KP_REC_STAMP | iteration << 8, time_us};
    s->time_us = time_us;
    s->iteration = iteration;
    put(fake, process, slot, &record, sizeof record);
}

void kp_fake_rate(struct kp_fake *fake, uint32_t process, unsigned slot, uint64_t rate)
{
    struct kp_rec_rate record = {KP_REC_RATE, rate};
    slot_of(fake, process, slot)->rate = rate;
    put(fake, process, slot, &record, sizeof record);
}

void kp_fake_thread(struct kp_fake *fake, uint32_t process, unsigned slot, uint32_t tid,
                    const char *name)
{
    struct fake_slot *s = slot_of(fake, process, slot);
    struct kp_rec_thread record = {KP_REC_THREAD, tid, {0}};
    snprintf(record.name, sizeof record.name, "%s", name);
    s->tid = tid;
    memcpy(s->name, record.name, sizeof s->name);
    put(fake, process, slot, &record, sizeof record);
}

uint64_t kp_fake_alloc(struct kp_fake *fake, uint32_t process, unsigned slot, enum kp_kind kind,
                       uint32_t node, uint64_t size)
{
    struct fake_slot *s = slot_of(fake, process, slot);
    uint64_t address = 0x7f0000000000u + ((uint64_t)slot << 34) + s->counter * 16;
    struct kp_rec_alloc record = {KP_REC_ALLOC, (uint8_t)kind, s->flags, node, size, address};
    put(fake, process, slot, &record, sizeof record);
    fake->processes[process]->info->samples++;
    return KP_SAMPLE_ID(slot, s->counter++);
}

void kp_fake_flags(struct kp_fake *fake, uint32_t process, unsigned slot, uint16_t flags)
{
    slot_of(fake, process, slot)->flags = flags;
}

void kp_fake_free(struct kp_fake *fake, uint32_t process, unsigned slot, uint64_t id)
{
    uint64_t record = KP_REC_FREE | id << 8;
    put(fake, process, slot, &record, sizeof record);
}

void kp_fake_resize(struct kp_fake *fake, uint32_t process, unsigned slot, uint64_t id,
                    uint64_t size)
{
    struct kp_rec_resize record = {KP_REC_RESIZE | id << 8, size};
    put(fake, process, slot, &record, sizeof record);
}

void kp_fake_mark(struct kp_fake *fake, uint32_t process, unsigned slot, uint64_t iteration,
                  uint64_t time_us)
{
    struct kp_rec_mark record = {KP_REC_MARK | iteration << 8, time_us};
    put(fake, process, slot, &record, sizeof record);
    slot_of(fake, process, slot)->iteration = iteration;
}

void kp_fake_totals(struct kp_fake *fake, uint32_t process, unsigned slot, uint64_t iteration,
                    struct kp_rec_totals totals)
{
    totals.type_iteration = KP_REC_TOTALS | iteration << 8;
    put(fake, process, slot, &totals, sizeof totals);
}

void kp_fake_entry(struct kp_fake *fake, uint32_t process, uint16_t id, enum kp_entry_kind kind,
                   uint32_t module, const char *name)
{
    union {
        struct kp_rec_entry entry;
        uint8_t bytes[1024];
    } record = {0};
    size_t name_bytes = strlen(name);
    uint32_t total = (uint32_t)(sizeof record.entry + name_bytes + 7) & ~7u;
    must(total <= sizeof record, "name too long");
    record.entry = (struct kp_rec_entry){
        KP_REC_ENTRY | total << 8, id, (uint16_t)kind, module, (uint16_t)name_bytes, 0};
    memcpy(record.bytes + sizeof record.entry, name, name_bytes);
    define(fake, process, &record, total);
}

struct kp_counter_block *kp_fake_block(struct kp_fake *fake, uint32_t process, unsigned slot,
                                       uint16_t entry)
{
    struct fake_slot *s = slot_of(fake, process, slot);
    struct kp_counter_block block = {.entry = entry, .tid = s->tid};
    if (!append(s->counters, &block, sizeof block)) {
        s->counters =
            claim(fake, process, fake->processes[process]->pid, KP_CHUNK_COUNTERS, slot, 0);
        append(s->counters, &block, sizeof block);
    }
    return (void *)((uint8_t *)(s->counters + 1) + s->counters->used - sizeof block);
}

void kp_fake_activation(struct kp_fake *fake, uint32_t process, unsigned slot,
                        struct kp_rec_activation activation)
{
    activation.type = KP_REC_ACTIVATION;
    put(fake, process, slot, &activation, sizeof activation);
}
