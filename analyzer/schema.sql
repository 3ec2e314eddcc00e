-- SPDX-License-Identifier: MIT
-- The database. Sizes in bytes, times in seconds or, where the name says so, in us; every time is
-- counted from session.start (CLOCK_BOOTTIME). user_version is the number of this schema,
-- application_id is 'kpro'. docs/database.md says what is kept at which grain.
-- Estimates: a *_bytes or *_count column that comes from samples has its variance beside it
-- (*_var), its number of samples and the largest weight (*_max), from which the interval is made.

CREATE TABLE session (
    id              INTEGER PRIMARY KEY CHECK (id = 1),
    session         TEXT NOT NULL,      -- random, 16 hex digits; the spool's
    version         TEXT NOT NULL,      -- of kprof
    start_unix      REAL NOT NULL,      -- s since 1970
    finished        INTEGER NOT NULL,   -- 1: everything is in here and no spool is needed
    lost_processes  INTEGER NOT NULL,   -- processes that found no room to join
    spool_max_bytes INTEGER NOT NULL
);

CREATE TABLE process (
    id            INTEGER PRIMARY KEY,  -- number in the session, in order of joining
    pid           INTEGER NOT NULL,
    ppid          INTEGER NOT NULL,
    parent_id     INTEGER,              -- process that forked it, when known
    origin        TEXT NOT NULL,        -- 'root', 'fork', 'exec'
    exe           TEXT NOT NULL,        -- path of the program
    argv          TEXT NOT NULL,        -- its arguments as a JSON array
    allocator     TEXT NOT NULL,        -- path of the object that serves malloc
    python        TEXT NOT NULL,        -- version, as 3.11.2; '': no Python in it
    directory     TEXT NOT NULL,        -- working directory at its start
    before_join_s REAL NOT NULL,        -- from the start of the program to started_s
    unwinder      TEXT NOT NULL,        -- 'cfi', 'libunwind', 'gcc', 'frame pointers'
    started_s     REAL NOT NULL,
    ended_s       REAL,                 -- null: was still running when last looked at
    end           TEXT,                 -- 'exit', 'killed or _exit', 'exec'; null: running
    fixed_rate    INTEGER,              -- KPROF_RATE; null: auto, or the program has set it
    budget        REAL NOT NULL,        -- share of the CPU time auto may use
    samples       INTEGER NOT NULL,
    lost_samples  INTEGER NOT NULL,
    lost_frees    INTEGER NOT NULL,
    lost_nested   INTEGER NOT NULL,
    lost_definitions INTEGER NOT NULL,
    cut_frames    INTEGER NOT NULL,
    broken_stacks INTEGER NOT NULL,
    python_broken INTEGER NOT NULL,     -- samples whose Python frames could not be read
    python_cut_frames INTEGER NOT NULL,
    rate_min      INTEGER NOT NULL,     -- smallest and largest mean distance of samples in use
    rate_max      INTEGER NOT NULL,
    sampling_s    REAL NOT NULL,        -- CPU time spent on sampling, as the shim measured it
    cpu_s         REAL NOT NULL,        -- CPU time of the process
    late_sampling_s REAL NOT NULL,      -- the two, at the end of the first second
    late_cpu_s      REAL NOT NULL,
    peak_rss_bytes INTEGER NOT NULL
);

CREATE TABLE note (                     -- what the user should be told at the top of each report
    process_id INTEGER NOT NULL,
    text       TEXT NOT NULL
);

CREATE TABLE thread (
    id         INTEGER PRIMARY KEY,
    process_id INTEGER NOT NULL,
    tid        INTEGER NOT NULL,
    name       TEXT NOT NULL,
    first_s    REAL NOT NULL,           -- first sample
    samples    INTEGER NOT NULL
);

CREATE TABLE module (
    id       INTEGER PRIMARY KEY,
    path     TEXT NOT NULL,
    build_id TEXT NOT NULL,             -- hex, '' when the file has none
    symbols  TEXT NOT NULL,             -- '': not looked at yet; 'debug', 'symtab', 'dynsym', 'none',
                                        -- 'missing' (no such file), 'changed' (other build-id now)
    UNIQUE (path, build_id)
);

