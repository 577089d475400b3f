"""The Frechet distance, its ratio, and the features that stand in for Inception's."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from training.paper.studies.frechet import fd_ratio, frechet_distance
from training.paper.studies.reference_features import SIZE, reference_features


def drawn(count: int, seed: int, shift: float = 0.0, spread: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mix = rng.standard_normal((6, 6))
    return (spread * rng.standard_normal((count, 6)) @ mix + shift).astype(np.float32)


def test_the_distance_is_the_one_of_the_formula_with_a_matrix_root() -> None:
    a, b = drawn(50, 0), drawn(40, 1, shift=2, spread=0.5)
    c1, c2 = np.cov(a.T.astype(float)), np.cov(b.T.astype(float))
    gap = a.mean(0).astype(float) - b.mean(0)
    expected = gap @ gap + np.trace(c1 + c2 - 2 * np.real(sqrtm(c1 @ c2)))
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-5)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-5)


def test_equal_sets_lie_at_zero_and_a_shift_adds_its_square() -> None:
    a = drawn(30, 0)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-4)
    assert frechet_distance(a, a + 3) == pytest.approx(6 * 9, rel=1e-3)


def test_fewer_samples_than_features_are_no_obstacle() -> None:
    a = np.random.default_rng(0).standard_normal((10, 100)).astype(np.float32)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(a[:5], a[5:]) > 1


def test_the_ratio_is_about_one_for_classes_that_do_not_differ_and_grows_as_they_part() -> None:
    rng = np.random.default_rng(0)
    features = rng.standard_normal((600, 4)).astype(np.float32)
    labels = np.repeat(np.arange(3), 200)
    alike = fd_ratio(features, labels)
    apart = fd_ratio(features + 5 * labels[:, None].astype(np.float32), labels)
    assert 0.2 < alike < 2
    assert apart > 100 * alike


def test_the_reference_features_are_the_same_on_every_call_and_see_the_picture() -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 3, 64, 64), dtype=np.uint8)
    images[2:] = images[2:] // 8  # two dark ones
    first, again = reference_features(images), reference_features(images)
    assert first.shape == (4, SIZE)
    np.testing.assert_array_equal(first, again)
    within = np.linalg.norm(first[0] - first[1])
    between = np.linalg.norm(first[0] - first[2])
    assert between > 2 * within
