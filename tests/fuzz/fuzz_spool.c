/* SPDX-License-Identifier: MIT */
/*
 * The fuzzer of the spool: what a collector, or kprof-report in its place, makes of a damaged
 * spool, alone or beside the database of a collector that was killed. See fuzz_child.h for what
 * must hold. Damage is done where the format has something: the header, the directory, chunks and
 * records.
 */
#include "decode.h"
#include "fuzz_seeds.h"
#include "fuzz_sql.h"
#include "fuzz_target.h"
#include "spool_fake.h"

#include <string.h>

#define DIRECTORY_AT sizeof(struct kp_spool_header)
#define RECORDS_MAX 4096
#define FIELDS_BYTES 64 /* of a record; behind that are texts */

/* A chunk of the file that has records. */
struct chunk {
    size_t at;
    size_t offsets[RECORDS_MAX]; /* of its records in the file */
    size_t sizes[RECORDS_MAX];
    size_t count;
    size_t end; /* of the last one */
};

static void add_seeds(struct kp_fuzz_seeds *seeds, const struct kp_fuzz_case *recording,
                      const char *directory)
{
    static const char *const points[] = {"opened",     "before commit", "after commit",
                                         "after free", "before finish", "finished"};
    struct kp_fuzz_case one = {0};
    if (!recording->files[KP_FUZZ_SPOOL].at)
        return;
    kp_fuzz_seeds_add(seeds, recording);
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        kp_fuzz_case_copy(&one, recording);
        kp_fuzz_seed_collect(&one, directory, points[i], 1);
        kp_fuzz_seeds_add(seeds, &one);
    }
    kp_fuzz_case_free(&one);
}

static size_t first_chunk(const struct kp_fuzz_bytes *spool)
{
    struct kp_spool_header header;
    memcpy(&header, spool->at, sizeof header);
    return sizeof header + header.directory_bytes % (1u << 20);
}

static void read_records(const struct kp_fuzz_bytes *spool, struct chunk *chunk)
{
    struct kp_chunk_header header;
    memcpy(&header, spool->at + chunk->at, sizeof header);
    size_t from = chunk->at + kp_decode_records_offset(&header);
    struct kp_decode_records records = {spool->at + from, header.used & ~7u, 0, header.kind};
    union kp_record record;
    chunk->count = 0;
    chunk->end = from;
    if (kp_decode_chunk(&header) || (from & 7))
        return;
    while (chunk->count < RECORDS_MAX && kp_decode_next(&records, &record) > 0) {
        chunk->offsets[chunk->count] = chunk->end;
        chunk->end = from + records.offset;
        chunk->sizes[chunk->count] = chunk->end - chunk->offsets[chunk->count];
        chunk->count++;
    }
}

/* A random chunk that was claimed; false when none is found. */
static bool pick_chunk(struct kp_fuzz_random *random, const struct kp_fuzz_bytes *spool,
                       struct chunk *chunk)
{
    size_t first = first_chunk(spool),
           count = spool->size > first ? (spool->size - first) / KP_CHUNK_BYTES : 0;
    for (int tries = 0; count && tries < 32; tries++) {
        uint32_t magic;
        chunk->at = first + kp_fuzz_below(random, count) * KP_CHUNK_BYTES;
        memcpy(&magic, spool->at + chunk->at, sizeof magic);
        if (magic != KP_CHUNK_MAGIC)
            continue;
        read_records(spool, chunk);
        return true;
    }
    return false;
}

static void damage_directory(struct kp_fuzz_random *random, struct kp_fuzz_bytes *spool)
{
    uint64_t word;
    size_t at = DIRECTORY_AT + kp_fuzz_below(random, 16) * sizeof word;
    if (at + sizeof word > spool->size)
        return;
    memcpy(&word, spool->at + at, sizeof word);
    if (kp_fuzz_one_in(random, 2))
        word = KP_CHUNK_WORD(kp_fuzz_below(random, 4), KP_CHUNK_PID(word));
    else
        word = kp_fuzz_value(random, word, sizeof word);
    memcpy(spool->at + at, &word, sizeof word);
}

/* The second chunk's content takes the first one's place, whole or from the records on. */
static void mix_chunks(struct kp_fuzz_random *random, struct kp_fuzz_bytes *spool)
{
    static struct chunk a, b;
    if (!pick_chunk(random, spool, &a) || !pick_chunk(random, spool, &b))
        return;
    size_t skip = kp_fuzz_one_in(random, 2) ? sizeof(struct kp_chunk_header) : 0;
    memmove(spool->at + a.at + skip, spool->at + b.at + skip, KP_CHUNK_BYTES - skip);
}

