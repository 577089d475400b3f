"""The matrix products of a batch on the CPU, in compiled loops.

The matrices stay as the bundle keeps them, in 8 bits. What one row's product costs is the reading
of its matrix, which no cache near a core holds; the bytes become float32 in registers, exactly.

Letters: N rows, F block statistics, B directions of the basis, D fingerprint size; of any product K
numbers a row and J columns of the matrix.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numba
import numpy as np
from numba import njit
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from fingerprint_db.conditions import Codec
from worker.extractor.bundle import Bundle
from worker.extractor.document import group_of
from worker.extractor.fingerprint_map import Floats

# Sums in any order, multiply and add at once; but NaN and infinity stay what they are.
_ANY_ORDER = {"reassoc", "nsz", "contract"}


class KeptMatrix(NamedTuple):
    """(K, J), column by column: `numbers` (J, K) int8, and what 1 is in each column, `steps`."""

    numbers: NDArray[np.int8]
    steps: Floats


class Products:
    """Standardised statistics to fingerprints by a bundle's maps, by the thread that asks."""

    def __init__(self, bundle: Bundle) -> None:
        self._bases = {group: by_columns(*one) for group, one in bundle.kept.bases.items()}
        self._maps = {
            codec: (by_columns(*one), bundle.maps[codec].offset)
            for codec, one in bundle.kept.projections.items()
        }

    @property
    def where(self) -> str:
        """What computes, its version, and the device."""
        return f"numba {numba.__version__} on cpu"

    def project(self, codecs: Sequence[Codec], standard: Floats) -> Floats:
        """Standardised statistics (N, F) to fingerprints (N, D).

        `codecs` are those of the rows, all of one group. One product with the group's basis, and
        one for each codec.
        """
        led = times(standard, self._bases[group_of(codecs[0])])  # (N, B)
        vectors = np.empty((len(led), len(self._maps[codecs[0]][1])), np.float32)
        for codec in dict.fromkeys(codecs):
            own = [i for i, one in enumerate(codecs) if one == codec]
            projection, offset = self._maps[codec]
            vectors[own] = times(led[own], projection) + offset
        return vectors


def stay_on_this_thread() -> None:
    """From here on numpy's products are all computed by the thread that asks, in the whole process.

    A second thread of OpenBLAS waits by spinning, and where other programs run, a product of a
    batch took 47 times the processor time with two.
    """
    ThreadpoolController().limit(limits=1, user_api="blas")


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
    """Four columns at a time, which stay near for all rows, against two rows at once.

    Where columns are missing from a four, the last one stands in for them.
    """
    last, length = len(numbers) - 1, np.uint64(rows.shape[1])
    paired = len(rows) // 2 * 2
    for a in range(0, len(numbers), 4):
        b, c, d = min(a + 1, last), min(a + 2, last), min(a + 3, last)
        for r in range(0, paired, 2):
            s = r + 1
            ra = rb = rc = rd = sa = sb = sc = sd = np.float32(0)
            for i in range(length):
                x, y = rows[r, i], rows[s, i]
                na, nb = np.float32(numbers[a, i]), np.float32(numbers[b, i])
                nc, nd = np.float32(numbers[c, i]), np.float32(numbers[d, i])
                ra, rb, rc, rd = ra + na * x, rb + nb * x, rc + nc * x, rd + nd * x
                sa, sb, sc, sd = sa + na * y, sb + nb * y, sc + nc * y, sd + nd * y
            found[r, a], found[r, b] = ra * steps[a], rb * steps[b]
            found[r, c], found[r, d] = rc * steps[c], rd * steps[d]
            found[s, a], found[s, b] = sa * steps[a], sb * steps[b]
            found[s, c], found[s, d] = sc * steps[c], sd * steps[d]
        for r in range(paired, len(rows)):
            ra = rb = rc = rd = np.float32(0)
            for i in range(length):
                x = rows[r, i]
                na, nb = np.float32(numbers[a, i]), np.float32(numbers[b, i])
                nc, nd = np.float32(numbers[c, i]), np.float32(numbers[d, i])
                ra, rb, rc, rd = ra + na * x, rb + nb * x, rc + nc * x, rd + nd * x
            found[r, a], found[r, b] = ra * steps[a], rb * steps[b]
            found[r, c], found[r, d] = rc * steps[c], rd * steps[d]
