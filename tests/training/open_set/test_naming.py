"""Names first: scores against real, and between models, on made-up spaces with known answers."""

import numpy as np
import pytest

from training.open_set import naming
from training.open_set.naming import NamingSpace

D, G = 60, 80


def space(seed: int = 0) -> NamingSpace:
    rng = np.random.default_rng(seed)
    variance = rng.uniform(0.3, 1.7, D).astype(np.float32)
    return NamingSpace(variance, rng.normal(0, 1, (G, D)).astype(np.float32))


def photographs(of: NamingSpace, count: int, seed: int = 1) -> naming.Floats:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(count, D)) * np.sqrt(of.real_variance)).astype(np.float32)


def images(of: NamingSpace, mean: naming.Floats, count: int, seed: int = 2) -> naming.Floats:
    rng = np.random.default_rng(seed)
    return (mean + rng.normal(size=(count, D)) * np.sqrt(of.made_variance)).astype(np.float32)


def test_photographs_score_with_deviation_one_against_any_model() -> None:
    known = space()
    means = np.random.default_rng(3).normal(0, 2, (5, D)).astype(np.float32)
    scores = photographs(known, 20_000) @ naming.directions(known, means).T
    assert np.allclose(scores.std(0), 1.0, atol=0.03)


def test_the_direction_is_fishers() -> None:
    """No other direction parts a model from photographs further, in mean variances of the two."""
    known = space()
    mean = np.random.default_rng(4).normal(0, 1, D)
    covariance = np.diag(known.real_variance + known.made_variance) / 2
    fisher = np.linalg.solve(covariance, mean)
    ours = naming.directions(known, mean[None].astype(np.float32))[0]
    assert np.allclose(fisher / np.linalg.norm(fisher), ours / np.linalg.norm(ours), atol=1e-5)


def test_an_image_is_nearest_to_its_own_model_and_far_above_photographs() -> None:
    known = space()
    means = np.random.default_rng(5).normal(0, 1, (4, D)).astype(np.float32)
    made = images(known, means[2], 200)
    counts = np.full(4, 50)
    assert (naming.log_likelihoods(known, made, means, counts).argmax(1) == 2).all()
    real = naming.real_scores(known, photographs(known, 1000), means).max(1)
    own = naming.real_scores(known, made, means).max(1)
    assert np.quantile(own, 0.05) > np.quantile(real, 0.995)


def test_what_many_background_generators_explain_counts_for_less() -> None:
    known = space()
    odd = known.background[:10].mean(0, keepdims=True) * 8
    usual = naming.impostor_level(known, photographs(known, 1000))
    assert naming.impostor_level(known, odd)[0] > 2 * usual.max()
    assert abs(naming.impostor_level(known, np.zeros((1, D), np.float32))[0]) < 1e-6


def test_left_out_samples_lie_as_far_as_new_images_do() -> None:
    known = space()
    mean = np.zeros(D, np.float32)
    samples, new = images(known, mean, 400, seed=6), images(known, mean, 4000, seed=7)
    left_out = naming.leave_one_out_distances(known, samples)
    beyond = naming.squared_distances(known, new, samples.mean(0)[None], np.array([400]))[:, 0]
    assert left_out.mean() == pytest.approx(beyond.mean(), rel=0.03)
    one = np.delete(samples, 17, axis=0).mean(0)[None]
    really = naming.squared_distances(known, samples[17:18], one, np.array([399]))[0, 0]
    assert left_out[17] == pytest.approx(really, rel=1e-4)


def test_an_outlier_wins_no_argument_by_being_far_from_everything() -> None:
    """Under Student's t the gap between two models does not grow with the distance."""
    known = space()
    means = np.stack([np.full(D, 0.5), np.full(D, -0.5)]).astype(np.float32)
    near = np.full((1, D), 1.0, np.float32)
    gap = [
        float(np.subtract(*naming.log_likelihoods(known, far, means, np.array([50, 50]))[0]))
        for far in (near, near * 100)
    ]
    assert gap[1] < gap[0]


def test_statistics_that_cannot_be_are_refused() -> None:
    background = np.zeros((3, 4), np.float32)
    with pytest.raises(ValueError, match="between 0 and 2"):
        NamingSpace(np.array([0.5, 1.0, 2.0, 1.0], np.float32), background)
    with pytest.raises(ValueError, match=r"shape \(5,\)"):
        NamingSpace(np.ones(5, np.float32), background)


def test_generators_that_nobody_registered_score_above_photographs() -> None:
    rng = np.random.default_rng(8)
    variance = rng.uniform(0.3, 1.7, D).astype(np.float32)
    common = rng.normal(0, 0.6, D)
    means = (common + rng.normal(0, 0.5, (G + 1, D))).astype(np.float32)
    known = NamingSpace(variance, means[:G])
    direction = naming.synthesis_direction(known)
    real = photographs(known, 4000) @ direction
    assert real.std() == pytest.approx(1.0, abs=0.05)
    unseen = images(known, means[G], 500) @ direction
    assert (unseen > np.quantile(real, 0.995)).mean() > 0.8
