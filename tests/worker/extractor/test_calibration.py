"""The test against real photos: counted p-values, bins, and the rate that can be stated."""

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from numpy.typing import ArrayLike
from scipy.stats import beta, binomtest

from worker.extractor.calibration import (
    BINS,
    Calibration,
    PhotographScores,
    bin_of,
    clopper_pearson_upper,
)

BIN = "lossless_large"


def of(scores: ArrayLike, photographs: ArrayLike | None = None) -> PhotographScores:
    """Views with these scores, each of a photograph of its own where none are named."""
    values = np.array(scores, np.float32)
    named = np.arange(len(values)) if photographs is None else np.array(photographs)
    return PhotographScores.of(values, named.astype(np.int64))


def calibration(reference: Sequence[float], held_out: Sequence[float]) -> Calibration:
    return Calibration({BIN: of(reference)}, {BIN: of(held_out)})


def test_a_p_value_is_the_counted_share_of_real_photos_that_score_as_high() -> None:
    numbers = np.random.default_rng(1)
    scores = [float(s) for s in numbers.normal(size=150).astype(np.float32)]
    found = calibration(scores, [])
    for score in [*scores[:20], *numbers.normal(0, 2, 50)]:
        as_high = sum(1 for other in scores if other >= score)
        assert found.p_value(BIN, float(score)) == (1 + as_high) / (len(scores) + 1)


def test_ties_count_against_the_image() -> None:
    found = calibration([1.0, 2.0, 2.0, 3.0], [])
    assert found.p_value(BIN, 2.0) == 4 / 5
    assert found.p_value(BIN, 3.0) == 2 / 5
    assert found.p_value(BIN, 1.0) == 1.0


def test_no_score_is_more_surprising_than_the_calibration_can_say() -> None:
    found = calibration([0.0] * 199, [])
    assert found.p_value(BIN, 1e9) == 1 / 200
    assert found.p_value(BIN, -1e9) == 1.0
    assert found.count(BIN) == 199
    assert calibration([], []).p_value(BIN, 1e9) == 1.0


def test_photographs_are_counted_and_not_their_views() -> None:
    """600 views of 3 photographs are 3 photographs: no p-value is below 1/4."""
    numbers = np.random.default_rng(4)
    scores = numbers.normal(size=600).astype(np.float32)
    owners = np.concatenate([np.full(500, 7), np.full(99, 8), np.full(1, 9)])
    found = Calibration({BIN: of(scores, owners)}, {BIN: of([])})
    assert found.count(BIN) == 3
    assert found.p_value(BIN, 1e9) == 1 / 4
    assert found.p_value(BIN, -1e9) == 1.0
    for score in numbers.normal(size=40):
        shares = [(scores[owners == photo] >= score).mean() for photo in (7, 8, 9)]
        assert found.p_value(BIN, float(score)) == pytest.approx((1 + sum(shares)) / 4, abs=1e-8)


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
        scores = views + numbers.normal(0, 0.3, len(views))
        found = Calibration({BIN: of(list(scores), list(owners))}, {BIN: of([])})
        passed += found.p_value(BIN, float(own[0] + numbers.normal(0, 0.3))) <= 0.1
    assert passed / 400 <= 0.1 + 2 * (0.1 * 0.9 / 400) ** 0.5


def test_the_stated_rate_is_counted_on_the_held_out_photos() -> None:
    numbers = np.random.default_rng(3)
    reference = [float(s) for s in numbers.normal(size=199)]
    held_out = [float(s) for s in numbers.normal(0.7, 1.0, size=80)]
    found = calibration(reference, held_out)
    false = sum(1 for score in held_out if found.p_value(BIN, float(np.float32(score))) <= 0.05)
    assert false > 0
    assert found.stated_rate(BIN, 0.05) == (false / 80, clopper_pearson_upper(false, 80))


def test_the_stated_rate_is_of_photographs_and_its_bound_counts_them() -> None:
    """Of four photographs all views of one pass, one of three of another, none of the rest."""
    scores = [9.0, 9.5, 9.0, -1.0, -1.0, -2.0, -3.0]
    held_out = of(scores, [1, 1, 2, 2, 2, 3, 4])
    found = Calibration({BIN: of([0.0] * 199)}, {BIN: held_out})
    rate, bound = found.stated_rate(BIN, 0.005)
    assert rate == pytest.approx((1 + 1 / 3) / 4, abs=1e-8)
    assert bound == clopper_pearson_upper(2, 4)
    assert Calibration({BIN: of([10.0] * 199)}, {BIN: held_out}).stated_rate(BIN, 0.005) == (
        0.0,
        clopper_pearson_upper(0, 4),
    )


def test_without_held_out_photos_nothing_better_than_one_can_be_stated() -> None:
    assert calibration([0.0] * 10, []).stated_rate(BIN, 0.05) == (0.0, 1.0)


def test_a_calibration_comes_back_from_its_arrays() -> None:
    found = Calibration({BIN: of([3.0, 1.0, 2.0], [5, 5, 6])}, {BIN: of([1.0], [9])})
    again = Calibration.from_arrays(found.arrays(), (BIN,))
    assert again.reference[BIN].scores.tolist() == [1.0, 2.0, 3.0]
    assert again.reference[BIN].photographs.tolist() == [5, 6, 5]
    assert again.count(BIN) == 2
    assert again.p_value(BIN, 2.5) == found.p_value(BIN, 2.5) == 1.5 / 3
    damaged = found.arrays() | {f"held_out_photographs.{BIN}": np.zeros(2, np.int64)}
    with pytest.raises(ValueError, match="expected one photograph for each score"):
        Calibration.from_arrays(damaged, (BIN,))


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


@pytest.mark.parametrize(
    ("lossy", "jpeg_quality", "side", "expected"),
    [
        (False, None, 47, "lossless_tiny"),
        (False, None, 48, "lossless_small"),
        (False, None, 95, "lossless_small"),
        (False, None, 96, "lossless_large"),
        (True, None, 4000, "webp_large"),
        (True, 95, 100, "jpeg_high_large"),
        (True, 90, 100, "jpeg_high_large"),
        (True, 85, 50, "jpeg_middle_small"),
        (True, 75, 30, "jpeg_middle_tiny"),
        (True, 60, 100, "jpeg_low_large"),
    ],
)
def test_a_file_falls_into_the_bin_of_its_codec_and_size(
    lossy: bool, jpeg_quality: int | None, side: int, expected: str
) -> None:
    assert bin_of(lossy, jpeg_quality, side) == expected


def test_every_file_falls_into_a_bin_that_is_calibrated() -> None:
    sides = (24, 48, 96, 5000)
    files: list[tuple[bool, int | None, int]]
    files = [(True, q, s) for q, s in product(range(1, 101), sides)]
    files += [(lossy, None, s) for lossy, s in product((False, True), sides)]
    assert {bin_of(*file) for file in files} == set(BINS)