CREATE TABLE code (                     -- Python code: a function, a module's body, a lambda, ...
    id         INTEGER PRIMARY KEY,
    file       TEXT NOT NULL,           -- as the code has it; relative ones start at process.directory
    function   TEXT NOT NULL,           -- qualified where Python has that (3.11 and later)
    first_line INTEGER NOT NULL,
    UNIQUE (file, function, first_line)
);

CREATE TABLE location (                 -- one pc in one module, or one line of Python code
    id        INTEGER PRIMARY KEY,
    module_id INTEGER NOT NULL,         -- 0: in no module, address is then absolute
    code_id   INTEGER NOT NULL,         -- 0: native
    address   INTEGER NOT NULL,         -- in the file's own address space; a return address less one;
                                        -- of Python: the line
    UNIQUE (module_id, code_id, address)
);

CREATE TABLE frame (                    -- a location's names, innermost (inlined) first
    location_id INTEGER NOT NULL,
    depth       INTEGER NOT NULL,       -- 0 innermost; all but the last are inlined in the next
    function    TEXT NOT NULL,          -- demangled; at the worst module+0xoffset
    file        TEXT NOT NULL,          -- '' unknown
    line        INTEGER NOT NULL,       -- 0 unknown
    exact       INTEGER NOT NULL,       -- 0: nearest symbol below, a label, or no symbol at all
    lang        TEXT NOT NULL,          -- 'native', 'python'
    PRIMARY KEY (location_id, depth)
) WITHOUT ROWID;

CREATE TABLE stack (                    -- a tree of calls, shared by all processes
    id          INTEGER PRIMARY KEY,
    parent_id   INTEGER NOT NULL,       -- the caller's, 0: outermost; parent_id < id
    location_id INTEGER NOT NULL,
    UNIQUE (parent_id, location_id)
);

CREATE TABLE site (                     -- what one stack allocated in one process and entry; sums over samples
    id              INTEGER PRIMARY KEY,
    process_id      INTEGER NOT NULL,
    stack_id        INTEGER NOT NULL,   -- 0: no stack
    kind            TEXT NOT NULL,      -- 'malloc', 'new', 'mmap', 'reserve', 'arena', 'object', 'mem'
    samples         INTEGER NOT NULL,
    allocated_bytes REAL NOT NULL,  allocated_bytes_var REAL NOT NULL,  allocated_bytes_max REAL NOT NULL,
    allocated_count REAL NOT NULL,  allocated_count_var REAL NOT NULL,  allocated_count_max REAL NOT NULL,
    live_samples    INTEGER NOT NULL,
    live_bytes      REAL NOT NULL,  live_bytes_var REAL NOT NULL,  live_bytes_max REAL NOT NULL,
    live_count      REAL NOT NULL,  live_count_var REAL NOT NULL,  live_count_max REAL NOT NULL,
    rate_max        INTEGER NOT NULL,   -- largest R among its samples: what may have been missed
    first_s         REAL NOT NULL,
    last_s          REAL NOT NULL,
    entry           INTEGER NOT NULL,   -- number of the entry into native code that ran; 0: none
    converting      INTEGER NOT NULL,   -- 1: it made Python objects of native data, 2: native data of
                                        -- Python objects; 0: neither
    UNIQUE (process_id, stack_id, kind, entry, converting)
);

CREATE TABLE site_thread (              -- samples of a site, freed ones too, that are not of the main thread
    site_id INTEGER NOT NULL,
    name    TEXT NOT NULL,              -- of their thread; '' where a site had more than four at once
    samples INTEGER NOT NULL,
    PRIMARY KEY (site_id, name)
) WITHOUT ROWID;

CREATE TABLE sample (                   -- samples not freed yet (or never freed)
    id             INTEGER PRIMARY KEY, -- in order of arrival
    site_id        INTEGER NOT NULL,
    thread_id      INTEGER NOT NULL,
    shim_id        INTEGER NOT NULL,    -- the shim's id, unique in the process
    size           INTEGER NOT NULL,    -- asked for, or what is left of a mapping
    weight         REAL NOT NULL,       -- 1/p: blocks it stands for; size * weight bytes
    address        INTEGER NOT NULL,
    born_us        INTEGER NOT NULL,
    born_iteration INTEGER NOT NULL
);

