/* SPDX-License-Identifier: MIT */
/*
 * The spool: what the shim writes and the analyzer reads. This header depends on nothing else of
 * the project. docs/record-format.md has the same in prose; change both, and KP_SPOOL_VERSION.
 *
 *   header page | chunk directory | chunk 0 | chunk 1 | ...
 *
 * The file is mapped MAP_SHARED by every process of the tree. A process claims a chunk by a CAS on
 * its directory word, appends whole records, and publishes each by a release store to `used`, so
 * what a killed process has published is complete. Four kinds of chunk:
 *
 *   PROCESS      one a process, its first: header, struct kp_process_info, then definitions
 *   DEFINITION   more definitions of that process (modules, Python code, stack nodes, texts), in
 *                order of `seq`
 *   DATA         samples of one writer slot (a thread at a time)
 *   COUNTERS     what one slot's threads have converted, in blocks that are updated in place
 *
 * A definition is published before any data record that refers to it. PROCESS and DEFINITION
 * chunks stay until their process has ended, and so do COUNTERS; DATA chunks are given back by the
 * reader as soon as their rows are durable. All integers are little-endian.
 */
#ifndef KP_RECORD_H
#define KP_RECORD_H

#include "conversion_api.h"

#include <stdatomic.h>
#include <stdint.h>

#define KP_SPOOL_MAGIC 0x6c6f6f707366726bULL /* "krfspool" */
#define KP_SPOOL_VERSION 4u
#define KP_CHUNK_MAGIC 0x6b6e6843u /* "Chnk" */
#define KP_CHUNK_BYTES 65536u
#define KP_CHUNKS_MAX 65536u /* a 4 GiB spool */
#define KP_SPOOL_PATH_BYTES 3072u

/* The database that the collector makes, as it stands in SQLite's application_id. */
#define KP_APPLICATION_ID 0x6b70726fu /* "kpro" */

struct kp_spool_header {
    uint64_t magic;
    uint32_t version;
    uint32_t chunk_bytes;     /* KP_CHUNK_BYTES */
    uint32_t chunk_count;     /* capacity; the file is sparse */
    uint32_t directory_bytes; /* of the directory, a multiple of 4096 */
    uint64_t session;         /* random, never 0 */
    uint64_t start_realtime_ns;
    uint64_t start_boottime_ns; /* CLOCK_BOOTTIME at the same moment: the zero of every STAMP */
    uint64_t pid_namespace;     /* inode of /proc/self/ns/pid, 0 when unknown */
    uint32_t root_pid;
    uint32_t follow; /* enum kp_follow */
    /* Low 31 bits: processes that have joined. Top bit: closed, nobody may join any more. */
    _Atomic uint32_t joined;
    _Atomic uint32_t next_seq;   /* the next chunk's sequence number */
    _Atomic uint32_t chunk_high; /* chunks ever used: only [0, chunk_high) need to be looked at */
    _Atomic uint32_t chunk_hint; /* where a search for a free chunk starts */
    _Atomic uint64_t lost_processes; /* could not join: no chunk free */
    _Atomic uint32_t collector_pid;  /* of the last collector, informative */
    _Atomic uint32_t finished;       /* the collector has written everything to the database */
    char database_path[KP_SPOOL_PATH_BYTES]; /* absolute, NUL-terminated */
    _Atomic uint64_t ended_samples; /* of processes whose PROCESS chunk has been given back */
    /* Calls of fork(), and children of them that have arrived (joined or decided not to): while
     * they differ somebody may be on his way. A fork that failed makes them differ for good. */
    _Atomic uint32_t forks, forks_arrived;
    /* Not 0: the function that KPROF_ITERATION names was called in some process, so that no other
     * need complain that it never met it. */
    _Atomic uint32_t named_calls;
    uint32_t keeps_all; /* 1: the database keeps every allocation and free, see KPROF_KEEP */
    uint8_t reserved[904];
};
_Static_assert(sizeof(struct kp_spool_header) == 4096, "the header is one page");

