/* SPDX-License-Identifier: MIT */
/*
 * What state a recording is in, see collect.h. The lock is tried and given back at once; a
 * collector that comes in that moment tries again.
 */
#include "collect.h"
#include "process_watch.h"
#include "recording_alive.h"
#include "spool_reader.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool is_alive(const struct kp_spool *spool, struct kp_watch *watch, uint32_t index)
{
    struct kp_chunk_header chunk;
    struct kp_process_info info;

    if (KP_CHUNK_STATE(kp_spool_word(spool, index)) == KP_CHUNK_FREE ||
        !kp_spool_chunk(spool, index, &chunk) || kp_decode_chunk(&chunk) ||
        chunk.kind != KP_CHUNK_PROCESS)
        return false;
    kp_spool_info(spool, index, &info);
    struct kp_watched watched = {
        .pid = chunk.pid, .pid_namespace = info.pid_namespace, .joined_ns = info.joined_ns};
    return kp_watch_is_alive(watch, &watched);
}

uint32_t kp_recording_alive(const struct kp_spool *spool)
{
    struct kp_watched root = {.pid = spool->opened.root_pid, .joined_ns = 10000000000u};
    struct kp_watch watch;
    uint32_t alive = 0;

    kp_watch_init(&watch, &spool->opened);
    for (uint32_t i = 0; i < kp_spool_chunk_end(spool); i++)
        alive += is_alive(spool, &watch, i);
    if ((spool->header->joined & ~KP_JOINED_CLOSED) == 0)
        alive += kp_watch_is_alive(&watch, &root);
    kp_watch_release(&watch);
    return alive;
}

static enum kp_recording_state look(struct kp_recording *recording)
{
    struct kp_spool spool;

    if (access(recording->spool_path, F_OK) && errno == ENOENT)
        return KP_RECORDING_NO_SPOOL;
    if (kp_spool_open(&spool, recording->spool_path, false, &recording->problem))
        return access(recording->spool_path, F_OK) && errno == ENOENT ? KP_RECORDING_NO_SPOOL
                                                                     : KP_RECORDING_DAMAGED;
    bool is_collected = kp_spool_lock(&spool, 0) == KP_SPOOL_LOCK_BUSY;
    recording->session = spool.opened.session;
    recording->processes = spool.header->joined & ~KP_JOINED_CLOSED;
    recording->processes_alive = kp_recording_alive(&spool);
    kp_spool_close(&spool);
    if (recording->processes_alive)
        return is_collected ? KP_RECORDING_COLLECTED_LIVE : KP_RECORDING_LEFT_LIVE;
    return is_collected ? KP_RECORDING_COLLECTED_ENDED : KP_RECORDING_LEFT_ENDED;
}

enum kp_recording_state kp_recording_probe(const char *database_path,
                                           struct kp_recording *recording)
{
    memset(recording, 0, sizeof *recording);
    snprintf(recording->spool_path, sizeof recording->spool_path, "%s-spool", database_path);
    return recording->state = look(recording);
}
