"""One trial: unseen generators registered from few images, pictures of unseen sources judged.

Nothing of the unseen generators or sources enters the maps, the statistics or the levels. What is
judged goes through the worker's own matching and decision; only decoding and registration's gate
are left out.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import Background, DecisionConstants, Floats, size_class_of
from fingerprint_db.conditions import CONDITIONS, Codec, conditions_of
from fingerprint_db.matching.limits import distance_limit
from fingerprint_db.matching.registered import readings_in
from fingerprint_db.matching.rows.scoring import leave_one_out_distances
from fingerprint_db.model_fingerprint import ConditionStatistics, ModelFingerprint
from fingerprint_db.snapshot import Snapshot
from training.open_set.cohorts import native
from training.open_set.spaces import CodecPictures, SpaceRecipe, fingerprints
from worker.extractor.extract import ImageFingerprint, Reading
from worker.extractor.fingerprint_map import CodecMap
from worker.judge.attribute import Matcher
from worker.judge.decide import Decision, Evidence, decide
from worker.judge.photographs import Photographs
from worker.judge.policy import Policy, load_policy

CONSTANTS = DecisionConstants(
    margin=6.0,
    atypical=0.005,
    reach=1.2,
    own_scatter=0.1,
    impostors=40,
    impostor_weight=0.0,
    unfamiliar_distance=1.24,
)
AS_IT_CAME = "as it came"
"""In place of a condition: single JPEG files, and JPEG files inside lossless ones."""


@dataclass(frozen=True, slots=True)
class TrialRecipe:
    """`shots` enrolled images; the levels are the policy's."""

    spaces: SpaceRecipe = field(default_factory=SpaceRecipe)
    constants: DecisionConstants = CONSTANTS
    shots: int = 50
    policy: Policy = field(default_factory=load_policy)