#define KP_JOINED_CLOSED 0x80000000u

enum kp_follow { KP_FOLLOW_ALL = 0, KP_FOLLOW_FORK = 1, KP_FOLLOW_NONE = 2 };

/* Directory word of a chunk: state in bits 0-7, pid of the owner in bits 32-63. */
enum kp_chunk_state {
    KP_CHUNK_FREE = 0,
    KP_CHUNK_OWNED = 1, /* being written; read up to `used` */
    KP_CHUNK_DONE = 2,  /* its owner will not write to it again */
};
#define KP_CHUNK_WORD(state, pid) ((uint64_t)(state) | (uint64_t)(uint32_t)(pid) << 32)
#define KP_CHUNK_STATE(word) ((unsigned)((word) & 0xff))
#define KP_CHUNK_PID(word) ((uint32_t)((word) >> 32))

enum kp_chunk_kind {
    KP_CHUNK_PROCESS = 1,
    KP_CHUNK_DEFINITION = 2,
    KP_CHUNK_DATA = 3,
    KP_CHUNK_COUNTERS = 4,
};

struct kp_chunk_header {
    /* KP_CHUNK_MAGIC, written last when a chunk is claimed. Whoever frees a chunk writes 0 first. */
    uint32_t magic;
    uint32_t seq;   /* from kp_spool_header.next_seq; orders the chunks of a process */
    uint32_t process; /* number of the process in this session, from 1, in order of joining */
    uint32_t pid;
    uint16_t kind;         /* enum kp_chunk_kind */
    uint16_t slot;         /* DATA: the writer slot, part of a sample's id; COUNTERS: the slot */
    _Atomic uint32_t used; /* bytes of whole records behind the header (and the process info) */
    uint64_t first_sample; /* DATA: the counter of the first ALLOC record in this chunk */
    _Atomic uint64_t samples; /* DATA, while it is OWNED: ALLOC records in it */
    uint8_t reserved[24];
};
_Static_assert(sizeof(struct kp_chunk_header) == 64, "chunk header");

/* How a process came to be recorded, and how it ended as far as it could say itself. */
enum kp_process_origin { KP_ORIGIN_ROOT = 1, KP_ORIGIN_FORK = 2, KP_ORIGIN_EXEC = 3 };
enum kp_process_end { KP_END_UNKNOWN = 0, KP_END_EXIT = 1 };
enum kp_unwinder { KP_UNWIND_CFI = 1, KP_UNWIND_LIBUNWIND = 2, KP_UNWIND_GCC = 3, KP_UNWIND_FP = 4 };

/* Behind the header of a PROCESS chunk. The counters are live: whoever maps the spool reads the
 * present values, and a killed process leaves its last ones. */
