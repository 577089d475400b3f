"""The matrix products of a batch: compiled loops on the CPU, torch on a card.

On the CPU the matrices stay as the bundle keeps them, in 8 bits. What one row's product costs is
the reading of its matrix, which no cache near a core holds; the bytes become float32 in registers,
exactly. And torch, which takes longer to load than all else, is imported where there is a card, or
at least a driver for one.

Letters: N rows, F block statistics, B directions of the basis, D fingerprint size; of any product K
numbers a row and J columns of the matrix.
"""

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numba
import numpy as np
from numba import njit
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from fingerprint_db.conditions import Codec
from worker.extractor.bundle import Bundle
from worker.extractor.document import group_of
from worker.extractor.fingerprint_map import Floats

_DRIVERS = ("libcuda.so.1", "nvcuda.dll")
_AMD = Path("/dev/kfd")
"""The kernel's side of ROCm, whose builds of torch call their devices cuda as well."""
# Sums in any order, multiply and add at once; but NaN and infinity stay what they are.
_ANY_ORDER = {"reassoc", "nsz", "contract"}


class KeptMatrix(NamedTuple):
    """(K, J), column by column: `numbers` (J, K) int8, and what 1 is in each column, `steps`."""

    numbers: NDArray[np.int8]
    steps: Floats


class Products(Protocol):
    """Standardised statistics to fingerprints, by a bundle's maps."""

    @property
    def where(self) -> str:
        """What computes, its version, and the device."""

    def project(self, codecs: Sequence[Codec], standard: Floats) -> Floats:
        """Standardised statistics (N, F) to fingerprints (N, D), waited for.

        `codecs` are those of the rows, all of one group. Raises RetryError where the device failed,
        or has no memory for one row.
        """


class CpuProducts:
    """On the CPU, by the thread that asks."""

    def __init__(self, bundle: Bundle) -> None:
        self._bases = {group: by_columns(*one) for group, one in bundle.kept.bases.items()}
        self._maps = {
            codec: (by_columns(*one), bundle.maps[codec].offset)
            for codec, one in bundle.kept.projections.items()
        }

    @property
    def where(self) -> str:
        return f"numba {numba.__version__} on cpu"

    def project(self, codecs: Sequence[Codec], standard: Floats) -> Floats:
        """(N, F) to (N, D): one product with the group's basis, and one for each codec."""
        led = times(standard, self._bases[group_of(codecs[0])])  # (N, B)
        vectors = np.empty((len(led), len(self._maps[codecs[0]][1])), np.float32)
        for codec in dict.fromkeys(codecs):
            own = [i for i, one in enumerate(codecs) if one == codec]
            projection, offset = self._maps[codec]
            vectors[own] = times(led[own], projection) + offset
        return vectors


def products(bundle: Bundle, device: str) -> Products:
    """Those of `device`: "cpu", "cuda", or "auto", a card if torch finds one.

    From here on numpy's products are all computed by the thread that asks, in the whole process: a
    second thread of OpenBLAS waits by spinning, and where other programs run, a product of a batch
    took 47 times the processor time with two. Raises StopError (exit code 2) for "cuda" where torch
    finds no card.
    """
    ThreadpoolController().limit(limits=1, user_api="blas")
    if device == "cpu" or (device == "auto" and not has_driver()):
        return CpuProducts(bundle)
    from worker.extractor.torch_products import TorchProducts, card

    found = card(required=device == "cuda")
    return CpuProducts(bundle) if found is None else TorchProducts(bundle.maps, found)


def has_driver() -> bool:
    """Whether torch could find a card at all; it opens the same library, and a second later."""
    for name in _DRIVERS:
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return True
    return _AMD.exists()


def by_columns(numbers: NDArray[np.int8], steps: Floats) -> KeptMatrix:
    """Of what `bundle_arrays.to_int8` gives: (K, J) int8 and (J,)."""
    return KeptMatrix(np.ascontiguousarray(numbers.T), np.ascontiguousarray(steps))


def times(rows: Floats, matrix: KeptMatrix) -> Floats:
    """(N, K) by (K, J) to (N, J), float32. ValueError where K differs."""
    numbers, steps = matrix
    if rows.ndim != 2 or rows.shape[1] != numbers.shape[1]:
        raise ValueError(f"rows of shape {rows.shape} meet columns of {numbers.shape[1]} numbers")
    found = np.empty((len(rows), len(numbers)), dtype=np.float32)
    _multiply(np.ascontiguousarray(rows, dtype=np.float32), numbers, steps, found)
    return found


@njit(cache=True, nogil=True, fastmath=_ANY_ORDER)
def _multiply(rows: Floats, numbers: NDArray[np.int8], steps: Floats, found: Floats) -> None:
    """Four columns at a time, which stay near for all rows; each row is read once for the four.

    The last columns stand in for those that are missing from a four.
    """
    last, length = len(numbers) - 1, np.uint64(rows.shape[1])
    for a in range(0, len(numbers), 4):
        b, c, d = min(a + 1, last), min(a + 2, last), min(a + 3, last)
        for row in range(len(rows)):
            sum_a = sum_b = sum_c = sum_d = np.float32(0)
            for i in range(length):
                x = rows[row, i]
                sum_a += np.float32(numbers[a, i]) * x
                sum_b += np.float32(numbers[b, i]) * x
                sum_c += np.float32(numbers[c, i]) * x
                sum_d += np.float32(numbers[d, i]) * x
            found[row, a], found[row, b] = sum_a * steps[a], sum_b * steps[b]
            found[row, c], found[row, d] = sum_c * steps[c], sum_d * steps[d]
