# SPDX-License-Identifier: MIT
"""The steps of domains_program.py, compiled once a domain: DOMAIN, FILE, tree_ext and EXPECTED are given."""
import sys

SIZES = [1, 15, 16, 17, 100, 255, 256, 479, 480, 481, 495, 496, 497, 500, 505, 511, 512, 513, 520, 528, 529,
         540, 600, 1000, 1024, 4096, 70000]
BORDER = 512
HELD = []


def here():
    return sys._getframe(1).f_lineno


def expect(line, live, allocated=None):
    """What a line leaves behind, and all that it asked for; of the live ones, how many are small."""
    allocated = live if allocated is None else allocated
    EXPECTED["%s:%d" % (FILE, line)] = {
        "live": [sum(live), len(live)], "allocated": [sum(allocated), len(allocated)],
        "small": sum(size <= BORDER for size in live) if live is allocated and DOMAIN != "raw" else None}


def fresh():
    for size in SIZES:
        HELD.append(tree_ext.alloc(DOMAIN, size)); line = here()
    expect(line, SIZES)


def zeroed():
    for size in SIZES:
        HELD.append(tree_ext.calloc(DOMAIN, 3, size)); line = here()
    expect(line, [3 * size for size in SIZES])


def freed():
    for size in SIZES:
        tree_ext.free(DOMAIN, tree_ext.alloc(DOMAIN, size)); line = here()
    expect(line, [], SIZES)


def resized():
    """Across the border both ways, and within: the old block dies, the new one is born by realloc."""
    steps = [(100, 200), (500, 600), (600, 500), (512, 513), (513, 512), (479, 481), (5000, 100), (100, 5000),
             (1, 70000), (70000, 1), (512, 512), (600, 601)]
    for old, new in steps:
        block = tree_ext.alloc(DOMAIN, old); born = here()
        HELD.append(tree_ext.realloc(DOMAIN, block, new)); line = here()
    expect(born, [], [old for old, _ in steps])
    expect(line, [new for _, new in steps], [new for _, new in steps])


def from_nothing():
    for size in SIZES:
        HELD.append(tree_ext.realloc(DOMAIN, 0, size)); line = here()
    expect(line, SIZES)


def chained():
    for _ in range(50):
        block = tree_ext.alloc(DOMAIN, 16)
        for size in SIZES:
            block = tree_ext.realloc(DOMAIN, block, size); line = here()
        HELD.append(block)
    expect(line, [SIZES[-1]] * 50, SIZES * 50)


def of_no_size():
    """Nothing to count, but nothing may break: Python asks for a byte instead."""
    block = tree_ext.alloc(DOMAIN, 0)
    block = tree_ext.realloc(DOMAIN, block, 0)
    tree_ext.free(DOMAIN, block)
    tree_ext.free(DOMAIN, 0)


for step in (fresh, zeroed, freed, resized, from_nothing, chained, of_no_size):
    step()
