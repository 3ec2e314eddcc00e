/* SPDX-License-Identifier: MIT */
/*
 * Each replay is a process of its own (ab_replay_worker.c), since an allocator can only be chosen
 * when a process starts. The log is written once, with the place that is left out in its header.
 * One thread.
 */
#include "ab_replay.h"

#include "ab_plan.h"
#include "ab_replay_worker.h"
#include "ab_ring.h"
#include "alloc.h"
#include "options.h"
#include "recording.h"
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

#define NEARLY 0.95

struct replay_options {
    const char *allocators;
    int64_t pid, sites;
    bool json, help;
};

#define AT(field) offsetof(struct replay_options, field)
static const struct kp_option options[] = {
    {.name = "allocators", .argument = "LIST",
     .help = "under which it is replayed (default: all of kprof-ab --help)",
     .type = KP_OPTION_TEXT, .offset = AT(allocators), .groups = 1},
    {.name = "process", .argument = "PID", .help = "this process (default: the busiest)",
     .type = KP_OPTION_WHOLE, .fixed = 1, .offset = AT(pid), .groups = 1},
    {.name = "sites", .argument = "N",
     .help = "places that are taken out, one at a time (default 8, 0: none)",
     .type = KP_OPTION_WHOLE, .fixed = 0, .offset = AT(sites), .groups = 1},
    {.name = "json", .help = "as JSON (sizes in bytes)", .type = KP_OPTION_FLAG,
     .offset = AT(json), .groups = 1},
    {.name = "help", .letter = 'h', .help = "this text", .type = KP_OPTION_FLAG,
     .offset = AT(help), .groups = 1},
    {0},
};

/* Files of a replay, in a directory of their own. */
struct files {
    char directory[512], log[544], result[544];
};

static int make_files(struct files *files, struct kp_error *error)
{
    kp_ab_temporary(files->directory, sizeof files->directory, "/tmp");
    if (!mkdtemp(files->directory))
        return -kp_error_set(error, "cannot make a directory in TMPDIR or /tmp: %s",
                             strerror(errno));
    snprintf(files->log, sizeof files->log, "%s/log", files->directory);
    snprintf(files->result, sizeof files->result, "%s/result", files->directory);
    return 0;
}

static void remove_files(const struct files *files)
{
    unlink(files->log);
    unlink(files->result);
    rmdir(files->directory);
}

static struct kp_replay_header header_of(const struct kp_ab_replay *replay, uint64_t skip)
{
    return (struct kp_replay_header){.magic = KP_REPLAY_MAGIC,
                                     .events = replay->record.event_count,
                                     .blocks = replay->record.blocks,
                                     .threads = replay->record.threads,
                                     .skip = skip};
}

/* The events with places for sites: what is left out is a line of the program. */
static int write_log(const struct kp_ab_replay *replay, const struct files *files,
                     struct kp_error *error)
{
    struct kp_replay_header header = header_of(replay, KP_REPLAY_NO_SITE);
    FILE *out = fopen(files->log, "we");
    if (out)
        fwrite(&header, sizeof header, 1, out);
    for (size_t i = 0; out && i < replay->record.event_count; i++) {
        struct kp_replay_event event = replay->record.events[i];
        if (event.site != KP_REPLAY_NO_SITE)
            event.site = replay->place_of_site[event.site];
        fwrite(&event, sizeof event, 1, out);
    }
    bool failed = !out || ferror(out);
    if (out)
        failed |= fclose(out) != 0;
    return failed ? -kp_error_set(error, "cannot write %.300s: is the disk full?", files->log) : 0;
}

