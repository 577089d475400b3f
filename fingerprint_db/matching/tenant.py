"""A tenant's photographs of one codec, as arrays to be held against.

Letters: N photographs, D fingerprint size, V numbers of a nuisance vector.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import Floats, Labels
from fingerprint_db.calibration import Calibration
from fingerprint_db.conditions import CODECS, Codec, readings_of

HELD_BACK = 5
"""One photograph in so many calibrates nothing: rates are measured on it."""

_CHUNK = 2048  # photographs as float32 at once: with 512 numbers 4 MB


@dataclass(frozen=True, slots=True, eq=False)
class TenantPhotographs:
    """Photographs of one codec, each once.

    `eight_bits` (N, R D) int8 by `scales` (N, R) are their fingerprints in the R spaces that files
    of the codec are read in, side by side; `photographs` and `sources` (N,) number them from 0,
    `size_classes` (N,) are positions in SIZE_CLASSES, `kinds` (N, V), `identities` (N, 16) uint8 as
    they are stored.
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

        Which is which is said by a photograph's identity, so that it stays so for ever. One that is
        not there in every reading of the codec is left out.
        """
        readings = [_in_space(calibration, one, held_back) for one in readings_of(codec)]
        shown, further = readings[0], readings[1:]
        places = [{bytes(row): i for i, row in enumerate(one.identities)} for one in further]
        kept = [
            i
            for i, row in enumerate(shown.identities)
            if all(bytes(row) in place for place in places)
        ]
        if not kept:
            return None
        rows = [np.array(kept)] + [
            np.array([place[bytes(shown.identities[i])] for i in kept]) for place in places
        ]
        first = rows[0]
        return cls(
            np.concatenate([one.vectors[at] for one, at in zip(readings, rows, strict=True)], 1),
            np.stack([one.scales[at] for one, at in zip(readings, rows, strict=True)], 1),
            np.arange(len(first)),
            shown.sources[first],
            shown.size_classes[first],
            shown.kinds[first],
            shown.identities[first],
        )

    def __len__(self) -> int:
        return len(self.scales)

    def scores(self, statistic: Callable[[Floats], Floats]) -> Floats:
        """(N,) what a statistic says of each, some at a time."""
        every = np.arange(len(self))
        found = [
            statistic(self.vectors(every[i : i + _CHUNK])) for i in range(0, len(self), _CHUNK)
        ]
        return np.concatenate(found).astype(np.float32)

    def vectors(self, some: NDArray[np.int64]) -> Floats:
        """Fingerprints (B, R D) of those of these numbers."""
        scales = self.scales[some]
        size = self.eight_bits.shape[1] // scales.shape[1]
        found: Floats = self.eight_bits[some] * scales.repeat(size, axis=1)
        return found


class _InSpace(NamedTuple):
    """Photographs in one space, each once."""

    identities: NDArray[np.uint8]
    vectors: NDArray[np.int8]
    scales: Floats
    size_classes: Labels
    kinds: Floats
    sources: Labels


def _in_space(calibration: Calibration, codec: Codec, held_back: bool) -> _InSpace:
    names = sorted({part.source for part in calibration.parts.values()})
    columns = []
    for part in calibration.parts.values():
        back = part.identities[:, 0] % HELD_BACK == 0
        own = (part.codecs == CODECS.index(codec)) & (back == held_back)
        source = np.full(int(own.sum()), names.index(part.source), np.int64)
        columns.append(
            _InSpace(
                part.identities[own],
                part.vectors[own],
                part.scales[own],
                part.size_classes[own].astype(np.int64),
                part.kinds[own].astype(np.float32),
                source,
            )
        )
    if not columns:
        none = np.zeros((0, 0))
        empty = np.zeros(0, np.int64)
        return _InSpace(
            none.astype(np.uint8), none.astype(np.int8), empty.astype(np.float32), empty,
            none.astype(np.float32), empty,
        )  # fmt: skip
    together = [np.concatenate(one) for one in zip(*columns, strict=True)]
    _, first = np.unique(together[0], axis=0, return_index=True)
    first.sort()
    return _InSpace(*(column[first] for column in together))
