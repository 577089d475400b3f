"""Distances and likelihood ratios equal what slow loops and textbook densities give."""

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import multivariate_normal
from scipy.stats import t as student

from fingerprint_db.model_fingerprint import ConditionStatistics
from fingerprint_db.scoring import (
    Alternative,
    Metric,
    leave_one_out_distances,
    log_likelihood_ratios,
    model_metric,
    squared_distances,
    t_quantile,
)
from tests.fingerprint_db.spaces import CONDITIONS, DIMENSION, covariance, small_background

BACKGROUND = small_background()
PRIOR_SAMPLES = BACKGROUND.constants.prior_samples
COUNTS = (2, 10, 50, 100_000)


def some(rows: int, seed: int) -> NDArray[np.float32]:
    """Fingerprints (rows, D), several standard deviations apart."""
    return np.random.default_rng(seed).normal(0, 4, (rows, DIMENSION)).astype(np.float32)


def entry_of(condition: str, count: int, seed: int) -> ConditionStatistics:
    """A model whose images vary otherwise than the background's."""
    scatter = (covariance(seed, 3.0) * (count - 1)).astype(np.float32)
    return ConditionStatistics(condition, count, some(1, seed)[0], scatter, 9.0, count)


def own_covariance(entry: ConditionStatistics) -> NDArray[np.float64]:
    """The scatter, shrunk towards the background as if that had been seen in so many samples."""
    within = BACKGROUND.within[BACKGROUND.index(entry.condition)].astype(np.float64)
    total = PRIOR_SAMPLES * within + entry.scatter
    return np.asarray(total / (PRIOR_SAMPLES + entry.count - 1), np.float64)


def metric_of(entry: ConditionStatistics) -> Metric:
    return model_metric(BACKGROUND, entry.condition, entry.scatter, entry.count)


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("count", COUNTS)
def test_distances_are_mahalanobis_over_the_uncertainty_of_the_mean(
    count: int, condition: str
) -> None:
    vectors, entry = some(6, 1), entry_of(condition, count, 2)
    inverse = np.linalg.inv(own_covariance(entry))
    expected = []
    for vector in vectors.astype(np.float64):
        difference = vector - entry.mean
        expected.append(difference @ inverse @ difference / (1 + 1 / count))
    found = squared_distances(metric_of(entry), vectors, entry)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("count", COUNTS)
def test_ratios_are_those_of_two_multivariate_normal_densities(count: int, condition: str) -> None:
    """A mean of N samples makes the predictive covariance C (1 + 1/N)."""
    vectors, entry = some(5, 3), entry_of(condition, count, 4)
    at = BACKGROUND.index(condition)
    total, total_mean = BACKGROUND.total[at], BACKGROUND.total_mean[at]
    predictive = own_covariance(entry) * (1 + 1 / count)
    expected = []
    for vector in vectors.astype(np.float64):
        made = multivariate_normal(entry.mean.astype(np.float64), predictive).logpdf(vector)
        anything = multivariate_normal(total_mean.astype(np.float64), total.astype(np.float64))
        expected.append(made - anything.logpdf(vector))
    metric, alternative = metric_of(entry), Alternative.of(BACKGROUND, condition)
    distances = squared_distances(metric, vectors, entry)
    found = log_likelihood_ratios(alternative, metric, vectors, distances, count)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("count", [2, 12, 80])
def test_leaving_one_out_is_really_leaving_it_out(count: int) -> None:
    """Mean, scatter and shrinkage computed anew from the others, for each sample."""
    samples = some(count, 5)
    expected = []
    for i in range(count):
        others = np.delete(samples, i, axis=0).astype(np.float64)
        scatter = np.zeros((DIMENSION, DIMENSION))
        for row in others:
            scatter += np.outer(row - others.mean(0), row - others.mean(0))
        within = BACKGROUND.within[BACKGROUND.index("jpeg75")].astype(np.float64)
        own = (PRIOR_SAMPLES * within + scatter) / (PRIOR_SAMPLES + len(others) - 1)
        difference = samples[i] - others.mean(0)
        distance = difference @ np.linalg.inv(own) @ difference
        expected.append(distance / (1 + 1 / len(others)))
    found = leave_one_out_distances(BACKGROUND, "jpeg75", samples)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_few_samples_are_judged_by_the_background_and_many_by_their_own() -> None:
    within = BACKGROUND.within[0].astype(np.float64)
    own = covariance(8, 5.0)
    for count, expected in ((2, within), (100_000, own)):
        scatter = own * (count - 1) if count > 2 else np.zeros_like(own)
        root = model_metric(BACKGROUND, CONDITIONS[0], scatter, count).root
        found = np.linalg.inv(root.T @ root)
        np.testing.assert_allclose(found, expected, rtol=0.1, atol=0.02)


def test_distances_have_the_same_expectation_however_few_the_samples_of_the_mean() -> None:
    """The expectation is D where the covariance is known, for means of 2 and of 50 samples."""
    truth = covariance(9)
    metric = Metric.of(truth)
    numbers = np.random.default_rng(6)
    nothing = np.zeros((DIMENSION, DIMENSION), np.float32)
    for count in (2, 50):
        own = []
        for mean in numbers.multivariate_normal(np.zeros(DIMENSION), truth / count, 400):
            entry = ConditionStatistics(
                CONDITIONS[0], count, mean.astype(np.float32), nothing, 9.0, count
            )
            images = numbers.multivariate_normal(np.zeros(DIMENSION), truth, 50)
            own.append(squared_distances(metric, images, entry).mean())
        assert np.mean(own) == pytest.approx(DIMENSION, rel=0.1)


def test_a_metric_inverts_its_covariance_and_knows_its_determinant() -> None:
    given = covariance(7)
    metric = Metric.of(given)
    np.testing.assert_allclose(metric.root.T @ metric.root, np.linalg.inv(given), rtol=1e-9)
    assert metric.log_det == pytest.approx(float(np.log(np.linalg.det(given))))


@pytest.mark.parametrize(
    ("degrees", "beyond"),
    product((1, 2, 3, 4, 5, 8, 9, 10, 49, 50, 199, 499, 5000), (0.4, 0.1, 0.025, 0.005, 0.0001)),
)
def test_the_quantile_is_that_of_scipy(degrees: int, beyond: float) -> None:
    assert t_quantile(beyond, degrees) == pytest.approx(
        float(student.isf(beyond, degrees)), rel=1e-8
    )


@pytest.mark.parametrize(("beyond", "degrees"), [(0.005, 0), (0.0, 9), (0.5, 9), (float("nan"), 9)])
def test_what_has_no_quantile_is_refused(beyond: float, degrees: int) -> None:
    with pytest.raises(ValueError, match="expected at least 1 degree"):
        t_quantile(beyond, degrees)
