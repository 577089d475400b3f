"""The map of a condition: whitened on both sides, and blind to what it must not depend on."""

import numpy as np
import pytest

from training.open_set.fit import FitRecipe, fit

F, D = 50, 20
RECIPE = FitRecipe(clip=100.0, dimension=D, shrinkage=0.0)


@pytest.fixture(scope="module")
def sides() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
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
    return real, sources, made, generators


def test_both_covariances_are_diagonal_and_their_mean_is_one(sides) -> None:  # type: ignore[no-untyped-def]
    real, sources, made, generators = sides
    to_fingerprint, space = fit(real, sources, made, generators, RECIPE)
    vectors = to_fingerprint(made)
    within = np.mean([np.cov(vectors[generators == g].T) for g in range(9)], 0)
    assert np.allclose(within, np.diag(space.made_variance), atol=0.02)
    photographs = to_fingerprint(real)
    means = np.stack([photographs[sources == s].mean(0) for s in range(6)])
    own = np.mean([np.cov(photographs[sources == s].T) for s in range(6)], 0)
    assert np.allclose(own + np.cov(means.T, bias=True), np.diag(space.real_variance), atol=0.02)
    assert np.allclose(means.mean(0), 0, atol=1e-3)
    assert np.allclose(space.background[3], vectors[generators == 3].mean(0), atol=1e-3)


def test_a_source_weighs_the_same_however_many_photographs_it_has(sides) -> None:  # type: ignore[no-untyped-def]
    real, sources, made, generators = sides
    again = np.concatenate([real, real[sources == 0]])
    labels = np.concatenate([sources, np.zeros((sources == 0).sum(), int)])
    once, _ = fit(real, sources, made, generators, RECIPE)
    twice, _ = fit(again, labels, made, generators, RECIPE)
    assert np.allclose(once.mean, twice.mean, atol=1e-4)
    assert np.allclose(once.scale, twice.scale, rtol=1e-4)


def test_one_odd_number_moves_a_fingerprint_by_no_more_than_the_clip_allows(sides) -> None:  # type: ignore[no-untyped-def]
    real, sources, made, generators = sides
    to_fingerprint, _ = fit(real, sources, made, generators, FitRecipe(clip=3.0, dimension=D))
    plain = to_fingerprint.mean[None].copy()
    odd, odder = plain.copy(), plain.copy()
    odd[0, 7] += 10 * to_fingerprint.scale[7]
    odder[0, 7] += 1e6 * to_fingerprint.scale[7]
    assert np.allclose(to_fingerprint(odd), to_fingerprint(odder))
    assert not np.allclose(to_fingerprint(odd), to_fingerprint(plain))
