"""All pictures of one side and arrival: what a baseline learns, its threshold is set on, and sees.

Photographs that may be learned from are split by source, so that no threshold rests on a source
that a baseline was fitted on. Those held out are asked about, and nothing else.

Letters: M samples, S registered generators, P photographs, N pictures asked about, R pixels a side.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.evaluation.baselines.files import Files, Part, files_of
from training.evaluation.subjects import Subject
from worker.enrol.recompress import Picture, open_sample

Pictures = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """What a method may learn from: all of it, and nothing else.

    `samples` (M, 3, R, R) uint8 are of generators `whose` (M,), 0 to S-1; `photographs` are
    (P, 3, R, R) uint8.
    """

    samples: Pictures
    whose: NDArray[np.int64]
    photographs: Pictures

    @property
    def count(self) -> int:
        """S, the registered generators."""
        return int(self.whose.max()) + 1


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """One side and arrival.

    `calibrating` (P, 3, R, R) are the photographs that thresholds are set on. `asked` (N, 3, R, R)
    are of `subjects`, the S generators first and then sources held out, at places `asked_whose`
    (N,); `owners` (N,) tells pictures of one photograph.
    """

    side: int
    arrival: str
    learned: Learned
    calibrating: Pictures
    subjects: tuple[Subject, ...]
    asked: Pictures
    asked_whose: NDArray[np.int64]
    owners: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Sources:
    """Who takes part: generators, photographs learned from, and photographs asked about."""

    generators: tuple[Subject, ...]
    learning: tuple[Subject, ...]
    held_out: tuple[Subject, ...]

    @property
    def all(self) -> list[Subject]:
        """Everyone once, those that take longest to draw first."""
        return [*self.generators, *self.held_out, *self.learning]

    def at(self, side: int) -> "Sources":
        """Those of one side."""
        parts = (self.generators, self.learning, self.held_out)
        return Sources(*(tuple(one for one in part if one.side == side) for part in parts))


def halves(counts: Sequence[int]) -> NDArray[np.bool_]:
    """Which sources, of so many pictures each, are learned from; thresholds rest on the others.

    The largest first, each goes where fewer pictures are.
    """
    learned = np.zeros(len(counts), np.bool_)
    held = [0, 0]  # pictures behind thresholds, and learned from
    for i in np.argsort(-np.array(counts), kind="stable"):
        learned[i] = held[1] <= held[0]
        held[int(learned[i])] += counts[i]
    return learned


def cell_of(sources: Sources, side: int, arrival: str, folder: Path) -> Cell | None:
    """The pictures that were drawn; None where there is no generator or too few photographs.

    Arrivals that cut or scale leave pictures of other sides: all of a cell are cut, at the right
    and below, to the largest square that each of them holds. Left and top stay, since a lattice
    begins there.
    """
    own = sources.at(side)
    samples = _read(own.generators, folder, "sample", arrival)
    photographs = _read(own.learning, folder, "shown", arrival)
    asked = _read((*own.generators, *own.held_out), folder, "shown", arrival)
    fitted = halves([len(one.owners) for one in photographs])
    if not samples or not fitted.any() or fitted.all():
        return None
    groups = {
        "samples": samples,
        "fitted": [one for one, mine in zip(photographs, fitted, strict=True) if mine],
        "calibrating": [one for one, mine in zip(photographs, fitted, strict=True) if not mine],
        "asked": asked,
    }
    decoded = {
        name: [open_sample(data).picture for one in group for data in one.data]
        for name, group in groups.items()
    }
    least = min(min(p.shape[1:]) for pictures in decoded.values() for p in pictures)
    return Cell(
        side,
        arrival,
        Learned(
            _stacked(decoded["samples"], least),
            _places(samples),
            _stacked(decoded["fitted"], least),
        ),
        _stacked(decoded["calibrating"], least),
        (*own.generators, *own.held_out),
        _stacked(decoded["asked"], least),
        _places(asked),
        np.concatenate([one.owners for one in asked]),
    )


def _read(subjects: Sequence[Subject], folder: Path, part: Part, arrival: str) -> list[Files]:
    return [files_of(one, folder, part, arrival) for one in subjects]


def _places(files: Sequence[Files]) -> NDArray[np.int64]:
    return np.repeat(np.arange(len(files)), [len(one.owners) for one in files])


def _stacked(pictures: Sequence[Picture], side: int) -> Pictures:
    return np.stack([picture[:, :side, :side] for picture in pictures])
