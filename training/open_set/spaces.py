"""A codec's map and statistics from the corpus: what is fitted on whom.

Photographs are parted three ways, by photograph: behind the statistics, behind the models' z-norm,
behind the p-values. Every picture is there under each treatment of the codec
(fingerprint_db/conditions.py), for which one it went through is not seen in a file.

The shares, the size and the penalty were chosen on families and sources left out (training/LOG.md).
"""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from fingerprint_db.conditions import Codec, Condition, conditions_of
from training.open_set.corpus import Drawings
from training.open_set.fit import (
    FitRecipe,
    Floats,
    Labels,
    Pictures,
    Standard,
    fit,
    leading,
)
from training.open_set.plan import ARRIVALS
from worker.extractor.blocks.picture_features import BLOCKS
from worker.extractor.bundle_arrays import kept
from worker.extractor.document import Group, group_of
from worker.extractor.fingerprint_map import CodecMap

LEAST_QUALITY = 30
"""The policy's: of a JPEG below nothing is said."""

BLOCKS_OF: dict[Group, tuple[str, ...]] = {
    "lossless": tuple(BLOCKS),
    "lossy": ("block_dct", "phase_dct", "co_occurrences"),
}
"""What each group of codecs reads: spectrum and colour lead when clean and dilute after JPEG."""


@dataclass(frozen=True, slots=True)
class SpaceRecipe:
    """`statistics` and `norm` are shares of the photographs; the rest stands behind p-values.
    `penalty` is the inverse of the logistic regression's C.
    """

    fit: FitRecipe = field(default_factory=FitRecipe)
    statistics: float = 0.3
    norm: float = 0.1
    penalty: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class CodecPictures:
    """All pictures of one side under all treatments of a codec, a row for each view.

    `features` (N, F); `names`, `families` (N,) say whose they are; `photographs` (N,) the picture;
    `treatments` (N,) positions in `conditions_of(codec)`, and the number of these for what is as it
    came; `sides` (N,) what the picture was drawn
    for, in pixels; `pixels` (N,) what is read of the view; `kinds` (N, V) nuisance vectors;
    `earlier` (N,) the quality of a JPEG that it was before, or 0.
    """

    codec: Codec
    features: NDArray[np.float16]
    names: NDArray[np.str_]
    families: NDArray[np.str_]
    photographs: Labels
    treatments: Labels
    sides: Labels
    pixels: Labels
    histories: NDArray[np.str_]
    kinds: Floats
    earlier: Labels

    @classmethod
    def of(cls, codec: Codec, drawings: Sequence[Drawings]) -> "CodecPictures":
        """Those of some classes, of one side: under each treatment, and as they came.

        Lossless pictures that were a JPEG before are left out: the worker takes them for that JPEG,
        and they are there as they came.
        """
        treatments = conditions_of(codec)
        found = [
            cls(
                codec,
                one.features[ARRIVALS[condition.name]],
                np.full(len(one.photographs), one.name),
                np.full(len(one.photographs), one.family),
                one.photographs,
                np.full(len(one.photographs), position),
                one.sides,
                _pixels(one.sides, condition),
                one.histories,
                one.kinds[ARRIVALS[condition.name]],
                one.earlier,
            ).where(np.array(one.earlier == 0) | (codec != "lossless"))
            for one in drawings
            for position, condition in enumerate(treatments)
        ]
        for one in drawings:
            came = one.came
            of_codec = (came.codecs == codec) & (
                (came.qualities == 0) | (came.qualities >= LEAST_QUALITY)
            )
            found.append(
                cls(
                    codec,
                    came.features,
                    np.full(len(came), one.name),
                    np.full(len(came), one.family),
                    came.photographs,
                    np.full(len(came), len(treatments)),
                    came.sides,
                    came.pixels,
                    came.histories,
                    came.kinds,
                    came.qualities,
                ).where(of_codec)
            )
        return cls.together(found)

    @classmethod
    def together(cls, several: Sequence["CodecPictures"]) -> "CodecPictures":
        """Views of one codec as one."""
        names = [f.name for f in dataclasses.fields(cls) if f.name != "codec"]
        columns = {n: np.concatenate([getattr(one, n) for one in several]) for n in names}
        return cls(several[0].codec, **columns)

    @property
    def came(self) -> NDArray[np.bool_]:
        """(N,) which views are as they came, under no treatment."""
        found: NDArray[np.bool_] = self.treatments == len(conditions_of(self.codec))
        return found

    def where(self, rows: NDArray[np.bool_]) -> "CodecPictures":
        """Some of the views, (N,) bool."""
        columns = {
            f.name: getattr(self, f.name)[rows]
            for f in dataclasses.fields(self)
            if f.name != "codec"
        }
        return CodecPictures(self.codec, **columns)


