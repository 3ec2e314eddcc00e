/* SPDX-License-Identifier: MIT */
/*
 * The fuzzer of the database: what kprof-report makes of a damaged or hostile SQLite file, of a
 * finished recording and of one whose collector was killed (with its -wal). See fuzz_child.h for
 * what must hold.
 */
#include "fuzz_seeds.h"
#include "fuzz_sql.h"
#include "fuzz_target.h"

#include <string.h>

#define PAGE_BYTES 4096
#define FILE_HEADER_BYTES 100
#define PAGE_HEADER_BYTES 12
#define WAL_HEADER_BYTES 32
#define FRAME_HEADER_BYTES 24

static void add_seeds(struct kp_fuzz_seeds *seeds, const struct kp_fuzz_case *recording,
                      const char *directory)
{
    struct kp_fuzz_case one = {0};
    kp_fuzz_case_copy(&one, recording);
    if (one.files[KP_FUZZ_SPOOL].at) {
        kp_fuzz_seed_collect(&one, directory, "after commit", 1);
        kp_fuzz_bytes_free(&one.files[KP_FUZZ_SPOOL]);
        kp_fuzz_seeds_add(seeds, &one);
        kp_fuzz_case_copy(&one, recording);
        kp_fuzz_seed_collect(&one, directory, NULL, 0);
    }
    kp_fuzz_seeds_add(seeds, &one);
    kp_fuzz_case_free(&one);
}

/* Where structure is: the header of the file or of a page, the pointers behind it, or a cell. */
static void damage_page(struct kp_fuzz_random *random, struct kp_fuzz_bytes *database)
{
    size_t pages = database->size / PAGE_BYTES, page = kp_fuzz_below(random, pages);
    size_t at = page * PAGE_BYTES, header = at + (page ? 0 : FILE_HEADER_BYTES);
    switch (kp_fuzz_below(random, 5)) {
    case 0: kp_fuzz_damage_field(random, database, 0, FILE_HEADER_BYTES); break;
    case 1: kp_fuzz_damage_field(random, database, header, header + PAGE_HEADER_BYTES); break;
    case 2:
        kp_fuzz_damage_field(random, database, header + PAGE_HEADER_BYTES,
                             header + PAGE_HEADER_BYTES + 100);
        break;
    case 3: kp_fuzz_flip_bits(random, database, at, at + PAGE_BYTES); break;
    default: kp_fuzz_damage_field(random, database, at, at + PAGE_BYTES); break;
    }
}

static void damage_wal(struct kp_fuzz_random *random, struct kp_fuzz_bytes *wal)
{
    switch (kp_fuzz_below(random, 4)) {
    case 0: kp_fuzz_damage_field(random, wal, 0, WAL_HEADER_BYTES); break;
    case 1: kp_fuzz_cut(random, wal); break;
    case 2:
        kp_fuzz_damage_blocks(random, wal, WAL_HEADER_BYTES, FRAME_HEADER_BYTES + PAGE_BYTES);
        break;
    default: kp_fuzz_flip_bits(random, wal, 0, wal->size); break;
    }
}

static void damage_bytes(struct kp_fuzz_random *random, struct kp_fuzz_bytes *database)
{
    switch (kp_fuzz_below(random, 8)) {
    case 0: kp_fuzz_damage_blocks(random, database, 0, PAGE_BYTES); break;
    case 1: kp_fuzz_cut(random, database); break;
    case 2: kp_fuzz_flip_bits(random, database, 0, database->size); break;
    default: damage_page(random, database); break;
    }
}

/* Half of the inputs are sound to SQLite. */
static void damage(struct kp_fuzz_random *random, const struct kp_fuzz_seeds *seeds,
                   struct kp_fuzz_case *one)
{
    struct kp_fuzz_bytes *database = &one->files[KP_FUZZ_DATABASE], *wal = &one->files[KP_FUZZ_WAL];
    (void)seeds;
    kp_fuzz_bytes_free(&one->files[KP_FUZZ_SPOOL]);
    if (!database->at)
        return;
    if (wal->at && kp_fuzz_one_in(random, 4))
        kp_fuzz_bytes_free(wal);
    if (wal->at && kp_fuzz_one_in(random, 2))
        damage_wal(random, wal);
    if (kp_fuzz_one_in(random, 2))
        kp_fuzz_damage_sql(random, database);
    else
        for (uint64_t left = 1 + kp_fuzz_below(random, 5); left--;)
            damage_bytes(random, database);
}

static const struct kp_fuzz_regression regressions[] = {
    {"a view that never ends in place of a table", NULL,
     "ALTER TABLE note RENAME TO kept; CREATE VIEW note AS WITH RECURSIVE n(process_id) AS "
     "(SELECT 1 UNION ALL SELECT process_id + 1 FROM n) SELECT process_id, 'x' AS text FROM n"},
    {"counts that have no sum", NULL,
     "UPDATE site SET samples = 8000000000000000000, live_samples = samples"},
    {"a value of twenty megabytes", NULL,
     "UPDATE session SET version = printf('%.*c', 20000000, 'x')"},
    {0},
};

const struct kp_fuzz_target kp_fuzz_target = {"database", regressions, add_seeds, damage};
