/* SPDX-License-Identifier: MIT */
/*
 * Answers from a database: open it, ask, close it. Opening never writes: no byte of the database
 * changes and no file appears beside it. What a damaged database holds (NULL, negative sizes,
 * cycles) is brought into range while it is read, so that the answers never need to be checked.
 * All functions return 0, or -1 with a message in `error`. One thread.
 */
#ifndef KP_QUERY_H
#define KP_QUERY_H

#include "error.h"
#include "estimate.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kp_query;

int kp_query_open(struct kp_query **query, const char *path, struct kp_error *error);
void kp_query_close(struct kp_query *query);

/* Kinds of memory, as bits. COUNTED: what totals count; an arena holds blocks that are counted
 * themselves, and a reservation is only address space. */
enum kp_kinds {
    KP_KINDS_MALLOC = 1,
    KP_KINDS_NEW = 2,
    KP_KINDS_MMAP = 4,
    KP_KINDS_RESERVE = 8,
    KP_KINDS_ARENA = 16,
    KP_KINDS_OBJECT = 32, /* Python's object domain, as far as its own allocator serves it */
    KP_KINDS_MEM = 64,    /* and its mem domain */
    KP_KINDS_COUNTED = 103,
    KP_KINDS_ALL = 127,
};
unsigned kp_kinds_parse(const char *name); /* "malloc", ..., "all"; 0: no such kind */
const char *kp_kinds_name(unsigned kind);  /* of one kind */

struct kp_filter {
    int64_t pid; /* 0: all processes */
    unsigned kinds;
};

/* One call in a stack. The strings live as long as the query; "" where unknown. */
struct kp_frame {
    const char *function, *file, *module;
    int64_t line;
    bool python;      /* else native */
    bool is_stdlib;   /* of the standard library of Python, native parts too */
    bool inlined;     /* in the next one outwards */
    bool exact;       /* false: a label, the nearest symbol, or no name at all */
    bool nameless;    /* module+0xoffset */
    bool plumbing;    /* allocation machinery that says little about the program */
    bool of_python;   /* native, and of the Python interpreter */
    bool interpreter; /* of_python or the import system; nothing that a reader of this stack misses */
};

/* Frames of a stack, innermost first, at most max. Load once with kp_query_load_stacks(). */
int kp_query_load_stacks(struct kp_query *query, struct kp_error *error);
size_t kp_query_frames(const struct kp_query *query, int64_t stack_id, struct kp_frame *frames,
                       size_t max);
#define KP_FRAMES_MAX 8192
/* The frames without those of the interpreter, in place; how many are left. */
size_t kp_frames_without_interpreter(struct kp_frame *frames, size_t count);

/* What a stack is told by; indices of frames, KP_NO_FRAME where there is none.
 * line:   the innermost Python line outside the standard library, else outside the import system,
 *         else any; without Python `native`.
 * python: the innermost Python line.
 * native: the innermost native frame inside it that is neither plumbing nor the interpreter; where
 *         that has only the nearest symbol for a name, the first caller in the same module with an
 *         exact one. In a stack without Python that is nothing but the interpreter, what the
 *         interpreter was asked for; else the innermost frame. */
#define KP_NO_FRAME SIZE_MAX
struct kp_telling {
    size_t line, python, native;
};
struct kp_telling kp_frames_telling(const struct kp_frame *frames, size_t count);
bool kp_frame_is_plumbing(const char *function, const char *module);
/* Is this source file one of Rust's standard library? Its code, too, is plumbing. */
bool kp_is_rust_library(const char *file);
/* A label of a function that has no symbol ("src/de.rs:212 (nearby)", see symbols_labels.h): the
 * bytes before what is in parentheses; 0 for a name. */
size_t kp_label_length(const char *function);
/* The name without parameters, template arguments and return type; truncates to fit. */
void kp_function_short(const char *function, char *out, size_t out_bytes);

struct kp_site {
    int64_t stack_id;   /* of the heaviest member when sites are grouped */
    int64_t process_id; /* of the same */
    int64_t members;    /* sites merged here */
    unsigned kind;    /* kinds of the members, as bits */
    struct kp_sum allocated, allocated_count, live, live_count;
    double first_s, last_s;
    double converting; /* allocated while converting between Python and native data */
    const struct kp_frame *group; /* what was grouped by; NULL for KP_GROUP_STACK */
};
/* LINE and FUNCTION: of the line that a stack is told by (kp_telling.line); MODULE: of its native
 * frame if it has one, else the Python file; the last two: kp_telling.python and .native. */
enum kp_group {
    KP_GROUP_STACK,
    KP_GROUP_LINE,
    KP_GROUP_FUNCTION,
    KP_GROUP_MODULE,
    KP_GROUP_PYTHON_LINE,
    KP_GROUP_NATIVE_LINE,
    KP_GROUP_SIDE, /* of leaks only */
};
enum kp_sort { KP_SORT_LIVE, KP_SORT_ALLOCATED, KP_SORT_COUNT };

struct kp_sites {
    struct kp_site *items; /* sorted, heaviest first */
    size_t count;
    struct kp_site total;
};
int kp_query_sites(struct kp_query *query, const struct kp_filter *filter, enum kp_group group,
                   enum kp_sort sort, struct kp_sites *sites, struct kp_error *error);
/* The same sites, grouped another way; `from` by KP_GROUP_STACK. */
int kp_query_regroup(struct kp_query *query, const struct kp_sites *from, enum kp_group group,
                     enum kp_sort sort, struct kp_sites *sites, struct kp_error *error);
double kp_site_weight(const struct kp_site *site, enum kp_sort sort);
void kp_sites_release(struct kp_sites *sites);

