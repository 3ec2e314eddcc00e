/* SPDX-License-Identifier: MIT */
/*
 * The decoder takes nothing on trust: each size, type, offset and length that does not fit is
 * refused, and what is handed out lies within the bytes given. The collector then says one line
 * and leaves the file as it is.
 */
#include "collect.h"
#include "collect_case.h"
#include "decode.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct kp_spool_header good_header(void)
{
    struct kp_spool_header header = {.magic = KP_SPOOL_MAGIC,
                                     .version = KP_SPOOL_VERSION,
                                     .chunk_bytes = KP_CHUNK_BYTES,
                                     .chunk_count = 100,
                                     .directory_bytes = 4096,
                                     .session = 1,
                                     .database_path = "/tmp/x.db"};
    return header;
}

#define FILE_BYTES (4096 + 4096 + 100ull * KP_CHUNK_BYTES)

static void headers(void)
{
    static const struct {
        size_t offset;
        uint32_t value;
        const char *what;
    } damages[] = {
        {offsetof(struct kp_spool_header, magic), 1, "another magic is refused"},
        {offsetof(struct kp_spool_header, version), KP_SPOOL_VERSION + 1,
         "a newer version is refused"},
        {offsetof(struct kp_spool_header, version), KP_SPOOL_VERSION - 1, "an older one, too"},
        {offsetof(struct kp_spool_header, version), 0, "version 0 is refused"},
        {offsetof(struct kp_spool_header, chunk_bytes), 4096, "another chunk size is refused"},
        {offsetof(struct kp_spool_header, chunk_count), 0, "no chunks are refused"},
        {offsetof(struct kp_spool_header, chunk_count), 65537, "too many chunks are refused"},
        {offsetof(struct kp_spool_header, chunk_count), 101, "a file that is too short is refused"},
        {offsetof(struct kp_spool_header, directory_bytes), 8192, "another directory is refused"},
        {offsetof(struct kp_spool_header, session), 0, "session 0 is refused"},
        {offsetof(struct kp_spool_header, database_path), 0x2f2e2e, "a relative path is refused"},
    };
    struct kp_spool_header header = good_header();

    kp_check(!kp_decode_header(&header, FILE_BYTES), "a good header is taken", "%s",
             kp_decode_header(&header, FILE_BYTES));
    kp_check(kp_decode_header(&header, 100), "a piece of a header is refused", "it was taken");
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        header = good_header();
        memcpy((char *)&header + damages[i].offset, &damages[i].value, 4);
        kp_check(kp_decode_header(&header, FILE_BYTES), damages[i].what, "it was taken");
    }
    header = good_header();
    memset(header.database_path, '/', sizeof header.database_path);
    kp_check(kp_decode_header(&header, FILE_BYTES), "a path without end is refused",
             "it was taken");
    header = good_header();
    header.version = 9;
    const char *said = kp_decode_header(&header, FILE_BYTES);
    kp_check(said && strstr(said, "newer"), "a newer version is called so", "%s", said);
    header.version = 2;
    said = kp_decode_header(&header, FILE_BYTES);
    kp_check(said && strstr(said, "made by an older version of kprof; record again"),
             "an older version is called so", "%s", said);
}

static void chunks(void)
{
    struct kp_chunk_header good = {.magic = KP_CHUNK_MAGIC, .process = 1, .kind = KP_CHUNK_DATA};
    struct kp_chunk_header bad = good;

    good.used = KP_CHUNK_BYTES - sizeof good;
    kp_check(!kp_decode_chunk(&good), "a full chunk is taken", "it was refused");
    bad.used = KP_CHUNK_BYTES - sizeof good + 8;
    kp_check(kp_decode_chunk(&bad), "more than a chunk holds is refused", "it was taken");
    bad = good;
    bad.kind = KP_CHUNK_PROCESS;
    kp_check(kp_decode_chunk(&bad), "the process info needs its room", "it was taken");
    bad.kind = 5;
    bad.used = 0;
    kp_check(kp_decode_chunk(&bad), "an unknown kind is refused", "it was taken");
    bad.kind = KP_CHUNK_COUNTERS;
    kp_check(!kp_decode_chunk(&bad), "counters of nothing are taken", "they were refused");
    bad.used = 2040;
    kp_check(kp_decode_chunk(&bad), "part of a block of counters is refused", "it was taken");
    bad = good;
    bad.used = 12;
    kp_check(kp_decode_chunk(&bad), "half a word is refused", "it was taken");
    bad = good;
    bad.slot = 4096;
    kp_check(kp_decode_chunk(&bad), "an impossible slot is refused", "it was taken");
    bad = good;
    bad.first_sample = 1ull << 44;
    kp_check(kp_decode_chunk(&bad), "an impossible counter is refused", "it was taken");
}

