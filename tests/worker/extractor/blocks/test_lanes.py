"""Words of comparisons and copies are what plain Python makes of them."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from worker.extractor.blocks.lanes import at_least, copy_4, copy_32, ones


@njit(nogil=True)
def _compared(values: NDArray[np.int8], first: int, limit: int) -> tuple[np.uint64, int]:
    word = at_least(values, first, np.int8(limit))
    return word, ones(word)


@njit(nogil=True)
def _copied(source: NDArray[np.float32], target: NDArray[np.float32]) -> None:
    copy_4(source, 3, target, 1)
    copy_32(source, 10, target, 40)
    copy_4(target, 40, target, 80)


def test_a_word_holds_the_outcomes_of_64_comparisons() -> None:
    values = np.random.default_rng(1).integers(-128, 128, 200, dtype=np.int8)
    for first in (0, 1, 63, 136):
        for limit in (-128, -5, 0, 1, 127):
            word, count = _compared(values, first, limit)
            outcomes = values[first : first + 64] >= limit
            assert int(word) == sum(1 << k for k in np.flatnonzero(outcomes).tolist())
            assert count == outcomes.sum()


def test_so_many_places_are_copied_and_no_more() -> None:
    source, target = np.arange(1, 101, dtype=np.float32), np.zeros(100, dtype=np.float32)
    _copied(source, target)
    expected = np.zeros(100, dtype=np.float32)
    expected[1:5] = source[3:7]
    expected[40:72] = source[10:42]
    expected[80:84] = source[10:14]
    assert np.array_equal(target, expected)