struct kp_process_info {
    uint32_t ppid;
    uint32_t origin;        /* enum kp_process_origin */
    uint64_t parent;        /* session number of the process that forked this one, 0 unknown */
    uint64_t joined_ns;     /* CLOCK_BOOTTIME since kp_spool_header.start_boottime_ns */
    uint64_t fixed_rate;    /* KPROF_RATE as bytes, 0 for auto or set by the program */
    uint64_t budget_ppm;    /* KPROF_BUDGET in millionths of the CPU time */
    _Atomic uint32_t end;   /* enum kp_process_end */
    _Atomic uint32_t unwinder; /* enum kp_unwinder: the best one that could be had */
    _Atomic uint64_t ended_ns;
    _Atomic uint64_t samples;      /* ALLOC records written to chunks that are not OWNED any more */
    _Atomic uint64_t lost_samples; /* sampled, but no room in the spool */
    _Atomic uint64_t lost_frees;   /* frees of samples that could not be told */
    _Atomic uint64_t lost_nested;  /* sampled inside the shim itself (signal handler): not recorded */
    _Atomic uint64_t lost_definitions; /* stacks cut because no room was left for a definition */
    _Atomic uint64_t cut_frames;       /* frames beyond the depth limit, left out */
    _Atomic uint64_t broken_stacks;    /* the unwinder stopped before the outermost frame */
    _Atomic uint64_t rate_now, rate_min, rate_max; /* mean bytes between samples */
    _Atomic uint64_t sampling_ns;  /* CPU time spent on sampling, measured */
    _Atomic uint64_t cpu_ns;       /* CPU time of the process when sampling_ns was last summed */
    _Atomic uint64_t late_sampling_ns, late_cpu_ns; /* the same at the end of the first second */
    _Atomic uint64_t peak_rss_bytes;
    uint64_t pid_namespace; /* inode of its /proc/self/ns/pid; 0: that of the header */
    uint64_t before_join_ns; /* from the start of its program to joined_ns */
    /* Python: samples whose Python frames could not be read, and frames left out by the limit. */
    _Atomic uint64_t python_broken, python_cut_frames;
    /* Conversions: is anything counted, and what could not be. */
    _Atomic uint32_t conversions;     /* enum kp_conversions */
    _Atomic uint32_t patched_modules; /* objects whose calls of Python's API are counted */
    _Atomic uint32_t wrapped_entries; /* functions that Python calls through us */
    _Atomic uint32_t lost_entries;    /* functions not wrapped: no place left */
    _Atomic uint64_t lost_blocks;     /* counts of so many blocks had no room in the spool */
    _Atomic uint64_t lost_activations; /* sampled, but no room in the spool */
    _Atomic uint64_t activations;     /* ACTIVATION records written */
    uint8_t reserved_conversions[24];
    uint8_t reserved[240];
};
_Static_assert(sizeof(struct kp_process_info) == 512, "process info");

enum kp_conversions {
    KP_CONVERSIONS_NONE = 0, /* no Python, or none yet */
    KP_CONVERSIONS_ON = 1,
    KP_CONVERSIONS_OFF = 2, /* KPROF_CONVERSIONS=0 */
};

/* Records. Bits 0-7 of the first word are the type; the size is fixed per type, or in bits 8-31
 * of the first word where kp_record_fixed_bytes() says 0. All sizes are multiples of 8. */
enum kp_record_type {
    /* data */
    KP_REC_ALLOC = 1,  /* struct kp_rec_alloc */
    KP_REC_FREE = 2,   /* one word: type | sample id << 8 */
    KP_REC_RESIZE = 3, /* struct kp_rec_resize: part of a sampled mapping went away */
    KP_REC_STAMP = 4,  /* struct kp_rec_stamp */
    KP_REC_RATE = 5,   /* struct kp_rec_rate */
    KP_REC_THREAD = 6, /* struct kp_rec_thread */
    KP_REC_MARK = 7,   /* struct kp_rec_mark */
    KP_REC_TOTALS = 8, /* struct kp_rec_totals: the allocators' own figures at a mark, after it */
    KP_REC_ACTIVATION = 9, /* struct kp_rec_activation: one call of an entry, drawn at random */
    KP_REC_SNAPSHOT = 16,     /* struct kp_rec_snapshot: the state of the heap begins */
    KP_REC_ARENA = 17,        /* struct kp_rec_arena: one part of it */
    KP_REC_SPAN = 18,         /* struct kp_rec_span, variable: addresses that belong to an arena */
    KP_REC_MAPPING = 19,      /* struct kp_rec_mapping, variable: what else is resident */
    KP_REC_SNAPSHOT_END = 20, /* one word: type | number << 8 */
    /* definitions */
    KP_REC_NODE = 32,        /* struct kp_rec_node */
    KP_REC_ENTRY = 38,       /* struct kp_rec_entry, variable */
    KP_REC_MODULE = 33,      /* struct kp_rec_module, variable */
    KP_REC_MODULE_GONE = 34, /* struct kp_rec_module_gone */
    KP_REC_TEXT = 35,        /* struct kp_rec_text, variable */
    KP_REC_CODE = 36,        /* struct kp_rec_code, variable */
    KP_REC_CODE_TABLE = 37,  /* struct kp_rec_code_table, variable */
    KP_REC_SNAPSHOT_TAKEN = 44, /* struct kp_rec_snapshot_taken: all of one is in the data now */
};

