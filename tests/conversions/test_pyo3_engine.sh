#!/bin/bash
# SPDX-License-Identifier: MIT
# limit: 300
# examples/pyo3-engine with line tables and as a stripped wheel: its calls of Python's API are
# counted to the unit, spans last as long as the clock inside says, a forgotten handle is retained,
# and the advice fires on each of its cases and on none of the ways that cure it, saving what it said.
. "$(dirname "$0")/lib_engine.sh"
python=${KPROF_TEST_PYTHON:-/usr/bin/python3}
need_engine "conversions of a PyO3 engine" wheel || exit 0
need_engine "conversions of a PyO3 engine" release || exit 0
release=$BUILD/examples/pyo3-engine/release wheel=$BUILD/examples/pyo3-engine/wheel
PYTHONPATH=$wheel "$python" -c 'import pyo3_engine' 2> import.err ||
    { skip "conversions of a PyO3 engine" "$python cannot load it: $(tail -1 import.err)"; exit 0; }

for times in 1 1000 32000; do
    known_calls_are_exact wheel "$wheel" "$python" $times 0
done
known_calls_are_exact wheel "$wheel" "$python" 32000 2
known_calls_are_exact release "$release" "$python" 32000 2

spans() { report_on "$wheel" "$python" "$CONVERSIONS/timed_calls.py"; python3 "$CONVERSIONS/check_engine.py" report.json spans out.txt; }
attempts 5 spans

export KPROF_RATE=4K
report_on "$release" "$python" "$EXAMPLE/app.py" --leak --times 20 send_pythonize
python3 "$CONVERSIONS/check_engine.py" report.json leak 20 1048576
report_on "$release" "$python" "$EXAMPLE/app.py" --times 20 send_pythonize
python3 "$CONVERSIONS/check_engine.py" report.json leak 0 0

advice()
{
    report_on "$release" "$python" "$EXAMPLE/app.py" --times 20 send_pythonize send_text_view send_list send_serde_bytes send_pybytes send_view send_in_place \
        send_chunks send_interned receive_elements receive_slice
    python3 "$CONVERSIONS/check_engine.py" report.json advice
}
attempts 5 advice
streams()
{
    report_on "$release" "$python" "$EXAMPLE/app.py" --clock stream_blocking stream_direct stream_batched
    python3 "$CONVERSIONS/check_engine.py" report.json streams out.txt
}
attempts 5 streams
