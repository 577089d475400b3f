"""p-values are counted, by photograph and by source; rates are measured on sources left out."""

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray
from scipy.stats import beta, binomtest

from fingerprint_db.matching.photographs import (
    LEAST_OF_A_SOURCE,
    PhotographScores,
    SourceScores,
    by_source,
    clopper_pearson_upper,
)

Numbers = NDArray[np.int64]
Scores = NDArray[np.float32]


def of(scores: ArrayLike, photographs: ArrayLike | None = None) -> PhotographScores:
    """Views with these scores, each of a photograph of its own where none are named."""
    values = np.array(scores, np.float32)
    named = np.arange(len(values)) if photographs is None else np.array(photographs)
    return PhotographScores.of(values, named.astype(np.int64))


# By photograph ----------------------------------------------------------------------------------


def test_a_p_value_is_the_counted_share_of_photographs_that_score_as_high() -> None:
    numbers = np.random.default_rng(1)
    scores = [float(s) for s in numbers.normal(size=150).astype(np.float32)]
    found = of(scores)
    for score in [*scores[:20], *numbers.normal(0, 2, 50)]:
        as_high = sum(1 for other in scores if other >= score)
        assert found.p_value(float(score)) == (1 + as_high) / (len(scores) + 1)


def test_ties_count_against_the_image() -> None:
    found = of([1.0, 2.0, 2.0, 3.0])
    assert [found.p_value(score) for score in (3.0, 2.0, 1.0)] == [2 / 5, 4 / 5, 1.0]


def test_no_score_is_more_surprising_than_the_photographs_can_say() -> None:
    found = of([0.0] * 199)
    assert (found.p_value(1e9), found.p_value(-1e9), found.count) == (1 / 200, 1.0, 199)
    assert of([]).p_value(1e9) == 1.0


def test_what_no_model_explains_scores_below_everything() -> None:
    found = of([-np.inf, -np.inf, 3.0])
    assert found.p_value(-np.inf) == 1.0
    assert found.p_value(0.0) == 2 / 4


def test_photographs_are_counted_and_not_their_views() -> None:
    """600 views of 3 photographs are 3 photographs: no p-value is below 1/4."""
    numbers = np.random.default_rng(4)
    scores = numbers.normal(size=600).astype(np.float32)
    owners = np.concatenate([np.full(500, 7), np.full(99, 8), np.full(1, 9)])
    found = of(scores, owners)
    assert (found.count, found.p_value(1e9), found.p_value(-1e9)) == (3, 1 / 4, 1.0)
    for score in numbers.normal(size=40):
        shares = [(scores[owners == photo] >= score).mean() for photo in (7, 8, 9)]
        assert found.p_value(float(score)) == pytest.approx((1 + sum(shares)) / 4, abs=1e-8)


def test_photographs_pass_the_level_no_more_often_than_it_says_however_many_views_each_has() -> (
    None
):
    """Views of a photograph hang together; counted one by one 0.18 pass instead of 0.1."""
    numbers = np.random.default_rng(2)
    passed = 0
    for _ in range(400):
        own = numbers.normal(0, 1, 20)  # what the views of a photograph have in common
        views = np.repeat(own[1:], [40] * 3 + [2] * 16)
        owners = np.repeat(np.arange(19), [40] * 3 + [2] * 16)
        found = of(views + numbers.normal(0, 0.3, len(views)), owners)
        passed += found.p_value(float(own[0] + numbers.normal(0, 0.3))) <= 0.1
    assert passed / 400 <= 0.1 + 2 * (0.1 * 0.9 / 400) ** 0.5


def test_scores_without_as_many_photographs_are_refused() -> None:
    with pytest.raises(ValueError, match="expected one photograph for each score"):
        of([1.0, 2.0], [1])


# By source --------------------------------------------------------------------------------------


def test_a_source_never_seen_is_judged_by_sources() -> None:
    """Two sources of one and of four pictures: a half and a quarter of them score as high."""
    scores = np.array([1, 5, 1, 2, 3, 5], np.float32)
    found = by_source(scores, np.array([0, 0, 4, 4, 4, 4]), np.arange(6))
    assert found.count == 2
    assert found.p_value(4.0) == pytest.approx((1 + 1 / 2 + 1 / 4) / 3)
    assert (found.p_value(1e9), found.p_value(-1e9)) == (1 / 3, 1)


def test_within_a_source_photographs_vote_and_not_their_views() -> None:
    """Nine views of one photograph and one of another: half of the source scores as high."""
    scores = np.array([9.0] * 9 + [0.0], np.float32)
    found = by_source(scores, np.zeros(10, np.int64), np.array([3] * 9 + [4]))
    assert found.p_value(5.0) == pytest.approx((1 + 1 / 2) / 2)