/* A sample's id: writer slot in the top 12 bits of 56, the slot's own counter below. ALLOC does
 * not carry it: it is (slot << 44) + first_sample + (ALLOC records before it in the chunk). */
#define KP_SAMPLE_SLOT_SHIFT 44
#define KP_SAMPLE_ID(slot, counter) ((uint64_t)(slot) << KP_SAMPLE_SLOT_SHIFT | (counter))

enum kp_kind {
    KP_KIND_MALLOC = 1,  /* malloc and its family */
    KP_KIND_NEW = 2,     /* operator new of an allocator that brings its own */
    KP_KIND_MMAP = 3,    /* anonymous mapping made by the program */
    KP_KIND_RESERVE = 4, /* anonymous mapping without access (PROT_NONE): address space only */
    KP_KIND_ARENA = 5,   /* mapping made by an allocator: holds blocks that are counted themselves */
    KP_KIND_OBJECT = 6,  /* Python's object domain, served by Python's own allocator */
    KP_KIND_MEM = 7,     /* Python's mem domain, likewise (larger requests are KP_KIND_MALLOC) */
    KP_KIND_LAST = KP_KIND_MEM,
};

struct kp_rec_alloc {
    uint8_t type;
    uint8_t kind; /* enum kp_kind */
    uint16_t flags; /* KP_ALLOC_*: the entry that it was made in */
    uint32_t node;  /* innermost node of the stack, 0 = none */
    uint64_t size;  /* bytes asked for */
    uint64_t address;
};
/* Allocations: made by a conversion, or by native code between conversions? In which direction was
 * the last one? Which entry (0: in none)? */
#define KP_ALLOC_CONVERTING 1u
#define KP_ALLOC_FROM_PYTHON 2u /* else to Python; only with KP_ALLOC_CONVERTING */
#define KP_ALLOC_FLAGS(entry, flags) ((uint16_t)((entry) << 2 | (flags)))
#define KP_ALLOC_ENTRY(flags) ((uint16_t)(flags) >> 2)
struct kp_rec_resize {
    uint64_t type_id; /* type | sample id << 8 */
    uint64_t size;    /* what is left of it */
};
/* Time and iteration of the records that follow in this chunk. Every DATA chunk starts with one. */
struct kp_rec_stamp {
    uint64_t type_iteration; /* type | iterations marked so far in this process << 8 */
    uint64_t time_us;        /* since kp_spool_header.start_boottime_ns */
};
/* Rate of the ALLOC records that follow in this chunk. Every DATA chunk has one before its first. */
struct kp_rec_rate {
    uint64_t type;
    uint64_t rate; /* mean bytes between samples; 1 = every allocation */
};
/* Thread that writes the records that follow in this chunk. Every DATA chunk has one at its start. */
struct kp_rec_thread {
    uint32_t type;
    uint32_t tid;
    char name[16]; /* NUL-padded, at the time the thread took the slot */
};
/* kprof_iteration() marks the end of an iteration; KPROF_ITERATION marks the begin of one, and says
 * so. */
