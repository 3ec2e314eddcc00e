# SPDX-License-Identifier: MIT
# `make bench`: what kprof costs. See bench.py.
.PHONY: bench
BENCHES := $(addprefix $B/bench/,pair soak flow empty_preload.so)
bench: deps-bench ## what kprof costs: ratios to the plain program, in one run
	@$(MAKE) --no-print-directory all $(BENCHES) $B/tools/make_spool
	@KPROF_TEST_BUILD=$(CURDIR)/$B python3 tests/bench/bench.py $(T)
$B/bench/%.so: tests/bench/%.c $B/flags
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -D_GNU_SOURCE -fno-builtin -fPIC -shared -o $@ $< -ldl
$B/bench/%: tests/bench/%.c $B/flags
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -D_GNU_SOURCE -fno-builtin -fno-optimize-sibling-calls -o $@ $< -pthread