CREATE TABLE departed (                 -- samples freed after the last mark of their process (without
    process_id      INTEGER NOT NULL,   -- marks: in the last tenth of its life) that had lived long
    site_id         INTEGER NOT NULL,
    size            INTEGER NOT NULL,
    weight          REAL NOT NULL,
    born_us         INTEGER NOT NULL,
    born_iteration  INTEGER NOT NULL,
    freed_us        INTEGER NOT NULL,
    freed_iteration INTEGER NOT NULL
);

CREATE TABLE event (                    -- KPROF_KEEP=all: every allocation and free, in order of each thread
    id         INTEGER PRIMARY KEY,
    process_id INTEGER NOT NULL,
    thread_id  INTEGER NOT NULL,
    time_us    INTEGER NOT NULL,
    sample     INTEGER NOT NULL,        -- the shim's id of the sample, unique in the process
    site_id    INTEGER,                 -- null: it is freed
    size       INTEGER                  -- asked for
);

CREATE TABLE lifetime (                 -- freed samples, folded: how old they were
    site_id    INTEGER NOT NULL,
    unit       TEXT NOT NULL,           -- 'time': age in us; 'iteration': age in iterations
    log2_age   INTEGER NOT NULL,        -- 0: age 0; n: age in [2^(n-1), 2^n)
    samples    INTEGER NOT NULL,
    bytes      REAL NOT NULL,
    count      REAL NOT NULL,
    PRIMARY KEY (site_id, unit, log2_age)
) WITHOUT ROWID;

CREATE TABLE timeline (                 -- per process, slices of slice_s; they double in width as a run grows
    process_id      INTEGER NOT NULL,
    start_s         REAL NOT NULL,
    slice_s         REAL NOT NULL,
    samples         INTEGER NOT NULL,
    allocated_bytes REAL NOT NULL,
    allocated_count REAL NOT NULL,
    freed_bytes     REAL NOT NULL,
    freed_count     REAL NOT NULL,
    rate_min        INTEGER NOT NULL,
    rate_max        INTEGER NOT NULL,
    PRIMARY KEY (process_id, start_s)
) WITHOUT ROWID;

CREATE TABLE memory (                   -- read from outside, from /proc; a slow clock
    process_id  INTEGER NOT NULL,
    time_s      REAL NOT NULL,
    rss         INTEGER NOT NULL,
    pss         INTEGER,                -- null: only RSS was read this time
    private     INTEGER,                -- private clean + dirty
    anonymous   INTEGER,
    swap        INTEGER,
    threads     INTEGER,
    PRIMARY KEY (process_id, time_s)
) WITHOUT ROWID;

CREATE TABLE mark (                     -- iteration marks
    process_id INTEGER NOT NULL,
    iteration  INTEGER NOT NULL,
    time_us    INTEGER NOT NULL,
    thread_id  INTEGER NOT NULL,
    rss           INTEGER,              -- the allocators' own figures at that moment; null: not read
    malloc_used   INTEGER,
    malloc_held   INTEGER,
    object_held   INTEGER,              -- arenas of Python's own allocator
    object_used   INTEGER,              -- in blocks that it has given out, each as large as its class
    object_blocks INTEGER,              -- a number: those, and what it has passed on to malloc
    rate          INTEGER,              -- bytes between two samples at that moment, on its thread; 0: not told
    PRIMARY KEY (process_id, iteration)
) WITHOUT ROWID;

CREATE TABLE phase (                    -- what the time of a process's main thread went into
    process_id      INTEGER NOT NULL,
    phase           TEXT NOT NULL,      -- 'start-up', 'imports', 'cold', 'warm', 'other'
    seconds         REAL NOT NULL,      -- they add up to the life of the process
    allocated_bytes REAL NOT NULL,
    allocated_count REAL NOT NULL,
    PRIMARY KEY (process_id, phase)
) WITHOUT ROWID;

