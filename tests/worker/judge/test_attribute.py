"""The matcher gives what a loop over images, conditions and models gives, in the right order."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import multivariate_normal

from fingerprint_db.model_fingerprint import ConditionStatistics, ModelFingerprint, Status
from fingerprint_db.snapshot import EMPTY_ROOT, Snapshot
from tests.fingerprint_db.spaces import (
    DIMENSION,
    SPACE,
    covariance,
    registration,
    small_background,
)
from worker.judge.attribute import Match, Matcher

BOTH = ("as_received", "half")
BACKGROUND = replace(small_background(), conditions=BOTH)
PRIOR_SAMPLES = BACKGROUND.constants.prior_samples
HALVED_PENALTY = 10.0 * DIMENSION  # nats a number of the fingerprint (tests/fingerprint_db/spaces)


def statistics(condition: str, seed: int, count: int, threshold: float) -> ConditionStatistics:
    mean = np.random.default_rng(seed).normal(0, 4, DIMENSION).astype(np.float32)
    scatter = (covariance(seed, 2.0) * (count - 1)).astype(np.float32)
    return ConditionStatistics(condition, count, mean, scatter, threshold, count)


def model(name: str, *entries: ConditionStatistics, status: Status = "live") -> ModelFingerprint:
    who = registration(name)
    return ModelFingerprint(
        name, name, who.family, SPACE, status, entries, 60, who.at, who.by, who.reason
    )


def snapshot(*models: ModelFingerprint) -> Snapshot:
    return Snapshot(SPACE, 7, EMPTY_ROOT, models)


MODELS = (
    model("both", statistics("as_received", 1, 60, 40.0), statistics("half", 2, 55, 40.0)),
    model("clean", statistics("as_received", 3, 10, 60.0)),
    model("halved", statistics("half", 4, 200, 30.0), status="shadow"),
    model("last", statistics("half", 5, 60, 5.0), statistics("as_received", 6, 60, 90.0)),
)


def expected_match(
    vector: NDArray[np.float32], entry: ConditionStatistics
) -> tuple[float, bool, float, float]:
    """Log-density of the image, accepted, similarity and distance, by inverse and densities."""
    at = BACKGROUND.index(entry.condition)
    within = BACKGROUND.within[at].astype(np.float64)
    shrunk = (PRIOR_SAMPLES * within + entry.scatter) / (PRIOR_SAMPLES + entry.count - 1)
    predictive = shrunk * (1 + 1 / entry.count)
    difference = vector.astype(np.float64) - entry.mean
    distance = float(difference @ np.linalg.inv(predictive) @ difference)
    made = float(multivariate_normal(entry.mean.astype(np.float64), predictive).logpdf(vector))
    total = BACKGROUND.total[at].astype(np.float64)
    anything = multivariate_normal(BACKGROUND.total_mean[at].astype(np.float64), total)
    ratio = made - float(anything.logpdf(vector))
    return made, distance <= entry.distance_threshold, ratio, distance


def test_matches_are_those_of_a_slow_loop() -> None:
    """Per image only its own conditions; per model the likeliest; accepted first, then similar."""
    means = [entry.mean for one in MODELS for entry in one.statistics]
    noise = np.random.default_rng(8).normal(0, 1, (9, DIMENSION))
    vectors = np.stack([means[i % len(means)] for i in range(9)]) + noise.astype(np.float32)
    conditions = [*[BOTH] * 3, *[BOTH[:1]] * 3, *[BOTH[1:]] * 3]
    found = Matcher(BACKGROUND, snapshot(*MODELS)).match(vectors, conditions)
    assert len(found) == len(vectors)
    met = set()
    for vector, names, matches in zip(vectors, conditions, found, strict=True):
        expected: list[tuple[bool, float, float, str, str]] = []
        for one in MODELS:
            tried = []
            for condition, own in product(names, one.statistics):
                if own.condition == condition:
                    made, accepted, ratio, distance = expected_match(vector, own)
                    prior = HALVED_PENALTY if condition == "half" else 0.0
                    tried.append((made - prior, accepted, ratio, distance, condition, one.name))
            if tried:
                expected.append(max(tried)[1:])
        expected.sort(reverse=True)
        assert [(m.accepted, m.condition, m.model.name) for m in matches] == [
            (accepted, condition, name) for accepted, _, _, condition, name in expected
        ]
        for match, (_, ratio, distance, _, _) in zip(matches, expected, strict=True):
            assert match.similarity == pytest.approx(ratio, rel=1e-7)
            assert match.distance == pytest.approx(distance, rel=1e-7)
        met |= {(m.accepted, m.condition) for m in matches}
    assert len(met) == 4, f"the example must show all kinds of matches, not {met} alone"


def found_for(vector: NDArray[np.float32], *models: ModelFingerprint) -> tuple[Match, ...]:
    return Matcher(BACKGROUND, snapshot(*models)).match(vector[None], [BOTH])[0]


def test_an_accepted_model_ranks_before_a_more_similar_one_that_does_not_accept() -> None:
    near = statistics("as_received", 1, 60, 0.0)
    far = replace(near, mean=near.mean + np.float32(0.3), distance_threshold=1e9)
    vector = near.mean + np.float32(0.01)
    matches = found_for(vector, model("near", near), model("far", far))
    assert [m.model.name for m in matches] == ["far", "near"]
    assert matches[0].similarity < matches[1].similarity


def test_the_likelier_condition_counts_even_where_only_the_other_accepts() -> None:
    """Else the condition with the widest threshold would decide."""
    clean = statistics("as_received", 1, 60, 0.0)
    halved = ConditionStatistics("half", 60, clean.mean + np.float32(0.3), clean.scatter, 1e9, 60)
    (match,) = found_for(clean.mean + np.float32(0.01), model("both", clean, halved))
    assert match.condition == "as_received"
    assert not match.accepted


def test_halving_must_explain_an_image_better_by_the_stated_nats() -> None:
    clean = statistics("as_received", 1, 60, 9.0)
    halved = ConditionStatistics("half", 60, clean.mean + np.float32(20), clean.scatter, 9.0, 60)
    both = model("both", clean, halved)
    chosen = set()
    for share in np.linspace(0, 1, 101, dtype=np.float32):
        vector = clean.mean + share * (halved.mean - clean.mean)
        lead = expected_match(vector, halved)[0] - expected_match(vector, clean)[0]
        (match,) = found_for(vector, both)
        assert match.condition == ("half" if lead > HALVED_PENALTY else "as_received")
        chosen.add(match.condition)
    assert chosen == set(BOTH)


def test_a_match_carries_the_threshold_it_was_compared_with() -> None:
    entry = statistics("half", 9, 33, 12.5)
    (match,) = found_for(entry.mean, model("one", entry))
    assert (match.distance_threshold, match.threshold_count) == (12.5, 33)
    assert match.distance == pytest.approx(0.0, abs=1e-6)
    assert match.accepted


def test_a_distance_equal_to_the_threshold_is_inside() -> None:
    entry = statistics("as_received", 9, 60, 5.0)
    vector = entry.mean + np.float32(1)
    (match,) = found_for(vector, model("one", entry))
    exact = replace(entry, distance_threshold=match.distance)
    (again,) = found_for(vector, model("one", exact))
    assert again.accepted


def test_without_models_there_are_no_matches() -> None:
    matcher = Matcher(BACKGROUND, Snapshot.empty(SPACE))
    assert matcher.match(np.zeros((2, DIMENSION), np.float32), [BOTH, BOTH]) == [(), ()]
    assert matcher.match(np.zeros((0, DIMENSION), np.float32), []) == []


def test_what_is_matched_does_not_depend_on_the_neighbours_in_the_batch() -> None:
    vectors = np.random.default_rng(10).normal(0, 4, (6, DIMENSION)).astype(np.float32)
    conditions = [BOTH, BOTH[:1], BOTH[1:], BOTH, BOTH[1:], BOTH]
    matcher = Matcher(BACKGROUND, snapshot(*MODELS))
    together = matcher.match(vectors, conditions)
    for i in range(len(vectors)):
        (alone,) = matcher.match(vectors[i][None], [conditions[i]])
        assert [m.model.name for m in alone] == [m.model.name for m in together[i]]
        np.testing.assert_allclose(
            [m.similarity for m in alone], [m.similarity for m in together[i]], rtol=1e-12
        )


def test_a_snapshot_of_another_space_is_refused() -> None:
    with pytest.raises(AssertionError, match="another fingerprint space"):
        Matcher(BACKGROUND, Snapshot.empty("d4" * 32))
