"""A codec's map and space from the corpus: what is fitted on whom, and who calibrates.

Photographs are parted three ways, by photograph or by whole sources: behind the statistics, behind
the models' z-norm, behind the p-values. Every picture is there under each treatment of the codec
(fingerprint_db/conditions.py), for which one it went through is not seen in a file.

The shares, the size and the penalty were chosen on families and sources left out (training/LOG.md).
"""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from fingerprint_db.background import CodecSpace, Cohort, size_class_of
from fingerprint_db.conditions import Codec, Condition, conditions_of
from training.histories.history import HISTORIES
from training.open_set.corpus import Drawings, number_of
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

NO_PHOTOGRAPHS = ("plain_ground", "screen", "print")
"""Groups of histories that leave something else than a photograph: never in the cohort."""


BLOCKS_OF: dict[Group, tuple[str, ...]] = {
    "lossless": tuple(BLOCKS),
    "lossy": ("block_dct", "phase_dct", "co_occurrences"),
}
"""What each group of codecs reads: spectrum and colour lead when clean and dilute after JPEG."""


@dataclass(frozen=True, slots=True)
class SpaceRecipe:
    """`statistics` and `norm` are shares of the photographs (or of the sources, `by_source`); the
    rest stands behind p-values. `penalty` is the inverse of the logistic regression's C.
    """

    fit: FitRecipe = field(default_factory=FitRecipe)
    statistics: float = 0.3
    norm: float = 0.1
    by_source: bool = False
    penalty: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class CodecPictures:
    """All pictures of one side under all treatments of a codec, a row for each view.

    `features` (N, F); `names`, `families` (N,) say whose they are; `photographs` (N,) the picture;
    `treatments` (N,) positions in `conditions_of(codec)`; `sides` (N,) what the picture was drawn
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
        """Those of some classes, of one side.

        Lossless pictures that were a JPEG before are left out: the worker takes them for that JPEG.
        """
        conditions = conditions_of(codec)
        pairs = [(one, t, c) for one in drawings for t, c in enumerate(conditions)]

        def column(values: Sequence[NDArray[Any]]) -> NDArray[Any]:
            return np.concatenate(values)

        counts = [len(one.photographs) for one, _, _ in pairs]
        found = cls(
            codec,
            column([one.features[ARRIVALS[c.name]] for one, _, c in pairs]),
            np.repeat([one.name for one, _, _ in pairs], counts),
            np.repeat([one.family for one, _, _ in pairs], counts),
            column([one.photographs for one, _, _ in pairs]),
            np.repeat([t for _, t, _ in pairs], counts),
            column([one.sides for one, _, _ in pairs]),
            column([_pixels(one.sides, c) for one, _, c in pairs]),
            column([one.histories for one, _, _ in pairs]),
            column([one.kinds[ARRIVALS[c.name]] for one, _, c in pairs]),
            column([one.earlier for one, _, c in pairs]),
        )
        return found if codec != "lossless" else found.where(found.earlier == 0)

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
    if recipe.by_source:
        place = _place_of_sources(real)
    else:
        mixed = (real.photographs.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(
            40
        )
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
            Pictures(known.features, _labels(known.names)),
            Pictures(made.features, _labels(made.names)),
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


def learn(one: Learning, basis: Floats, recipe: SpaceRecipe) -> tuple[CodecMap, CodecSpace]:
    """A codec's map and space; the cohort leaves out what is no photograph any more."""
    known, made, standard = one.known, one.made, one.standard
    fitted = fit(
        Pictures(standard(known.features) @ basis, _labels(known.names)),
        Pictures(standard(made.features) @ basis, _labels(made.names, made.treatments)),
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
    shown = (one.part != "statistics") & is_photograph(one.real.histories)
    shown &= one_view(one.real, shown)
    cohort = cohort_of(to_fingerprint, one.real.where(shown), one.part[shown] == "norm")
    weights = synthesis_weights(to_fingerprint, known, made, recipe)
    return to_fingerprint, CodecSpace(fitted.real_variance, fitted.generators, weights, cohort)


def one_view(real: CodecPictures, among: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(N,) one view of each photograph and side, drawn among those of the same.

    A photograph has one vote however many of its views there are, and a bundle has no room for all.
    """
    drawn = np.random.default_rng(1).permutation(np.flatnonzero(among))
    pairs = np.stack([real.photographs[drawn], real.sides[drawn]])
    _, first = np.unique(pairs, axis=1, return_index=True)
    chosen = np.zeros(len(among), np.bool_)
    chosen[drawn[first]] = True
    return chosen


def fingerprints(to_fingerprint: CodecMap, pictures: CodecPictures) -> Floats:
    """(N, D) of all views."""
    return to_fingerprint.fingerprint(to_fingerprint.standard(pictures.features))


def cohort_of(
    to_fingerprint: CodecMap, real: CodecPictures, normalises: NDArray[np.bool_]
) -> Cohort:
    """Photographs (N) as the decision holds them."""
    return Cohort(
        fingerprints(to_fingerprint, real),
        real.photographs,
        _labels(real.names),
        np.array([size_class_of(int(pixels)) for pixels in real.pixels], np.int64),
        real.kinds,
        normalises,
    )


def synthesis_weights(
    to_fingerprint: CodecMap, real: CodecPictures, made: CodecPictures, recipe: SpaceRecipe
) -> Floats:
    """(D,) logistic regression of made against real; sources and families weigh the same."""
    rows = np.concatenate([fingerprints(to_fingerprint, real), fingerprints(to_fingerprint, made)])
    labels = np.repeat([0, 1], [len(real.names), len(made.names)])
    weights = np.concatenate([_equal(real.names), _equal(made.families)])
    found = LogisticRegression(C=1 / recipe.penalty, max_iter=200).fit(
        rows, labels, sample_weight=weights * len(labels) / 2
    )
    direction: Floats = found.coef_[0].astype(np.float32)
    return direction


def is_photograph(histories: NDArray[np.str_]) -> NDArray[np.bool_]:
    """(N,) whether a view still is a photograph after its history."""
    other = {name for name, one in HISTORIES.items() if one.group in NO_PHOTOGRAPHS}
    return ~np.isin(histories, sorted(other))


def _place_of_sources(real: CodecPictures) -> NDArray[np.float64]:
    """(N,) where each view's source stands in the order of its hash, as a share of photographs."""
    counts = {str(n): len(np.unique(real.photographs[real.names == n])) for n in set(real.names)}
    place, total = {}, sum(counts.values())
    seen = 0
    for name in sorted(counts, key=lambda n: number_of(f"part {n}")):
        place[name] = seen / total
        seen += counts[name]
    return np.array([place[str(name)] for name in real.names])


def _labels(names: NDArray[np.str_], treatments: Labels | None = None) -> Labels:
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
