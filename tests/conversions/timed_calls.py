# SPDX-License-Identifier: MIT
"""Conversions that last half a millisecond or longer; prints what the clock inside the engine says of them."""
import json

import pyo3_engine

engine = pyo3_engine.Engine(8 << 20)
pyo3_engine.clock_switch(True)
for _ in range(8):
    engine.send_pythonize()
    engine.send_serde_bytes()
print(json.dumps(pyo3_engine.clock_read()))
