/* SPDX-License-Identifier: MIT */
/*
 * Prints what a spool says of conversions: one line for each row of an entry that counts anything,
 * summed over slots, and one for each activation. Reads the file as it is, also while it is
 * written to.
 * usage: show_counters SPOOL
 *   count PROCESS KIND MODULE ENTRY ROW CALLS AMOUNT
 *   time PROCESS ENTRY WEIGHT TOTAL_NS CONVERTING_NS TO_NS FROM_NS WAIT_NS RELEASED_NS STRINGS REPEATED
 */
#include "decode.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROCESSES_MAX 64

static const char *const rows[] = {
#define ROW(name, class, direction, objects, copies, unit, read) #name,
    KP_CONVERSION_API(ROW)
#undef ROW
};
static const char *const kinds[] = {"", "method", "slot", "thread", "module"};

struct sum {
    char name[256];
    unsigned kind;
    const char *module;
    struct kp_counter_row rows[KP_API_ROWS];
};
static char modules[PROCESSES_MAX][4096][64]; /* file names, by id */
static struct sum *sums[PROCESSES_MAX][KP_ENTRY_LAST + 1];

static struct sum *sum_of(uint32_t process, uint32_t entry)
{
    struct sum **place = &sums[process % PROCESSES_MAX][entry];

    if (!*place)
        *place = calloc(1, sizeof **place);
    return *place;
}

static void take_entry(uint32_t process, const struct kp_rec_entry *entry)
{
    struct sum *sum = sum_of(process, entry->id);

    sum->kind = entry->kind;
    sum->module = modules[process % PROCESSES_MAX][entry->module % 4096];
    snprintf(sum->name, sizeof sum->name, "%.*s", entry->name_bytes, kp_decode_entry_name(entry));
}

static void take_module(uint32_t process, const struct kp_rec_module *module)
{
    const char *path = kp_decode_path(module), *name = memrchr(path, '/', module->path_bytes);

    name = name ? name + 1 : path;
    snprintf(modules[process % PROCESSES_MAX][module->id % 4096], 64, "%.*s",
             (int)(module->path_bytes - (name - path)), name);
}

static void show_activation(uint32_t process, const struct kp_rec_activation *one)
{
    printf("time %u %s %u %llu %llu %llu %llu %llu %llu %u %u\n", process,
           sum_of(process, one->entry)->name, one->weight, (unsigned long long)one->total_ns,
           (unsigned long long)one->converting_ns, (unsigned long long)one->direction_ns[0],
           (unsigned long long)one->direction_ns[1], (unsigned long long)one->wait_ns,
           (unsigned long long)one->released_ns, one->strings, one->repeated);
}

static void take_records(const struct kp_chunk_header *chunk, bool definitions)
{
    uint32_t offset = kp_decode_records_offset(chunk);
    struct kp_decode_records records = {(const uint8_t *)chunk + offset, chunk->used, 0,
                                        chunk->kind};
    union kp_record record;
    int type;

    while ((type = kp_decode_next(&records, &record)) > 0) {
        if (definitions && type == KP_REC_MODULE)
            take_module(chunk->process, record.module);
        if (definitions && type == KP_REC_ENTRY)
            take_entry(chunk->process, record.entry);
        if (!definitions && type == KP_REC_ACTIVATION)
            show_activation(chunk->process, record.activation);
    }
}

static void take_counters(const struct kp_chunk_header *chunk)
{
    const struct kp_counter_block *block;

    for (uint32_t i = 0; (block = kp_decode_block((const uint8_t *)(chunk + 1), chunk->used, i)); i++)
        for (unsigned row = 0; row < KP_API_ROWS; row++) {
            struct sum *sum = sum_of(chunk->process, block->entry);

            sum->rows[row].calls += block->rows[row].calls - (block->is_timed ? KP_TIMED_REST : 0);
            sum->rows[row].amount += block->rows[row].amount;
        }
}

static void show(uint32_t process, const struct sum *sum)
{
    for (unsigned row = 0; row < KP_API_ROWS; row++)
        if (sum->rows[row].calls)
            printf("count %u %s %s %s %s %llu %lld\n", process, kinds[sum->kind],
                   sum->module[0] ? sum->module : "-", sum->name[0] ? sum->name : "-", rows[row],
                   (unsigned long long)sum->rows[row].calls, (long long)sum->rows[row].amount);
}

static void each_chunk(const struct kp_spool_header *header, const char *file, unsigned pass)
{
    for (uint32_t i = 0; i < header->chunk_high; i++) {
        const struct kp_chunk_header *chunk =
            (const void *)(file + kp_decode_chunk_offset(header, i));

        if (chunk->magic != KP_CHUNK_MAGIC || kp_decode_chunk(chunk))
            continue;
        if (chunk->kind == KP_CHUNK_COUNTERS && pass == 1)
            take_counters(chunk);
        else if (chunk->kind == KP_CHUNK_DATA && pass == 1)
            take_records(chunk, false);
        else if (chunk->kind < KP_CHUNK_DATA && pass == 0)
            take_records(chunk, true);
    }
}

int main(int argc, char **argv)
{
    struct stat about;
    int fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;
    const char *file = fd >= 0 && fstat(fd, &about) == 0
                           ? mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_SHARED, fd, 0)
                           : MAP_FAILED;

    if (file == MAP_FAILED)
        return 2;
    for (unsigned pass = 0; pass < 2; pass++)
        each_chunk((const struct kp_spool_header *)file, file, pass);
    for (uint32_t process = 0; process < PROCESSES_MAX; process++)
        for (uint32_t entry = 0; entry <= KP_ENTRY_LAST; entry++)
            if (sums[process][entry])
                show(process, sums[process][entry]);
    return 0;
}