/* The type of the first record in `size` bytes. */
static int first(const void *bytes, uint32_t size, uint16_t kind)
{
    /* A block of its own, so that a sanitizer sees a read beyond. */
    uint8_t *exact = malloc(size ? size : 1);
    memcpy(exact, bytes, size);
    struct kp_decode_records records = {exact, size, 0, kind};
    union kp_record record;
    int type = kp_decode_next(&records, &record);
    free(exact);
    return type;
}

static void data_records(void)
{
    struct kp_rec_alloc alloc = {.type = KP_REC_ALLOC, .kind = KP_KIND_NEW};
    struct kp_rec_stamp stamp = {KP_REC_STAMP, KP_DECODE_TIME_US_MAX};
    struct kp_rec_rate rate = {KP_REC_RATE, 0};
    uint64_t unknown = 99;

    kp_check(first(&alloc, 24, KP_CHUNK_DATA) == KP_REC_ALLOC, "an alloc is read", "it was not");
    kp_check(first(&alloc, 16, KP_CHUNK_DATA) == -1, "half an alloc is refused", "it was taken");
    kp_check(first(&alloc, 0, KP_CHUNK_DATA) == 0, "no bytes are the end", "they were not");
    kp_check(first(&alloc, 24, KP_CHUNK_DEFINITION) == -1, "data among definitions is refused",
             "it was taken");
    alloc.kind = KP_KIND_LAST + 1;
    kp_check(first(&alloc, 24, KP_CHUNK_DATA) == -1, "an unknown kind of memory is refused",
             "it was taken");
    kp_check(first(&stamp, 16, KP_CHUNK_DATA) == -1, "an impossible time is refused",
             "it was taken");
    kp_check(first(&rate, 16, KP_CHUNK_DATA) == -1, "rate 0 is refused", "it was taken");
    kp_check(first(&unknown, 8, KP_CHUNK_DATA) == -1, "an unknown type is refused", "it was taken");
}

static void definitions(void)
{
    union {
        struct kp_rec_module module;
        struct kp_rec_text text;
        struct kp_rec_node node;
        uint8_t bytes[64];
    } record = {.module = {.type_bytes = KP_REC_MODULE | 56 << 8,
                           .id = 1,
                           .build_id_bytes = 8,
                           .path_bytes = 8}};

    kp_check(first(&record, 56, KP_CHUNK_DEFINITION) == KP_REC_MODULE, "a module is read", "not");
    kp_check(first(&record, 48, KP_CHUNK_DEFINITION) == -1, "a module beyond the end is refused",
             "it was taken");
    record.module.path_bytes = 9;
    kp_check(first(&record, 56, KP_CHUNK_DEFINITION) == -1, "a path beyond its record is refused",
             "it was taken");
    record.module.type_bytes = KP_REC_MODULE | 32 << 8;
    kp_check(first(&record, 56, KP_CHUNK_DEFINITION) == -1, "a module of half a module is refused",
             "it was taken");
    record.text = (struct kp_rec_text){KP_REC_TEXT | 16 << 8, KP_TEXT_EXE, 9};
    kp_check(first(&record, 16, KP_CHUNK_DEFINITION) == -1, "a text beyond its record is refused",
             "it was taken");
    record.text = (struct kp_rec_text){KP_REC_TEXT, KP_TEXT_EXE, 0};
    kp_check(first(&record, 16, KP_CHUNK_DEFINITION) == -1, "a record of no bytes is refused",
             "it was taken");
    record.text = (struct kp_rec_text){KP_REC_TEXT | 12 << 8, KP_TEXT_EXE, 1};
    kp_check(first(&record, 16, KP_CHUNK_DEFINITION) == -1, "a record of odd size is refused",
             "it was taken");
    record.node = (struct kp_rec_node){KP_REC_NODE, 5, 5, 0, 0};
    kp_check(first(&record, 24, KP_CHUNK_DEFINITION) == -1, "a node that calls itself is refused",
             "it was taken");
}

static void conversions(void)
{
    struct {
        struct kp_rec_entry entry;
        char name[8];
    } record = {{KP_REC_ENTRY | 24 << 8, 7, KP_ENTRY_METHOD, 0, 5, 0}, "dumps"};
    struct kp_rec_activation call = {.type = KP_REC_ACTIVATION, .entry = 7, .weight = 1};
    struct kp_counter_block blocks[2] = {{.entry = 7}, {.entry = 0}};

    kp_check(first(&record, 24, KP_CHUNK_DEFINITION) == KP_REC_ENTRY, "an entry is read", "not");
    record.entry.name_bytes = 9;
    kp_check(first(&record, 24, KP_CHUNK_DEFINITION) == -1, "a name beyond its entry is refused",
             "it was taken");
    record.entry.name_bytes = 5;
    record.entry.id = 0;
    kp_check(first(&record, 24, KP_CHUNK_DEFINITION) == -1, "entry 0 is refused", "it was taken");
    record.entry = (struct kp_rec_entry){KP_REC_ENTRY | 24 << 8, KP_ENTRY_LAST + 1, 1, 0, 0, 0};
    kp_check(first(&record, 24, KP_CHUNK_DEFINITION) == -1, "entry 16384 is refused", "taken");
    kp_check(first(&call, 80, KP_CHUNK_DATA) == KP_REC_ACTIVATION, "an activation is read", "not");
    kp_check(first(&call, 72, KP_CHUNK_DATA) == -1, "most of an activation is refused", "taken");
    call.weight = 0;
    kp_check(first(&call, 80, KP_CHUNK_DATA) == -1, "weight 0 is refused", "it was taken");
    kp_check(kp_decode_block((void *)blocks, sizeof blocks, 0) == blocks, "a block is read", "not");
    kp_check(!kp_decode_block((void *)blocks, sizeof blocks, 1), "a block of no entry is refused",
             "it was taken");
    kp_check(!kp_decode_block((void *)blocks, sizeof blocks, 2), "a block behind the last is none",
             "it was taken");
}

