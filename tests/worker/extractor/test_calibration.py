"""The test against real photos: counted p-values, bins, and the rate that can be stated."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import beta, binomtest

from worker.extractor.calibration import BINS, Calibration, bin_of, clopper_pearson_upper

BIN = "lossless_large"


def calibration(reference: list[float], held_out: list[float]) -> Calibration:
    arrays = {
        f"reference.{BIN}": np.array(reference, np.float32),
        f"held_out.{BIN}": np.array(held_out, np.float32),
    }
    return Calibration.from_arrays(arrays, (BIN,))


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


def test_real_photos_pass_the_level_no_more_often_than_it_says() -> None:
    numbers = np.random.default_rng(2)
    passed = 0
    for _ in range(300):
        scores = numbers.normal(size=100)
        passed += calibration(list(scores[1:]), []).p_value(BIN, float(scores[0])) <= 0.1
    assert passed / 300 == pytest.approx(0.1, abs=0.06)


def test_the_stated_rate_is_counted_on_the_held_out_photos() -> None:
    numbers = np.random.default_rng(3)
    reference = [float(s) for s in numbers.normal(size=199)]
    held_out = [float(s) for s in numbers.normal(0.7, 1.0, size=80)]
    found = calibration(reference, held_out)
    false = sum(1 for score in held_out if found.p_value(BIN, float(np.float32(score))) <= 0.05)
    assert false > 0
    assert found.stated_rate(BIN, 0.05) == (false / 80, clopper_pearson_upper(false, 80))


def test_without_held_out_photos_nothing_better_than_one_can_be_stated() -> None:
    assert calibration([0.0] * 10, []).stated_rate(BIN, 0.05) == (0.0, 1.0)


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
