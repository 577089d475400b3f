"""A tenant's photographs of one codec, as arrays to be held against.

Letters: N photographs, D fingerprint size, V numbers of a nuisance vector.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import Floats, Labels
from fingerprint_db.calibration import Calibration
from fingerprint_db.conditions import CODECS, Codec

HELD_BACK = 5
"""One photograph in so many calibrates nothing: rates are measured on it."""

_CHUNK = 2048  # photographs as float32 at once: with 512 numbers 4 MB


@dataclass(frozen=True, slots=True, eq=False)
class TenantPhotographs:
    """Photographs of one codec, each once.

    `eight_bits` (N, D) int8 by `scales` (N,) are their fingerprints; `photographs` and `sources`
    (N,) number them from 0, `size_classes` (N,) are positions in SIZE_CLASSES, `kinds` (N, V),
    `identities` (N, 16) uint8 as they are stored.
    """

    eight_bits: NDArray[np.int8]
    scales: Floats
    photographs: Labels
    sources: Labels
    size_classes: Labels
    kinds: Floats
    identities: NDArray[np.uint8]

    @classmethod
    def of(cls, calibration: Calibration, codec: Codec, *, held_back: bool = False) -> Self | None:
        """Those that calibrate, or with `held_back` those that do not; None where there are none.

        Which is which is said by a photograph's identity, so that it stays so for ever.
        """
        names = sorted({part.source for part in calibration.parts.values()})
        columns: list[tuple[NDArray[np.generic], ...]] = []
        for part in calibration.parts.values():
            back = part.identities[:, 0] % HELD_BACK == 0
            own = (part.codecs == CODECS.index(codec)) & (back == held_back)
            source = np.full(int(own.sum()), names.index(part.source), np.int64)
            columns.append(
                (
                    part.identities[own],
                    part.vectors[own],
                    part.scales[own],
                    part.size_classes[own].astype(np.int64),
                    part.kinds[own].astype(np.float32),
                    source,
                )
            )
        if not sum(len(column[0]) for column in columns):
            return None
        identities, vectors, scales, sizes, kinds, sources = (
            np.concatenate(one) for one in zip(*columns, strict=True)
        )
        _, first = np.unique(identities, axis=0, return_index=True)
        first.sort()
        numbers = np.arange(len(first))
        return cls(
            vectors[first],
            scales[first],
            numbers,
            sources[first],
            sizes[first],
            kinds[first],
            identities[first],
        )

    def __len__(self) -> int:
        return len(self.scales)

    def scores(self, statistic: Callable[[Floats], Floats]) -> Floats:
        """(N,) what a statistic says of each, some at a time."""
        found = [
            statistic(self.eight_bits[i : i + _CHUNK] * self.scales[i : i + _CHUNK, None])
            for i in range(0, len(self), _CHUNK)
        ]
        return np.concatenate(found).astype(np.float32)
