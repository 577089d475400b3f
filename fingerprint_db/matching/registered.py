"""The registered models in every space that files of one codec are read in.

A lossless file may have been halved, which nothing in it tells: it is read as it is and as halved.
Its fingerprint is then that of both spaces side by side, and so is each photograph's of the cohort,
those that were halved and those that were not. The highest score in either space is held against
the same of photographs, so that its p-value is valid whatever the file was, and needs no correction
for having asked twice.

Letters: B files, R readings, K models, D fingerprint size, M views of photographs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from fingerprint_db.background import Background, Cohort, Floats
from fingerprint_db.conditions import Codec, readings_of
from fingerprint_db.matching.enrolled import Enrolled
from fingerprint_db.matching.rows.scoring import Impostors
from fingerprint_db.model_fingerprint import ModelFingerprint
from fingerprint_db.snapshot import Difference


@dataclass(frozen=True, slots=True, eq=False)
class Registered:
    """Models in each of `readings`, the spaces of a codec's files; the first is what they show."""

    readings: tuple[Codec, ...]
    enrolled: tuple[Enrolled, ...]

    @classmethod
    def of(
        cls,
        background: Background,
        models: Sequence[ModelFingerprint],
        codec: Codec,
        impostors: Sequence[Impostors] | None = None,
    ) -> Self:
        """Those of the models that are enrolled under a condition of a reading.

        `impostors` are the background's generators in each reading, computed unless given.
        """
        readings = readings_in(background, codec)
        constants = background.constants
        enrolled = tuple(
            Enrolled.of(
                background.codecs[one],
                constants,
                models,
                one,
                None if impostors is None else impostors[position],
            )
            for position, one in enumerate(readings)
        )
        return cls(readings, enrolled)

    def following(self, change: Difference) -> Self:
        """The same after a change; only what is new is computed."""
        return type(self)(self.readings, tuple(one.following(change) for one in self.enrolled))

    def leading(
        self,
        vectors: Floats,
        *,
        live: bool,
        above: Floats | None = None,
        among: Sequence[ModelFingerprint] | None = None,
    ) -> tuple[Floats, dict[int, str]]:
        """(B,) the highest score of a live model, or of one that is not; and whose each is, by its
        place. `above` and `among` as `Enrolled.leading` has them."""
        found = np.full(len(vectors), -np.inf, np.float32) if above is None else above.copy()
        names: dict[int, str] = {}
        for enrolled, part in zip(self.enrolled, self.apart(vectors), strict=True):
            scores, models = enrolled.leading(part, live=live, above=found, among=among)
            for i in np.flatnonzero(scores > found).tolist():
                names[i] = enrolled.models[models[i]].model_id
            np.maximum(found, scores, out=found)
        return found, names

    def apart(self, vectors: Floats) -> list[Floats]:
        """Fingerprints (B, R D) by reading, (B, D) each."""
        return np.split(vectors, len(self.readings), axis=1)

    def highest(self, vectors: Floats) -> Floats:
        """(B,) the highest score of a live model in any reading; of fingerprints (B, R D)."""
        found = [
            e.highest(part) for e, part in zip(self.enrolled, self.apart(vectors), strict=True)
        ]
        highest: Floats = np.maximum.reduce(found)
        return highest

    def highest_shadow(self, vectors: Floats) -> Floats:
        """(B,) the same of shadow models."""
        found = [
            e.highest(part, live=False)
            for e, part in zip(self.enrolled, self.apart(vectors), strict=True)
        ]
        highest: Floats = np.maximum.reduce(found)
        return highest


def readings_in(background: Background, codec: Codec) -> tuple[Codec, ...]:
    """The spaces of a background in which files of a codec are read."""
    return tuple(one for one in readings_of(codec) if one in background.codecs)


def cohort_of_files(background: Background, codec: Codec) -> Cohort:
    """Photographs as files of a codec: fingerprints (M, R D) of all its readings, side by side.

    ValueError where the readings show different photographs.
    """
    readings = readings_in(background, codec)
    cohorts = [background.codecs[one].cohort for one in readings]
    first = cohorts[0]
    for other in cohorts[1:]:
        alike = np.array_equal(first.photographs, other.photographs)
        if not (alike and np.array_equal(first.size_classes, other.size_classes)):
            raise ValueError(
                f"the photographs of {', '.join(readings)} differ: {len(first.photographs)} and"
                f" {len(other.photographs)} views; expected the same views in the same order,"
                " since a file is read in all of these; export the bundle again"
            )
    if len(cohorts) == 1:
        return first
    return Cohort(
        np.concatenate([one.vectors for one in cohorts], axis=1),
        first.photographs,
        first.sources,
        first.size_classes,
        first.kinds,
        first.normalises,
        first.weights,
    )
