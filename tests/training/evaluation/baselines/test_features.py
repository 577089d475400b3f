"""The numbers of the baselines against slow, obvious loops, and what they rise with."""

from pathlib import Path

import numpy as np
import pytest
import torch

from training.data.manifest import Manifest
from training.evaluation.baselines import network
from training.evaluation.baselines.cell import Learned, halves
from training.evaluation.baselines.dct_ridge import learn_dct_ridge, log_dct
from training.evaluation.baselines.harmonics import cross_difference, harmonics, learn_harmonics
from training.evaluation.baselines.naming import answers_of, threshold_of
from training.evaluation.baselines.network import learn_network
from training.evaluation.baselines.prnu import learn_prnu
from training.evaluation.subjects import Subject
from training.paper.networks.attribution_file import export_attribution
from training.paper.networks.attribution_network import AttributionNetwork
from worker.errors import StopError


def marked(count: int, mark: int, seed: int, side: int = 64) -> np.ndarray:
    """Grey noise with a pattern that only this mark has, and none for 0: (count, 3, side, side).

    One that repeats every eight pixels, and one that does not repeat.
    """
    own = np.random.default_rng([mark])
    pattern = 10 * own.normal(size=(side, side))
    pattern += 14 * np.tile(own.normal(size=(8, 8)), (side // 8, side // 8))
    rng = np.random.default_rng([mark, seed])
    grey = rng.normal(120, 12, (count, 1, side, side)) + (pattern if mark else 0)
    return np.repeat(grey.clip(0, 255).astype(np.uint8), 3, axis=1)


def new_network(weights: Path) -> Path:
    """A file of the paper's network that has learned nothing, in the place of a trained one."""
    torch.manual_seed(0)
    export_attribution(weights, AttributionNetwork(network.SIDE, 2), ("real", "a"), {})
    return weights


@pytest.fixture(scope="module")
def learned() -> Learned:
    samples = np.concatenate([marked(12, 1, 1), marked(12, 2, 2)])
    return Learned(samples, np.repeat([0, 1], 12), marked(24, 0, 3))


@pytest.mark.parametrize("learn", [learn_prnu, learn_dct_ridge, learn_harmonics])
def test_a_generators_score_is_the_highest_for_its_pictures_and_higher_than_for_photographs(
    learned: Learned, learn: object
) -> None:
    assert callable(learn)
    score = learn(learned)
    first, second, real = (score(marked(6, mark, 4)) for mark in (1, 2, 0))
    assert (first.argmax(1) == 0).all()
    assert (second.argmax(1) == 1).all()
    assert min(first.max(1).min(), second.max(1).min()) > real.max()


def test_the_networks_score_is_the_distance_to_the_mean_of_its_features(
    learned: Learned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = new_network(tmp_path / "network.safetensors")
    monkeypatch.setattr(network, "network_file", lambda: weights)
    few = Learned(learned.samples[[0, 0, 12, 12]], np.array([0, 0, 1, 1]), learned.photographs[:1])
    score = learn_network(few)
    found = score(few.samples[[0, 2]])
    assert np.abs(np.diag(found)).max() < 1e-3  # at no distance of its own mean
    assert (found.argmax(1) == [0, 1]).all()
    larger = np.zeros((1, 3, 128, 128), np.uint8)
    larger[0, :, 32:96, 32:96] = few.samples[0]
    assert score(larger)[0] == pytest.approx(found[0], abs=1e-2)  # the middle is read


def test_the_network_has_to_be_trained_on_this_machine_first(
    learned: Learned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "load_manifest", lambda: Manifest(tmp_path, ()))
    monkeypatch.setenv("LATENTPRINT_CACHE", str(tmp_path))
    with pytest.raises(StopError, match="train reproduce --study attribution` trains it"):
        learn_network(learned)


def test_the_dct_is_averaged_over_tiles_and_a_small_picture_is_one_tile() -> None:
    rng = np.random.default_rng(1)
    pictures = rng.integers(0, 256, (1, 3, 130, 130)).astype(np.uint8)
    tiles = [pictures[:, :, y : y + 64, x : x + 64] for y in (0, 64) for x in (0, 64)]
    expected = np.mean([_slow_log_dct(tile) for tile in tiles], axis=0)
    assert log_dct(pictures) == pytest.approx(expected, abs=1e-2)
    small = pictures[:, :, :32, :32]
    assert log_dct(small) == pytest.approx(_slow_log_dct(small), abs=1e-2)


def _slow_log_dct(tiles: np.ndarray) -> np.ndarray:
    """By the matrix of the DCT-II: (N, 3·T·T)."""
    side = tiles.shape[-1]
    k, n = np.mgrid[:side, :side]
    basis = np.sqrt(2 / side) * np.cos(np.pi * (2 * n + 1) * k / (2 * side))
    basis[0] /= np.sqrt(2)
    spectra = basis @ tiles.astype(np.float64) @ basis.T
    found: np.ndarray = np.log(np.abs(spectra) + 1e-3).reshape(len(tiles), -1)
    return found


def test_the_cross_difference_is_that_of_a_loop() -> None:
    picture = np.random.default_rng(2).integers(0, 256, (1, 3, 5, 5)).astype(np.uint8)
    found = cross_difference(picture)
    x = picture.astype(int)
    for i in range(4):
        for j in range(4):
            expected = abs(
                x[0, :, i, j] + x[0, :, i + 1, j + 1] - x[0, :, i, j + 1] - x[0, :, i + 1, j]
            )
            assert (found[0, :, i, j] == expected).all()


def test_what_repeats_every_eight_pixels_stands_out_at_harmonics_and_noise_does_not() -> None:
    rng = np.random.default_rng(3)
    noise = rng.normal(120, 6, (1, 3, 64, 64))
    lattice = noise.copy()
    lattice[..., ::8, ::8] += 60
    pictures = np.concatenate([noise, lattice]).clip(0, 255).astype(np.uint8)
    plain, repeated = harmonics(pictures)
    assert len(plain) == 3 * 33  # of the 63 places but the mean those that a real array tells apart
    first = np.arange(3) * 33  # one cycle in eight pixels across, in each colour
    assert repeated[first].min() > plain.max() + 1
    assert repeated.mean() > plain.mean() + 1
    times = harmonics((pictures // 2).astype(np.uint8))[1]
    assert times == pytest.approx(repeated, abs=0.5)  # contrast says nothing


def test_a_threshold_is_passed_by_no_more_photographs_than_the_level() -> None:
    scores = np.random.default_rng(4).normal(size=(200, 3)).astype(np.float32)
    for level in (0.01, 0.05):
        passed = (scores.max(1) > threshold_of(scores, level)).sum()
        assert passed <= 200 * level
        assert passed >= 200 * level - 1
    few = scores[:20]
    assert threshold_of(few, 0.01) == few.max()  # below one photograph nothing can be told


def test_a_picture_is_named_above_the_threshold_alone_and_has_its_nearest_in_any_case() -> None:
    generators = [
        Subject("generator", name, "gan", "noise", 64, lambda: iter(()), "")
        for name in ("red", "blue")
    ]
    scores = np.array([[0.2, 0.9], [0.5, 0.1]], np.float32)
    named, unnamed = answers_of(scores, 0.5, generators)
    assert (named.outcome, named.model) == ("attributed", "blue 64")
    assert (unnamed.outcome, unnamed.model) == ("no_evidence", None)
    assert [one.candidates[0].model for one in (named, unnamed)] == ["blue 64", "red 64"]


def test_sources_are_halved_whole_and_about_equally() -> None:
    counts = [60, 60, 31, 20, 5, 5, 1]
    learned_from = halves(counts)
    assert abs(int(np.array(counts) @ np.where(learned_from, 1, -1))) <= 10
    assert halves([3, 3]).tolist() == [True, False]