struct kp_rec_mark {
    uint64_t type_iteration; /* type | number of this mark, from 1, << 8 [| KP_MARK_AT_BEGIN]; number 0:
                              * here the iteration begins whose end will be mark 1 */
    uint64_t time_us;
};
#define KP_MARK_AT_BEGIN (1ULL << 63)
/* Bytes; KP_TOTAL_UNKNOWN where nobody can say. */
struct kp_rec_totals {
    uint64_t type_iteration; /* type | number of the mark << 8 */
    uint64_t rss;
    uint64_t malloc_used;   /* in blocks that malloc has given out */
    uint64_t malloc_held;   /* taken from the system by malloc, used or not */
    uint64_t object_held;   /* arenas of Python's own allocator */
    uint64_t object_used;   /* in blocks that it has given out, each as large as its class */
    uint64_t object_blocks; /* a number: those, and what it has passed on to malloc */
};
#define KP_TOTAL_UNKNOWN UINT64_MAX

/* A snapshot of the heap: SNAPSHOT, its ARENAs, SPANs and MAPPINGs, and SNAPSHOT_END stand one
 * behind another in the chunks of one slot, all with its number. */
enum kp_snapshot_why {
    KP_SNAPSHOT_CLOCK = 1, /* time had come */
    KP_SNAPSHOT_PEAK = 2,  /* RSS had grown */
    KP_SNAPSHOT_MARK = 3,  /* at an iteration mark */
    KP_SNAPSHOT_END = 4,   /* at exit; in Python before it takes its memory down */
};
struct kp_rec_snapshot {
    uint64_t type_number; /* type | number, from 1 in each process, << 8 */
    uint64_t time_us;
    uint64_t rss;
    uint64_t rss_file;   /* of it: pages of files and shared memory */
    uint32_t cost_us;    /* CPU time to take it, without the writing */
    uint8_t why;         /* enum kp_snapshot_why */
    uint8_t page_shift;  /* 12: cells of spans are pages; 16: of 64 KiB */
    uint8_t is_partial;  /* something was busy, or too long to read */
    uint8_t reserved;
    uint64_t trim_threshold, mmap_threshold; /* of glibc now; 0 unknown */
};
enum kp_arena_kind {
    KP_ARENA_TOTAL = 1,          /* an allocator that tells no more than its sums */
    KP_ARENA_GLIBC_MAIN = 2,     /* grown by brk */
    KP_ARENA_GLIBC_THREAD = 3,   /* of a thread or several */
    KP_ARENA_GLIBC_MMAP = 4,     /* blocks with a mapping each */
    KP_ARENA_JEMALLOC = 5,       /* an arena */
    KP_ARENA_JEMALLOC_BIN = 6,   /* a size class of all arenas: holds blocks counted there too */
    KP_ARENA_MIMALLOC = 7,       /* heap of the thread that looked, as far as it was visited */
    KP_ARENA_MIMALLOC_CLASS = 8, /* size class of it */
    KP_ARENA_TCMALLOC = 9,
    KP_ARENA_PYMALLOC = 10,      /* all arenas of Python's own allocator */
    KP_ARENA_PYMALLOC_CLASS = 11, /* size class of it */
    KP_ARENA_MIMALLOC_REST = 12, /* what could not be visited; has no spans */
    KP_ARENA_LAST = KP_ARENA_MIMALLOC_REST,
};
#define KP_ARENA_CUT 2   /* some free pieces were not looked at, and count as in use */
#define KP_ARENA_DRAWN 4 /* a part was looked at; resident, trimmable, large_free stand for all */
/* Bytes; KP_TOTAL_UNKNOWN where nobody can say. */
struct kp_rec_arena {
    uint64_t type_number;
    uint32_t index; /* in the snapshot, from 0 */
    uint8_t kind;   /* enum kp_arena_kind */
    uint8_t is_partial; /* bits: 1 something could not be read, KP_ARENA_CUT, KP_ARENA_DRAWN */
    uint16_t seen;      /* DRAWN: the part of it that has cells, of 65535 */
    uint64_t unit;  /* size of a class, else 0 */
    uint64_t size;  /* taken from the system */
    uint64_t in_use; /* in blocks given out */
    uint64_t free;  /* the rest of size, but for what the allocator needs itself */
    uint64_t largest_free; /* piece that is not at the top */
    uint64_t top;   /* never used, or free again, at the end */
    uint64_t resident;
    uint64_t trimmable; /* what malloc_trim(0) would give back of resident */
    uint64_t large_free; /* resident, in free pieces of 128 KiB or more, not at the top */
};
/* Followed by the cells: each stretch of 1 << page_shift bytes from start on, the bytes of it that
 * are given out, and the pages of it that are resident << 24. Stretches that were not drawn to be
 * looked at have no cells. */
