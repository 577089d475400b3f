"""Shares, rates and curves against slow loops and hand-made cases."""

import numpy as np
import pytest

from training.evaluation.measures import (
    calibration,
    open_set_curve,
    rate_of,
    reliability,
    share_of,
)


def test_the_interval_of_a_share_is_that_of_drawing_its_units_again() -> None:
    rng = np.random.default_rng(1)
    values = rng.random(200) < 0.3
    units = np.arange(200) // 2
    found = share_of(values, units)
    drawn = []
    for _ in range(500):
        chosen = rng.integers(0, 100, 100)
        drawn.append(np.mean([values[units == unit].mean() for unit in chosen]))
    assert found.share == pytest.approx(values.mean())
    assert found.units == 100
    assert (found.low, found.high) == pytest.approx(np.percentile(drawn, [2.5, 97.5]), abs=0.03)


def test_few_families_widen_the_interval_however_many_their_pictures() -> None:
    values = np.repeat([True, False, True, False], 100)
    pictures = np.arange(400)
    families = np.repeat(["a", "b", "c", "d"], 100)
    alone, within = share_of(values, pictures), share_of(values, pictures, families)
    assert alone.high - alone.low < 0.12
    assert within.units == 4
    assert within.high - within.low > 0.7


def test_the_same_values_give_the_same_interval_and_none_give_an_error() -> None:
    values, units = np.array([True, False, True]), np.arange(3)
    assert share_of(values, units) == share_of(values, units)
    with pytest.raises(ValueError, match="no pictures"):
        share_of(np.empty(0), np.empty(0))


def test_a_photograph_has_one_vote_and_the_worst_source_needs_eight() -> None:
    # One photograph of ten views, all flagged, and nine of one view, none flagged.
    events = np.array([True] * 10 + [False] * 9 + [True] * 3)
    photographs = np.array([0] * 10 + list(range(1, 10)) + [20, 21, 22])
    sources = np.array(["large"] * 19 + ["small"] * 3)
    found = rate_of(events, photographs, sources)
    assert found.share.share == pytest.approx(4 / 13)
    assert found.sources == {"large": (pytest.approx(0.1), 10), "small": (1.0, 3)}
    assert found.worst is not None
    assert found.worst[0] == "large"
    assert found.worst[1] == pytest.approx(0.1)
    assert found.bound > found.share.share


def test_no_event_in_few_photographs_still_has_a_bound() -> None:
    found = rate_of(np.zeros(20, bool), np.arange(20), np.array(["one"] * 20))
    assert found.share.high == 0
    assert found.bound == pytest.approx(1 - 0.05 ** (1 / 20), abs=1e-6)


def test_the_open_set_curve_counts_at_every_score() -> None:
    rng = np.random.default_rng(2)
    known, real = rng.normal(2, 1, 50), rng.normal(0, 1, 60)
    correct = rng.random(50) < 0.8
    points, area = open_set_curve(correct, known, real)
    for x, y in points[1:-1]:
        levels = [
            s
            for s in np.concatenate([known, real])
            if (real >= s).mean() == pytest.approx(x, abs=1e-5)
        ]
        shares = [float((correct & (known >= level)).mean()) for level in levels]
        assert any(share == pytest.approx(y, abs=1e-5) for share in shares)
    steps = sorted(
        {
            (float((real >= s).mean()), float((correct & (known >= s)).mean()))
            for s in np.concatenate([known, real])
        }
        | {(0.0, 0.0)}
    )
    steps.append((1.0, steps[-1][1]))
    expected = sum(
        (steps[i + 1][0] - steps[i][0]) * (steps[i][1] + steps[i + 1][1]) / 2
        for i in range(len(steps) - 1)
    )
    assert area == pytest.approx(expected)


def test_what_no_model_accepts_is_below_every_score() -> None:
    _, area = open_set_curve(
        np.array([True, True]), np.array([-np.inf, 1.0]), np.array([-np.inf, -np.inf])
    )
    assert area == pytest.approx(0.5)


def test_valid_p_values_have_no_gap_and_half_confidence_that_is_always_right_has_half() -> None:
    rows, gap = calibration((np.arange(1000) + 1) / 1000, (0.01, 0.1, 0.5))
    assert [row["share"] for row in rows] == [0.01, 0.1, 0.5]
    assert gap == pytest.approx(0)
    bins, error = reliability(np.full(10, 0.5), np.ones(10, bool))
    assert error == pytest.approx(0.5)
    assert bins == [{"confidence": 0.5, "right": 1.0, "pictures": 10}]
