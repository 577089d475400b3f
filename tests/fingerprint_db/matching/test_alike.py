"""Among the photographs most like a picture: which these are, and what a score is worth there."""

import numpy as np
import pytest

from fingerprint_db.background import Floats
from fingerprint_db.matching.alike import LEAST_LEVEL, NEIGHBOURS, SHARPNESS, Alike
from fingerprint_db.matching.levels import Levels, Standing
from tests.fingerprint_db.matching.small_spaces import NUMBERS, small_space
from worker.extractor.nuisance import Nuisance

EDGE_WIDTH = Nuisance.NAMES.index("edge_width")


def kinds_of(count: int, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).normal(size=(count, NUMBERS)).astype(np.float32)


def blurred(kinds: Floats, by: float = 8.0) -> Floats:
    moved = kinds.copy()
    moved[:, EDGE_WIDTH] += by
    return moved


def test_sharpness_and_noise_are_the_numbers_that_are_compared() -> None:
    names = [Nuisance.NAMES[position] for position in SHARPNESS]
    assert names == ["noise", "calm_noise", "edge_width", "detail", "resampled"]
    others = [i for i in range(NUMBERS) if i not in SHARPNESS]
    kinds, scores = kinds_of(200), np.linspace(0, 1, 200, dtype=np.float32)
    alike = Alike.of(kinds, scores, np.arange(200))
    asked = kinds_of(1, 2)[0]
    changed = asked.copy()
    changed[others] += 9.0
    assert alike.p_value(0.8, asked) == alike.p_value(0.8, changed)


def test_the_nearest_photographs_are_those_of_a_loop_over_all() -> None:
    """Each by its nearest view, one vote each."""
    kinds, rng = kinds_of(600), np.random.default_rng(3)
    scores = rng.normal(size=600).astype(np.float32)
    photographs = rng.integers(0, 150, 600)
    alike = Alike.of(kinds, scores, photographs)
    deviations = kinds[:, SHARPNESS].std(axis=0)
    for asked in kinds_of(20, 4):
        nearest: dict[int, tuple[float, float]] = {}
        for kind, score, number in zip(kinds, scores, photographs, strict=True):
            apart = float(
                np.square((kind[list(SHARPNESS)] - asked[list(SHARPNESS)]) / deviations).sum()
            )
            nearest[int(number)] = min(nearest.get(int(number), (np.inf, 0.0)), (apart, score))
        those = sorted(nearest.values())[:NEIGHBOURS]
        as_high = sum(score >= 1.0 for _, score in those)
        assert alike.p_value(1.0, asked) == (1 + as_high) / (NEIGHBOURS + 1)


def test_pictures_of_all_sizes_stand_together_as_each_stands_alone() -> None:
    cohort = small_space().cohort
    levels = Levels.of(cohort, lambda vectors: vectors[:, 0])
    rng = np.random.default_rng(8)
    sizes = rng.integers(0, len(levels.by_size), 40)
    scores = rng.normal(size=40).astype(np.float32)
    kinds = kinds_of(40, 9)
    found = levels.standings(sizes, scores, kinds)
    assert found == [
        levels.by_size[size].standing(score, kind)
        for size, score, kind in zip(sizes, scores.tolist(), kinds, strict=True)
    ]
    assert len({one.alike_p_value for one in found}) > 5
    assert levels.standings([], scores[:0], kinds[:0]) == []


def test_what_is_unusual_among_all_may_be_usual_among_blurred_photographs() -> None:
    """Sixty of two thousand are blurred and score high: three in a hundred, half of their own."""
    sharp, soft = kinds_of(1940), blurred(kinds_of(60, 2))
    rng = np.random.default_rng(5)
    scores = np.concatenate([rng.normal(size=1940), 4 + rng.normal(size=60)]).astype(np.float32)
    alike = Alike.of(np.concatenate([sharp, soft]), scores, np.arange(2000))
    assert alike.p_value(4.0, blurred(kinds_of(1, 6))[0]) > 0.3
    assert alike.p_value(4.0, kinds_of(1, 6)[0]) == LEAST_LEVEL


def test_of_few_photographs_all_are_alike() -> None:
    alike = Alike.of(kinds_of(30), np.arange(30, dtype=np.float32), np.arange(30))
    assert alike.p_value(27.0, kinds_of(1, 2)[0]) == (1 + 3) / (1 + 30)
    assert (
        Alike.of(kinds_of(0), np.zeros(0, np.float32), np.arange(0)).p_value(1.0, kinds_of(1)[0])
        == 1.0
    )


def test_further_photographs_of_a_kind_pass_about_as_often_as_the_level_says() -> None:
    """The mean over cohorts, as a conformal level holds; all the nearest are of the kind."""
    kinds = np.concatenate([kinds_of(500), blurred(kinds_of(400, 2))])
    further = blurred(kinds_of(40, 3))
    rng, found = np.random.default_rng(7), []
    for _ in range(60):
        scores = np.concatenate([rng.normal(size=500), 3 + rng.normal(size=400)])
        alike = Alike.of(kinds, scores.astype(np.float32), np.arange(900))
        found += [alike.p_value(float(3 + rng.normal()), kind) for kind in further]
    for level in (0.02, 0.1, 0.5):
        assert np.mean(np.array(found) <= level) == pytest.approx(level, abs=0.04)


def test_a_level_asks_the_photographs_of_its_own_size_alone_and_none_without_a_kind() -> None:
    cohort = small_space().cohort
    level = Levels.of(cohort, lambda vectors: vectors[:, 0]).by_size[3]
    own = (cohort.size_classes == 3) & ~cohort.normalises
    alike = Alike.of(cohort.kinds[own], cohort.vectors[own, 0], cohort.photographs[own])
    asked = kinds_of(1, 9)[0]
    assert level.standing(0.5, asked).alike_p_value == alike.p_value(0.5, asked)
    assert level.standing(0.5).alike_p_value == 0.0


def test_no_level_is_asked_for_that_all_photographs_have_answered() -> None:
    """Of few photographs all are alike, so that their p-value is that by photograph."""
    assert Standing(0.04, 0.0, 0.04).unusual(0.05, 0.02)
    assert not Standing(0.01, 0.0, 0.04).unusual(0.01, 0.02)
    assert Standing(0.01, 0.0, 0.02).unusual(0.01, 0.02)
