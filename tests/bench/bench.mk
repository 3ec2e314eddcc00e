# SPDX-License-Identifier: MIT
# `make bench`: what kprof costs. See bench.py. The rivals in Python go into an environment of their own.
BENCHES := $(addprefix $B/bench/,pair soak flow big_heap one_processor empty_preload.so)
BENCH_RIVALS := memray==1.20.0 numpy==2.3.5 pydantic_core==2.41.5 orjson==3.11.4
.PHONY: bench
bench: deps-bench ## what kprof costs: ratios to the plain program, in one run
	@$(MAKE) --no-print-directory all $(BENCHES) $(BRIDGES) $(filter %/wheel/pyo3_engine.so,$(ENGINES)) $B/tools/make_spool
	@KPROF_TEST_BUILD=$(abspath $B) KPROF_BENCH_PYTHON=$(PYTHON) \
	 KPROF_BENCH_VENV=$$(tests/venv.sh $(PYTHON) bench $(BENCH_RIVALS)) python3 tests/bench/bench.py $(T)
$B/bench/%.so: tests/bench/%.c $B/flags
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -D_GNU_SOURCE -fno-builtin -fPIC -shared -o $@ $< -ldl
$B/bench/%: tests/bench/%.c $B/flags
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -D_GNU_SOURCE -fno-builtin -fno-optimize-sibling-calls -o $@ $< -pthread
