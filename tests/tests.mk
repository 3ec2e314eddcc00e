# SPDX-License-Identifier: MIT
# How the tests are built and run. Targets are the programs that are profiled: each runs plainly
# as well; targets/lib are libraries that targets load or that stand beside ours in LD_PRELOAD.
CXX   ?= c++
RUSTC ?= rustc

TEST_FLAGS   := -g -O1 -Wall -Wextra -D_GNU_SOURCE -fno-builtin -fno-omit-frame-pointer -pthread \
	-Wno-deprecated-declarations -Wno-alloc-size-larger-than
TARGET_HEADERS := $(wildcard tests/targets/*.h)
TARGET_LIBS  := $(patsubst tests/targets/lib/%.c,$B/targets/lib/%.so,$(wildcard tests/targets/lib/*.c))
TARGET_RUST  := $(if $(shell command -v $(RUSTC) 2>/dev/null),\
	$(patsubst tests/targets/%.rs,$B/targets/%,$(wildcard tests/targets/*.rs)))
TEST_TOOLS   := $(patsubst tests/tools/%.c,$B/tools/%,$(wildcard tests/tools/*.c))
TARGETS_ALL  := $(TARGETS) $(TARGET_LIBS) $(TARGET_RUST) $(TEST_TOOLS) $B/targets/exceptions_static

# What unit tests and tools share: every tests/unit/*.c that is no test itself.
UNIT_SHARED  := $(patsubst tests/unit/%.c,$B/unit_shared/%.o,$(filter-out $(UNIT_SRC),$(wildcard tests/unit/*.c)))
$B/unit_shared/%.o: tests/unit/%.c $B/flags $B/schema_sql.h
	@mkdir -p $(@D)
	$(CC) $(TOOL_FLAGS) $(INC_unit) -iquote $B -MMD -MP -c $< -o $@
$B/libunit.a: $(UNIT_SHARED)
	rm -f $@ && $(AR) rcs $@ $^

UNIT_LIBS    := $B/libunit.a $B/libshimparts.a $B/libanalyzer.a
$B/unit/%: tests/unit/%.c $(UNIT_LIBS) $B/schema_sql.h $B/flags
	@mkdir -p $(@D)
	$(CC) $(TOOL_FLAGS) $(INC_unit) -iquote $B -MMD -MP -o $@ $< $(UNIT_LIBS) $(ANALYZER_LIBS) -pthread

# The shim without its hooks, for unit tests of its parts.
$B/libshimparts.a: $(filter-out $B/pic/shim/hooks_%,$(SHIM_OBJ))
	rm -f $@ && $(AR) rcs $@ $^

$B/targets/%: tests/targets/%.c $(TARGET_HEADERS) $B/flags
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(TEST_FLAGS) -iquote tests/targets -o $@ $< -ldl -lm
$B/targets/%: tests/targets/%.cc $(TARGET_HEADERS) $B/flags
	@mkdir -p $(@D)
	$(CXX) -std=c++17 $(TEST_FLAGS) -iquote tests/targets -o $@ $< -ldl
$B/targets/exceptions_static: tests/targets/exceptions.cc $(TARGET_HEADERS) $B/flags
	@mkdir -p $(@D)
	$(CXX) -std=c++17 $(TEST_FLAGS) -static-libstdc++ -static-libgcc -iquote tests/targets -o $@ $< -ldl
$B/targets/lib/%.so: tests/targets/lib/%.c $(TARGET_HEADERS) $B/flags
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(TEST_FLAGS) -fPIC -shared -iquote tests/targets -o $@ $< -ldl
$(TARGET_RUST): $B/targets/%: tests/targets/%.rs
	@mkdir -p $(@D)
	MAKEFLAGS= $(RUSTC) --edition 2021 -g -C opt-level=1 -o $@ $<
$B/tools/%: tests/tools/%.c $(TARGET_HEADERS) $B/libunit.a $B/libanalyzer.a $B/flags
	@mkdir -p $(@D)
	$(CC) $(TOOL_FLAGS) $(INC_unit) -iquote tests/targets -iquote $B -MMD -MP -o $@ $< \
	 $B/libunit.a $B/libanalyzer.a $(ANALYZER_LIBS)

.PHONY: check check-long check-symbols test-programs
test-programs: $(UNITS) $(TARGETS_ALL)

check: deps ## run the tests (T=PATTERN picks some)
	@$(MAKE) --no-print-directory all test-programs
	@KPROF_TEST_BUILD=$(CURDIR)/$B tests/run $(T)
check-long: deps ## the same, with more repetitions and larger programs
	@$(MAKE) --no-print-directory all test-programs
	@KPROF_TEST_BUILD=$(CURDIR)/$B tests/run --long $(T)
check-symbols: $B/libkprof.so ## what libkprof.so exports and imports, and its fast path
	@KPROF_TEST_BUILD=$(CURDIR)/$B tests/run test_symbols
	@KPROF_TEST_BUILD=$(CURDIR)/$B tests/run test_fast_path
include tests/fuzz.mk
include tests/python/python.mk
