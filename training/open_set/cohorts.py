"""The photographs behind z-norms and p-values: which of their views a bundle holds.

A bundle has no room for all. Of each photograph and side there is one view of each space that files
of the codec are read in: of half of them one that nothing was done to but to cut or reduce it, as
most of what is uploaded is; of the others one drawn among its histories, so that every kind of
picture is there by a few photographs. And one as it came, if it came in this codec. Every view is
there in all of these spaces, since a file is read in all (fingerprint_db/matching/registered.py).
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import Cohort, size_class_of
from fingerprint_db.conditions import Codec
from training.histories.history import HISTORIES
from training.open_set.spaces import CodecPictures, Learning, fingerprints, labels
from worker.extractor.fingerprint_map import CodecMap

MOST_OF_A_SOURCE = 100
"""Photographs, three in ten of them behind the statistics: faces must not outvote cameras."""

NATIVE_SHARE = 0.5

NO_PHOTOGRAPHS = ("plain_ground", "screen", "print")
"""Groups of histories that leave something else than a photograph: never in the cohort."""


def cohorts(
    readings: Mapping[Codec, Learning], maps: Mapping[Codec, CodecMap]
) -> dict[Codec, Cohort]:
    """Of all spaces that files of one codec are read in: the same views, in the same order."""
    views = CodecPictures.together([one.real for one in readings.values()])
    part = np.concatenate([one.part for one in readings.values()])
    reading = np.repeat(np.arange(len(readings)), [len(one.part) for one in readings.values()])
    came = np.concatenate([one.real.came for one in readings.values()])
    eligible = (part != "statistics") & is_photograph(views.histories) & _first_of_source(views)
    chosen = one_view(views, eligible & ~came, reading)
    chosen |= one_view(views, eligible & came & native(views.histories), reading)
    held, normalises = views.where(chosen), part[chosen] == "norm"
    sizes = np.array([size_class_of(int(pixels)) for pixels in held.pixels], np.int64)
    return {
        codec: Cohort(
            fingerprints(maps[codec], held),
            np.unique(held.photographs, return_inverse=True)[1].astype(np.int64),
            labels(held.names),
            sizes,
            held.kinds,
            normalises,
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
    real: CodecPictures, among: NDArray[np.bool_], groups: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """(N,) one view of each photograph, side and group (N,), drawn among those of the same.

    Of NATIVE_SHARE of them among those that nothing was done to, of the others among the rest.
    """
    drawn = np.random.default_rng(1).permutation(np.flatnonzero(among))
    same = np.stack([real.photographs[drawn], real.sides[drawn], groups[drawn]])
    _, of = np.unique(same, axis=1, return_inverse=True)
    wants_native = np.random.default_rng(2).random(of.max(initial=-1) + 1) < NATIVE_SHARE
    wanted = native(real.histories[drawn]) == wants_native[of.reshape(-1)]
    order = np.argsort(~wanted, kind="stable")
    drawn, same = drawn[order], same[:, order]
    _, first = np.unique(same, axis=1, return_index=True)
    chosen = np.zeros(len(among), np.bool_)
    chosen[drawn[first]] = True
    return chosen


def is_photograph(histories: NDArray[np.str_]) -> NDArray[np.bool_]:
    """(N,) whether a view still is a photograph after its history."""
    other = {name for name, one in HISTORIES.items() if one.group in NO_PHOTOGRAPHS}
    return ~np.isin(histories, sorted(other))


def native(histories: NDArray[np.str_]) -> NDArray[np.bool_]:
    """(N,) whether nothing was done to a view but to cut it or make it smaller."""
    return np.char.startswith(histories, "native")