CREATE TABLE import (                   -- per module, without what it imports in its turn
    process_id      INTEGER NOT NULL,
    module          TEXT NOT NULL,      -- as its file or its library says
    seconds         REAL NOT NULL,
    allocated_bytes REAL NOT NULL,
    allocated_count REAL NOT NULL,
    PRIMARY KEY (process_id, module)
) WITHOUT ROWID;

CREATE TABLE conversion_state (         -- of processes that have Python
    process_id       INTEGER PRIMARY KEY,
    state            TEXT NOT NULL,     -- 'on', 'off' (KPROF_CONVERSIONS=0)
    patched_modules  INTEGER NOT NULL,  -- objects whose calls of Python's C API are counted
    wrapped_entries  INTEGER NOT NULL,  -- functions whose calls are
    lost_entries     INTEGER NOT NULL,  -- functions that found no place
    lost_blocks      INTEGER NOT NULL,  -- counts that found no room in the spool
    lost_activations INTEGER NOT NULL   -- drawn, but no room in the spool
);

CREATE TABLE entry (                    -- where native code is entered from Python, or takes the GIL by itself
    process_id INTEGER NOT NULL,
    entry      INTEGER NOT NULL,        -- its number in the process
    kind       TEXT NOT NULL,           -- 'method', 'slot' (of a type), 'thread' (windows with the GIL of
                                        -- native threads of one name), 'module' (outside of all these)
    name       TEXT NOT NULL,
    module_id  INTEGER NOT NULL,        -- 0: none
    threads    INTEGER NOT NULL,        -- how many ran it at a time, at most
    PRIMARY KEY (process_id, entry)
) WITHOUT ROWID;

CREATE TABLE conversion (               -- calls of Python's C API by an entry; exact
    process_id INTEGER NOT NULL,
    entry      INTEGER NOT NULL,
    api        TEXT NOT NULL,           -- the function; lower case: a figure of our own, docs/conversions-report.md
    direction  TEXT NOT NULL,           -- 'to_python', 'from_python', '': neither
    calls      INTEGER NOT NULL,
    unit       TEXT NOT NULL,           -- of amount: 'bytes', 'items', 'ns', '': it counts nothing
    amount     INTEGER NOT NULL,
    objects    INTEGER NOT NULL,        -- that the calls made
    copies     INTEGER NOT NULL,        -- that they made, those in_place among them
    PRIMARY KEY (process_id, entry, api)
) WITHOUT ROWID;

CREATE TABLE activation (               -- calls of an entry from one stack: estimates from some drawn at random
    process_id       INTEGER NOT NULL,
    entry            INTEGER NOT NULL,
    stack_id         INTEGER NOT NULL,  -- of the caller, 0: none
    samples          INTEGER NOT NULL,
    calls            REAL NOT NULL,  calls_var        REAL NOT NULL,
    -- *_cov: covariance with calls, whose true number is in table conversion (entry_calls)
    total_s          REAL NOT NULL,  total_s_var      REAL NOT NULL,  total_s_cov      REAL NOT NULL,
    -- spans from the first conversion to the last, of all, to Python and from Python
    converting_s     REAL NOT NULL,  converting_s_var REAL NOT NULL,  converting_s_cov REAL NOT NULL,
    to_python_s      REAL NOT NULL,  to_python_s_var  REAL NOT NULL,  to_python_s_cov  REAL NOT NULL,
    from_python_s    REAL NOT NULL,  from_python_s_var REAL NOT NULL, from_python_s_cov REAL NOT NULL,
    wait_s           REAL NOT NULL,     -- for the GIL
    released_s       REAL NOT NULL,     -- without it
    to_python        REAL NOT NULL,     -- conversions
    from_python      REAL NOT NULL,
    strings          REAL NOT NULL,     -- of up to 64 bytes that were made
    repeated         REAL NOT NULL,     -- of them, the same as some made shortly before
    PRIMARY KEY (process_id, entry, stack_id)
) WITHOUT ROWID;

