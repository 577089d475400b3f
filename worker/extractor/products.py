"""The matrix products of a batch: in numpy on the CPU, in torch on a card.

numpy takes as long as torch there, and is loaded anyway; so torch, which takes longer to load than
all else, is imported where there is a card, or at least a driver for one.
"""

import ctypes
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from threadpoolctl import ThreadpoolController

from fingerprint_db.conditions import Codec
from worker.extractor.fingerprint_map import CodecMap, Floats

_DRIVERS = ("libcuda.so.1", "nvcuda.dll")
_AMD = Path("/dev/kfd")
"""The kernel's side of ROCm, whose builds of torch call their devices cuda as well."""


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


class NumpyProducts:
    """On the CPU, by the thread that asks."""

    def __init__(self, maps: Mapping[Codec, CodecMap]) -> None:
        self._maps = maps

    @property
    def where(self) -> str:
        return f"numpy {np.__version__} on cpu"

    def project(self, codecs: Sequence[Codec], standard: Floats) -> Floats:
        """(N, F) to (N, D): one product with the group's basis, and one for each codec."""
        led = standard @ self._maps[codecs[0]].basis  # (N, B)
        vectors = np.empty((len(standard), self._maps[codecs[0]].dimension), np.float32)
        for codec in dict.fromkeys(codecs):
            own = [i for i, one in enumerate(codecs) if one == codec]
            vectors[own] = led[own] @ self._maps[codec].projection + self._maps[codec].offset
        return vectors


def products(maps: Mapping[Codec, CodecMap], device: str) -> Products:
    """Those of `device`: "cpu", "cuda", or "auto", a card if torch finds one.

    From here on numpy's products are all computed by the thread that asks, in the whole process: a
    second thread of OpenBLAS waits by spinning, and where other programs run, a product of a batch
    took 47 times the processor time with two. Raises StopError (exit code 2) for "cuda" where torch
    finds no card.
    """
    ThreadpoolController().limit(limits=1, user_api="blas")
    if device == "cpu" or (device == "auto" and not has_driver()):
        return NumpyProducts(maps)
    from worker.extractor.torch_products import TorchProducts, card

    found = card(required=device == "cuda")
    return NumpyProducts(maps) if found is None else TorchProducts(maps, found)


def has_driver() -> bool:
    """Whether torch could find a card at all; it opens the same library, and a second later."""
    for name in _DRIVERS:
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return True
    return _AMD.exists()
