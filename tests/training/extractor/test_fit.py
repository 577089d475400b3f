"""The map is a linear discriminant analysis, checked against an explicit one; the score learns."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.linalg import subspace_angles
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from training.extractor.fit import FitRecipe, fit_projection, fit_score, scatter_matrices
from worker.extractor.networks import FingerprintNetwork, NetworkSizes

SIZES = NetworkSizes(crop_size=8, residual_width=4, residual_features=5, dimension=3)
CLASSES, PER_CLASS = 5, 200
PLAIN = FitRecipe(shrinkage=0.0)


def toy(seed: int = 1) -> tuple[torch.Tensor, NDArray[np.int64]]:
    """Raw features (N, F) of five sources that differ in a few of the directions; labels (N,)."""
    numbers = np.random.default_rng(seed)
    size = _features()
    centres = np.zeros((CLASSES, size))
    centres[:, :4] = numbers.normal(0, 3, (CLASSES, 4))
    mixing = np.eye(size) + numbers.normal(0, 0.02, (size, size))
    label = np.repeat(np.arange(CLASSES), PER_CLASS)
    rows = (centres[label] + numbers.normal(size=(len(label), size))) @ mixing
    return torch.from_numpy(rows * numbers.uniform(0.5, 20, size) + 7).float(), label


def _features() -> int:
    return len(FingerprintNetwork(SIZES).feature_mean)


def fitted(
    features: torch.Tensor,
    label: NDArray[np.int64],
    recipe: FitRecipe = PLAIN,
    codec: tuple[str, ...] | None = None,
) -> FingerprintNetwork:
    """The first two sources are real."""
    torch.manual_seed(0)
    network = FingerprintNetwork(SIZES).requires_grad_(False)
    codec = codec or ("as_received",) * len(label)
    fit_projection(network, features, label, codec, label < 2, recipe)
    return network


def test_scatter_matrices_are_those_of_a_loop() -> None:
    numbers = np.random.default_rng(2)
    rows, label = numbers.normal(size=(30, 4)), np.repeat([0, 1, 2], [5, 10, 15])
    means, within = [], np.zeros((4, 4))
    for source in range(3):
        own = [row for row, name in zip(rows, label, strict=True) if name == source]
        mean = sum(own) / len(own)
        means.append(mean)
        scatter = np.zeros((4, 4))
        for row in own:
            scatter += np.outer(row - mean, row - mean)
        within += scatter / (len(own) - 1) / 3
    grand = sum(means) / 3
    between = np.zeros((4, 4))
    for mean in means:
        between += np.outer(mean - grand, mean - grand) / 3
    found_within, found_between = scatter_matrices(rows, label)
    np.testing.assert_allclose(found_within, within)
    np.testing.assert_allclose(found_between, between, atol=1e-12)


def test_fingerprints_of_one_source_have_the_identity_as_covariance() -> None:
    features, label = toy()
    vectors = fitted(features, label).fingerprint(features).double().numpy()
    real, _ = scatter_matrices(vectors[label < 2], label[label < 2])
    made, _ = scatter_matrices(vectors[label >= 2], label[label >= 2])
    np.testing.assert_allclose((real + made) / 2, np.eye(SIZES.dimension), atol=1e-3)


def test_the_map_spans_what_sklearns_discriminants_span() -> None:
    """With every source weighing the same, as here when real and made weigh by their number."""
    features, label = toy()
    recipe = FitRecipe(shrinkage=0.0, real_share=2 / CLASSES)
    ours = fitted(features, label, recipe).fingerprint(features).numpy()
    analysis = LinearDiscriminantAnalysis(solver="eigen", n_components=SIZES.dimension)
    theirs = analysis.fit_transform(features.double().numpy(), label)
    angles = subspace_angles(ours - ours.mean(0), theirs - theirs.mean(0))
    assert np.rad2deg(angles).max() < 0.5


def test_directions_come_in_the_order_of_what_they_separate() -> None:
    features, label = toy()
    vectors = fitted(features, label).fingerprint(features).numpy()
    means = np.stack([vectors[label == source].mean(0) for source in range(CLASSES)])
    spread = means.var(0)
    assert list(spread) == sorted(spread, reverse=True)


def test_shrinkage_mixes_in_the_mean_variance() -> None:
    """By an explicit solution: directions diagonalise both covariances, and whiten the mixture."""
    features, label = toy()
    recipe = FitRecipe(shrinkage=0.4)
    network = fitted(features, label, recipe)
    rows = features.double().numpy()
    standard = (rows - rows.mean(0)) / (rows.std(0) + 1e-6)
    standard -= np.mean([standard[label == s].mean(0) for s in range(CLASSES)], axis=0)
    real, _ = scatter_matrices(standard[label < 2], label[label < 2])
    made, _ = scatter_matrices(standard[label >= 2], label[label >= 2])
    within = (real + made) / 2
    mixed = 0.6 * within + 0.4 * np.trace(within) / len(within) * np.eye(len(within))
    _, between = scatter_matrices(standard, label)
    projection = network.projection.double().numpy()
    np.testing.assert_allclose(projection @ mixed @ projection.T, np.eye(3), atol=1e-4)
    values = np.linalg.eigvals(np.linalg.solve(mixed, between)).real
    found = np.diag(projection @ between @ projection.T)
    np.testing.assert_allclose(found, np.sort(values)[::-1][:3], rtol=1e-3)


def test_a_codec_that_one_source_often_has_does_not_come_to_mean_that_source() -> None:
    """JPEG moves feature 6 by far; nearly all images of source 3 are JPEG, few of the others."""
    features, label = toy()
    number = np.arange(len(label))
    is_jpeg = np.where(label == 3, number % 50 != 0, number % 50 == 0)
    moved = features.clone()
    moved[is_jpeg, 6] += 10 * features[:, 6].std()
    codec = tuple("jpeg75" if jpeg else "as_received" for jpeg in is_jpeg)
    told, untold = fitted(moved, label, codec=codec), fitted(moved, label)

    def pull(network: FingerprintNetwork) -> float:
        """How far, in within-source deviations, the codec alone moves a fingerprint."""
        shift = 10 * features[:, 6].std() / network.feature_scale[6]
        return float((network.projection[:, 6] * shift).abs().max())

    assert pull(untold) > 2
    assert pull(told) < pull(untold) / 4


def test_the_score_learns_to_tell_real_from_made() -> None:
    numbers = np.random.default_rng(3)
    real = np.arange(400) < 300
    vectors = numbers.normal(0, 1, (400, 3)) + np.where(real, 0.0, 6.0)[:, None]
    weight = np.where(real, 1 / 300, 1 / 100)
    network = FingerprintNetwork(SIZES)
    recipe = FitRecipe(head_steps=60, head_batch=64, head_learning_rate=1e-2)
    given = torch.from_numpy(vectors).float()
    loss = fit_score(network, given, real, weight, recipe)
    scores = network.score(given).detach().numpy()
    assert scores[real].max() < scores[~real].max()
    assert ((scores > 0) == ~real).mean() > 0.98
    assert 0 < loss < 0.6
    again = FingerprintNetwork(SIZES)
    assert fit_score(again, given, real, weight, recipe) == pytest.approx(loss, rel=1e-4)