static bool set_skip(const struct kp_ab_replay *replay, const struct files *files, uint64_t skip)
{
    struct kp_replay_header header = header_of(replay, skip);
    int fd = open(files->log, O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && pwrite(fd, &header, sizeof header, 0) == (ssize_t)sizeof header;
    if (fd >= 0)
        close(fd);
    return done;
}

static bool read_result(const struct files *files, struct kp_replay_result *result)
{
    int fd = open(files->result, O_RDONLY | O_CLOEXEC);
    bool whole = fd >= 0 && read(fd, result, sizeof *result) == (ssize_t)sizeof *result &&
                 result->magic == KP_REPLAY_MAGIC;
    if (fd >= 0)
        close(fd);
    unlink(files->result);
    return whole;
}

/* One replay. result->magic stays 0 when it did not come to its end. */
static void replay_once(const struct kp_ab_replay *replay, const struct files *files,
                        const struct kp_ab_configuration *c, uint64_t skip,
                        struct kp_replay_result *result)
{
    char *words[] = {(char *)"kprof-ab", (char *)KP_AB_REPLAY_WORKER, (char *)files->log,
                     (char *)files->result, NULL};
    char **environment = kp_ab_environment(c, "", false, NULL);
    pid_t pid;
    int status = -1;
    *result = (struct kp_replay_result){.magic = 0};
    if (set_skip(replay, files, skip) &&
        posix_spawn(&pid, "/proc/self/exe", NULL, NULL, words, environment) == 0)
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            continue;
    if (status != 0 || !read_result(files, result))
        *result = (struct kp_replay_result){.magic = 0};
    kp_ab_words_free(environment);
}

/* The last moment that is as good as the worst: what has been there for long is what pins. */
static void find_worst(struct kp_ab_replay *replay)
{
    const struct kp_replay_point *points = replay->results[0].points;
    double most = 0;
    for (unsigned i = 0; i < KP_REPLAY_POINTS; i++)
        most = fmax(most, kp_ab_replay_waste(&points[i]));
    for (unsigned i = 0; i < KP_REPLAY_POINTS; i++)
        if (kp_ab_replay_waste(&points[i]) >= NEARLY * most)
            replay->worst = i;
}

static void show(struct kp_progress *progress, size_t done, const struct kp_ab_replay *replay,
                 const char *what)
{
    size_t all = replay->comparison.configuration_count + (size_t)replay->sites_wanted;
    kp_progress_show(progress, done, all, what);
}

static void replay_sites(struct kp_ab_replay *replay, const struct files *files,
                         struct kp_progress *progress)
{
    size_t wanted = (size_t)replay->sites_wanted;
    for (size_t i = 0; i < replay->place_count && i < wanted && replay->places[i].blocks > 0; i++) {
        struct kp_ab_place *place = &replay->places[i];
        show(progress, replay->comparison.configuration_count + i, replay, "without one place");
        /* Places were numbered before they were put in order of what they hold. */
        replay_once(replay, files, &replay->comparison.configurations[0], place->number,
                    &place->without);
        place->is_replayed = place->without.magic != 0;
    }
}

static int replay_all(struct kp_ab_replay *replay, const struct files *files,
                      struct kp_error *error)
{
    struct kp_progress progress;
    size_t count = replay->comparison.configuration_count;
    replay->results = kp_alloc(count * sizeof *replay->results);
    if (kp_ab_replay_places(replay, error) != 0 || write_log(replay, files, error) != 0)
        return -1;
    kp_progress_start(&progress);
    for (size_t i = 0; i < count; i++) {
        show(&progress, i, replay, replay->comparison.configurations[i].name);
        replay_once(replay, files, &replay->comparison.configurations[i], KP_REPLAY_NO_SITE,
                    &replay->results[i]);
    }
    if (replay->results[0].magic) {
        find_worst(replay);
        kp_ab_replay_order(replay);
        replay_sites(replay, files, &progress);
    }
    kp_progress_end(&progress);
    return replay->results[0].magic
               ? 0
               : -kp_error_set(error, "the replay under %s failed",
                               replay->comparison.configurations[0].name);
}

static int load(struct kp_ab_replay *replay, const struct replay_options *o, const char *path,
                bool *usage, struct kp_error *error)
{
    struct kp_ab_plan plan = {.allocators = o->allocators};
    if (kp_ab_plan_make(&plan, &replay->comparison, &replay->left_out, usage, error) != 0 ||
        kp_query_open(&replay->query, path, error) != 0 ||
        kp_query_replay(replay->query, o->pid, &replay->record, error) != 0)
        return -1;
    return 0;
}

static int report(struct kp_ab_replay *replay, bool json, struct kp_error *error)
{
    struct kp_emitter *out = kp_emitter_new(stdout, json ? KP_FORMAT_JSON : KP_FORMAT_TEXT,
                                            kp_terminal_width(), NULL);
    if (!out)
        return -kp_error_set(error, "out of memory");
    kp_ab_replay_report(replay, out);
    if (kp_emitter_close(out, true) != 0)
        return -kp_error_set(error, "cannot write the report: is the disk full?");
    return 0;
}

static void release(struct kp_ab_replay *replay)
{
    for (size_t i = 0; i < replay->place_count; i++)
        free(replay->places[i].where);
    free(replay->places);
    free(replay->place_of_site);
    free(replay->results);
    free(replay->left_out);
    kp_replay_record_release(&replay->record);
    kp_ab_comparison_release(&replay->comparison);
    kp_query_close(replay->query);
}

static int replay_database(const char *database, const struct replay_options *o)
{
    struct kp_error error = {""};
    struct kp_settled settled;
    struct files files;
    struct kp_ab_replay replay = {.database = database, .sites_wanted = o->sites};
    bool usage = false;
    int result = kp_recording_settle(database, false, &settled, &error);
    if (result == 0)
        result = load(&replay, o, settled.path, &usage, &error);
    if (result == 0 && (result = make_files(&files, &error)) == 0) {
        result = replay_all(&replay, &files, &error);
        remove_files(&files);
    }
    if (result == 0)
        result = report(&replay, o->json, &error);
    release(&replay);
    kp_settled_release(&settled);
    if (result == 0)
        return EXIT_DONE;
    fprintf(stderr, "kprof-ab: %s\n", error.text);
    return usage ? EXIT_USAGE : EXIT_FAILED;
}

int kp_ab_replay_main(int argc, char **argv)
{
    struct replay_options o = {.sites = 8};
    struct kp_error error = {""};
    const char *database = NULL;
    struct kp_command_line line = {
        .options = options, .values = &o, .words = &database, .word_max = 1};
    if (kp_options_parse(&line, argc, argv, &error) == 0 && (o.help || database)) {
        if (!o.help)
            return replay_database(database, &o);
        puts("usage: kprof-ab replay DB [options]\n"
             "does the allocations of a recorded process again under other allocators, and without\n"
             "one place at a time; record with: kprof-run --rate 1 --keep all -o DB -- cmd\n\n"
             "options:");
        kp_options_print(options, 1, stdout);
        return kp_options_printed("kprof-ab");
    }
    fprintf(stderr, "kprof-ab: %s\n",
            *error.text ? error.text : "which database? usage: kprof-ab replay DB [options]");
    return EXIT_USAGE;
}