struct kp_rec_span {
    uint32_t type_bytes;
    uint32_t arena;  /* index */
    uint64_t number;
    uint64_t start;  /* a multiple of the stretch */
    uint32_t cells;
    uint32_t is_unseen; /* they do not follow */
};
#define KP_CELL_USED(cell) ((cell) & 0xffffffu)
#define KP_CELL_PAGES(cell) ((cell) >> 24)
enum kp_mapping_kind {
    KP_MAPPING_FILE = 1,
    KP_MAPPING_SHARED = 2, /* shared memory */
    KP_MAPPING_STACK = 3,
    KP_MAPPING_HEAP = 4, /* in a span of this snapshot */
    KP_MAPPING_KPROF = 5, /* our own */
    KP_MAPPING_OTHER = 6, /* anonymous, of nobody that we know */
    KP_MAPPING_DATA = 7,  /* of a file: variables, also those without initial values */
    KP_MAPPING_RANGE = 8, /* part of the others: a sampled mapping, see kind 'mmap' and 'arena' */
    KP_MAPPING_BLOCKS = 9, /* OTHER in which the reader has found blocks of malloc */
    KP_MAPPING_LAST = KP_MAPPING_BLOCKS,
};
/* One mapping, or several of one kind and path. Followed by the path without a NUL, padded. */
struct kp_rec_mapping {
    uint32_t type_bytes;
    uint16_t kind; /* enum kp_mapping_kind */
    uint16_t path_bytes;
    uint64_t number;
    uint64_t start, end; /* of the first; OTHER has one record each */
    uint64_t rss;
    uint64_t anonymous; /* of it */
    uint64_t swap;      /* all ones: kprof's own memory of a snapshot that reads no others */
};
struct kp_rec_snapshot_taken {
    uint64_t type_number;
    uint64_t time_us; /* when it was written: no STAMP before it in its slot is later */
};
struct kp_rec_node {
    uint32_t type;
    uint32_t id;     /* from 1, rising, unique in the process */
    uint32_t parent; /* the caller's node, 0 = outermost */
    uint32_t module; /* id of the module that holds pc, 0 = none */
    /* Return address (the call is just before), or an exact pc with KP_PC_EXACT, or a place in
     * Python code: KP_PC_PYTHON | id of the code << 32 | offset of the instruction in bytes. */
    uint64_t pc;
};
#define KP_PC_EXACT (1ULL << 63)
#define KP_PC_PYTHON (1ULL << 62)
#define KP_PC_PYTHON_CODE(pc) ((uint32_t)((pc) >> 32) & 0x3fffffffu)
#define KP_PC_PYTHON_OFFSET(pc) ((uint32_t)(pc)) /* UINT32_MAX: before the first instruction */

/* Followed by build_id_bytes of build-id, then the path without a NUL, padded with 0 to 8. */
struct kp_rec_module {
    uint32_t type_bytes; /* type | bytes of the whole record << 8 */
    uint32_t id;         /* from 1, rising, unique in the process */
    uint64_t start, end; /* of its mapped segments */
    uint64_t bias;       /* load address minus the address in the file */
    uint16_t build_id_bytes;
    uint16_t path_bytes;
    uint32_t reserved;
};
struct kp_rec_module_gone {
    uint32_t type;
    uint32_t id;
};
enum kp_text {
    KP_TEXT_EXE = 1,       /* path of the program */
    KP_TEXT_ARGV = 2,      /* arguments, NUL between them */
    KP_TEXT_ALLOCATOR = 3, /* path of the object that has the next malloc */
    KP_TEXT_NOTE = 4,      /* something the user should read in the report */
    KP_TEXT_PYTHON = 5,    /* version of the Python in this process, as "3.11.2" */
    KP_TEXT_DIRECTORY = 6, /* working directory at the start: relative file names start there */
};
/* Followed by the text without a NUL, padded with 0 to 8. */
struct kp_rec_text {
    uint32_t type_bytes;
    uint16_t what; /* enum kp_text */
    uint16_t text_bytes;
};
/* A Python code object. Followed by the file's name and the qualified name, both UTF-8 without a
 * NUL, padded with 0 to 8. Its line table follows in CODE_TABLE records, before any node of it. */
