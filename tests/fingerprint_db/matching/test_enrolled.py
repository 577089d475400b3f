"""What the registry says as arrays is what a loop over images, models and conditions says."""

import math
from dataclasses import replace

import numpy as np
import pytest

from fingerprint_db.background import DecisionConstants, Floats
from fingerprint_db.matching.enrolled import Enrolled
from fingerprint_db.matching.levels import Levels
from fingerprint_db.matching.rows import scoring
from fingerprint_db.model_fingerprint import ConditionStatistics, ModelFingerprint
from tests.fingerprint_db.matching.small_spaces import (
    CONSTANTS,
    DIMENSION,
    entry,
    images,
    mean_of,
    model,
    models_at,
    photographs,
    small_space,
    squared_distances,
)

KNOWN = small_space()
OF_JPEG75 = ("jpeg75", "twice_jpeg75")  # full chroma is a codec of its own


def of_jpeg75(name: str, seed: int, *names: str, **status: str) -> ModelFingerprint:
    """A model with a mean of its own for each condition of jpeg75, and one for lossless."""
    entries = [
        entry(KNOWN, mean_of(10 * seed + i, 1.0), condition, count=20 + 9 * i, seed=seed)
        for i, condition in enumerate(["lossless", *names])
    ]
    shadow = status.get("status") == "shadow"
    return model(name, *entries, status="shadow" if shadow else "live")


MODELS = (
    of_jpeg75("both", 1, "jpeg75", "twice_jpeg75"),
    of_jpeg75("one", 2, "jpeg75"),
    of_jpeg75("watched", 3, "twice_jpeg75", "jpeg75", status="shadow"),
    of_jpeg75("clean-only", 4, "full_chroma_jpeg75"),
    of_jpeg75("other-way", 5, "twice_jpeg75", "jpeg75"),
)


def some_images() -> Floats:
    """Images of every model under every condition, and photographs."""
    means = [one.mean for m in MODELS for one in m.statistics]
    made = [images(KNOWN, mean, 3, seed) for seed, mean in enumerate(means)]
    return np.concatenate([*made, photographs(KNOWN, 12)])


def norm(mean: Floats) -> tuple[float, float]:
    """Centre and deviation of what the normalising photographs score for a mean, by a loop."""
    seen = KNOWN.cohort.vectors[KNOWN.cohort.normalises]
    scores = [sum(float(a) * float(b) for a, b in zip(v, mean, strict=True)) for v in seen]
    centre = sum(scores) / len(scores)
    return centre, math.sqrt(sum((s - centre) ** 2 for s in scores) / len(scores))


def slowly(
    vectors: Floats, constants: DecisionConstants
) -> list[dict[str, dict[str, float | str]]]:
    """For each image and model: the likeliest condition and what it says; one number at a time."""
    kept = [(m, [s for s in m.statistics if s.condition in OF_JPEG75]) for m in MODELS]
    entries = [s for _, own in kept for s in own]
    scatter = np.mean([s.variance for s in entries], axis=0)
    apart = (1 - constants.own_scatter) * KNOWN.made_variance + constants.own_scatter * scatter
    norms = {id(s): norm(s.mean) for s in entries}
    impostors = [(g, *norm(g)) for g in KNOWN.generators]

    def distance(vector: Floats, s: ConditionStatistics, variance: Floats) -> float:
        squares = [
            (float(x) - float(m)) ** 2 / float(v)
            for x, m, v in zip(vector, s.mean, variance, strict=True)
        ]
        return sum(squares) / (1 + 1 / s.count)

    found = []
    for vector in vectors:
        best = sorted((float(vector @ g) - c) / d for g, c, d in impostors)[-constants.impostors :]
        level = constants.impostor_weight * sum(best) / len(best)
        of_models: dict[str, dict[str, float | str]] = {}
        for m, own in kept:
            for s in own:
                centre, deviation = norms[id(s)]
                near = distance(vector, s, KNOWN.made_variance)
                power = -0.5 * (scoring.DEGREES + DIMENSION)
                likelihood = power * math.log(1 + distance(vector, s, apart) / scoring.DEGREES)
                likelihood -= 0.5 * DIMENSION * math.log(1 + 1 / s.count)
                held = of_models.get(m.model_id)
                if held is None or likelihood > float(held["likelihood"]):
                    of_models[m.model_id] = {
                        "condition": s.condition,
                        "likelihood": likelihood,
                        "score": (float(vector @ s.mean) - centre) / deviation - level,
                        "distance": near,
                        "typical": float(near <= s.distance_limit),
                    }
        found.append(of_models)
    return found