def parts(real: CodecPictures, recipe: SpaceRecipe) -> NDArray[np.str_]:
    """(N,) which part each view of photographs stands in; the same at every call."""
    mixed = (real.photographs.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)
    place = mixed.astype(np.float64) / 2**24
    bounds = (recipe.statistics, recipe.statistics + recipe.norm)
    return np.array(["statistics", "norm", "level"])[np.searchsorted(bounds, place, side="right")]


@dataclass(frozen=True, slots=True, eq=False)
class Learning:
    """What a codec is fitted on: photographs, of which `part` (N,) says what for, and made ones."""

    real: CodecPictures
    part: NDArray[np.str_]
    made: CodecPictures
    standard: Standard

    @classmethod
    def of(cls, codec: Codec, drawings: Sequence[Drawings], recipe: SpaceRecipe) -> "Learning":
        """Of classes of both sides."""
        real = CodecPictures.of(codec, [one for one in drawings if one.real])
        made = CodecPictures.of(codec, [one for one in drawings if not one.real])
        part = parts(real, recipe)
        known = real.where(part == "statistics")
        standard = Standard.of(
            Pictures(known.features, labels(known.names)),
            Pictures(made.features, labels(made.names)),
            recipe.fit.clip,
        )
        return cls(real, part, made, standard)

    @property
    def known(self) -> CodecPictures:
        """The photographs behind the statistics."""
        return self.real.where(self.part == "statistics")


def basis_of(codecs: Iterable[Learning], recipe: SpaceRecipe) -> Floats:
    """The leading directions (F, D) that some codecs share, as 8 bits keep them."""
    return kept(
        leading(
            ((one.standard(one.known.features), one.standard(one.made.features)) for one in codecs),
            recipe.fit.dimension,
        )
    )


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """A codec's map, and what its space is like: as in fingerprint_db.background.CodecSpace."""

    to_fingerprint: CodecMap
    real_variance: Floats
    generators: Floats


def learn(one: Learning, basis: Floats, recipe: SpaceRecipe) -> Statistics:
    """A codec's map and statistics."""
    known, made, standard = one.known, one.made, one.standard
    fitted = fit(
        Pictures(standard(known.features) @ basis, labels(known.names)),
        Pictures(standard(made.features) @ basis, labels(made.names, made.treatments)),
        recipe.fit,
    )
    to_fingerprint = CodecMap(
        BLOCKS_OF[group_of(made.codec)],
        standard.mean,
        standard.scale,
        standard.clip,
        basis,
        kept(fitted.projection),
        fitted.offset,
    )
    return Statistics(to_fingerprint, fitted.real_variance, fitted.generators)


def fingerprints(to_fingerprint: CodecMap, pictures: CodecPictures) -> Floats:
    """(N, D) of all views."""
    return to_fingerprint.fingerprint(to_fingerprint.standard(pictures.features))


def synthesis_weights(one: Learning, to_fingerprint: CodecMap, recipe: SpaceRecipe) -> Floats:
    """(D,) logistic regression of made against real; sources and families weigh the same."""
    real, made = one.known, one.made
    rows = np.concatenate([fingerprints(to_fingerprint, real), fingerprints(to_fingerprint, made)])
    labels = np.repeat([0, 1], [len(real.names), len(made.names)])
    weights = np.concatenate([_equal(real.names), _equal(made.families)])
    found = LogisticRegression(C=1 / recipe.penalty, max_iter=200).fit(
        rows, labels, sample_weight=weights * len(labels) / 2
    )
    direction: Floats = found.coef_[0].astype(np.float32)
    return direction


def labels(names: NDArray[np.str_], treatments: Labels | None = None) -> Labels:
    """(N,) a number for each name, or for each name and treatment."""
    numbers = np.unique(names, return_inverse=True)[1].astype(np.int64)
    return numbers if treatments is None else numbers * 8 + treatments


def _equal(names: NDArray[np.str_]) -> NDArray[np.float64]:
    """(N,) weights that sum to 1, every name weighing the same."""
    _, position, counts = np.unique(names, return_inverse=True, return_counts=True)
    weights: NDArray[np.float64] = 1.0 / (counts[position] * len(counts))
    return weights


def _pixels(sides: Labels, condition: Condition) -> Labels:
    halved = 2 if condition.treatment == "half" else 1
    return np.square(sides // halved)
