"""Levels hold the photographs of one size against a statistic, and leave those of the norm out."""

from dataclasses import replace

import numpy as np
import pytest

from fingerprint_db.background import SIZE_CLASSES, Floats
from fingerprint_db.matching.levels import Level, Levels, Standing, least_photographs
from fingerprint_db.matching.photographs import PhotographScores, SourceScores, by_source
from tests.fingerprint_db.matching.small_spaces import SOURCES, photographs, small_space


def first_number(vectors: Floats) -> Floats:
    """A statistic."""
    return vectors[:, 0]


def level_of(count: int, seed: int = 1) -> Level:
    scores = np.random.default_rng(seed).normal(size=count).astype(np.float32)
    numbers = np.arange(count)
    sources = numbers % 8
    return Level(
        PhotographScores.of(scores, numbers),
        by_source(scores, sources, numbers),
        SourceScores.of(scores, numbers, sources),
    )


def test_each_size_has_the_photographs_of_its_own_that_stand_behind_no_statistics() -> None:
    cohort = small_space().cohort
    levels = Levels.of(cohort, first_number)
    assert len(levels.by_size) == len(SIZE_CLASSES)
    for position, level in enumerate(levels.by_size):
        expected = sorted(
            float(vector[0])
            for vector, size, normalises in zip(
                cohort.vectors, cohort.size_classes, cohort.normalises, strict=True
            )
            if size == position and not normalises
        )
        assert level.photographs.scores.tolist() == expected
        assert level.count == len(expected)
    assert [level.count for level in levels.by_size] == [0, 0, 70, 350]
    # The smaller photographs are those whose number ends in 9, of every other source.
    assert [level.new_source.count for level in levels.by_size] == [0, 0, SOURCES // 2, SOURCES]


def test_the_p_values_of_further_photographs_are_uniform() -> None:
    known = small_space()
    level = Levels.of(known.cohort, first_number).by_size[3]
    p_values = [level.standing(float(s)).p_value for s in photographs(known, 2000)[:, 0]]
    for alpha in (0.05, 0.2, 0.5):
        assert np.mean(np.array(p_values) <= alpha) == pytest.approx(alpha, abs=0.06)


def test_a_score_passes_where_few_photographs_and_few_of_any_source_score_as_high() -> None:
    level = level_of(400)
    for score in np.linspace(-1, 4, 40):
        standing = level.standing(float(score))
        assert standing.p_value == level.photographs.p_value(float(score))
        assert standing.worst_share == level.sources.worst_share(float(score))
        expected = standing.p_value <= 0.05 and standing.worst_share <= 0.08
        assert level.passes(float(score), 0.05, 0.08) == standing.passes(0.05, 0.08) == expected


def test_views_count_what_the_cohort_says() -> None:
    """A third of the photographs are represented by views that count a quarter of the others."""
    cohort = small_space().cohort
    often = cohort.photographs % 3 == 0
    weighed = replace(cohort, weights=np.where(often, 0.25, 1.0).astype(np.float32))
    level = Levels.of(weighed, first_number).by_size[3]
    own = (cohort.size_classes == 3) & ~cohort.normalises
    for score in (-0.5, 0.0, 1.0):
        high = own & (cohort.vectors[:, 0] >= score)
        share = weighed.weights[high].sum() / weighed.weights[own].sum()
        expected = (1 + share * level.count) / (level.count + 1)
        assert level.standing(score).p_value == pytest.approx(expected, rel=1e-6)
        of_sources = [
            weighed.weights[high & (cohort.sources == k)].sum()
            / weighed.weights[own & (cohort.sources == k)].sum()
            for k in range(SOURCES)
        ]
        assert level.standing(score).worst_share == pytest.approx(max(of_sources), rel=1e-6)
        mean = (1 + sum(of_sources)) / (SOURCES + 1)
        assert level.new_source.p_value(score) == pytest.approx(mean, rel=1e-6)


def test_levels_that_are_just_reached_are_passed() -> None:
    assert Standing(0.01, 0.1).passes(0.01, 0.1)
    assert not Standing(0.0101, 0.1).passes(0.01, 0.1)
    assert not Standing(0.01, 0.101).passes(0.01, 0.1)


@pytest.mark.parametrize(("alpha", "least"), [(0.01, 99), (0.005, 199), (0.03, 33), (0.5, 1)])
def test_a_level_needs_as_many_photographs_as_its_p_value_takes(alpha: float, least: int) -> None:
    assert least_photographs(alpha) == least
    assert level_of(least).reaches(alpha)
    assert level_of(least).standing(1e9).p_value <= alpha
    assert not level_of(least - 1).reaches(alpha)
    assert level_of(least - 1).standing(1e9).p_value > alpha


def test_the_rate_of_further_photographs_stays_below_its_bound_19_times_of_20() -> None:
    """Photographs and queries drawn anew: the true rate of a normal score beyond the level."""
    rng = np.random.default_rng(5)
    alpha, count, above = 0.05, 199, 0
    bound = level_of(count).rate_bound(alpha)
    for _ in range(600):
        scores = np.sort(rng.random(count))
        tenth = scores[-10]  # what scores above it has 9 of 199 above it at most: 10 of 200
        above += 1 - tenth > bound
    assert above / 600 == pytest.approx(0.05, abs=0.03)
    assert alpha < bound < 0.1


def test_a_level_that_nothing_reaches_flags_nothing() -> None:
    assert level_of(50).rate_bound(0.005) == 0.0