@pytest.mark.parametrize("weight", [0.5, 0.0])
def test_matching_says_what_a_slow_loop_says(weight: float) -> None:
    vectors, constants = some_images(), replace(CONSTANTS, impostor_weight=weight)
    enrolled = Enrolled.of(KNOWN, constants, MODELS, "jpeg75")
    assert (enrolled.impostors.directions is None) == (weight == 0), "not computed for nothing"
    assert [m.model_id for m in enrolled.models] == ["both", "one", "watched", "other-way"]
    found = enrolled.match(vectors)
    met = set()
    for b, of_models in enumerate(slowly(vectors, constants)):
        for k, known in enumerate(enrolled.models):
            expected = of_models[known.model_id]
            condition = enrolled.condition(found.rows[b, k])
            assert condition == expected["condition"]
            assert known.under(condition) is not None
            assert found.likelihoods[b, k] == pytest.approx(expected["likelihood"], rel=1e-4)
            assert found.scores[b, k] == pytest.approx(expected["score"], abs=1e-3)
            assert found.distances[b, k] == pytest.approx(expected["distance"], rel=1e-3)
            assert float(found.typical[b, k]) == expected["typical"]
            met.add((condition, bool(found.typical[b, k])))
    assert len(met) == 4, f"the example must show typical and odd images of both: {met}"


def test_the_highest_score_is_the_maximum_over_live_models_that_the_image_is_typical_of() -> None:
    """Over all conditions of each, not only the likeliest: the same for photographs and queries."""
    vectors = some_images()
    enrolled = Enrolled.of(KNOWN, CONSTANTS, MODELS, "jpeg75")
    level = enrolled.impostors.level(vectors)
    expected = np.full((2, len(vectors)), -np.inf)
    for shadow in (0, 1):
        for m in MODELS:
            for s in m.statistics:
                if s.condition in OF_JPEG75 and (m.status == "shadow") == bool(shadow):
                    centre, deviation = norm(s.mean)
                    far = squared_distances(KNOWN, s.mean[None], np.array([s.count]), vectors)
                    near = far[:, 0] <= s.distance_limit
                    scores = (vectors @ s.mean - centre) / deviation - level
                    expected[shadow] = np.maximum(expected[shadow], np.where(near, scores, -np.inf))
    assert {False, True} == set(np.isfinite(expected[0]).tolist())
    np.testing.assert_allclose(enrolled.highest(vectors), expected[0], atol=1e-3)
    np.testing.assert_allclose(enrolled.highest(vectors, live=False), expected[1], atol=1e-3)
    np.testing.assert_allclose(enrolled.match(vectors).highest, expected[0], atol=1e-3)


def test_without_models_under_a_codec_nothing_is_scored() -> None:
    vectors = some_images()
    for enrolled in (
        Enrolled.of(KNOWN, CONSTANTS, (), "jpeg75"),
        Enrolled.of(KNOWN, CONSTANTS, MODELS, "webp80"),
    ):
        assert np.isneginf(enrolled.highest(vectors)).all()
        found = enrolled.match(vectors)
        assert found.scores.shape == found.rows.shape == (len(vectors), 0)
        assert np.isneginf(found.highest).all()


def test_impostors_may_be_given_so_that_they_are_computed_once() -> None:
    given = scoring.Impostors.of(KNOWN, CONSTANTS)
    enrolled = Enrolled.of(KNOWN, CONSTANTS, MODELS, "jpeg75", given)
    assert enrolled.impostors is given
    plain = Enrolled.of(KNOWN, CONSTANTS, MODELS, "jpeg75")
    vectors = some_images()
    np.testing.assert_array_equal(enrolled.match(vectors).scores, plain.match(vectors).scores)


def test_the_own_images_of_a_model_are_named_and_pass_the_level_and_photographs_do_not() -> None:
    """Also in a registry of a hundred: the maximum is calibrated, whatever the number of models."""
    for count in (1, 10, 100):
        means = {f"model-{i}": mean_of(i) for i in range(count)}
        enrolled = Enrolled.of(KNOWN, CONSTANTS, models_at(KNOWN, means, "jpeg75"), "jpeg75")
        level = Levels.of(KNOWN.cohort, enrolled.highest).by_size[3]
        found = enrolled.match(images(KNOWN, means["model-0"], 200))
        assert (found.likelihoods.argmax(1) == 0).all()
        assert found.typical[:, 0].mean() > 0.9
        assert np.mean([level.passes(float(s), 0.01, 0.1) for s in found.highest]) > 0.9
        real = enrolled.highest(photographs(KNOWN, 1000))
        assert np.mean([level.passes(float(s), 0.05, 1.0) for s in real]) <= 0.08