/* Puts the bytes of record `from` behind the last one, or in place of record `to`. */
static void copy_record(struct kp_fuzz_random *random, struct kp_fuzz_bytes *spool,
                        const struct chunk *chunk)
{
    struct kp_chunk_header header;
    size_t from = kp_fuzz_below(random, chunk->count), to = kp_fuzz_below(random, chunk->count);
    size_t at = chunk->offsets[to], size = chunk->sizes[from];
    if (chunk->sizes[to] != size) {
        if (chunk->end + size > chunk->at + KP_CHUNK_BYTES)
            return;
        memcpy(&header, spool->at + chunk->at, sizeof header);
        header.used += (uint32_t)size;
        memcpy(spool->at + chunk->at, &header, sizeof header);
        memmove(spool->at + at + size, spool->at + at, chunk->end - at);
        from += from >= to;
    }
    memmove(spool->at + at, spool->at + chunk->offsets[from % chunk->count], size);
}

static void drop_record(struct kp_fuzz_random *random, struct kp_fuzz_bytes *spool,
                        const struct chunk *chunk)
{
    struct kp_chunk_header header;
    size_t i = kp_fuzz_below(random, chunk->count), next = chunk->offsets[i] + chunk->sizes[i];
    memmove(spool->at + chunk->offsets[i], spool->at + next, chunk->end - next);
    memcpy(&header, spool->at + chunk->at, sizeof header);
    header.used -= (uint32_t)chunk->sizes[i];
    memcpy(spool->at + chunk->at, &header, sizeof header);
}

/* What a path, a name or a build-id should not be, behind the fixed part of the record. */
static void replace_text(struct kp_fuzz_random *random, uint8_t *file, size_t at, size_t end)
{
    static const char *const texts[] = {"/dev/zero", "/dev/tty", "/proc/self/mem", "/proc/kcore",
                                        "/",         "..",       "\033[2J\n",      "%s%s%n",
                                        "\xff\xfe",  "x",        "/bin/sh"};
    const char *chosen = texts[kp_fuzz_below(random, sizeof texts / sizeof *texts)];
    size_t length = strlen(chosen);
    at += file[at] == KP_REC_MODULE ? sizeof(struct kp_rec_module) : sizeof(struct kp_rec_text);
    if (kp_fuzz_one_in(random, 2))
        memset(file + at, '/', end - at);
    if (end - at > length)
        memcpy(file + at, chosen, length + 1);
}

/* A record of a random type of those that there are, so that seldom ones are damaged as often as
 * others. */
static size_t pick_record(struct kp_fuzz_random *random, const uint8_t *file,
                          const struct chunk *chunk)
{
    bool seen[256] = {false};
    size_t types = 0, begin = kp_fuzz_below(random, chunk->count), chosen = begin;
    for (size_t n = 0; n < chunk->count; n++) {
        size_t i = (begin + n) % chunk->count;
        uint8_t type = file[chunk->offsets[i]];
        if (!seen[type] && kp_fuzz_one_in(random, (unsigned)++types))
            chosen = i;
        seen[type] = true;
    }
    return chosen;
}

/* The first word holds the type and, above that, an id or a size: a field of its own. */
static void damage_fields(struct kp_fuzz_random *random, struct kp_fuzz_bytes *spool, size_t at,
                          size_t end)
{
    size_t above = kp_record_fixed_bytes(spool->at[at]) == 0 ? 3 : 7;
    if (kp_fuzz_one_in(random, 3))
        kp_fuzz_damage_value(random, spool, at + 1, above);
    else
        kp_fuzz_damage_field(random, spool, at, end < at + FIELDS_BYTES ? end : at + FIELDS_BYTES);
}

static void damage_records(struct kp_fuzz_random *random, struct kp_fuzz_bytes *spool)
{
    static struct chunk chunk;
    if (!pick_chunk(random, spool, &chunk) || chunk.count == 0)
        return;
    size_t i = pick_record(random, spool->at, &chunk);
    size_t at = chunk.offsets[i], end = at + chunk.sizes[i];
    switch (kp_fuzz_below(random, 9)) {
    case 0: copy_record(random, spool, &chunk); break;
    case 1: drop_record(random, spool, &chunk); break;
    case 2: kp_fuzz_flip_bits(random, spool, at, end); break;
    default:
        if (kp_record_fixed_bytes(spool->at[at]) == 0 && kp_fuzz_one_in(random, 2))
            replace_text(random, spool->at, at, end);
        else
            damage_fields(random, spool, at, end);
        break;
    }
}

