/* SPDX-License-Identifier: MIT */
/*
 * Snapshots of the heap as the collector reads them: what was live at that moment in all slots,
 * whichever of them is read first; whom the waste is shared among; snapshots that are announced and
 * do not come, that come unannounced, or in pieces.
 */
#include "collect_case.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SLOT_ADDRESS(slot) (0x7f0000000000u + ((uint64_t)(slot) << 34)) /* of its first block */
#define CELL 65536u

static void begin(struct kp_fake *fake, uint32_t p, unsigned slot, uint64_t number, uint64_t time_us)
{
    struct kp_rec_snapshot record = {.type_number = KP_REC_SNAPSHOT | number << 8,
                                     .time_us = time_us,
                                     .rss = 1000000 + number,
                                     .why = KP_SNAPSHOT_CLOCK,
                                     .page_shift = 16};

    kp_fake_record(fake, p, slot, &record, sizeof record);
}

static void end(struct kp_fake *fake, uint32_t p, unsigned slot, uint64_t number)
{
    uint64_t record = KP_REC_SNAPSHOT_END | number << 8;

    kp_fake_record(fake, p, slot, &record, sizeof record);
}

static void announce(struct kp_fake *fake, uint32_t p, uint64_t number, uint64_t time_us)
{
    struct kp_rec_snapshot_taken record = {KP_REC_SNAPSHOT_TAKEN | number << 8, time_us};

    kp_fake_definition(fake, p, &record, sizeof record);
}

/* An arena with one cell where the blocks of this slot lie: so much of it given out. */
static void arena(struct kp_fake *fake, uint32_t p, unsigned slot, uint64_t number, uint32_t index,
                  unsigned blocks_of, uint32_t used)
{
    struct kp_rec_arena record = {.type_number = KP_REC_ARENA | number << 8,
                                  .index = index,
                                  .kind = KP_ARENA_GLIBC_THREAD,
                                  .size = CELL,
                                  .in_use = used,
                                  .free = CELL - used,
                                  .resident = CELL};
    struct {
        struct kp_rec_span span;
        uint32_t cells[2];
    } span = {{KP_REC_SPAN | (uint32_t)sizeof span << 8, index, number, SLOT_ADDRESS(blocks_of), 1, 0},
              {used | 16u << 24, 0}};

    kp_fake_record(fake, p, slot, &record, sizeof record);
    kp_fake_record(fake, p, slot, &span, sizeof span);
}

static void thread(struct kp_fake *fake, uint32_t p, unsigned slot)
{
    kp_fake_thread(fake, p, slot, 5000 + slot, "worker");
    kp_fake_rate(fake, p, slot, 1);
    kp_fake_stamp(fake, p, slot, 1000, 0);
}

/* Block A lives from before the snapshot on; B is freed and C born behind it, in the other slot. */
static void all_slots(unsigned slot)
{
    unsigned other = 1 - slot;
    struct kp_case test;
    char what[80];
    uint32_t p;

    struct kp_fake *fake = kp_case_begin_process(&test, 64, &p);
    thread(fake, p, slot);
    thread(fake, p, other);
    kp_fake_alloc(fake, p, slot, KP_KIND_MALLOC, 0, 100);
    uint64_t b = kp_fake_alloc(fake, p, other, KP_KIND_MALLOC, 0, 3000);
    kp_fake_stamp(fake, p, slot, 50000, 0);
    begin(fake, p, slot, 1, 50000);
    end(fake, p, slot, 1);
    kp_fake_stamp(fake, p, slot, 60000, 0);
    kp_fake_stamp(fake, p, other, 55000, 0);
    kp_fake_free(fake, p, other, b);
    kp_fake_alloc(fake, p, other, KP_KIND_MALLOC, 0, 70000);
    announce(fake, p, 1, 50010);
    kp_fake_exit(fake, p, 90000000);
    kp_case_finish(&test, fake);
    snprintf(what, sizeof what, "live at the snapshot, in all slots (it stands in slot %u)", slot);
    double live = kp_case_number(&test, "SELECT live_malloc FROM snapshot WHERE number = 1");
    kp_check(live == 3100, what, "%g", live);
    kp_check(kp_case_number(&test, "SELECT sum(live_bytes) FROM site") == 70100,
             "and what comes behind it is read as well", "%s",
             kp_case_text(&test, "SELECT sum(live_bytes) FROM site"));
    kp_case_end(&test);
}

