"""Numbers are read at an address as numpy reads them."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fingerprint_db.background import Floats
from fingerprint_db.matching.rows.stored import half_at, single_at


@njit()
def halves(address: int, count: int) -> Floats:
    found = np.empty(count, np.float32)
    for place in range(count):
        found[place] = half_at(address, place)
    return found


@njit()
def singles(address: int, count: int) -> Floats:
    found = np.empty(count, np.float32)
    for place in range(count):
        found[place] = single_at(address, place)
    return found


def address_of(array: NDArray[np.floating]) -> int:
    """Where it begins."""
    found: int = array.__array_interface__["data"][0]
    return found


def test_every_float16_is_read_as_the_float32_that_it_is() -> None:
    """The least ones, both zeros, infinities and what is no number among them."""
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    found, expected = halves(address_of(every), len(every)), every.astype(np.float32)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))


def test_a_float32_is_read_as_it_is() -> None:
    some = np.array([0.0, -0.0, 1e-45, -3.5, 3e38, np.inf, np.nan], np.float32)
    found = singles(address_of(some), len(some))
    np.testing.assert_array_equal(found.view(np.uint32), some.view(np.uint32))