static void damage_chunk(struct kp_fuzz_random *random, struct kp_fuzz_bytes *spool)
{
    static struct chunk chunk;
    if (!pick_chunk(random, spool, &chunk))
        return;
    size_t header_end = chunk.at + offsetof(struct kp_chunk_header, reserved);
    size_t info_at = chunk.at + sizeof(struct kp_chunk_header);
    if (kp_fuzz_one_in(random, 3))
        kp_fuzz_damage_field(random, spool, info_at, info_at + sizeof(struct kp_process_info));
    else
        kp_fuzz_damage_field(random, spool, chunk.at, header_end);
}

static void damage_spool(struct kp_fuzz_random *random, struct kp_fuzz_bytes *spool)
{
    size_t first = first_chunk(spool);
    switch (kp_fuzz_below(random, 32)) {
    case 0:
        kp_fuzz_damage_field(random, spool, 0, offsetof(struct kp_spool_header, database_path) + 8);
        break;
    case 1: kp_fuzz_damage_field(random, spool, 0, sizeof(struct kp_spool_header)); break;
    case 2:
    case 3: damage_directory(random, spool); break;
    case 4: kp_fuzz_damage_blocks(random, spool, first, KP_CHUNK_BYTES); break;
    case 5: mix_chunks(random, spool); break;
    case 6: kp_fuzz_cut(random, spool); break;
    case 7: kp_fuzz_flip_bits(random, spool, 0, spool->size); break;
    case 8:
    case 9:
    case 10:
    case 11: damage_chunk(random, spool); break;
    default: damage_records(random, spool); break;
    }
}

/* The spool of one seed with the database of another, which then claims to be of its session. */
static void mix_seeds(struct kp_fuzz_random *random, const struct kp_fuzz_seeds *seeds,
                      struct kp_fuzz_case *one)
{
    const struct kp_fuzz_case *other = &seeds->cases[kp_fuzz_below(random, seeds->count)];
    const struct kp_fuzz_bytes *spool = &other->files[KP_FUZZ_SPOOL];
    uint64_t session = 0;
    if (!spool->at || one->files[KP_FUZZ_SPOOL].size < DIRECTORY_AT)
        return;
    memcpy(&session, one->files[KP_FUZZ_SPOOL].at + offsetof(struct kp_spool_header, session),
           sizeof session);
    kp_fuzz_bytes_set(&one->files[KP_FUZZ_SPOOL], spool->at, spool->size);
    memcpy(one->files[KP_FUZZ_SPOOL].at + offsetof(struct kp_spool_header, session), &session,
           sizeof session);
}

static void damage(struct kp_fuzz_random *random, const struct kp_fuzz_seeds *seeds,
                   struct kp_fuzz_case *one)
{
    struct kp_fuzz_bytes *spool = &one->files[KP_FUZZ_SPOOL],
                         *database = &one->files[KP_FUZZ_DATABASE];
    if (kp_fuzz_one_in(random, 16))
        mix_seeds(random, seeds, one);
    if (database->at && kp_fuzz_one_in(random, 3)) {
        kp_fuzz_bytes_free(&one->files[KP_FUZZ_WAL]);
        kp_fuzz_damage_sql(random, database);
        if (kp_fuzz_one_in(random, 2))
            return;
    }
    for (uint64_t left = 1 + kp_fuzz_below(random, kp_fuzz_one_in(random, 4) ? 12 : 3); left--;)
        if (spool->size > DIRECTORY_AT + 8)
            damage_spool(random, spool);
}

/* The header says that a collector is at work, and the database is another session's. */
static void claim_for_collector(struct kp_fuzz_case *one)
{
    struct kp_spool_header *header = (void *)one->files[KP_FUZZ_SPOOL].at;
    header->collector_pid = KP_FAKE_DEAD_PID(5);
    header->session++;
}

static void number_chunks_alike(struct kp_fuzz_case *one)
{
    struct kp_fuzz_bytes *spool = &one->files[KP_FUZZ_SPOOL];
    for (size_t at = first_chunk(spool); at + KP_CHUNK_BYTES <= spool->size; at += KP_CHUNK_BYTES) {
        struct kp_chunk_header *chunk = (void *)(spool->at + at);
        if (chunk->kind == KP_CHUNK_DATA)
            chunk->seq = 3;
    }
}

static const struct kp_fuzz_regression regressions[] = {
    {"a collector is named, the database is another's", claim_for_collector, NULL},
    {"chunks that bear the same number", number_chunks_alike, NULL},
    {"the database of a killed collector has lost a column", NULL,
     "ALTER TABLE process DROP COLUMN lost_samples"},
    {"the database of a killed collector has lost a table", NULL, "DROP TABLE note"},
    {0},
};

const struct kp_fuzz_target kp_fuzz_target = {"spool", regressions, add_seeds, damage};