CREATE TABLE snapshot (                 -- of the heap, by the shim; sizes of that moment
    process_id     INTEGER NOT NULL,
    number         INTEGER NOT NULL,    -- from 1; the peak and the last are always kept
    time_s         REAL NOT NULL,
    why            TEXT NOT NULL,       -- 'clock', 'peak', 'mark', 'end'
    rss            INTEGER NOT NULL,
    rss_file       INTEGER NOT NULL,    -- of it: files and shared memory
    cell_bytes     INTEGER NOT NULL,    -- 65536, or 4096 with KPROF_PAGES=1: what occupancy and waste go by
    partial        INTEGER NOT NULL,    -- 1: an arena was busy, or too long to read
    cost_s         REAL NOT NULL,       -- CPU time that it took the program
    trim_threshold INTEGER,             -- of glibc at that moment; null: not known
    mmap_threshold INTEGER,
    live_malloc    REAL NOT NULL,  live_malloc_var REAL NOT NULL,  -- bytes asked for and live then, of malloc and new
    live_object    REAL NOT NULL,  live_object_var REAL NOT NULL,  -- of Python's own allocator
    live_mmap      REAL NOT NULL,
    mappings_s     REAL,                -- when the mappings were read: at time_s by the process itself, else by the
                                        -- collector while it ran; null: not
    PRIMARY KEY (process_id, number)
) WITHOUT ROWID;

CREATE TABLE arena (                    -- of a snapshot; null: the allocator does not tell
    process_id   INTEGER NOT NULL,
    number       INTEGER NOT NULL,      -- of the snapshot
    arena        INTEGER NOT NULL,      -- from 0
    kind         TEXT NOT NULL,         -- 'glibc main', 'glibc thread', 'glibc mmap', 'jemalloc', 'jemalloc bin',
                                        -- 'mimalloc', 'mimalloc class', 'mimalloc rest' (what could not be
                                        -- visited), 'tcmalloc', 'pymalloc', 'pymalloc class', 'total'
    unit         INTEGER NOT NULL,      -- size of the blocks of a bin or class, which the others hold already; else 0
    size         INTEGER,               -- taken from the system
    in_use       INTEGER,               -- in blocks given out
    free         INTEGER,
    largest_free INTEGER,               -- piece, the top excepted
    top          INTEGER,               -- free at its end
    resident     INTEGER,
    trimmable    INTEGER,               -- resident, and malloc_trim(0) would give it back
    large_free   INTEGER,               -- resident, in free pieces of 128 KiB or more, the top excepted
    waste        INTEGER NOT NULL,      -- resident, not given out, in a cell with something that is
    top_site_id  INTEGER,               -- of the highest live sample
    partial      INTEGER NOT NULL,      -- bits: 1 not all of it could be read; 2 its free pieces were too many to look
                                        -- at: in_use is an estimate, from the samples that are live; 4 windows of
                                        -- it were drawn and looked at: they stand for the whole. From bit 8
                                        -- on: what is resident and free may be off by that many thousandths
                                        -- of size (95 %)
    PRIMARY KEY (process_id, number, arena)
) WITHOUT ROWID;

CREATE TABLE occupancy (                -- cells of an arena by how full they are
    process_id INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    arena      INTEGER NOT NULL,
    step       INTEGER NOT NULL,        -- 0 empty; n: less than n tenths are given out; 11 full
    cells      INTEGER NOT NULL,
    resident   INTEGER NOT NULL,        -- bytes
    used       INTEGER NOT NULL,
    PRIMARY KEY (process_id, number, arena, step)
) WITHOUT ROWID;

