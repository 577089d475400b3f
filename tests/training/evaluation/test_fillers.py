"""Fillers lie as far out as the enrolled models do."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from fingerprint_db.background import Background, CodecSpace, Cohort
from fingerprint_db.conditions import CODECS
from fingerprint_db.model_fingerprint import ConditionStatistics, ModelFingerprint
from tests.worker.extractor.tiny_bundle import CONSTANTS
from training.evaluation.fillers import SAMPLES, draw_fillers

D, G = 6, 40
RNG = np.random.default_rng(3)
GENERATORS = (RNG.normal(2, 1, (G, D)) * np.linspace(0.5, 3, D)).astype(np.float32)
NOTHING = np.zeros(0, np.int64)
SPACE = CodecSpace(
    np.ones(D, np.float32),
    GENERATORS[:0],
    np.ones(D, np.float32),
    Cohort(
        np.zeros((0, D), np.float32),
        NOTHING,
        NOTHING,
        NOTHING,
        np.zeros((0, 15), np.float32),
        NOTHING.astype(bool),
        NOTHING.astype(np.float32),
    ),
)
BACKGROUND = Background(
    "ab" * 32, dict.fromkeys(CODECS, SPACE), replace(CONSTANTS, impostor_weight=0.0)
)
ENROLLED = [
    ModelFingerprint(
        f"red-{number}",
        "red",
        "mmdgan",
        "ab" * 32,
        "live",
        tuple(
            ConditionStatistics(name, 50, mean, np.ones(D, np.float32), 9.0)
            for name in ("lossless", "half_lossless", "jpeg90")
        ),
        50,
        datetime(2026, 1, 1, tzinfo=UTC),
        "a test",
        "a test",
    )
    for number, mean in enumerate(GENERATORS)
]


def test_fillers_have_the_mean_and_the_deviation_of_the_enrolled_models_in_each_number() -> None:
    fillers = draw_fillers(BACKGROUND, 2000, ENROLLED, seed=1)
    means = np.array([one.statistics[0].mean for one in fillers])
    assert np.abs(means.mean(0) - GENERATORS.mean(0)).max() < 0.2
    expected = np.sqrt(GENERATORS.var(0, ddof=1) + 1 / SAMPLES)
    assert np.abs(means.std(0) / expected - 1).max() < 0.08


def test_fillers_differ_have_limits_that_were_enrolled_and_are_the_same_again() -> None:
    fillers = draw_fillers(BACKGROUND, 3, ENROLLED, seed=1)
    assert len({one.model_id for one in fillers}) == 3
    assert len({one.family for one in fillers}) == 3
    first = fillers[0].statistics
    assert {entry.distance_limit for entry in first} == {9.0}
    assert not np.array_equal(first[0].mean, first[1].mean)
    again = draw_fillers(BACKGROUND, 3, ENROLLED, seed=1)
    assert np.array_equal(first[0].mean, again[0].statistics[0].mean)


def test_fillers_need_two_enrolled_models() -> None:
    with pytest.raises(ValueError, match="need two"):
        draw_fillers(BACKGROUND, 3, ENROLLED[:1], seed=1)