/* A small recording that has ended. Its first chunk is at 8192. */
static void record(const struct kp_case *test)
{
    struct kp_fake *fake = kp_fake_new(test->spool, test->database, 8);
    uint32_t p = kp_fake_process(fake, KP_FAKE_DEAD_PID(1), KP_ORIGIN_ROOT, 0);
    uint32_t node = kp_fake_node(fake, p, 0, 0, 0x1234);

    for (int i = 0; i < 100; i++)
        kp_fake_alloc(fake, p, 1, KP_KIND_MALLOC, node, 100);
    kp_fake_exit(fake, p, 1000);
    kp_fake_close(fake);
}

#define FIRST_CHUNK 8192
#define DATA_CHUNK (FIRST_CHUNK + (long)KP_CHUNK_BYTES)

static uint64_t checksum(const char *path)
{
    FILE *file = fopen(path, "r");
    uint64_t sum = 0, word;

    while (file && fread(&word, sizeof word, 1, file) == 1)
        sum = (sum ^ word) * 0x100000001b3u;
    if (file)
        fclose(file);
    return sum;
}

static void damaged(long offset, uint64_t value, long bytes, const char *what)
{
    struct kp_case test;

    kp_case_begin(&test);
    record(&test);
    FILE *file = fopen(test.spool, "r+");
    fseek(file, offset, SEEK_SET);
    fwrite(&value, (size_t)bytes, 1, file);
    fclose(file);
    if (bytes == 0 && truncate(test.spool, offset))
        abort();
    uint64_t before = checksum(test.spool);
    int status = kp_case_collect(&test, 0);
    bool untouched = before == checksum(test.spool) && !kp_case_exists(test.database);
    kp_check(
        status == KP_COLLECT_FAILED && *kp_case_error && !strchr(kp_case_error, '\n') && untouched,
        what, "status %d, \"%s\", %s", status, kp_case_error, untouched ? "" : "files changed");
    kp_case_end(&test);
}

static void spools(void)
{
    damaged(offsetof(struct kp_spool_header, magic), 7, 8, "a file that is no spool stays");
    damaged(offsetof(struct kp_spool_header, version), KP_SPOOL_VERSION + 1, 4,
            "a spool of a newer version stays");
    damaged(offsetof(struct kp_spool_header, version), 2, 4, "a spool of an older version stays");
    damaged(FIRST_CHUNK + 3 * (long)KP_CHUNK_BYTES, 0, 0, "a truncated spool stays");
    damaged(100, 0, 0, "a spool of 100 bytes stays");
    damaged(0, 0, 0, "an empty spool stays");
    damaged(4096, KP_CHUNK_WORD(77, 1), 8, "a chunk in an unknown state is damage");
    damaged(DATA_CHUNK + 16, 9, 2, "a chunk of an unknown kind is damage");
    damaged(DATA_CHUNK + 20, 70000, 4, "a chunk that is too long is damage");
    damaged(DATA_CHUNK + 64 + 56, 99, 1, "a record of an unknown type is damage");
    damaged(FIRST_CHUNK + 64 + 512 + 4, 1u << 30, 4, "a node with an impossible id is damage");
    damaged(offsetof(struct kp_spool_header, chunk_high), 99, 4, "an impossible count is damage");
}

/* A file of somebody else at the database's path. */
static void foreign_database(void)
{
    struct kp_case test;

    kp_case_begin(&test);
    record(&test);
    FILE *file = fopen(test.database, "w");
    fputs("my notes", file);
    fclose(file);
    uint64_t spool = checksum(test.spool), database = checksum(test.database);
    int status = kp_case_collect(&test, 0);
    bool untouched = spool == checksum(test.spool) && database == checksum(test.database);
    kp_check(status == KP_COLLECT_FAILED && untouched, "another file at the database's path stays",
             "status %d, %s", status, untouched ? "" : "files changed");
    kp_case_end(&test);
}

int main(void)
{
    headers();
    chunks();
    data_records();
    definitions();
    conversions();
    spools();
    foreign_database();
    return kp_checks_failed();
}
