/* SPDX-License-Identifier: MIT */
/*
 * make_spool SPOOL SAMPLES STACKS PROCESSES [FREED-PERCENT] [RATE]: writes a spool that was left
 * behind by a run that has ended, for benchmarks and for trying the tools without the shim. The
 * database's path is SPOOL without "-spool". What it writes depends on its arguments only.
 */
#include "spool_fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH 12
#define HELD 4096 /* samples that wait to be freed */

struct plan {
    uint64_t samples;
    uint32_t stacks, processes;
    unsigned freed_percent;
    uint64_t rate;
};

static uint64_t random_next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

static uint32_t chunks_for(const struct plan *plan)
{
    uint64_t bytes = plan->samples * 32 + (uint64_t)plan->stacks * plan->processes * 24 * DEPTH;
    uint64_t chunks = bytes / (KP_CHUNK_BYTES - 1024) + plan->processes * 3 + 16;
    if (chunks > KP_CHUNKS_MAX) {
        fprintf(stderr, "make_spool: %llu chunks do not fit into a spool; ask for less\n",
                (unsigned long long)chunks);
        exit(1);
    }
    return (uint32_t)chunks;
}

/* Stacks share their outer halves, as those of a program do. Returns the innermost nodes. */
static uint32_t *write_stacks(struct kp_fake *fake, uint32_t process, const struct plan *plan)
{
    uint32_t *nodes = malloc(plan->stacks * sizeof *nodes);
    uint32_t exe = kp_fake_module(fake, process, "/usr/bin/made-up", "\x12\x34", 2, 0x55000000);
    uint32_t libc = kp_fake_module(fake, process, "/usr/lib/made-up.so.6", "\xab", 1, 0x7f000000);
    uint32_t trunk = 0;
    for (uint32_t s = 0; s < plan->stacks; s++) {
        if (s % 16 == 0) {
            trunk = 0;
            for (int d = 0; d < DEPTH / 2; d++)
                trunk = kp_fake_node(fake, process, trunk, exe,
                                     0x55001000u + s * 64u + (unsigned)d * 8);
        }
        uint32_t node = trunk;
        for (int d = 0; d < DEPTH / 2; d++)
            node = kp_fake_node(fake, process, node, libc, 0x7f010000u + s * 64u + (unsigned)d * 8);
        nodes[s] = node;
    }
    return nodes;
}

static void write_samples(struct kp_fake *fake, uint32_t process, const struct plan *plan,
                          const uint32_t *nodes)
{
    uint64_t held[HELD] = {0};
    uint64_t state = process, count = plan->samples / plan->processes;
    kp_fake_rate(fake, process, 1, plan->rate);
    for (uint64_t i = 0; i < count; i++) {
        if (i % 100 == 0)
            kp_fake_stamp(fake, process, 1, process * 1000u + i / 2, i / 10000);
        uint32_t node = nodes[random_next(&state) % plan->stacks];
        uint64_t size = 16 + random_next(&state) % 500;
        uint64_t id = kp_fake_alloc(fake, process, 1, KP_KIND_MALLOC, node, size);
        if (random_next(&state) % 100 >= plan->freed_percent)
            continue;
        uint64_t *place = &held[random_next(&state) % HELD];
        if (*place)
            kp_fake_free(fake, process, 1, *place);
        *place = id;
    }
    for (unsigned i = 0; i < HELD; i++)
        if (held[i])
            kp_fake_free(fake, process, 1, held[i]);
}

static void write_process(struct kp_fake *fake, uint32_t number, const struct plan *plan)
{
    uint64_t joined_ns = number * 1000000u;
    uint32_t p = kp_fake_process(fake, KP_FAKE_DEAD_PID(number),
                                 number == 1 ? KP_ORIGIN_ROOT : KP_ORIGIN_FORK, joined_ns);
    kp_fake_text(fake, p, KP_TEXT_EXE, "/usr/bin/made-up", 16);
    kp_fake_text(fake, p, KP_TEXT_ARGV, "made-up\0--fast", 14);
    kp_fake_text(fake, p, KP_TEXT_ALLOCATOR, "/usr/lib/made-up.so.6", 21);
    struct kp_process_info *info = kp_fake_info(fake, p);
    info->parent = number > 1;
    info->rate_min = info->rate_max = info->rate_now = plan->rate;
    uint32_t *nodes = write_stacks(fake, p, plan);
    write_samples(fake, p, plan, nodes);
    kp_fake_exit(fake, p, joined_ns + 1000000000u);
    free(nodes);
}

int main(int argc, char **argv)
{
    size_t length = argc > 1 ? strlen(argv[1]) : 0;
    if (argc < 5 || length < 7 || strcmp(argv[1] + length - 6, "-spool") || argv[1][0] != '/') {
        fprintf(stderr, "usage: make_spool /PATH/X.db-spool SAMPLES STACKS PROCESSES "
                        "[FREED-PERCENT] [RATE]\n");
        return 2;
    }
    struct plan plan = {strtoull(argv[2], NULL, 10), (uint32_t)atoi(argv[3]),
                        (uint32_t)atoi(argv[4]), argc > 5 ? (unsigned)atoi(argv[5]) : 90,
                        argc > 6 ? strtoull(argv[6], NULL, 10) : 1};
    char database[KP_SPOOL_PATH_BYTES];
    snprintf(database, sizeof database, "%.*s", (int)(length - 6), argv[1]);
    struct kp_fake *fake = kp_fake_new(argv[1], database, chunks_for(&plan));
    for (uint32_t p = 1; p <= plan.processes; p++)
        write_process(fake, p, &plan);
    kp_fake_close(fake);
    return 0;
}