@dataclass(frozen=True, slots=True)
class Found:
    """Shares, 0 to 1, of pictures of one side under one condition.

    Of generators: `right`, `wrong` (named otherwise), `unnamed` (told from photographs by them, not
    named), `generic` (by the test with nothing registered alone), and `apart`, which that test
    finds whatever the others say; 0 where none was drawn. Of native photographs of unseen sources:
    `flagged`, of which `named`, and `undetermined`; `worst` is of one source. `photographs` stand
    behind the level.
    """

    condition: str
    side: int
    right: float
    wrong: float
    unnamed: float
    generic: float
    apart: float
    flagged: float
    named: float
    undetermined: float
    worst: tuple[float, str]
    photographs: int
    right_of: Mapping[str, float]
    flagged_of_history: Mapping[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class Spaces:
    """All spaces that files of `codec` are read in: their maps, and the background of a worker."""

    codec: Codec
    maps: Mapping[Codec, CodecMap]
    background: Background


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """Decisions on pictures, and whether the test with nothing registered finds each."""

    decisions: list[Decision]
    generic: NDArray[np.bool_]

    def share(self, *outcomes: str) -> float:
        """Of these outcomes."""
        return float(np.mean([one.outcome in outcomes for one in self.decisions]))


def judge(
    spaces: Spaces,
    real: Mapping[Codec, CodecPictures],
    made: Mapping[Codec, CodecPictures],
    recipe: TrialRecipe,
) -> Iterator[Found]:
    """What becomes of unseen pictures, by condition and side; sides of one class are one registry.

    `real` and `made` are views by the codec's readings: those that are at home in each. Sides
    without unseen photographs, or without a generator of enough pictures, are left out.
    """
    files = {c: _files(spaces, views) for c, views in made.items()}
    photographs = {c: _files(spaces, views) for c, views in real.items()}
    prepared = Photographs(spaces.background)
    for side in np.unique(made[spaces.codec].sides):
        names = [n for n in np.unique(made[spaces.codec].names) if _enough(made, n, side, recipe)]
        if not names:
            continue
        models = tuple(_model(spaces, made, n, int(side), recipe) for n in names)
        matcher = Matcher(spaces.background, _snapshot(models), prepared)
        for codec, views in real.items():
            positions = [(c.name, p) for p, c in enumerate(conditions_of(codec))]
            for name, position in (*positions, (AS_IT_CAME, len(positions))):
                here = (views.treatments == position) & _of_side(views, int(side))
                tests = {n: _tested(made[codec], n, side, position, recipe) for n in names}
                if not here.any():
                    continue
                seen = _judged(spaces, matcher, prepared, _some(photographs[codec], here), recipe)
                own = {
                    n: _judged(spaces, matcher, prepared, _some(files[codec], rows), recipe)
                    for n, rows in tests.items()
                    if len(rows)
                }
                size = size_class_of(int(views.pixels[here][0]))
                level = prepared.of(spaces.codec).generic.by_size[size]
                yield _found(name, int(side), own, seen, views.where(here), level.count)


def _found(
    condition: str,
    side: int,
    own: Mapping[str, _Judged],
    seen: _Judged,
    real: CodecPictures,
    photographs: int,
) -> Found:
    flags = np.array([one.outcome in ("attributed", "unknown_generator") for one in seen.decisions])
    unhurt = native(real.histories)
    plain = _Judged(
        [d for d, n in zip(seen.decisions, unhurt, strict=True) if n], seen.generic[unhurt]
    )
    right = {
        n: float(np.mean([d.match is not None and d.match.model.name == n for d in j.decisions]))
        for n, j in own.items()
    }

    def of_made(share: Callable[[str, _Judged], float]) -> float:
        return float(np.mean([share(n, j) for n, j in own.items()])) if own else 0.0

    return Found(
        condition,
        side,
        float(np.mean(list(right.values()))) if right else 0.0,
        of_made(_wrong),
        of_made(_unnamed),
        of_made(lambda _, judged: _generic(judged)),
        of_made(lambda _, judged: float(judged.generic.mean())),
        plain.share("attributed", "unknown_generator") if plain.decisions else 0.0,
        plain.share("attributed") if plain.decisions else 0.0,
        plain.share("undetermined") if plain.decisions else 0.0,
        max(
            (
                (float(flags[unhurt & (real.names == s)].mean()), str(s))
                for s in np.unique(real.names[unhurt])
            ),
            default=(0.0, ""),
        ),
        photographs,
        right,
        {str(h): float(flags[real.histories == h].mean()) for h in np.unique(real.histories)},
    )


def _wrong(name: str, judged: _Judged) -> float:
    named = [one.match.model.name for one in judged.decisions if one.match is not None]
    return sum(one != name for one in named) / len(judged.decisions)


def _unnamed(name: str, judged: _Judged) -> float:
    return judged.share("unknown_generator") - _generic(judged)


def _generic(judged: _Judged) -> float:
    return float(np.mean(["generic_test" in one.reasons for one in judged.decisions]))


def _judged(
    spaces: Spaces,
    matcher: Matcher,
    photographs: Photographs,
    files: Sequence[ImageFingerprint],
    recipe: TrialRecipe,
) -> _Judged:
    of_codec, policy = photographs.of(spaces.codec), recipe.policy
    decisions, found = [], []
    for one, names in zip(files, matcher.match(files), strict=True):
        size = size_class_of(one.pixels_read)
        generic = of_codec.generic.by_size[size].standing(one.synthesis_score, one.kind)
        far = float(of_codec.familiarity[size].distances(one.kind[None])[0])
        evidence = Evidence(names, generic, far, one.earlier_quality)
        decisions.append(decide(evidence, policy, spaces.background.constants))
        passes = generic.passes(policy.alpha_unknown, policy.alpha_source)
        found.append(passes and generic.unusual(policy.alpha_unknown, policy.alpha_alike))
    return _Judged(decisions, np.array(found, np.bool_))


def _files(spaces: Spaces, views: CodecPictures) -> list[ImageFingerprint]:
    """As the extractor gives them."""
    readings = readings_in(spaces.background, spaces.codec)
    vectors = {one: fingerprints(spaces.maps[one], views) for one in readings}
    scores = vectors[spaces.codec] @ spaces.background.codecs[spaces.codec].synthesis
    nothing = np.zeros(0, np.float32)
    return [
        ImageFingerprint(
            tuple(Reading(one, vectors[one][i], nothing) for one in readings),
            float(scores[i]),
            views.kinds[i],
            int(views.pixels[i]),
            None,
            1,
        )
        for i in range(len(views.names))
    ]


def _of_side(views: CodecPictures, side: int) -> NDArray[np.bool_]:
    """(N,) which views were drawn for a side; of whole files, those of its size class."""
    own = size_class_of(side * side)
    alike = np.array([size_class_of(int(pixels)) == own for pixels in views.pixels], np.bool_)
    found: NDArray[np.bool_] = (views.sides == side) | ((views.sides == 0) & alike)
    return found


def _some(files: Sequence[ImageFingerprint], rows: NDArray[np.generic]) -> list[ImageFingerprint]:
    chosen = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
    return [files[int(i)] for i in chosen]


def _enough(made: Mapping[Codec, CodecPictures], name: str, side: int, recipe: TrialRecipe) -> bool:
    return all(len(_rows(one, name, side, 0)) >= recipe.shots + 10 for one in made.values())


def _rows(made: CodecPictures, name: str, side: int, treatment: int) -> NDArray[np.int64]:
    return np.flatnonzero(
        (made.names == name) & (made.sides == side) & (made.treatments == treatment)
    )


def _tested(
    made: CodecPictures, name: str, side: int, treatment: int, recipe: TrialRecipe
) -> NDArray[np.int64]:
    return _rows(made, name, side, treatment)[recipe.shots :]


def _model(
    spaces: Spaces,
    made: Mapping[Codec, CodecPictures],
    name: str,
    side: int,
    recipe: TrialRecipe,
) -> ModelFingerprint:
    """Registered from its first pictures, under every condition of every reading."""
    entries = []
    for condition in CONDITIONS:
        codec = condition.codec
        if codec not in made:
            continue
        views, position = made[codec], conditions_of(codec).index(condition)
        rows = np.zeros(len(views.names), np.bool_)
        rows[_rows(views, name, side, position)[: recipe.shots]] = True
        own = fingerprints(spaces.maps[codec], views.where(rows))
        entries.append(_statistics(spaces, condition.name, codec, own, recipe))
    first = made[spaces.codec]
    plain = "".join(c if c.isalnum() else "-" for c in name.lower())[:60].strip("-")
    return ModelFingerprint(
        model_id=plain,
        name=name,
        family=str(first.families[first.names == name][0]),
        space=spaces.background.space,
        status="live",
        statistics=tuple(entries),
        sample_count=recipe.shots,
        registered_at=datetime(2026, 1, 1, tzinfo=UTC),
        registered_by="trial",
        reason="trial",
    )


def _statistics(
    spaces: Spaces, condition: str, codec: Codec, own: Floats, recipe: TrialRecipe
) -> ConditionStatistics:
    mean = own.mean(0)
    distances = leave_one_out_distances(spaces.background.codecs[codec], own)
    return ConditionStatistics(
        condition,
        len(own),
        mean.astype(np.float16).astype(np.float32),
        np.square(own - mean).mean(0).astype(np.float32),
        distance_limit(distances, recipe.constants.atypical),
    )


def _snapshot(models: Sequence[ModelFingerprint]) -> Snapshot:
    space = models[0].space
    return replace(Snapshot.empty(space), revision=1, root="1" * 64, models=tuple(models))
