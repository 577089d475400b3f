"""The network's fixed parts equal naive loops, and an image's features are its own alone."""

import cmath
import math
from itertools import pairwise, product

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from worker.extractor.networks import (
    FingerprintNetwork,
    NetworkSizes,
    _high_pass,
    crop_cooccurrences,
    crop_power,
    to_ycbcr,
)

SIDE = 8
SIZES = NetworkSizes(crop_size=32, residual_width=4, residual_features=5, dimension=7)


def some_ycbcr(count: int = 2, seed: int = 1) -> Tensor:
    """(N, 3, 8, 8) float32 whole numbers, so that no loop differs by rounding."""
    numbers = np.random.default_rng(seed)
    return torch.from_numpy(numbers.integers(-4, 5, (count, 3, SIDE, SIDE)).astype(np.float32))


def some_crops(count: int, seed: int = 2) -> Tensor:
    """(N, 3, 32, 32) uint8 of smooth waves with noise."""
    numbers = np.random.default_rng(seed)
    slope = np.linspace(0, 40, 32) * numbers.uniform(0.2, 1, (count, 3, 1, 1))
    noise = numbers.normal(0, 6, (count, 3, 32, 32))
    return torch.from_numpy((100 + slope + noise).astype(np.uint8))


def fingerprints(
    network: FingerprintNetwork, crops: torch.Tensor, owner: torch.Tensor, images: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Fingerprints (B, D) and scores (B,) of crops of B images, by the worker's three steps."""
    vectors = network.fingerprint(network.pool(network.crop_features(crops), owner, images))
    return vectors, network.score(vectors)


def some_network() -> FingerprintNetwork:
    """A network with random weights, map and scales."""
    torch.manual_seed(3)
    network = FingerprintNetwork(SIZES).eval().requires_grad_(False)
    network.feature_mean.normal_()
    network.feature_scale.uniform_(0.5, 2.0)
    network.projection.normal_(0, 0.05)
    return network


# Colour -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rgb", "ycbcr"),
    [
        ((255, 255, 255), (255.0, 0.0, 0.0)),
        ((0, 0, 0), (0.0, 0.0, 0.0)),
        ((255, 0, 0), (76.245, -43.028, 127.5)),
        ((0, 255, 0), (149.685, -84.472, -106.765)),
        ((0, 0, 255), (29.07, 127.5, -20.735)),
    ],
)
def test_colours_become_those_of_jfif(
    rgb: tuple[int, int, int], ycbcr: tuple[float, float, float]
) -> None:
    crops = torch.tensor(rgb, dtype=torch.uint8).reshape(1, 3, 1, 1).expand(1, 3, 4, 4)
    assert to_ycbcr(crops)[0, :, 2, 1].tolist() == pytest.approx(ycbcr, abs=1e-2)


# Spectrum ---------------------------------------------------------------------------------------


