"""A score among photographs: the level is where passing begins."""

import numpy as np
import pytest

from fingerprint_db.matching.levels import Level
from fingerprint_db.matching.photographs import PhotographScores, SourceScores, by_source
from worker.explain.held import Held, score_to_pass


def level_of(scores: list[float], views: int = 1, sources: int = 4) -> Level:
    """Photographs of `views` equal-weighted views each, in turn of one of the sources."""
    s = np.array(scores, np.float32)
    photographs = np.arange(len(s)) // views
    k = photographs % sources
    return Level(
        PhotographScores.of(s, photographs),
        by_source(s, k, photographs),
        SourceScores.of(s, photographs, k),
    )


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("alpha", "worst"), [(0.05, 1.0), (0.01, 0.1), (0.2, 0.02)])
def test_just_above_the_level_passes_and_at_it_does_not(
    seed: int, alpha: float, worst: float
) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 1, 240).round(2)
    level = level_of(scores.tolist(), views=1 + seed % 2)
    found = score_to_pass(level, alpha, worst)
    assert found is not None
    # The slow way: the lowest photograph's score above which a picture passes.
    above = {float(s): float(np.nextafter(s, np.float32(np.inf))) for s in level.photographs.scores}
    passing = [s for s, next_one in above.items() if level.passes(next_one, alpha, worst)]
    assert found == min(passing)
    assert not level.passes(found, alpha, worst)


def test_a_score_is_held_at_both_levels_of_the_policy() -> None:
    level = level_of(np.random.default_rng(3).normal(0, 1, 240).tolist())
    for score in np.linspace(0, 3, 31):
        held = Held.of(level, float(score), 0.2, 0.1)
        assert held.standing == level.standing(float(score))
        assert held.p_value == held.standing.p_value
        assert held.passes == held.standing.passes(0.2, 0.1)
        assert held.level == score_to_pass(level, 0.2, 0.1)


def test_with_too_few_photographs_there_is_no_level() -> None:
    assert score_to_pass(level_of([0.1, 0.2, 0.3]), 0.01, 1.0) is None
    assert score_to_pass(level_of([]), 0.5, 1.0) is None


def test_photographs_without_a_score_are_counted_apart_and_any_score_passes_them() -> None:
    level = level_of([-np.inf] * 197 + [0.5, 1.0, 2.0])
    held = Held.of(level, 3.0, 0.05, 1.0)
    assert (held.without, held.count, held.sources) == (197.0, 200, 4)
    assert held.scores.tolist() == [0.5, 1.0, 2.0]
    assert held.weights.tolist() == [1.0, 1.0, 1.0]
    assert held.level == -np.inf
    assert held.passes
    assert not Held.of(level, -np.inf, 0.05, 1.0).passes


def test_views_of_one_photograph_weigh_one_together() -> None:
    held = Held.of(level_of([0.0, 1.0, 2.0, 3.0], views=2), 5.0, 0.4, 1.0)
    assert held.weights.tolist() == [0.5, 0.5, 0.5, 0.5]
    assert held.count == 2