struct kp_rec_code {
    uint32_t type_bytes;
    uint32_t id; /* from 1, rising, unique in the process */
    uint32_t first_line;
    uint16_t file_bytes, name_bytes;
    uint32_t table_bytes; /* of all CODE_TABLE records together */
    uint16_t table_kind;  /* enum kp_line_table */
    uint16_t reserved;
};
enum kp_line_table {
    KP_LINES_NONE = 0,      /* not known: only the first line is */
    KP_LINES_LNOTAB = 1,    /* 3.9: co_lnotab */
    KP_LINES_PEP626 = 2,    /* 3.10: co_linetable */
    KP_LINES_LOCATIONS = 3, /* 3.11 and later: co_linetable with columns (PEP 657) */
};
/* Followed by `bytes` of the line table of the code defined last, padded with 0 to 8. */
struct kp_rec_code_table {
    uint32_t type_bytes;
    uint32_t id;     /* of the code */
    uint32_t offset; /* in its table */
    uint32_t bytes;
};
/* Where native code is entered from Python, or takes the GIL on a thread of its own. Followed by
 * the name, UTF-8 without a NUL, padded with 0 to 8. */
struct kp_rec_entry {
    uint32_t type_bytes;
    uint16_t id;   /* 1 to KP_ENTRY_LAST, unique in the process; in no order */
    uint16_t kind; /* enum kp_entry_kind */
    uint32_t module; /* id of the module that has the function, 0 = none */
    uint16_t name_bytes;
    uint16_t reserved;
};
#define KP_ENTRY_LAST 16383u
enum kp_entry_kind {
    KP_ENTRY_METHOD = 1, /* a built-in function or method: "dumps", "Class.method" if known */
    KP_ENTRY_SLOT = 2,   /* a slot of a type: "Class.__new__" */
    KP_ENTRY_THREAD = 3, /* PyGILState windows of native threads; the thread's name */
    KP_ENTRY_MODULE = 4, /* called by the module outside of any other entry: "" */
};
/* One activation of an entry (THREAD: one window), drawn at random so that its figures times its
 * weight estimate the entry's sums without bias (variance: weight * (weight - 1) * figure^2). Times
 * in ns. A conversion span is from the begin of the first conversion to the end of the last. */
struct kp_rec_activation {
    uint8_t type;
    uint8_t reserved;
    uint16_t entry;
    uint32_t node;     /* of the stack that called the entry, 0 = none */
    uint32_t weight;   /* activations that it stands for */
    uint32_t strings;  /* of up to 64 bytes made in it */
    uint32_t repeated; /* of them, the same ones as some made shortly before in this thread */
    uint32_t reserved_too;
    uint64_t total_ns;
    uint64_t converting_ns;       /* span of all its conversions, time without the GIL left out */
    uint64_t direction_ns[2];     /* of those to Python, and from Python; may overlap */
    uint32_t conversions[2];      /* how many, likewise */
    uint64_t wait_ns;             /* for the GIL */
    uint64_t released_ns;         /* without it, waiting included */
};
struct kp_counter_row {
    uint64_t calls;
    uint64_t amount; /* by the row's enum kp_unit */
};
/* Counts of one entry in one slot, behind the header of a COUNTERS chunk, updated in place: whoever
 * maps the spool reads the present values; reading again is harmless. */
