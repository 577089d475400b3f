"""The photographs' rows of a bundle that a new one with the same maps follows.

A row of 512 numbers in 8 bits hardly compresses, and what a repository has held it holds for ever.
So a new bundle takes again the rows that it can, bit for bit, and keeps the others in few levels
(worker/extractor/bundle_arrays.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from fingerprint_db.background import CodecSpace, Floats
from fingerprint_db.conditions import CODECS, Codec, is_shown, readings_of
from worker.extractor.bundle_arrays import RowsKept, to_int8


@dataclass(frozen=True, slots=True, eq=False)
class FormerRows:
    """Of each codec what 1 stands for in each column, (D,) float32, and the rows in 8 bits."""

    scales: Mapping[Codec, Floats]
    rows: Mapping[Codec, frozenset[bytes]]

    @classmethod
    def of(cls, bundle: Path) -> Self:
        """Those of the bundle in a folder."""
        arrays = load_file(bundle / "background.safetensors")
        return cls(
            {codec: arrays[f"{codec}.vectors_scale"] for codec in CODECS},
            {
                codec: frozenset(row.tobytes() for row in arrays[f"{codec}.vectors"])
                for codec in CODECS
            },
        )

    def holds(self, codec: Codec, vectors: Floats) -> NDArray[np.bool_]:
        """(N,) which fingerprints (N, D) are among the rows."""
        rows = self.rows[codec]
        eight, _ = to_int8(vectors, self.scales[codec])
        return np.array([row.tobytes() in rows for row in eight], np.bool_)

    def kept(self, spaces: Mapping[Codec, CodecSpace]) -> RowsKept:
        """How a bundle keeps the rows of these spaces, in which those that are held come first.

        What is held is said by the space that files show, for all that they are read in.
        """
        fine: dict[Codec, int] = {}
        for shown in filter(is_shown, spaces):
            count = int(self.holds(shown, spaces[shown].cohort.vectors).sum())
            fine |= dict.fromkeys(readings_of(shown), count)
        return RowsKept(self.scales, fine)