/* Names of the threads that a site's samples came from, most samples first; at most max. */
struct kp_site_thread {
    const char *name;
    int64_t samples;
    bool is_main; /* all of them are of main threads */
};
int kp_query_site_threads(struct kp_query *query, const struct kp_filter *filter,
                          const struct kp_site *site, struct kp_site_thread *threads, size_t max,
                          size_t *count, struct kp_error *error);

struct kp_process {
    int64_t id, pid, ppid, parent_id;
    const char *origin, *exe, *allocator, *unwinder;
    const char *argv;               /* JSON; has_argv: a list of texts, and nothing else */
    bool has_argv;
    const char *command;            /* the same, as one types it in a shell */
    const char *python, *directory; /* python: its version, "": none in it */
    const char *allocator_build_id; /* "": not known */
    const char *end;                /* "": still running */
    const char *script; /* the first argument that is no option: "app.py"; "-c code", "-e code" */
    double before_join_s;           /* from the start of the program to started_s */
    double started_s, ended_s;      /* ended_s < 0: still running */
    int64_t fixed_rate;             /* 0: auto */
    double budget;
    int64_t samples, lost_samples, lost_frees, lost_nested, lost_definitions, cut_frames,
        broken_stacks, python_broken, python_cut_frames;
    int64_t rate_min, rate_max; /* 0: no sample was drawn yet */
    double sampling_s, cpu_s;
    int64_t peak_rss_bytes;
    struct kp_sum allocated, allocated_count, live, live_count;
};
struct kp_processes {
    struct kp_process *items; /* in order of joining */
    size_t count;
};
int kp_query_processes(struct kp_query *query, const struct kp_filter *filter,
                       struct kp_processes *processes, struct kp_error *error);
void kp_processes_release(struct kp_processes *processes);

struct kp_thread {
    int64_t process_id, pid, tid, samples;
    const char *name;
    double first_s;
};
struct kp_threads {
    struct kp_thread *items; /* by process, in order of first sample */
    size_t count;
};
int kp_query_threads(struct kp_query *query, const struct kp_filter *filter,
                     struct kp_threads *threads, struct kp_error *error);
void kp_threads_release(struct kp_threads *threads);

struct kp_note {
    int64_t processes; /* that say the same */
    const char *text;
};
struct kp_blind { /* a module whose frames have no names of their own */
    const char *path, *build_id, *reason;
    bool pending; /* nobody has looked for names yet */
    bool rust;    /* it has labels of Rust sources */
    double bytes; /* allocated where the innermost frame that is no plumbing is in it */
};
struct kp_summary {
    const char *version; /* of the kprof that recorded */
    int schema;
    bool finished;
    int64_t lost_processes;
    double start_unix_s;
    double elapsed_s;
    struct kp_note *notes;
    size_t note_count;
    struct kp_blind *blind; /* heaviest first */
    size_t blind_count;
    int64_t stacks, stacks_with_python, stacks_with_native, stacks_unresolved, stacks_without;
};
/* Session and notes; count_stacks adds the stacks and the blind modules (`sites` by stack). */
int kp_query_summary(struct kp_query *query, struct kp_summary *summary, struct kp_error *error);
int kp_query_count_stacks(struct kp_query *query, const struct kp_sites *sites,
                          struct kp_summary *summary, struct kp_error *error);
void kp_summary_release(struct kp_summary *summary);

struct kp_part_of_life { /* of a process */
    int64_t process_id, pid;
    const char *name; /* of a phase: "start-up", "imports", "cold", "warm", "other"; or a module */
    double seconds, allocated_bytes, allocated_count;
};
struct kp_iterations { /* marks of a process */
    int64_t process_id, count;
    double first_s, last_s;
};
struct kp_phase_list {
    struct kp_part_of_life *phases;  /* by process, in order of time */
    struct kp_part_of_life *imports; /* by process, longest first */
    struct kp_iterations *iterations; /* by process */
    size_t phase_count, import_count, iteration_count;
};
int kp_query_phase_list(struct kp_query *query, const struct kp_filter *filter,
                    struct kp_phase_list *phases, struct kp_error *error);
void kp_phase_list_release(struct kp_phase_list *phases);

struct kp_slice {
    double start_s, end_s;
    double samples;
    double allocated_bytes, allocated_count, freed_bytes, freed_count;
    double live_bytes; /* at its end */
    int64_t rss_bytes; /* highest in it; -1: not read in it */
    int64_t rate_min, rate_max;
};
struct kp_timeline {
    struct kp_slice *slices; /* of one width */
    size_t count;
    double peak_live_bytes, peak_live_s;
    double peak_rss_bytes, peak_rss_s; /* of all processes together; peak_rss_s < 0: time unknown */
};
int kp_query_timeline(struct kp_query *query, const struct kp_filter *filter, size_t slices_max,
                      struct kp_timeline *timeline, struct kp_error *error);
void kp_timeline_release(struct kp_timeline *timeline);

/* A tree of calls. Node 0 is the root (no frame); a parent comes before its children. */
struct kp_tree_node {
    struct kp_frame frame;
    size_t parent;
    int depth;                                      /* root 0 */
    struct kp_sum allocated, allocated_count, live; /* with everything below */
};
struct kp_tree {
    struct kp_tree_node *nodes;
    size_t count;
};
int kp_query_tree(struct kp_query *query, const struct kp_sites *sites, bool bottom_up,
                  bool all_frames, struct kp_tree *tree, struct kp_error *error);
double kp_tree_weight(const struct kp_tree_node *node, enum kp_sort sort);
void kp_tree_release(struct kp_tree *tree);

#endif
