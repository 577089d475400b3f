"""One trial: unseen generators registered from few images, pictures of unseen sources judged.

Nothing of the unseen generators or sources enters the map, the statistics or the levels. What is
judged goes through the same arrays as in the worker (fingerprint_db/matching).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import CodecSpace, DecisionConstants, Floats
from fingerprint_db.conditions import Codec, conditions_of
from fingerprint_db.matching.enrolled import Enrolled
from fingerprint_db.matching.levels import Level, Levels
from fingerprint_db.matching.limits import distance_limit
from fingerprint_db.matching.scoring import leave_one_out_distances
from fingerprint_db.model_fingerprint import ConditionStatistics, ModelFingerprint
from training.open_set.spaces import CodecPictures, SpaceRecipe, cohort_of, fingerprints
from worker.extractor.fingerprint_map import CodecMap

CONSTANTS = DecisionConstants(
    margin=6.0,
    atypical=0.005,
    reach=1.2,
    own_scatter=0.1,
    impostors=40,
    impostor_weight=0.0,
    unfamiliar_distance=1.24,
)


@dataclass(frozen=True, slots=True)
class TrialRecipe:
    """`shots` enrolled images; the levels are the policy's."""

    spaces: SpaceRecipe = field(default_factory=SpaceRecipe)
    constants: DecisionConstants = CONSTANTS
    shots: int = 50
    alpha_name: float = 0.01
    alpha_unknown: float = 0.005
    alpha_source: float = 0.1


@dataclass(frozen=True, slots=True)
class Found:
    """Shares, 0 to 1, of pictures of one side under one condition.

    Of generators: `right`, `wrong` (named otherwise), `unnamed` (told from photographs, not named),
    `missed`, and `closed` (nearest of the registered ones). Of native photographs of unseen
    sources: `flagged`, of which `named`; `worst` is of one source. `generic` is the share of made
    pictures found with nothing registered, `generic_flagged` of photographs.
    """

    condition: str
    side: int
    right: float
    wrong: float
    unnamed: float
    missed: float
    closed: float
    flagged: float
    worst: tuple[float, str]
    generic: float
    generic_flagged: float
    generic_worst: tuple[float, str]
    photographs: int
    right_of: Mapping[str, float]
    flagged_of_history: Mapping[str, float]
    generic_of_history: Mapping[str, float]


def judge(
    codec: Codec,
    to_fingerprint: CodecMap,
    space: CodecSpace,
    real: CodecPictures,
    made: CodecPictures,
    recipe: TrialRecipe,
) -> Iterator[Found]:
    """What becomes of unseen pictures, by condition and side; sides of one class are one registry.

    Sides without unseen photographs, or without a generator of enough pictures, are left out.
    """
    generic = Levels.of(space.cohort, lambda vectors: vectors @ space.synthesis)
    vectors, unseen = fingerprints(to_fingerprint, made), fingerprints(to_fingerprint, real)
    sizes = cohort_of(to_fingerprint, real, np.zeros(len(real.names), np.bool_)).size_classes
    for side in np.unique(made.sides):
        names = [n for n in np.unique(made.names) if _enough(made, str(n), int(side), recipe)]
        if not names:
            continue
        models = [_model(codec, space, made, vectors, str(n), int(side), recipe) for n in names]
        enrolled = Enrolled.of(space, recipe.constants, models, codec)
        levels = Levels.of(space.cohort, enrolled.highest)
        for position, condition in enumerate(conditions_of(codec)):
            here = (real.sides == side) & (real.treatments == position)
            if not here.any():
                continue
            size = int(sizes[here][0])
            level, without = levels.by_size[size], generic.by_size[size]
            tests = [_tested(made, str(n), int(side), position, recipe) for n in names]
            yield _found(
                condition.name, int(side), enrolled, level, without, space,
                [vectors[rows] for rows in tests], names, unseen[here], real.where(here), recipe,
            )  # fmt: skip