def test_photographs_are_numbered_within_their_source() -> None:
    scores = np.array([9.0, 0.0, 9.0], np.float32)
    found = by_source(scores, np.array([0, 0, 1]), np.array([1, 2, 1]))
    assert found.p_value(5.0) == pytest.approx((1 + 1 / 2 + 1) / 3)


# The worst source, and sources left out ---------------------------------------------------------


def drawn(seed: int) -> tuple[Scores, Numbers, Numbers]:
    """Views, photographs and sources: six sources that differ, of 12 photographs each, rounded so
    that some scores are equal; one source is too small to count alone."""
    rng = np.random.default_rng(seed)
    photographs = np.repeat(np.arange(75), rng.integers(1, 4, 75))
    sources = np.minimum(photographs // 12, 6)
    scores = rng.normal(size=len(photographs)) + rng.normal(size=7)[sources]
    scores[rng.random(len(scores)) < 0.1] = -np.inf
    return scores.round(1).astype(np.float32), photographs, sources


def share_as_high(scores: Scores, photographs: Numbers, score: float) -> float:
    """How many photographs score as high, each by the share of its views."""
    found = 0.0
    for photograph in np.unique(photographs):
        found += float((scores[photographs == photograph] >= score).mean())
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_worst_share_is_that_of_a_loop_over_sources(seed: int) -> None:
    scores, photographs, sources = drawn(seed)
    found = SourceScores.of(scores, photographs, sources)
    for score in [*np.unique(scores), 0.05, -3.33, 99.0]:
        shares = []
        for source in np.unique(sources):
            own = sources == source
            count = len(np.unique(photographs[own]))
            shares.append(share_as_high(scores[own], photographs[own], float(score)) / count)
        assert found.worst_share(float(score)) == pytest.approx(max(shares), abs=1e-8)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("alpha", "worst"), [(0.05, 1.0), (0.2, 1.0), (0.2, 0.3), (0.5, 0.7)])
def test_unseen_rates_are_those_of_holding_each_source_against_the_others(
    seed: int, alpha: float, worst: float
) -> None:
    scores, photographs, sources = drawn(seed)
    rates = []
    for source in np.unique(sources):
        own = sources == source
        others = SourceScores.of(scores[~own], photographs[~own], sources[~own])
        calibrated = PhotographScores.of(scores[~own], photographs[~own])
        flagged = [
            calibrated.p_value(float(s)) <= alpha and others.worst_share(float(s)) <= worst
            for s in scores[own]
        ]
        passing = np.array(flagged)
        of_each = [
            float(passing[photographs[own] == photograph].mean())
            for photograph in np.unique(photographs[own])
        ]
        rates.append(float(np.mean(of_each)))
    mean, most = SourceScores.of(scores, photographs, sources).unseen_rate(alpha, worst)
    assert mean == pytest.approx(np.mean(rates), abs=1e-8)
    assert most == pytest.approx(max(rates), abs=1e-8)


def test_small_sources_are_one_source_together() -> None:
    """One photograph of a source says nothing of its rate: 1 of 1 is no share of 100 %."""
    few = LEAST_OF_A_SOURCE - 1
    scores = np.array([9.0, *[0.0] * few, *[0.0] * 20], np.float32)
    sources = np.array([5, *[6] * few, *[7] * 20])
    found = SourceScores.of(scores, np.arange(len(scores)), sources)
    assert [one.count for one in found.by_source] == [20, few + 1]
    assert found.worst_share(5.0) == pytest.approx(1 / (few + 1))


def test_of_fewer_than_two_sources_nothing_better_than_one_can_be_stated() -> None:
    scores = np.arange(30, dtype=np.float32)
    one = SourceScores.of(scores, np.arange(30), np.zeros(30, np.int64))
    assert one.unseen_rate(0.1) == (1.0, 1.0)
    none = SourceScores.of(scores[:0], np.arange(0), np.zeros(0, np.int64))
    assert none.unseen_rate(0.1) == (1.0, 1.0)
    assert none.worst_share(1.0) == 0.0


# The bound --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "trials"), [(0, 1), (0, 300), (1, 300), (3, 300), (7, 20), (19, 20), (40, 5000)]
)
def test_the_bound_is_that_of_clopper_and_pearson(events: int, trials: int) -> None:
    found = clopper_pearson_upper(events, trials)
    assert found == pytest.approx(beta.ppf(0.95, events + 1, trials - events), rel=1e-9)
    interval = binomtest(events, trials, alternative="less").proportion_ci(0.95, method="exact")
    assert found == pytest.approx(interval.high, rel=1e-9)


def test_the_bound_is_one_where_every_trial_is_an_event() -> None:
    assert clopper_pearson_upper(5, 5) == 1.0
    assert clopper_pearson_upper(0, 0) == 1.0