CREATE TABLE waste (                    -- of a snapshot, by the sites whose old blocks keep it
    process_id     INTEGER NOT NULL,
    number         INTEGER NOT NULL,
    site_id        INTEGER NOT NULL,
    samples        INTEGER NOT NULL,
    bytes          REAL NOT NULL,  bytes_var REAL NOT NULL,  bytes_max REAL NOT NULL,
    pinned_bytes   REAL NOT NULL,  pinned_bytes_var REAL NOT NULL,  -- of it: in cells less than a tenth full
    blocks         REAL NOT NULL,       -- old ones in cells with waste
    live_bytes     REAL NOT NULL,       -- they asked for
    pinned_blocks  REAL NOT NULL,
    oldest_us      INTEGER NOT NULL,
    oldest_iteration INTEGER NOT NULL,
    pages          INTEGER NOT NULL,    -- 1: by pages, 0: by stretches of 64 KiB or size classes
    PRIMARY KEY (process_id, number, site_id)
) WITHOUT ROWID;

CREATE TABLE mapping (                  -- what is resident, mapping by mapping
    process_id INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    start      INTEGER NOT NULL,        -- address
    kind       TEXT NOT NULL,           -- 'file', 'shared', 'stack', 'heap': has an arena, 'blocks': has other blocks
                                        -- of malloc, 'kprof', 'data', 'other'; 'range': a sampled mapping, which is
                                        -- part of the others
    path       TEXT NOT NULL,
    bytes      INTEGER NOT NULL,
    rss        INTEGER NOT NULL,
    anonymous  INTEGER NOT NULL,
    swap       INTEGER NOT NULL,
    site_id    INTEGER,                 -- 'range': that mapped it
    PRIMARY KEY (process_id, number, start, kind)
) WITHOUT ROWID;

CREATE TABLE spool_cursor (             -- how far each chunk of the spool is in here; empty when finished
    seq     INTEGER PRIMARY KEY,
    offset  INTEGER NOT NULL
);

CREATE VIEW v_processes AS
SELECT p.id, p.pid, p.ppid, p.parent_id, p.origin, p.exe, p.argv, p.allocator, p.python, p.unwinder, p.started_s, p.ended_s, p.end,
       p.samples, p.lost_samples, p.lost_frees, p.rate_min, p.rate_max,
       CASE WHEN p.cpu_s > 0 THEN p.sampling_s / p.cpu_s END AS sampling_share, p.peak_rss_bytes,
       coalesce((SELECT sum(s.allocated_bytes) FROM site s WHERE s.process_id = p.id AND s.kind IN ('malloc', 'new', 'mmap', 'object', 'mem')), 0) AS allocated_bytes,
       coalesce((SELECT sum(s.live_bytes) FROM site s WHERE s.process_id = p.id AND s.kind IN ('malloc', 'new', 'mmap', 'object', 'mem')), 0) AS live_bytes
FROM process p;

-- The innermost frame of each site; the whole stack is found by following stack.parent_id.
CREATE VIEW v_sites AS
SELECT s.id, s.process_id, p.pid, s.kind, f.lang, f.function, f.file, f.line, m.path AS module, s.samples,
       s.allocated_bytes, s.allocated_bytes_var, s.allocated_count, s.live_bytes, s.live_bytes_var, s.live_count, s.stack_id
FROM site s
JOIN process p ON p.id = s.process_id
LEFT JOIN stack k ON k.id = s.stack_id
LEFT JOIN location l ON l.id = k.location_id
LEFT JOIN module m ON m.id = l.module_id
LEFT JOIN frame f ON f.location_id = l.id AND f.depth = 0;

-- What each entry converts, a row for each direction that it has. Counts are exact; times, allocated and
-- retained bytes are estimates. calls: of the entry. bytes: of strings, bytes and buffers.
CREATE VIEW v_conversions AS
WITH counted AS (
    SELECT process_id, entry, direction, sum(calls) AS conversions, sum(objects) AS objects,
           sum(copies) - coalesce((SELECT o.calls FROM conversion o WHERE o.process_id = c.process_id
               AND o.entry = c.entry AND o.api = 'in_place' AND c.direction = 'to_python'), 0) AS copies,
           sum(amount) FILTER (WHERE unit = 'bytes' AND api NOT GLOB '*PyLong_*') AS bytes
    FROM conversion c WHERE direction <> '' AND api GLOB '*Py*' GROUP BY process_id, entry, direction)
