"""Sums of products of bytes are those of whole numbers, with the instruction or without."""

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
