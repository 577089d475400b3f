"""The drift alarm stays quiet while photographs are like the calibration's, and rises when not."""

import math

import numpy as np
from numpy.typing import NDArray

from worker.judge.drift import RATE, WINDOW, Drift, DriftAlarm

ALPHAS = 0.015
PHOTOGRAPHS = 2000


def fed(p_values: NDArray[np.floating], photographs: int = PHOTOGRAPHS) -> Drift:
    drift = Drift(ALPHAS)
    for p in p_values:
        drift.add(float(p), photographs)
    return drift


def conformal(
    rng: np.random.Generator, calibration: int, count: int, shift: float = 0.0
) -> NDArray[np.floating]:
    """P-values of normal scores, of `count` images against `calibration` photographs."""
    known = np.sort(rng.normal(size=calibration))
    as_high = calibration - np.searchsorted(known, rng.normal(shift, 1, count), side="left")
    found: NDArray[np.floating] = (1 + as_high) / (calibration + 1)
    return found


def test_uniform_p_values_raise_no_alarm_however_many_there_are() -> None:
    rng = np.random.default_rng(1)
    assert fed(rng.random(3 * WINDOW)).alarm is None


def test_no_calibration_raises_the_alarm_on_photographs_like_its_own() -> None:
    """A small calibration is off by chance; the alarm must not take that for a change."""
    rng = np.random.default_rng(2)
    alarms = [
        fed(conformal(rng, calibration, WINDOW), calibration).alarm
        for calibration in (100, 600, 5000)
        for _ in range(8)
    ]
    assert alarms == [None] * 24


def test_a_gambler_who_is_sure_wins_at_the_rate_and_no_more_often() -> None:
    """Without what is added for the calibration's size, as of endlessly many photographs."""
    rng = np.random.default_rng(3)
    rate, alarms = 0.4, 0
    for _ in range(300):
        drift = Drift(0.0, rate=rate)
        for p in rng.random(200):
            drift.add(float(p), 10**12)
        alarms += drift.alarm is not None
    assert alarms / 300 < rate / 4 + 0.05, "the first gambler has half of one half of the rate"
    assert alarms > 0


def test_a_shift_is_found_and_told_once() -> None:
    rng = np.random.default_rng(4)
    drift, told = Drift(ALPHAS), []
    for p in conformal(rng, PHOTOGRAPHS, WINDOW, shift=0.7):
        told.append(drift.add(float(p), PHOTOGRAPHS))
    alarms = [alarm for alarm in told if alarm is not None]
    assert alarms == [drift.alarm]
    assert isinstance(drift.alarm, DriftAlarm)
    assert drift.alarm.p_values < 1000
    assert drift.alarm.log10_capital >= math.log10(4 / RATE)


def test_a_shift_that_comes_late_is_found_as_well() -> None:
    rng = np.random.default_rng(5)
    calm, shifted = rng.random(2 * WINDOW + 5000), conformal(rng, PHOTOGRAPHS, WINDOW, shift=0.7)
    drift = fed(np.concatenate([calm, shifted]))
    assert drift.alarm is not None
    assert 2 * WINDOW + 5000 < drift.alarm.p_values < 3 * WINDOW + 1500


def test_scores_that_fall_raise_no_alarm() -> None:
    """More caution than was promised harms nobody; nor does a registry that nothing resembles."""
    rng = np.random.default_rng(6)
    assert fed(conformal(rng, PHOTOGRAPHS, WINDOW, shift=-2.0)).alarm is None
    assert fed(np.ones(WINDOW)).alarm is None


def test_leaving_out_what_was_flagged_raises_no_alarm() -> None:
    rng = np.random.default_rng(7)
    p_values = conformal(rng, 20_000, WINDOW)
    assert fed(p_values[p_values > ALPHAS], 20_000).alarm is None


def test_p_values_of_no_photographs_say_nothing() -> None:
    assert fed(np.full(5000, 0.0), 0).alarm is None