/* Two lines with a block each in cells of their own: 100 of 100 bytes given out, 100 of 50000. */
static void blame(void)
{
    struct kp_case test;
    uint32_t p;

    struct kp_fake *fake = kp_case_begin_process(&test, 64, &p);
    uint32_t module = kp_fake_module(fake, p, "/x", "", 0, 0);
    uint32_t lonely = kp_fake_node(fake, p, 0, module, 16), crowded = kp_fake_node(fake, p, 0, module, 32);
    thread(fake, p, 0);
    thread(fake, p, 1);
    kp_fake_alloc(fake, p, 0, KP_KIND_MALLOC, lonely, 100);
    kp_fake_alloc(fake, p, 1, KP_KIND_MALLOC, crowded, 100);
    kp_fake_stamp(fake, p, 0, 500000, 0);
    begin(fake, p, 0, 1, 500000);
    arena(fake, p, 0, 1, 0, 0, 100);
    arena(fake, p, 0, 1, 1, 1, 50000);
    end(fake, p, 0, 1);
    announce(fake, p, 1, 500010);
    kp_fake_exit(fake, p, 900000000);
    kp_case_finish(&test, fake);
    double all = kp_case_number(&test, "SELECT sum(waste) FROM arena");
    kp_check(all == 2 * CELL - 50100, "waste is what is resident and not given out", "%g", all);
    double sum = kp_case_number(&test, "SELECT sum(bytes) FROM waste");
    kp_check(fabs(sum - all) < 1, "all of it is somebody's", "%g of %g", sum, all);
    double share = kp_case_number(&test, "SELECT max(bytes) / sum(bytes) FROM waste");
    kp_check(share > 0.99, "who holds a cell alone has its waste", "%g", share);
    kp_check(kp_case_number(&test, "SELECT count(*) FROM occupancy WHERE step = 1 AND cells = 1") == 1 &&
                 kp_case_number(&test, "SELECT count(*) FROM occupancy WHERE step = 8 AND cells = 1") == 1,
             "cells are counted by how full they are", "%s",
             kp_case_text(&test, "SELECT group_concat(step) FROM occupancy"));
    kp_case_end(&test);
}

/* 1 is whole; 2 is announced and never comes; 3 has no end; 4 comes unannounced. */
static void odd_ones(void)
{
    struct kp_case test;
    uint32_t p;

    struct kp_fake *fake = kp_case_begin_process(&test, 64, &p);
    thread(fake, p, 0);
    announce(fake, p, 1, 2000);
    announce(fake, p, 2, 3000);
    begin(fake, p, 0, 1, 2000);
    end(fake, p, 0, 1);
    kp_fake_stamp(fake, p, 0, 10000, 0);
    kp_fake_alloc(fake, p, 0, KP_KIND_MALLOC, 0, 10);
    begin(fake, p, 0, 3, 10000);
    arena(fake, p, 0, 3, 0, 0, 100);
    kp_fake_stamp(fake, p, 0, 20000, 0);
    begin(fake, p, 0, 4, 20000);
    end(fake, p, 0, 4);
    kp_fake_alloc(fake, p, 0, KP_KIND_MALLOC, 0, 20);
    kp_fake_exit(fake, p, 90000000);
    kp_case_finish(&test, fake);
    const char *numbers = kp_case_text(&test, "SELECT group_concat(number) FROM snapshot");
    kp_check(!strcmp(numbers, "1,4"), "whole ones are kept, others left out", "%s", numbers);
    kp_check(kp_case_number(&test, "SELECT sum(live_bytes) FROM site") == 30,
             "one that does not come holds nothing up", "%s",
             kp_case_text(&test, "SELECT sum(live_bytes) FROM site"));
    kp_case_end(&test);
}

