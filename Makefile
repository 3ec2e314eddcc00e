# SPDX-License-Identifier: MIT
# kprof: see `make help`.
VERSION := 0.1.0
CONFIG  ?= release
PREFIX  ?= /usr/local
DESTDIR ?=
BINDIR  := $(PREFIX)/bin
LIBDIR  := $(PREFIX)/lib
LIBEXECDIR := $(PREFIX)/libexec/kprof
INCDIR  := $(PREFIX)/include
PYDIR   := $(PREFIX)/share/kprof
MANDIR  := $(PREFIX)/share/man
PYTHON_MODULES  := $(wildcard python/*.py)
PYTHON_METADATA := $(wildcard python/kprof.dist-info/*)

CC ?= cc
B  := build/$(CONFIG)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Wundef
BASE := -std=gnu11 -g $(WARN) -DKP_VERSION='"$(VERSION)"' -D_GNU_SOURCE
ifeq ($(CONFIG),release)
  OPT := -O2
else ifeq ($(CONFIG),debug)
  OPT := -O1
else ifeq ($(CONFIG),asan)
  OPT := -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
else ifeq ($(CONFIG),coverage)
  OPT := -O1 --coverage
else
  $(error CONFIG is release, debug, asan or coverage)
endif

# Which folder may include which. A wrong include does not compile.
INC_shim     := -iquote shim -iquote shim/record
INC_analyzer := -iquote analyzer -iquote shim/record
INC_reports  := -iquote reports -iquote analyzer -iquote shim/record
INC_unit     := -iquote tests/unit -iquote analyzer -iquote shim/record -iquote shim

# The shim is built the same way in every configuration but debug: a preload under ASan meets
# ASan's own malloc.
SHIM_OPT := $(if $(filter debug,$(CONFIG)),-O1,-O2)
SHIM_FLAGS := $(BASE) $(SHIM_OPT) -fPIC -fvisibility=hidden -ftls-model=initial-exec -fno-stack-protector \
	-U_FORTIFY_SOURCE -fno-builtin-malloc -fno-builtin-free -fno-builtin-calloc -fno-builtin-realloc \
	-DKP_LIBEXECDIR='"$(LIBEXECDIR)"' $(INC_shim)
SHIM_LINK  := -shared -Wl,-soname,libkprof.so -Wl,-z,now -Wl,-z,relro -Wl,--version-script=shim/exports.map \
	-Wl,--no-undefined -Wl,--build-id
TOOL_FLAGS := $(BASE) $(OPT)
ANALYZER_LIBS := -lsqlite3 -ldw -lelf -liberty -lm

SHIM_SRC     := $(wildcard shim/*.c shim/record/*.c)
ANALYZER_SRC := $(wildcard analyzer/*.c) $(wildcard shim/record/*.c)
REPORT_MAINS := reports/collect_main.c reports/report_main.c reports/run_main.c reports/ab_main.c
# of kprof-ab alone, as it stands before a function of libc
AB_ONLY      := reports/ab_replay_clock.c
REPORTS_SRC  := $(filter-out $(REPORT_MAINS) $(AB_ONLY),$(wildcard reports/*.c))
UNIT_SRC     := $(wildcard tests/unit/test_*.c)
TARGET_SRC   := $(wildcard tests/targets/*.c)
TARGET_CXX   := $(wildcard tests/targets/*.cc)

SHIM_OBJ     := $(SHIM_SRC:%.c=$B/pic/%.o)
ANALYZER_OBJ := $(ANALYZER_SRC:%.c=$B/%.o)
REPORTS_OBJ  := $(REPORTS_SRC:%.c=$B/%.o)
UNITS        := $(UNIT_SRC:tests/unit/%.c=$B/unit/%)
TARGETS      := $(TARGET_SRC:tests/targets/%.c=$B/targets/%) $(TARGET_CXX:tests/targets/%.cc=$B/targets/%)
PROGRAMS     := $B/kprof-collect $B/kprof-report $B/kprof-run $B/kprof-ab

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

all: $B/libkprof.so $B/libkprof-marks.so $(PROGRAMS) ## build the library and the programs into build/release
	@mkdir -p build
	@for l in libkprof.so libkprof-marks.so; do ln -sfn $(CONFIG)/$$l build/$$l; done
	@for p in $(notdir $(PROGRAMS)); do ln -sfn $(CONFIG)/$$p build/$$p; done

# A change of flags rebuilds what they concern.
$B/flags: FORCE
	@mkdir -p $B
	@printf '%s\n' '$(subst ','\'',$(CC) $(SHIM_FLAGS) $(SHIM_LINK) $(TOOL_FLAGS) $(ANALYZER_LIBS))' | cmp -s - $@ || \
	 printf '%s\n' '$(subst ','\'',$(CC) $(SHIM_FLAGS) $(SHIM_LINK) $(TOOL_FLAGS) $(ANALYZER_LIBS))' > $@
.PHONY: FORCE
FORCE:

$B/pic/shim/%.o: shim/%.c $B/flags
	@mkdir -p $(@D)
	$(CC) $(SHIM_FLAGS) -MMD -MP -c $< -o $@
$B/libkprof.so: $(SHIM_OBJ) shim/exports.map
	$(CC) $(SHIM_LINK) -o $@ $(SHIM_OBJ) -lm

# Marks without a profiler, for what kprof-ab times.
$B/libkprof-marks.so: shim/bare/marks_library.c $B/flags
	$(CC) $(SHIM_FLAGS) -shared -Wl,-soname,$(@F) -Wl,--no-undefined -MMD -MP -o $@ $<

$B/shim/record/%.o: shim/record/%.c $B/flags
	@mkdir -p $(@D)
	$(CC) $(TOOL_FLAGS) -iquote shim/record -MMD -MP -c $< -o $@
$B/analyzer/%.o: analyzer/%.c $B/flags $B/schema_sql.h
	@mkdir -p $(@D)
	$(CC) $(TOOL_FLAGS) $(INC_analyzer) -iquote $B -MMD -MP -c $< -o $@
$B/reports/%.o: reports/%.c $B/flags
	@mkdir -p $(@D)
	$(CC) $(TOOL_FLAGS) $(INC_reports) -DKP_LIBDIR='"$(LIBDIR)"' -MMD -MP -c $< -o $@

# schema.sql as a C string.
$B/schema_sql.h: analyzer/schema.sql
	@mkdir -p $(@D)
	sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/    "/' -e 's/$$/\\n"/' $< > $@

$B/libanalyzer.a: $(ANALYZER_OBJ)
	rm -f $@ && $(AR) rcs $@ $^
$B/kprof-collect: $B/reports/collect_main.o $(REPORTS_OBJ) $B/libanalyzer.a
	$(CC) $(OPT) -pthread -o $@ $^ $(ANALYZER_LIBS)
$B/kprof-report: $B/reports/report_main.o $(REPORTS_OBJ) $B/libanalyzer.a
	$(CC) $(OPT) -pthread -o $@ $^ $(ANALYZER_LIBS)
$B/kprof-ab: $B/reports/ab_main.o $(AB_ONLY:%.c=$B/%.o) $(REPORTS_OBJ) $B/libanalyzer.a
	$(CC) $(OPT) -pthread -o $@ $^ $(ANALYZER_LIBS)
$B/kprof-run: $B/reports/run_main.o $(REPORTS_OBJ) $B/libanalyzer.a
	$(CC) $(OPT) -pthread -o $@ $^ $(ANALYZER_LIBS)

-include $(shell find $B -name '*.d' 2>/dev/null)
include tests/tests.mk

# ---- what is needed from Debian (other systems: the same libraries under their names) ----
DEPS_BUILD := gcc g++ libc6-dev libsqlite3-dev libdw-dev libelf-dev libiberty-dev libunwind8 sqlite3
DEPS_CHECK := binutils procps util-linux python3 python3-dev python3-venv libmimalloc2.0 libjemalloc2 libtcmalloc-minimal4 zlib1g-dev libseccomp-dev elfutils dpkg-dev xz-utils
DEPS_BENCH := heaptrack cmake git time
DEPS_LINT  := shellcheck cppcheck mandoc
.PHONY: all deps deps-bench deps-lint bench lint help install uninstall clean fuzz

deps: ## install what is missing to build and test (as root, or with sudo)
	@tests/install_packages.sh $(DEPS_BUILD) $(DEPS_CHECK)
	@$(MAKE) --no-print-directory deps-python
deps-bench: deps ## what `make bench` compares with, too
	@tests/install_packages.sh $(DEPS_BENCH)
deps-lint: deps ## what `make lint` needs, too
	@tests/install_packages.sh $(DEPS_LINT)

include examples/examples.mk
include tests/pyo3/pyo3.mk
include tests/bench/bench.mk

lint: deps-lint ## style of the sources, the scripts and the man pages
	@tests/lint.sh

install: all ## install to $(DESTDIR)$(PREFIX)
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBDIR) $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(INCDIR) \
	 $(DESTDIR)$(PYDIR)/kprof.dist-info \
	 $(foreach n,1 3 7 8,$(DESTDIR)$(MANDIR)/man$n)
	install -m 755 $B/kprof-report $B/kprof-run $B/kprof-ab $(DESTDIR)$(BINDIR)/
	install -m 644 $B/libkprof.so $B/libkprof-marks.so $(DESTDIR)$(LIBDIR)/
	install -m 755 $B/kprof-collect $(DESTDIR)$(LIBEXECDIR)/
	install -m 644 include/kprof.h $(DESTDIR)$(INCDIR)/
	install -m 644 $(PYTHON_MODULES) $(DESTDIR)$(PYDIR)/
	install -m 644 $(PYTHON_METADATA) $(DESTDIR)$(PYDIR)/kprof.dist-info/
	$(foreach n,1 3 7 8,install -m 644 $(wildcard docs/man/*.$n) $(DESTDIR)$(MANDIR)/man$n/;)
	@test -n "$(DESTDIR)" || ldconfig 2>/dev/null || true

uninstall: ## remove what install has put there
	rm -f $(foreach p,report run ab,$(DESTDIR)$(BINDIR)/kprof-$p) $(DESTDIR)$(LIBDIR)/libkprof.so \
	 $(DESTDIR)$(LIBDIR)/libkprof-marks.so \
	 $(DESTDIR)$(LIBEXECDIR)/kprof-collect $(DESTDIR)$(INCDIR)/kprof.h \
	 $(PYTHON_MODULES:python/%=$(DESTDIR)$(PYDIR)/%) $(PYTHON_METADATA:python/%=$(DESTDIR)$(PYDIR)/%) \
	 $(foreach m,$(wildcard docs/man/*.[1378]),$(DESTDIR)$(MANDIR)/man$(subst .,,$(suffix $m))/$(notdir $m))
	-rmdir $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(PYDIR)/kprof.dist-info $(DESTDIR)$(PYDIR) 2>/dev/null

clean: ## remove build/
	rm -rf build

help: ## this list
	@echo "make [CONFIG=release|debug|asan|coverage] [TARGET]"; echo
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | sort | \
	 while IFS='	' read -r name text; do printf '  %-14s %s\n' "$$name" "$$text"; done
	@echo; echo "Start with \`make demo\`, then \`make check\`. Programs are in build/, see README.md."