def naive_power(channel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Windowed power (S/2+1, S/2+1) of (S, S) by the sum that defines the Fourier transform."""
    hann = [0.5 - 0.5 * math.cos(2 * math.pi * i / (SIDE - 1)) for i in range(SIDE)]
    window = np.array([[a * b for b in hann] for a in hann])
    window = window / math.sqrt((window**2).mean())
    windowed = (channel - channel.mean()) * window

    def power(vertical: int, horizontal: int) -> float:
        total = 0j
        for y, x in product(range(SIDE), range(SIDE)):
            angle = -2j * math.pi * (vertical * y + horizontal * x) / SIDE
            total += windowed[y, x] * cmath.exp(angle)
        return abs(total) ** 2 / SIDE**2

    half = SIDE // 2
    folded = np.empty((half + 1, half + 1))
    for vertical, horizontal in product(range(half + 1), range(half + 1)):
        both = power(vertical, horizontal), power(-vertical, horizontal)
        folded[vertical, horizontal] = sum(both) / 2
    return folded


def test_the_spectrum_is_a_naive_transform_folded_over_the_vertical_sign() -> None:
    ycbcr = some_ycbcr()
    found = crop_power(ycbcr)
    assert found.shape == (2, 3, SIDE // 2 + 1, SIDE // 2 + 1)
    for crop, channel in product(range(2), range(3)):
        expected = naive_power(ycbcr[crop, channel].double().numpy())
        np.testing.assert_allclose(found[crop, channel], expected, rtol=1e-4, atol=1e-4)


def test_the_spectrum_keeps_absolute_power_and_forgets_the_mean() -> None:
    ycbcr = some_ycbcr()
    np.testing.assert_allclose(crop_power(2 * ycbcr), 4 * crop_power(ycbcr), rtol=1e-4)
    np.testing.assert_allclose(crop_power(ycbcr + 50), crop_power(ycbcr), rtol=1e-3, atol=1e-3)


# Co-occurrences ---------------------------------------------------------------------------------

CANONICAL = sorted({min(t, (-t[0], -t[1], -t[2])) for t in product((-2, -1, 0, 1, 2), repeat=3)})


def naive_cooccurrences(channel: NDArray[np.float64], order: int) -> list[float]:
    """Frequencies of the 63 folded triples of a channel (S, S), both directions pooled."""
    counts = dict.fromkeys(CANONICAL, 0)
    for lines in (channel, channel.T):
        for line in lines:
            differences = [float(b - a) for a, b in pairwise(line)]
            if order == 2:
                pairs = pairwise(differences)
                differences = [(b - a) / 2 for a, b in pairs]
            symbols = [max(-2, min(2, round(value))) for value in differences]
            for a, b, c in zip(symbols, symbols[1:], symbols[2:], strict=False):
                counts[min((a, b, c), (-a, -b, -c))] += 1
    total = sum(counts.values())
    return [counts[triple] / total for triple in CANONICAL]


def test_cooccurrences_are_counted_as_a_loop_counts_them() -> None:
    ycbcr = some_ycbcr()
    found = crop_cooccurrences(ycbcr)
    assert len(CANONICAL) == 63
    assert found.shape == (2, 2 * 3 * 63)
    for crop in range(2):
        expected: list[float] = []
        for order, channel in product((1, 2), range(3)):
            expected += naive_cooccurrences(ycbcr[crop, channel].double().numpy(), order)
        np.testing.assert_allclose(found[crop], expected, atol=1e-6)


def test_a_picture_and_its_negative_have_the_same_cooccurrences() -> None:
    ycbcr = some_ycbcr()
    torch.testing.assert_close(crop_cooccurrences(-ycbcr), crop_cooccurrences(ycbcr))
    turned = ycbcr.transpose(-2, -1)
    torch.testing.assert_close(crop_cooccurrences(turned), crop_cooccurrences(ycbcr))


def test_each_block_of_cooccurrences_sums_to_one() -> None:
    sums = crop_cooccurrences(some_ycbcr()).reshape(2, 6, 63).sum(-1)
    torch.testing.assert_close(sums, torch.ones(2, 6))


# Residual ---------------------------------------------------------------------------------------


def test_the_high_passes_are_the_stated_differences() -> None:
    ycbcr = 3 * some_ycbcr(1)
    found = _high_pass(ycbcr)[0].reshape(3, 3, SIDE, SIDE)
    picture = ycbcr[0].numpy()
    padded = np.pad(picture, ((0, 0), (1, 1), (1, 1)), mode="reflect")
    for channel, y, x in product(range(3), range(SIDE), range(SIDE)):
        own = picture[channel, y, x]
        box = sum(padded[channel, y + dy, x + dx] for dy, dx in product(range(3), repeat=2)) / 9
        right, below = padded[channel, y + 1, x + 2], padded[channel, y + 2, x + 1]
        for kind, other in enumerate((box, right, below)):
            expected = max(-1.0, min(1.0, (own - other) / 16))
            assert float(found[kind, channel, y, x]) == pytest.approx(expected, abs=1e-5)


# Images -----------------------------------------------------------------------------------------


def test_pooling_a_batch_equals_pooling_image_by_image() -> None:
    network = some_network()
    parts = network.crop_features(some_crops(7))
    owner = torch.tensor([2, 0, 1, 0, 2, 2, 0])  # crops of an image need not lie together
    together = network.pool(parts, owner, 3)
    for image in range(3):
        own = tuple(part[owner == image] for part in parts)
        alone = network.pool(
            (own[0], own[1], own[2]), torch.zeros(len(own[0]), dtype=torch.int64), 1
        )
        torch.testing.assert_close(together[image], alone[0], rtol=1e-5, atol=1e-5)


def test_pooled_features_are_logs_and_roots_of_plain_averages() -> None:
    network = some_network()
    power, cooccurrence, residual = network.crop_features(some_crops(3))
    (row,) = network.pool((power, cooccurrence, residual), torch.zeros(3, dtype=torch.int64), 1)
    expected = [math.log(float(column.double().mean()) + 0.01) for column in power.T]
    expected += [30 * math.sqrt(float(column.double().mean())) for column in cooccurrence.T]
    expected += [float(column.double().mean()) for column in residual.T]
    np.testing.assert_allclose(row, expected, rtol=1e-4, atol=1e-4)


def test_the_batch_that_an_image_comes_in_does_not_change_its_fingerprint() -> None:
    network = some_network()
    crops = some_crops(9)
    owner = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 2])
    together, scores = fingerprints(network, crops, owner, 3)
    assert together.std() > 0.3, "a map that gives nearly the same for all shows nothing"
    for image in range(3):
        own = crops[owner == image]
        alone, score = fingerprints(network, own, torch.zeros(len(own), dtype=torch.int64), 1)
        torch.testing.assert_close(alone[0], together[image], rtol=0, atol=1e-3)
        torch.testing.assert_close(score[0], scores[image], rtol=0, atol=1e-3)


def test_the_map_standardises_and_then_projects() -> None:
    network = some_network()
    features = torch.randn(2, len(network.feature_mean))
    mean, scale = network.feature_mean.double(), network.feature_scale.double()
    for row, found in zip(features, network.fingerprint(features), strict=True):
        standard = (row.double() - mean) / scale
        for direction, value in zip(network.projection.double(), found, strict=True):
            assert float(value) == pytest.approx(float((direction * standard).sum()), abs=1e-3)


def test_crops_without_any_difference_still_give_finite_features() -> None:
    network = some_network()
    flat = torch.full((2, 3, 32, 32), 128, dtype=torch.uint8)
    vectors, scores = fingerprints(network, flat, torch.tensor([0, 1]), 2)
    assert torch.isfinite(vectors).all()
    assert torch.isfinite(scores).all()
