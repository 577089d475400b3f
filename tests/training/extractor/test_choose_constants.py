"""The constants are chosen by what the matcher and the decision would do with them."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from fingerprint_db.background import DecisionConstants
from fingerprint_db.conditions import Condition
from fingerprint_db.enrolment import Samples, enrol
from fingerprint_db.model_fingerprint import ModelFingerprint
from fingerprint_db.snapshot import EMPTY_ROOT, Snapshot
from tests.fingerprint_db.spaces import DIMENSION, SPACE, covariance, registration, small_background
from training.extractor.choose_constants import (
    CHOOSE_ON,
    REPORT_ON,
    compare,
    load_constants,
    named,
)
from training.zoo.catalog import HELD_OUT
from worker.errors import StopError
from worker.judge.attribute import Matcher
from worker.judge.decide import Evidence, decide
from worker.judge.policy import load_policy

NAMES = tuple(Condition(scale, "jpeg75").name for scale in ("full", "half"))
PLACES = ([6.0, 0.0, 0.0, 0.0], [6.0, 2.5, 0.0, 0.0], [0.0, 6.0, 0.0, 3.0])
GENERATORS = tuple(np.array(place) for place in PLACES)


def drawn(mean: np.ndarray, count: int, seed: int, size: float) -> np.ndarray:
    numbers = np.random.default_rng(seed)
    rows = numbers.multivariate_normal(mean, covariance(1 + seed % 2, size), count)
    return rows.astype(np.float32)


@pytest.mark.parametrize(
    "constants",
    [
        DecisionConstants(15.0, 0.0, 0.005, 0.025),
        DecisionConstants(60.0, 0.3, 0.01, 0.1),
    ],
)
def test_an_image_is_named_as_the_matcher_and_the_decision_name_it(
    constants: DecisionConstants,
) -> None:
    background = replace(small_background(), conditions=NAMES, constants=constants)
    samples = [
        (drawn(mean, 40, 3 * i, 1.0), drawn(0.8 * mean, 40, 3 * i + 1, 2.0))
        for i, mean in enumerate(GENERATORS)
    ]
    models: list[ModelFingerprint] = []
    for i, of_one in enumerate(samples):
        p_values = dict.fromkeys(NAMES, np.full(40, 0.001))
        fewest = load_policy().minimum_samples_to_name
        found = enrol(
            Samples(dict(zip(NAMES, of_one, strict=True)), p_values),
            registration(f"model-{i}"),
            background,
            (),
            alpha=0.005,
        )
        assert found.model is not None, found.report.refusals
        models.append(replace(found.model, sample_count=fewest))
    vectors = np.concatenate(
        [
            drawn(scale * mean, 60, 90 + i, 2.0)
            for i, (mean, scale) in enumerate(product(GENERATORS, (1.0, 0.8)))
        ]
    )
    found_names = named(
        compare(samples, vectors, "jpeg75", background), constants, "jpeg75", DIMENSION
    )
    policy = load_policy()
    matches = Matcher(background, Snapshot(SPACE, 1, EMPTY_ROOT, tuple(models))).match(
        vectors, [NAMES] * len(vectors)
    )
    for image, ranked in enumerate(matches):
        decision = decide(Evidence(0.001, 1000, ranked), policy)
        expected = -1
        if decision.match is not None:
            expected = int(decision.match.model.model_id.removeprefix("model-"))
        assert found_names[image] == expected
    assert set(found_names) == {-1, 0, 1, 2}, "the example must show names and none"


def test_a_model_that_is_left_out_is_not_named() -> None:
    background = replace(small_background(), conditions=NAMES)
    samples = [
        (drawn(mean, 40, 3 * i, 1.0), drawn(mean, 40, 3 * i + 1, 1.0))
        for i, mean in enumerate(GENERATORS)
    ]
    compared = compare(samples, samples[0][0], "jpeg75", background)
    names = named(compared, background.constants, "jpeg75", DIMENSION)
    assert (names == 0).mean() > 0.5
    without = named(
        compared,
        background.constants,
        "jpeg75",
        DIMENSION,
        left_out=np.zeros(len(samples[0][0]), np.int64),
    )
    assert 0 not in without


def test_the_constants_were_chosen_on_nothing_that_is_reported() -> None:
    assert not set(CHOOSE_ON) & set(REPORT_ON)
    assert HELD_OUT not in {*CHOOSE_ON, *REPORT_ON}


def test_the_committed_choice_can_be_read_and_a_missing_one_names_the_command(
    tmp_path: Path,
) -> None:
    assert load_constants().prior_samples > 0
    with pytest.raises(StopError, match="latentprint train constants"):
        load_constants(tmp_path / "none.json")
