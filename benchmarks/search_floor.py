"""What searching so many rows takes at least: their bytes are read, and multiplied with queries."""

import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fingerprint_db.matching.rows.byte_products import LANES, LARGE, STEP, products_of_large

_ROUNDS: Final = 15


def floor(rows: int, dimension: int, images: int) -> dict[str, float]:
    """Of random bytes, the least of _ROUNDS: processor milliseconds of reading them once, and of
    their products with two queries of each image, as the search takes them, and nothing else."""
    blocks, steps = -(-rows // LANES), -(-dimension // STEP)
    rng = np.random.default_rng(1)
    codes = np.frombuffer(rng.bytes(blocks * LANES * steps * STEP), np.uint8)
    groups = -(-2 * images // LARGE)
    queries = np.frombuffer(rng.bytes(groups * LARGE * steps * STEP), np.int8)
    sums = np.empty(groups * LARGE * LANES, np.int32)
    words = codes.view(np.uint64)
    return {
        "bytes": len(codes),
        "reading_cpu_ms": _least(lambda: _read(words)),
        "products_cpu_ms": _least(lambda: _multiply(codes, queries, groups, steps, sums)),
    }


@njit(nogil=True)
def _read(words: NDArray[np.uint64]) -> np.uint64:
    found = np.uint64(0)
    for word in words:
        found ^= word
    return found


@njit(nogil=True)
def _multiply(
    codes: NDArray[np.uint8],
    queries: NDArray[np.int8],
    groups: int,
    steps: int,
    sums: NDArray[np.int32],
) -> None:
    for block in range(len(codes) // (LANES * STEP * steps)):
        row = block * LANES * STEP * steps
        for group in range(groups):
            at = group * LARGE * STEP * steps
            products_of_large(codes, row, queries, at, steps, sums, group * LARGE * LANES)


def _least(work: Callable[[], Any]) -> float:
    work()  # compiled from here on
    found = []
    for _ in range(_ROUNDS):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return round(1000 * min(found), 2)