struct kp_counter_block {
    uint16_t entry;    /* told before the block is published; a slot has one block an entry... */
    uint16_t is_timed; /* ...and some for activations that are being timed */
    uint32_t tid;      /* thread that opened it; the slot's later threads go on with it */
    uint64_t shim[7];  /* the shim's own */
    struct kp_counter_row rows[140]; /* by enum kp_api_row; KP_API_ROWS of them are used */
};
/* What a row of a timed block adds to the entry's calls is how far it is above this (modulo 2^64,
 * mostly below). Its amounts just add. */
#define KP_TIMED_REST (UINT64_MAX / 2)
_Static_assert(KP_API_ROWS <= 140, "rows of a block");
_Static_assert(sizeof(struct kp_counter_block) == 2304, "counter block");
_Static_assert(sizeof(struct kp_rec_entry) == 16, "entry");
_Static_assert(sizeof(struct kp_rec_activation) == 80, "activation");
_Static_assert(sizeof(struct kp_rec_alloc) == 24, "alloc");
_Static_assert(sizeof(struct kp_rec_totals) == 56, "totals");
_Static_assert(sizeof(struct kp_rec_code) == 24, "code");
_Static_assert(sizeof(struct kp_rec_code_table) == 16, "code table");
_Static_assert(sizeof(struct kp_rec_resize) == 16, "resize");
_Static_assert(sizeof(struct kp_rec_stamp) == 16, "stamp");
_Static_assert(sizeof(struct kp_rec_rate) == 16, "rate");
_Static_assert(sizeof(struct kp_rec_thread) == 24, "thread");
_Static_assert(sizeof(struct kp_rec_mark) == 16, "mark");
_Static_assert(sizeof(struct kp_rec_node) == 24, "node");
_Static_assert(sizeof(struct kp_rec_module) == 40, "module");
_Static_assert(sizeof(struct kp_rec_module_gone) == 8, "module gone");
_Static_assert(sizeof(struct kp_rec_text) == 8, "text");
_Static_assert(sizeof(struct kp_rec_snapshot) == 56, "snapshot");
_Static_assert(sizeof(struct kp_rec_arena) == 88, "arena");
_Static_assert(sizeof(struct kp_rec_span) == 32, "span");
_Static_assert(sizeof(struct kp_rec_mapping) == 56, "mapping");
_Static_assert(sizeof(struct kp_rec_snapshot_taken) == 16, "snapshot taken");

/* Size of a record of this type: > 0 fixed, 0 in its first word, -1 no such type. */
static inline int kp_record_fixed_bytes(unsigned type)
{
    switch (type) {
    case KP_REC_ALLOC:
    case KP_REC_THREAD:
    case KP_REC_NODE: return 24;
    case KP_REC_RESIZE:
    case KP_REC_STAMP:
    case KP_REC_RATE:
    case KP_REC_MARK:
    case KP_REC_SNAPSHOT_TAKEN: return 16;
    case KP_REC_FREE:
    case KP_REC_SNAPSHOT_END:
    case KP_REC_MODULE_GONE: return 8;
    case KP_REC_TOTALS: return 56;
    case KP_REC_SNAPSHOT: return sizeof(struct kp_rec_snapshot);
    case KP_REC_ARENA: return sizeof(struct kp_rec_arena);
    case KP_REC_ACTIVATION: return 80;
    case KP_REC_SPAN:
    case KP_REC_MAPPING:
    case KP_REC_MODULE:
    case KP_REC_TEXT:
    case KP_REC_CODE:
    case KP_REC_ENTRY:
    case KP_REC_CODE_TABLE: return 0;
    default: return -1;
    }
}

/* Bytes that count towards sampling: so that empty requests have a chance too. */
#define KP_SAMPLED_BYTES(size) ((size) + 16)

#endif