/* mimalloc: one heap of 65,536 bytes was visited, of the rest only the size is known. A block of it is
 * told by a span, two of 1,000 bytes, of the class of 1,024, lie in none. */
static void rest(void)
{
    struct kp_rec_arena arenas[] = {{.kind = KP_ARENA_MIMALLOC, .size = CELL, .in_use = 112, .free = CELL - 112},
                                    {.kind = KP_ARENA_MIMALLOC_REST, .size = 9000, .in_use = 9000,
                                     .is_partial = KP_ARENA_CUT}};
    struct {
        struct kp_rec_span span;
        uint32_t cells[2];
    } span = {{KP_REC_SPAN | (uint32_t)sizeof span << 8, 0, 1, SLOT_ADDRESS(0), 1, 0},
              {112 | 16u << 24, 0}};
    struct kp_case test;
    uint32_t p;

    struct kp_fake *fake = kp_case_begin_process(&test, 64, &p);
    thread(fake, p, 0);
    thread(fake, p, 1);
    kp_fake_alloc(fake, p, 0, KP_KIND_MALLOC, 0, 100);
    kp_fake_alloc(fake, p, 1, KP_KIND_MALLOC, 0, 1000);
    kp_fake_alloc(fake, p, 1, KP_KIND_MALLOC, 0, 1000);
    kp_fake_stamp(fake, p, 0, 500000, 0);
    begin(fake, p, 0, 1, 500000);
    for (uint32_t i = 0; i < 2; i++) {
        arenas[i].type_number = KP_REC_ARENA | 1 << 8;
        arenas[i].index = i;
        kp_fake_record(fake, p, 0, &arenas[i], sizeof arenas[i]);
    }
    kp_fake_record(fake, p, 0, &span, sizeof span);
    end(fake, p, 0, 1);
    announce(fake, p, 1, 500010);
    kp_fake_exit(fake, p, 900000000);
    kp_case_finish(&test, fake);
    double used = kp_case_number(&test, "SELECT in_use FROM arena WHERE kind = 'mimalloc rest'");
    kp_check(used == 2048, "what one thread cannot visit is told by the samples in no span", "%g", used);
    kp_check(kp_case_number(&test, "SELECT in_use FROM arena WHERE kind = 'mimalloc'") == 112,
             "what it has visited is as it was told", "%s",
             kp_case_text(&test, "SELECT group_concat(in_use) FROM arena"));
    kp_case_end(&test);
}

/* Of very many the peak and the last are kept, and every so many of the others. */
static void many(void)
{
    struct kp_case test;
    uint32_t p;

    struct kp_fake *fake = kp_case_begin_process(&test, 64, &p);
    thread(fake, p, 0);
    for (uint64_t i = 1; i <= 1000; i++) {
        begin(fake, p, 0, i, 1000 + i);
        end(fake, p, 0, i);
        announce(fake, p, i, 1000 + i);
    }
    kp_fake_exit(fake, p, 90000000);
    kp_case_finish(&test, fake);
    double kept = kp_case_number(&test, "SELECT count(*) FROM snapshot");
    kp_check(kept >= 60 && kept <= 130, "of 1,000 snapshots about a hundred are kept", "%g", kept);
    kp_check(kp_case_number(&test, "SELECT max(number) FROM snapshot") == 1000,
             "among them the last", "%s", kp_case_text(&test, "SELECT max(number) FROM snapshot"));
    kp_case_end(&test);
}

int main(void)
{
    all_slots(0);
    all_slots(1);
    blame();
    rest();
    odd_ones();
    many();
    return kp_checks_failed();
}
