# SPDX-License-Identifier: MIT
# The PyO3 extension of the tests, for the interpreter PYTHON, built once by cargo: with line tables,
# and as a stripped wheel. Where there is no cargo, or it cannot get the crates, the tests that need
# it say so and are skipped.
BRIDGE_SRC := tests/pyo3/Cargo.toml tests/pyo3/Cargo.lock $(wildcard tests/pyo3/src/*.rs)
BRIDGES := $(if $(shell command -v cargo 2>/dev/null),$B/pyo3/tables/bridge.so $B/pyo3/wheel/bridge.so)
.PHONY: bridges
bridges: $(BRIDGES)
test-programs: $(BRIDGES)
$B/pyo3/%/bridge.so: $(BRIDGE_SRC)
	@mkdir -p $(@D)
	@echo "cargo build --profile $* (tests/pyo3)"
	@if MAKEFLAGS= PYO3_PYTHON=$(PYTHON) cargo build --quiet --locked --manifest-path tests/pyo3/Cargo.toml \
	 --profile $* --target-dir build/cargo >$(@D)/cargo.log 2>&1; \
	 then cp build/cargo/$*/libbridge.so $@; \
	 else echo "tests/pyo3 could not be built, its tests will be skipped: $$(grep -m 1 -i error $(@D)/cargo.log)"; fi
