# SPDX-License-Identifier: MIT
# The PyO3 example, built by cargo for the interpreter PYTHON: `release` has line tables, `wheel` is
# stripped LTO as shipped, `abi3` uses the stable ABI. Each has a target folder of its own, so that
# cargo's outputs of one name do not meet.
ENGINE_SRC := $(addprefix examples/pyo3-engine/,Cargo.toml Cargo.lock) $(wildcard examples/pyo3-engine/src/*.rs)
ENGINE_DIR := $B/examples/pyo3-engine
ENGINE_FLAGS_release := --release
ENGINE_FLAGS_wheel := --profile wheel
ENGINE_FLAGS_abi3 := --release --features abi3
ENGINES := $(if $(shell command -v cargo 2>/dev/null),$(ENGINE_DIR)/release/pyo3_engine.so $(ENGINE_DIR)/wheel/pyo3_engine.so)
.PHONY: demo-pyo3
demo-pyo3: ## build the PyO3 example, profile it and print what its conversions cost
	@command -v cargo >/dev/null || { \
	 echo "demo-pyo3 needs cargo 1.78 or later: install Rust with rustup (https://rustup.rs), then try again" >&2; exit 1; }
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory all $(ENGINE_DIR)/release/pyo3_engine.so $(ENGINE_DIR)/abi3/pyo3_engine.so
	@examples/pyo3-engine/demo_engine.sh $B "$(PYTHON)"
test-programs: $(ENGINES)
$(ENGINE_DIR)/%/pyo3_engine.so: $(ENGINE_SRC)
	@mkdir -p $(@D)
	@echo "cargo build $(ENGINE_FLAGS_$*) (examples/pyo3-engine)"
	@if MAKEFLAGS= PYO3_PYTHON=$(PYTHON) cargo build --quiet --locked --manifest-path examples/pyo3-engine/Cargo.toml \
	 $(ENGINE_FLAGS_$*) --target-dir build/cargo-engine/$* >$(@D)/cargo.log 2>&1; \
	 then cp build/cargo-engine/$*/$(if $(findstring wheel,$*),wheel,release)/libpyo3_engine.so $@; \
	 else echo "examples/pyo3-engine could not be built: $$(grep -m 1 -i error $(@D)/cargo.log) (all of it: $(@D)/cargo.log)"; fi
