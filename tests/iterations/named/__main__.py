# SPDX-License-Identifier: MIT
"""python -m named"""


def step():
    pass


for _ in range(7):
    step()
