"""Sums of products of bytes are those of whole numbers, with the instruction or without."""

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from numba import njit

from fingerprint_db.matching.rows import byte_products
from fingerprint_db.matching.rows.byte_products import LANES, LARGE, SMALL, STEP

WAYS = [byte_products._in_turn]
if byte_products.has_instruction():
    WAYS.append(byte_products._at_once)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("queries", [SMALL, LARGE])
@pytest.mark.parametrize("steps", [1, 6, 128])
def test_sums_are_those_of_whole_numbers(way: Any, queries: int, steps: int) -> None:
    products = way(queries)

    @njit
    def all_blocks(rows: Any, groups: Any, sums: Any) -> None:
        for block in range(3):
            row = block * LANES * STEP * steps
            place = block * queries * LANES
            products(rows, row, groups, queries * STEP * steps, steps, sums, place)

    rng = np.random.default_rng(steps)
    rows = rng.integers(0, 256, (3, steps, LANES, STEP)).astype(np.uint8)
    rows[1] = 255
    groups = rng.integers(-127, 128, (2, steps, queries, STEP)).astype(np.int8)
    groups[1, :, 0], groups[1, :, 1] = 127, -127
    sums = np.full(3 * queries * LANES, 7, np.int32)
    all_blocks(rows.reshape(-1), groups.reshape(-1), sums)
    for block in range(3):
        for query in range(queries):
            for lane in range(LANES):
                own, asked = rows[block, :, lane].astype(int), groups[1, :, query].astype(int)
                place = (block * queries + query) * LANES + lane
                assert sums[place] == (own * asked).sum()


@pytest.mark.parametrize(
    "less",
    [
        {"NUMBA_CPU_NAME": "generic"},
        {"NUMBA_CPU_FEATURES": "+sse2"},
        {"NUMBA_ENABLE_AVX": "0"},
    ],
)
def test_the_instruction_is_not_used_where_the_compiler_is_told_to_do_without(
    less: dict[str, str],
) -> None:
    program = "from fingerprint_db.matching.rows import byte_products as b; print(b._products)"
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, env={**os.environ, **less}, check=True, timeout=60, capture_output=True, text=True
    )
    assert "_in_turn" in done.stdout
