"""Samples are held against every registered model, which are not opened for it."""

from typing import Any

import numpy as np
import pytest

from fingerprint_db.gate.recognition import Rates, Registry
from fingerprint_db.matching.rows.scoring import log_likelihoods
from fingerprint_db.model_fingerprint import Statistics
from tests.fingerprint_db.gate.test_enrolment import BACKGROUND, FAR, JPEG, ONE, model_of

RATES = Rates(0.01, 0.1, 0.02)
REGISTERED, MODEL = [model_of(FAR, "far", 14)], model_of(ONE, "one", 15)


def test_no_condition_of_a_registered_model_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 100,000 models the copies alone took 20 seconds a codec."""
    opened: list[Any] = []
    plainly = Statistics.__getitem__

    def opening(self: Statistics, place: Any) -> Any:
        opened.append(self.conditions[place])
        return plainly(self, place)

    monkeypatch.setattr(Statistics, "__getitem__", opening)
    assert MODEL.statistics[0].condition == opened.pop()
    registry = Registry.of(BACKGROUND, JPEG, REGISTERED, MODEL, RATES)
    assert len(registry.enrolled.models) == 2
    assert opened == []


def test_a_sample_s_likelihood_is_under_the_variance_that_tells_models_apart() -> None:
    registry = Registry.of(BACKGROUND, JPEG, REGISTERED, MODEL, RATES)
    entries = [e for m in (*REGISTERED, MODEL) for e in m.statistics if "jpeg75" in e.condition]
    weight, made = BACKGROUND.constants.own_scatter, BACKGROUND.codecs[JPEG].made_variance
    entry = entries[-1]
    vectors = (entry.mean + np.eye(len(entry.mean))[:5]).astype(np.float32)
    found = registry._own_likelihoods(entry, vectors)
    for vector, likelihood in zip(vectors, found, strict=True):
        distance = 0.0
        for d in range(len(vector)):
            scatter = sum(float(e.variance[d]) for e in entries) / len(entries)
            apart = (1 - weight) * float(made[d]) + weight * scatter
            distance += float(vector[d] - entry.mean[d]) ** 2 / apart
        distance *= (5 / 4) ** 2 / (1 + 1 / 4)
        expected = log_likelihoods(np.array([distance]), len(vector), np.array([4]))
        assert likelihood == pytest.approx(float(expected[0]), rel=1e-5)
