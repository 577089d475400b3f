"""One fingerprint of a photograph as a calibration keeps it; rows to parts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fingerprint_db.background import Floats
from fingerprint_db.calibration import (
    IDENTITY_BYTES,
    MOST_OF_A_PART,
    Origin,
    PhotographPart,
)
from fingerprint_db.calibration_encoding import eight_bits
from fingerprint_db.conditions import CODECS, Codec


@dataclass(frozen=True, slots=True, eq=False)
class PhotographRow:
    """A photograph in one space: `vector` (D,) in that of `codec`, `kind` (V,), float32 both.

    `identity` is the start of the SHA-256 of its pixels, 16 bytes.
    """

    identity: bytes
    codec: Codec
    size_class: int
    kind: Floats
    vector: Floats


Photograph = tuple[PhotographRow, ...]
"""One photograph: a row for each space that its file is read in, first what the file shows."""


def identity_of(pixels_sha256: str) -> bytes:
    """What tells a photograph apart: the same pixels in another lossless file are the same one."""
    return bytes.fromhex(pixels_sha256)[:IDENTITY_BYTES]


def parts_of(
    rows: Sequence[PhotographRow], source: str, origin: Origin, trimmed: float = 0.0
) -> Iterator[PhotographPart]:
    """The rows, as few parts as they fit in."""
    for start in range(0, len(rows), MOST_OF_A_PART):
        some = rows[start : start + MOST_OF_A_PART]
        vectors, scales = eight_bits(np.stack([row.vector for row in some]))
        yield PhotographPart(
            source,
            origin,
            trimmed,
            np.array([list(row.identity) for row in some], np.uint8),
            np.array([CODECS.index(row.codec) for row in some], np.uint8),
            np.array([row.size_class for row in some], np.uint8),
            np.stack([row.kind for row in some]).astype(np.float16),
            vectors,
            scales,
        )