def _found(
    condition: str,
    side: int,
    enrolled: Enrolled,
    level: Level,
    generic: Level,
    space: CodecSpace,
    tests: Sequence[Floats],
    names: Sequence[str],
    unseen: Floats,
    real: CodecPictures,
    recipe: TrialRecipe,
) -> Found:
    answers = [named(enrolled, level, vectors, recipe) for vectors in tests]
    closed = [enrolled.match(vectors).likelihoods.argmax(1) for vectors in tests]
    every, nearest = np.concatenate(answers), np.concatenate(closed)
    truth = np.repeat(np.arange(len(names)), [len(a) for a in answers])
    flagged = named(enrolled, level, unseen, recipe) >= -1
    native = np.char.startswith(real.histories, "native")
    beyond = _passing(generic, unseen @ space.synthesis, recipe.alpha_unknown, recipe.alpha_source)
    made_beyond = _passing(
        generic, np.concatenate(tests) @ space.synthesis, recipe.alpha_unknown, recipe.alpha_source
    )

    def worst(of: NDArray[np.bool_]) -> tuple[float, str]:
        return max(
            (float(of[native & (real.names == s)].mean()), str(s))
            for s in np.unique(real.names[native])
        )

    def by_history(of: NDArray[np.bool_]) -> dict[str, float]:
        return {str(h): float(of[real.histories == h].mean()) for h in np.unique(real.histories)}

    return Found(
        condition,
        side,
        float((every == truth).mean()),
        float(((every >= 0) & (every != truth)).mean()),
        float((every == -1).mean()),
        float((every == -2).mean()),
        float((nearest == truth).mean()),
        float(flagged[native].mean()),
        worst(flagged),
        float(made_beyond.mean()),
        float(beyond[native].mean()),
        worst(beyond),
        level.photographs.count,
        {
            str(n): float((a == i).mean())
            for i, (n, a) in enumerate(zip(names, answers, strict=True))
        },
        by_history(flagged),
        by_history(beyond),
    )


def named(
    enrolled: Enrolled, level: Level, vectors: Floats, recipe: TrialRecipe
) -> NDArray[np.int64]:
    """(B,) the model named; -1 told from photographs but not named, -2 not told from them."""
    found = enrolled.match(vectors)
    best = found.likelihoods.argmax(1)
    rows = np.arange(len(vectors))
    rivals = found.likelihoods.copy()
    rivals[rows, best] = -np.inf
    ahead = found.likelihoods[rows, best] - rivals.max(1) >= recipe.constants.margin
    own = np.where(found.typical[rows, best], found.scores[rows, best], -np.inf)
    alpha, worst = recipe.alpha_name, recipe.alpha_source
    answer = np.where(_passing(level, own, alpha, worst) & ahead, best, -1)
    passing = _passing(level, enrolled.highest(vectors), alpha, worst)
    return np.where(passing, answer, -2).astype(np.int64)


def _passing(
    level: Level, scores: NDArray[np.floating], alpha: float, worst: float
) -> NDArray[np.bool_]:
    return np.array([level.passes(float(score), alpha, worst) for score in scores], np.bool_)


def _enough(made: CodecPictures, name: str, side: int, recipe: TrialRecipe) -> bool:
    rows = (made.names == name) & (made.sides == side) & (made.treatments == 0)
    return int(rows.sum()) >= recipe.shots + 10


def _enrolled_rows(made: CodecPictures, name: str, side: int, treatment: int) -> NDArray[np.int64]:
    return np.flatnonzero(
        (made.names == name) & (made.sides == side) & (made.treatments == treatment)
    )


def _tested(
    made: CodecPictures, name: str, side: int, treatment: int, recipe: TrialRecipe
) -> NDArray[np.int64]:
    return _enrolled_rows(made, name, side, treatment)[recipe.shots :]


def _model(
    codec: Codec,
    space: CodecSpace,
    made: CodecPictures,
    vectors: Floats,
    name: str,
    side: int,
    recipe: TrialRecipe,
) -> ModelFingerprint:
    """Registered from its first pictures, under every condition of the codec."""
    entries = []
    for position, condition in enumerate(conditions_of(codec)):
        own = vectors[_enrolled_rows(made, name, side, position)[: recipe.shots]]
        mean = own.mean(0)
        entries.append(
            ConditionStatistics(
                condition.name,
                len(own),
                mean.astype(np.float16).astype(np.float32),
                np.square(own - mean).mean(0).astype(np.float32),
                distance_limit(leave_one_out_distances(space, own), recipe.constants.atypical),
            )
        )
    plain = "".join(c if c.isalnum() else "-" for c in name.lower())[:60].strip("-")
    return ModelFingerprint(
        model_id=plain,
        name=name,
        family=str(made.families[made.names == name][0]),
        space="0" * 64,
        status="live",
        statistics=tuple(entries),
        sample_count=recipe.shots,
        registered_at=datetime(2026, 1, 1, tzinfo=UTC),
        registered_by="trial",
        reason="trial",
    )
