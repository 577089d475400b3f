"""Sixteen numbers as one value are what numpy makes of sixteen numbers."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from worker.extractor.blocks.sixteen import (
    LIMITS,
    MOST,
    TWO_APART,
    WIDTH,
    added,
    counted,
    load,
    magnitude,
    no_sizes,
    same,
    size_of,
    store,
)

Numbers = NDArray[np.float32]


@njit(nogil=True)
def _computed(a: Numbers, b: Numbers, factor: np.float32, found: NDArray[np.float64]) -> None:
    x, y, f = load(a, np.uint64(3)), load(b, np.uint64(0)), same(factor)
    found[0], found[1], found[2] = added(x + y), added(x - f * y), added(magnitude(x) * x)
    store(y, a, np.uint64(20))


@njit(nogil=True)
def _sized(numbers: Numbers, values: int, found: NDArray[np.int64]) -> None:
    sizes = no_sizes()
    for i in range(values):
        sizes = sizes + size_of(magnitude(load(numbers, np.uint64(16 * i))))
    for limit in range(len(LIMITS)):
        found[limit] = counted(sizes, limit)


def test_sums_differences_and_products_are_those_of_the_lanes() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 40)).astype(np.float32)
    found, before = np.zeros(3), a.copy()
    _computed(a, b, np.float32(0.3), found)
    assert np.array_equal(a, [*before[:20], *b[:WIDTH], *before[20 + WIDTH :]])
    x, y = before[3 : 3 + WIDTH].astype(np.float64), b[:WIDTH].astype(np.float64)
    expected = [(x + y).sum(), (x - 0.3 * y).sum(), (np.abs(x) * x).sum()]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_sizes_are_counted_between_the_limits_and_exactly_at_them() -> None:
    limits = np.array(LIMITS, np.float32)
    special = [0, -0.0, 1e-40, 1e-20, 2e4, *limits, *np.nextafter(limits, np.float32(0)), *-limits]
    rng = np.random.default_rng(2)
    numbers = (rng.normal(size=MOST * WIDTH) * rng.choice([0.1, 1, 10], MOST * WIDTH)).astype("f4")
    numbers[: len(special)] = special
    for values in (1, 2, MOST):
        found = np.zeros(len(LIMITS), np.int64)
        _sized(numbers, values, found)
        below = (np.abs(numbers[: WIDTH * values, None]) < limits).sum(axis=0)
        each = np.diff(below, prepend=0)
        assert (found % TWO_APART).tolist() == each.tolist()
        assert (found[:3] // TWO_APART).tolist() == each[2:].tolist()


def test_as_many_as_may_be_added_fit_though_all_are_of_one_size() -> None:
    for number, place in ((0.0, 0), (3.0, 3), (7.0, 4), (100.0, None)):
        found = np.zeros(len(LIMITS), np.int64)
        _sized(np.full(MOST * WIDTH, number, np.float32), MOST, found)
        expected = [MOST * WIDTH if k == place else 0 for k in range(len(LIMITS))]
        assert (found % TWO_APART).tolist() == expected
