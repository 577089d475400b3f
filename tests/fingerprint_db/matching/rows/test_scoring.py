"""Scores, distances and likelihoods equal what slow loops and textbook formulas give."""

import math
from dataclasses import replace

import numpy as np
import pytest

from fingerprint_db.background import Background, CodecSpace, Cohort, Floats
from fingerprint_db.matching.rows import scoring
from fingerprint_db.matching.rows.scoring import Impostors, normalised_directions
from tests.fingerprint_db.matching.small_spaces import (
    CONSTANTS,
    DIMENSION,
    SPACE,
    images,
    mean_of,
    photographs,
    small_space,
    squared_distances,
)


def test_photographs_behind_the_norm_score_with_mean_nothing_and_deviation_one() -> None:
    known = small_space(views=3)
    directions = normalised_directions(np.stack([mean_of(i) for i in range(5)]), known.cohort)
    own = known.cohort.normalises
    scores = directions.scores(known.cohort.vectors[own])
    np.testing.assert_allclose(scores.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(scores.std(0), 1, rtol=1e-4)
    new = directions.scores(photographs(known, 20_000))
    assert np.allclose(new.std(0), 1.0, atol=0.1)


def test_the_norm_gives_each_photograph_one_vote_however_many_views_it_has() -> None:
    """The same as a loop over photographs that takes the mean of each one's views first."""
    rng = np.random.default_rng(4)
    numbers = np.array([7, 7, 7, 7, 2, 5, 5])
    zeros = np.zeros(7, np.int64)
    views = np.array([0.25, 0.25, 0.25, 0.25, 1.0, 0.5, 0.5], np.float32)
    seen = rng.normal(size=(7, 3)).astype(np.float32)
    kinds = np.zeros((7, 15), np.float32)
    cohort = Cohort(seen, numbers, zeros, zeros, kinds, np.ones(7, bool), views)
    mean = np.array([1.0, -2.0, 0.5], np.float32)
    by_photograph = []
    for number in (2, 5, 7):
        by_photograph.append([float(v @ mean) for v in seen[numbers == number]])
    centre = sum(sum(v) / len(v) for v in by_photograph) / 3
    square = sum(sum((s - centre) ** 2 for s in v) / len(v) for v in by_photograph) / 3
    vector = np.array([[0.3, 0.1, -0.7]], np.float32)
    (found,) = normalised_directions(mean[None], cohort).scores(vector)[0]
    assert found == pytest.approx((float(vector[0] @ mean) - centre) / math.sqrt(square), rel=1e-5)


def test_the_direction_is_fishers() -> None:
    """No other direction parts a model from photographs further, in mean variances of the two."""
    known, mean = small_space(), mean_of(4)
    covariance = np.diag(known.real_variance + known.made_variance) / 2
    fisher = np.linalg.solve(covariance, mean)
    (ours,) = normalised_directions(mean[None], known.cohort).scaled
    np.testing.assert_allclose(
        fisher / np.linalg.norm(fisher), ours / np.linalg.norm(ours), atol=1e-5
    )


def level_of(known: CodecSpace, vectors: Floats, impostors: int, weight: float) -> Floats:
    constants = replace(CONSTANTS, impostors=impostors, impostor_weight=weight)
    return Impostors.of(known, constants).level(vectors)


def test_the_impostors_level_is_the_weighed_mean_of_the_best_background_scores() -> None:
    known = small_space()
    directions = normalised_directions(known.generators, known.cohort)
    vectors = photographs(known, 6)
    found = level_of(known, vectors, impostors=7, weight=0.25)
    for level, scores in zip(found, directions.scores(vectors), strict=True):
        assert level == pytest.approx(0.25 * sum(sorted(map(float, scores))[-7:]) / 7, rel=1e-5)
    every = level_of(known, vectors, impostors=10_000, weight=1.0)
    np.testing.assert_allclose(every, directions.scores(vectors).mean(1), rtol=1e-5, atol=1e-6)


def test_what_many_background_generators_explain_counts_for_less() -> None:
    known = small_space()
    odd = known.generators[:10].mean(0, keepdims=True) * 8
    usual = level_of(known, photographs(known, 1000), 20, 0.5)
    assert level_of(known, odd, 20, 0.5)[0] > 2 * usual.max()


def test_impostors_that_weigh_nothing_are_not_asked_and_need_not_be_there() -> None:
    known = small_space()
    vectors = photographs(known, 6)
    weightless = replace(CONSTANTS, impostor_weight=0.0)
    for space in (known, replace(known, generators=known.generators[:0])):
        impostors = Impostors.of(space, weightless)
        assert impostors.directions is None
        assert impostors.level(vectors).tolist() == [0.0] * 6
        assert Background(SPACE, {"jpeg75": space}, weightless).dimension == DIMENSION


def test_impostors_that_weigh_something_must_be_there() -> None:
    known = small_space()
    none = replace(known, generators=known.generators[:0])
    with pytest.raises(ValueError, match=r"impostor_weight of 0\.5 comes with no .* under webp80;"):
        Background(SPACE, {"jpeg75": known, "webp80": none}, CONSTANTS)


def test_likelihoods_are_those_of_students_t_up_to_one_constant() -> None:
    """The density of a multivariate t with the covariance of a mean of N samples."""
    distances = np.array([[3.0, 40.0], [800.0, 0.0]])
    counts = np.array([10, 200])
    found = scoring.log_likelihoods(distances, DIMENSION, counts)
    for b in range(2):
        for r in range(2):
            power = -0.5 * (scoring.DEGREES + DIMENSION)
            expected = power * math.log(1 + distances[b, r] / scoring.DEGREES)
            expected -= 0.5 * DIMENSION * math.log(1 + 1 / counts[r])
            assert found[b, r] == pytest.approx(expected, rel=1e-5)


def test_an_outlier_wins_no_argument_by_being_far_from_everything() -> None:
    """Under Student's t the gap between two models does not grow with the distance."""
    known = small_space()
    means = np.stack([np.full(DIMENSION, 0.5), np.full(DIMENSION, -0.5)]).astype(np.float32)
    counts = np.array([50, 50])

    def gap(vector: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> float:
        found = scoring.log_likelihoods(
            squared_distances(known, means, counts, vector), DIMENSION, counts
        )
        return float(found[0, 0] - found[0, 1])

    near = np.full((1, DIMENSION), 1.0, np.float32)
    assert gap(near * 100) < gap(near)


@pytest.mark.parametrize("count", [2, 12, 80])
def test_leaving_one_out_is_really_leaving_it_out(count: int) -> None:
    known = small_space()
    samples = images(known, mean_of(6), count)
    expected = []
    for i in range(count):
        others = np.delete(samples, i, axis=0)
        mean, counts = others.mean(0, keepdims=True), np.array([count - 1])
        expected.append(float(squared_distances(known, mean, counts, samples[i : i + 1])[0, 0]))
    found = scoring.leave_one_out_distances(known, samples)
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_left_out_samples_lie_as_far_as_new_images_do() -> None:
    known = small_space()
    samples, new = images(known, mean_of(7), 400, 6), images(known, mean_of(7), 4000, 7)
    mean = samples.mean(0, keepdims=True)
    beyond = squared_distances(known, mean, np.array([400]), new)
    left_out = scoring.leave_one_out_distances(known, samples)
    assert left_out.mean() == pytest.approx(beyond.mean(), rel=0.03)


def test_statistics_that_cannot_be_are_refused() -> None:
    known = small_space()
    with pytest.raises(ValueError, match="between 0 and 2"):
        CodecSpace(known.real_variance * 10, known.generators, known.synthesis, known.cohort)
    with pytest.raises(ValueError, match=r"variances of shape \(23,\)"):
        CodecSpace(known.real_variance[1:], known.generators, known.synthesis, known.cohort)
    cohort = known.cohort
    with pytest.raises(ValueError, match="a cohort of 700 fingerprints comes with"):
        Cohort(
            cohort.vectors,
            cohort.photographs[1:],
            cohort.sources,
            cohort.size_classes,
            cohort.kinds,
            cohort.normalises,
            cohort.weights,
        )
