"""From what was counted to images a second of a card, on paper; every assumption is named here.

Nothing overlaps in this model: transfers, products and memory follow one another. What is measured
on a card replaces it (`python -m benchmarks.gpu --device cuda`).
"""

from collections.abc import Mapping
from typing import NamedTuple

CARD = "H100 (SXM)"
MEMORY_BYTES_S = 3.35e12
PRODUCTS_S = 33.5e12
"""Multiply-adds of float32 without tensor cores, whose TF32 has too few bits."""
BUS_BYTES_S = 64e9
"""PCI Express 5.0, 16 lanes, one way. These three are the maker's figures."""
MEMORY_SHARE, PRODUCTS_SHARE, BUS_SHARE = 0.6, 0.3, 0.75
"""Of these, what simple operations reach: elementwise ones about 0.8 of the memory's rate, sums
over short rows and strided reads less; slim products a third."""
ROWS_S = 132 * 4 * 1.7e9 / 20
"""Rows of a table that are added up: each is a step of 32 threads of about 20 instructions, of
which 132 multiprocessors take up four at once at 1.7 GHz."""
OPERATION_S = 2.5e-6
"""Between the starts of two operations of a graph, at least."""
CORES = 16
PYTHON_MS = (0.3, 1.0)
"""Of an image beside decoding and extracting: reading, matching, records, commits; as measured on
other days with decoder and network stubbed, from the best to the worst."""


class Share(NamedTuple):
    """Microseconds of the card that an image takes, part by part."""

    memory: float
    products: float
    rows: float
    bus: float
    operations: float

    @property
    def whole(self) -> float:
        """All of it."""
        return sum(self)


def card(counted: Mapping[str, int]) -> Share:
    """Of one batch, as `counting.count` gives it."""
    images = counted["images"]
    traffic = counted["read_bytes"] + counted["written_bytes"]
    seconds = (
        traffic / (MEMORY_BYTES_S * MEMORY_SHARE),
        counted["multiply_adds"] / (PRODUCTS_S * PRODUCTS_SHARE),
        counted["rows_added"] / ROWS_S,
        counted["pixel_bytes"] / (BUS_BYTES_S * BUS_SHARE),
        counted["operations"] * OPERATION_S,
    )
    return Share(*(1e6 * part / images for part in seconds))


def cores_per_s(decode_ms: float, beside_ms: float, python_ms: float) -> float:
    """Images a second that all cores together decode, and do what stays beside the card."""
    return CORES * 1000 / (decode_ms + beside_ms + python_ms)


def slots_per_s(slots: int, host_ms: float, python_ms: float) -> float:
    """Images a second of so many processes, each of which has one thread that runs Python."""
    return slots * 1000 / (host_ms + python_ms)
