"""The map of a codec: whitened on both sides, and blind to what it must not depend on."""

import numpy as np
import pytest

from training.open_set.fit import FitRecipe, Fitted, Pictures, Standard, fit, leading

F, D = 50, 20
RECIPE = FitRecipe(clip=100.0, dimension=D, shrinkage=0.0)
Sides = tuple[Pictures, Pictures]


@pytest.fixture(scope="module")
def sides() -> Sides:
    """Photographs of 6 sources of very unequal size, and images of 9 generators."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(F, F))
    sources = np.repeat(np.arange(6), [900, 300, 300, 60, 60, 60])
    real = rng.normal(size=(len(sources), F)) @ mixing + rng.normal(0, 2, (6, F))[sources]
    generators = np.repeat(np.arange(9), 120)
    made = (
        rng.normal(size=(len(generators), F)) @ (mixing * 0.7)
        + rng.normal(0, 4, (9, F))[generators]
    )
    return Pictures(real, sources), Pictures(made, generators)


def along(sides: Sides) -> tuple[Sides, Fitted]:
    """Both sides along the leading directions, and what is fitted there."""
    standard = Standard.of(*sides, RECIPE.clip)
    rows = [standard(side.features) for side in sides]
    basis = leading([(rows[0], rows[1])], D)
    real, made = (
        Pictures(own @ basis, side.classes) for own, side in zip(rows, sides, strict=True)
    )
    return (real, made), fit(real, made, RECIPE)


def test_both_covariances_are_diagonal_and_their_mean_is_one(sides: Sides) -> None:
    (real, made), fitted = along(sides)
    vectors = made.features @ fitted.projection + fitted.offset
    within = np.mean([np.cov(vectors[made.classes == g].T) for g in range(9)], 0)
    assert np.allclose(within, np.diag(2 - fitted.real_variance), atol=0.02)
    photographs = real.features @ fitted.projection + fitted.offset
    means = np.stack([photographs[real.classes == s].mean(0) for s in range(6)])
    own = np.mean([np.cov(photographs[real.classes == s].T) for s in range(6)], 0)
    assert np.allclose(own + np.cov(means.T, bias=True), np.diag(fitted.real_variance), atol=0.02)
    assert np.allclose(means.mean(0), 0, atol=1e-3)
    assert np.allclose(fitted.generators[3], vectors[made.classes == 3].mean(0), atol=1e-3)


def test_a_source_weighs_the_same_however_many_photographs_it_has(sides: Sides) -> None:
    real, made = sides
    first = real.features[real.classes == 0]
    again = Pictures(
        np.concatenate([real.features, first]),
        np.concatenate([real.classes, np.zeros(len(first), int)]),
    )
    once, twice = Standard.of(real, made, 3.0), Standard.of(again, made, 3.0)
    assert np.allclose(once.mean, twice.mean, atol=1e-4)
    assert np.allclose(once.scale, twice.scale, rtol=1e-4)


def test_one_odd_number_moves_a_picture_by_no_more_than_the_clip_allows(sides: Sides) -> None:
    standard = Standard.of(*sides, 3.0)
    odd, odder = standard.mean[None].copy(), standard.mean[None].copy()
    odd[0, 7] += 10 * standard.scale[7]
    odder[0, 7] += 1e6 * standard.scale[7]
    assert np.allclose(standard(odd), standard(odder))
    assert np.abs(standard(odd)).max() == pytest.approx(3.0)


def test_leading_directions_are_orthonormal_and_hold_the_most(sides: Sides) -> None:
    standard = Standard.of(*sides, 100.0)
    rows = [standard(side.features) for side in sides]
    basis = leading([(rows[0], rows[1])], D)
    assert np.allclose(basis.T @ basis, np.eye(D), atol=1e-4)
    other = np.linalg.qr(np.random.default_rng(1).normal(size=(F, D)))[0]
    assert sum((own @ basis).var() for own in rows) > sum((own @ other).var() for own in rows)
