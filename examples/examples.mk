# SPDX-License-Identifier: MIT
# The examples and `make demo`. The extension is built for the interpreter PYTHON; where its headers
# are missing, the demo shows the native example alone.
PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)
PYTHON_INCLUDE = $(shell $(PYTHON) -c 'import os, sysconfig; d = sysconfig.get_path("include"); print(d * os.path.exists(d + "/Python.h"))' 2>/dev/null)
EXAMPLE_PYTHON = $(if $(PYTHON_INCLUDE),$B/examples/python-c/orders.so)

.PHONY: demo examples
examples: $B/examples/ledger $B/examples/fragment/fragment $(EXAMPLE_PYTHON)
demo: deps ## build, profile the examples and print their reports
	@$(MAKE) --no-print-directory all examples
	@examples/demo.sh $B "$(PYTHON)"

$B/examples/%: examples/%.c $B/flags
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -g -O2 -Wall -Wextra -D_GNU_SOURCE -I include -o $@ $<
$B/examples/python-c/%.so: examples/python-c/%.c $B/flags
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -g -O2 -Wall -Wextra -fPIC -shared -I$(PYTHON_INCLUDE) -o $@ $<

include examples/pyo3-engine/engine.mk