SELECT e.process_id, p.pid, e.entry, e.kind, e.name, m.path AS module, e.threads, c.direction,
       coalesce((SELECT calls FROM conversion o WHERE o.process_id = e.process_id AND o.entry = e.entry AND o.api = 'entry_calls'), 0) AS calls,
       c.conversions, c.objects, c.copies, coalesce(c.bytes, 0) AS bytes,
       coalesce((SELECT CASE c.direction WHEN 'to_python' THEN sum(a.to_python_s) ELSE sum(a.from_python_s) END
           FROM activation a WHERE a.process_id = e.process_id AND a.entry = e.entry), 0) AS time_s,
       coalesce((SELECT o.amount / 1e9 FROM conversion o WHERE o.process_id = e.process_id AND o.entry = e.entry AND o.api = 'gil_wait'), 0) AS gil_wait_s,
       coalesce(s.allocated_bytes, 0) AS allocated_bytes, coalesce(s.live_bytes, 0) AS retained_bytes
FROM entry e
JOIN process p ON p.id = e.process_id
JOIN counted c ON c.process_id = e.process_id AND c.entry = e.entry
LEFT JOIN module m ON m.id = e.module_id
LEFT JOIN (SELECT process_id, entry, converting, sum(allocated_bytes) AS allocated_bytes, sum(live_bytes) AS live_bytes
           FROM site WHERE converting > 0 AND kind IN ('malloc', 'new', 'mmap', 'object', 'mem')
           GROUP BY process_id, entry, converting) s
    ON s.process_id = e.process_id AND s.entry = e.entry AND s.converting = CASE c.direction WHEN 'to_python' THEN 1 ELSE 2 END;

-- What was born in iterations and is still there (or was until the last of them), by site: the raw
-- material of `kprof-report DB leaks`, which judges it. A leak is spread over all iterations.
CREATE VIEW v_leaks AS
SELECT i.id AS site_id, i.process_id, p.pid, i.kind, f.lang, f.function, f.file, f.line, i.stack_id, count(*) AS survivors,
       count(DISTINCT s.born_iteration) AS generations, min(s.born_iteration) AS first_iteration, max(s.born_iteration) AS last_iteration,
       sum(s.size * s.weight) AS bytes,
       sum(s.size * s.weight) / (SELECT max(iteration) FROM mark m WHERE m.process_id = i.process_id) AS bytes_per_iteration
FROM (SELECT site_id, size, weight, born_iteration FROM sample UNION ALL SELECT site_id, size, weight, born_iteration FROM departed d
      WHERE freed_iteration >= (SELECT max(iteration) FROM mark m WHERE m.process_id = d.process_id)) s
JOIN site i ON i.id = s.site_id
JOIN process p ON p.id = i.process_id
LEFT JOIN stack k ON k.id = i.stack_id
LEFT JOIN frame f ON f.location_id = k.location_id AND f.depth = 0
WHERE s.born_iteration > 0
GROUP BY i.id;

CREATE VIEW v_iterations AS
SELECT m.process_id, p.pid, m.iteration, m.time_us / 1e6 AS time_s,
       (m.time_us - lag(m.time_us) OVER (PARTITION BY m.process_id ORDER BY m.iteration)) / 1e6 AS duration_s, t.tid, t.name AS thread,
       m.rss, m.malloc_used, m.malloc_held, m.object_held, m.object_used, m.object_blocks, m.rate
FROM mark m JOIN process p ON p.id = m.process_id LEFT JOIN thread t ON t.id = m.thread_id;

-- Arenas of the last snapshot of each process.
CREATE VIEW v_arenas AS
SELECT a.process_id, p.pid, a.number, s.time_s, s.why, a.arena, a.kind, a.unit, a.size, a.in_use, a.free, a.largest_free, a.top, a.resident,
       a.trimmable, a.waste, CASE WHEN a.size > 0 THEN 1.0 * a.in_use / a.size END AS occupancy, a.top_site_id
FROM arena a JOIN process p ON p.id = a.process_id JOIN snapshot s ON s.process_id = a.process_id AND s.number = a.number
WHERE a.number = (SELECT max(number) FROM snapshot WHERE process_id = a.process_id);
