# SPDX-License-Identifier: MIT
# Python's part of the tests: the interpreters of Debian's other suites, and the extension that the
# tests load, which lib_python.sh builds for each interpreter with that one's own headers.
PYTHONS := build/pythons
DEPS_PYTHON := libpython3-dev python3-greenlet python3-gevent

.PHONY: deps-python pythons python-free-threaded check-pythons
# Behind deps, which installs python3: only then its version is known.
deps-python:
	@tests/install_packages.sh $(DEPS_PYTHON) \
	 libpython$$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')-testsuite
pythons: deps ## fetch Python 3.9, 3.13, 3.14 and 3.15 from Debian's other suites into build/pythons
	@tests/install_packages.sh patchelf debian-archive-keyring
	@tests/python/fetch_pythons.sh $(PYTHONS)
python-free-threaded: deps ## build a Python 3.13 without a GIL from Debian's source into build/pythons (some minutes)
	@tests/install_packages.sh debian-archive-keyring xz-utils
	@tests/python/build_free_threaded.sh $(PYTHONS)
check-pythons: pythons ## the Python tests on every interpreter (P=PATTERN: on some), with more of CPython's own tests
	@$(MAKE) --no-print-directory all test-programs
	@KPROF_TEST_PYTHON='$(P)' KPROF_TEST_BUILD=$(CURDIR)/$B tests/run --long tests/python/$(T)
