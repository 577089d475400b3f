"""The photographs behind z-norms and p-values: which of their views a bundle holds.

A bundle has no room for all. Of each photograph and side there is one view of each space that files
of the codec are read in: of half of them one that nothing was done to but to cut or reduce it, as
most of what is uploaded is; of the others one drawn among its histories, so that every kind of
picture is there by a few photographs. Those that score highest for generators are drawn more often
(OFTEN) and weigh less in return: the levels by the photographs most like a picture need many, the
levels by all photographs only what is met. And one as it came, if it came in this codec. Every view
is there in all of these spaces, since a file is read in all
(fingerprint_db/matching/registered.py).

Where a former bundle with the same maps is given, those of its rows that nothing was done to are
taken again: the repository holds them already.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import Cohort, size_class_of
from fingerprint_db.conditions import Codec
from training.histories.history import HISTORIES, Group
from training.open_set.former import FormerRows
from training.open_set.spaces import CodecPictures, Learning, fingerprints, labels
from worker.extractor.fingerprint_map import CodecMap

MOST_OF_A_SOURCE = 100
"""Photographs, three in ten of them behind the statistics: faces must not outvote cameras."""

NATIVE_SHARE = 0.5

OFTEN: Mapping[Group, float] = MappingProxyType({"blurred": 8.0, "enlarged": 4.0, "denoised": 3.0})
"""How much likelier than another a history of these groups is drawn."""

NO_PHOTOGRAPHS = ("plain_ground", "screen", "print")
"""Groups of histories that leave something else than a photograph: never in the cohort."""


def cohorts(
    readings: Mapping[Codec, Learning],
    maps: Mapping[Codec, CodecMap],
    former: FormerRows | None = None,
) -> dict[Codec, Cohort]:
    """Of all spaces that files of one codec are read in: the same views, in the same order."""
    views = CodecPictures.together([one.real for one in readings.values()])
    part = np.concatenate([one.part for one in readings.values()])
    reading = np.repeat(np.arange(len(readings)), [len(one.part) for one in readings.values()])
    came = np.concatenate([one.real.came for one in readings.values()])
    eligible = (part != "statistics") & is_photograph(views.histories) & _first_of_source(views)
    again = np.zeros(len(came), np.bool_)
    if former is not None:
        first = next(iter(readings))
        again[eligible] = former.holds(first, fingerprints(maps[first], views.where(eligible)))
    chosen = one_view(views, eligible & ~came, reading, again)
    chosen |= one_view(views, eligible & came & native(views.histories), reading, again)
    # Those of the former bundle come first, as FormerRows wants them.
    both = [(again & chosen), (~again & chosen)]
    held = CodecPictures.together([views.where(rows) for rows in both])
    normalises = np.concatenate([part[rows] for rows in both]) == "norm"
    sizes = np.array([size_class_of(int(pixels)) for pixels in held.pixels], np.int64)
    return {
        codec: Cohort(
            fingerprints(maps[codec], held),
            np.unique(held.photographs, return_inverse=True)[1].astype(np.int64),
            labels(held.names),
            sizes,
            held.kinds,
            normalises,
            weights(held, 2 * sizes + normalises),
        )
        for codec in readings
    }


def _first_of_source(views: CodecPictures) -> NDArray[np.bool_]:
    """(N,) whether a view's photograph is among the first MOST_OF_A_SOURCE of its source."""
    found = np.zeros(len(views.names), np.bool_)
    for source in np.unique(views.names):
        own = views.names == source
        first = np.unique(views.photographs[own])[:MOST_OF_A_SOURCE]
        found |= own & np.isin(views.photographs, first)
    return found


def one_view(
    real: CodecPictures,
    among: NDArray[np.bool_],
    groups: NDArray[np.int64],
    again: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """(N,) one view of each photograph, side and group (N,), drawn among those of the same.

    Of NATIVE_SHARE of them among those that nothing was done to, or of those of which one is there
    `again` (N,), where any is; of the others among the rest, by OFTEN.
    """
    rows = np.flatnonzero(among)
    plain, often = native(real.histories[rows]), _often(real.histories[rows])
    same = np.stack([real.photographs[rows], real.sides[rows], groups[rows]])
    _, of = np.unique(same, axis=1, return_inverse=True)
    of = of.reshape(-1)
    again = again[rows] & plain
    wants_native = np.random.default_rng(2).random(of.max(initial=-1) + 1) < NATIVE_SHARE
    if again.any():
        wants_native = np.bincount(of, again) > 0
    # The least of exponential times is that of a view as often as its rate says.
    times = np.random.default_rng(1).exponential(size=len(rows)) / often
    order = np.lexsort((times, plain & ~again, plain != wants_native[of]))
    _, first = np.unique(of[order], return_index=True)
    chosen = np.zeros(len(among), np.bool_)
    chosen[rows[order[first]]] = True
    return chosen


def weights(held: CodecPictures, levels: NDArray[np.int64]) -> NDArray[np.float32]:
    """(N,) what each view counts, in photographs; `levels` (N,) say which are held together.

    Half of a level's photographs are represented by views that nothing was done to, half by
    histories, each as often as it was drawn before OFTEN.
    """
    plain, found = native(held.histories), 1 / _often(held.histories)
    for level in np.unique(levels):
        count = len(np.unique(held.photographs[levels == level]))
        sides = [rows for rows in (plain, ~plain) if (rows & (levels == level)).any()]
        for side in sides:
            rows = side & (levels == level)
            found[rows] *= count / len(sides) / found[rows].sum()
    rounded: NDArray[np.float32] = found.astype(np.float16).astype(np.float32)
    return rounded


def _often(histories: NDArray[np.str_]) -> NDArray[np.float64]:
    """(N,) how much likelier than another each view is drawn; 1 of one without a history."""
    rates = {name: OFTEN.get(one.group, 1.0) for name, one in HISTORIES.items()}
    return np.array([rates.get(str(name), 1.0) for name in histories], np.float64)


def is_photograph(histories: NDArray[np.str_]) -> NDArray[np.bool_]:
    """(N,) whether a view still is a photograph after its history."""
    other = {name for name, one in HISTORIES.items() if one.group in NO_PHOTOGRAPHS}
    return ~np.isin(histories, sorted(other))


def native(histories: NDArray[np.str_]) -> NDArray[np.bool_]:
    """(N,) whether nothing was done to a view but to cut it or make it smaller."""
    return np.char.startswith(histories, "native")
