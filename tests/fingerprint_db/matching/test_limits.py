"""The limit leaves outside what it states, and its quantile is that of the textbooks."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import t as student

from fingerprint_db.matching.limits import distance_limit, t_quantile
from fingerprint_db.matching.rows.scoring import leave_one_out_distances
from tests.fingerprint_db.matching.small_spaces import (
    images,
    mean_of,
    small_space,
    squared_distances,
)


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


def test_the_stated_share_of_further_images_lies_beyond_the_limit() -> None:
    known, beyond = small_space(), []
    for seed in range(40):
        mean = mean_of(seed)
        samples, new = images(known, mean, 30, seed), images(known, mean, 400, 100 + seed)
        limit = distance_limit(leave_one_out_distances(known, samples), 0.05)
        far = squared_distances(known, samples.mean(0, keepdims=True), np.array([30]), new)
        beyond.append(float((far > limit).mean()))
    assert np.mean(beyond) == pytest.approx(0.05, abs=0.02)
