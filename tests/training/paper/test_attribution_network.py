"""The attribution network is the paper's, layer for layer, and its halves fit together."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.paper.networks.attribution_network import (
    AttributionNetwork,
    Trunk,
    check_side,
    width_at,
)
from training.zoo.equalised import EqualisedConv2d

# Yu, Davis and Fritz 2019 as released: (inputs, outputs) of the convolutions of each level.
LEVELS = {
    128: ((3, 16, 448), (16, 32, 4_640)),
    64: ((32, 32, 9_248), (32, 64, 18_496)),
    32: ((64, 64, 36_928), (64, 128, 73_856)),
    16: ((128, 128, 147_584), (128, 256, 295_168)),
    8: ((256, 256, 590_080), (256, 512, 1_180_160)),
    4: ((512, 512, 2_359_808),),
}


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.fixture(scope="module")
def network() -> AttributionNetwork:
    """A small network, with biases, which begin at zero."""
    torch.manual_seed(5)
    made = AttributionNetwork(8, 5)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0, 0.1)
    return made.eval().requires_grad_(False)


def some_images(count: int, side: int = 8, seed: int = 1) -> Tensor:
    """(count, 3, side, side) float32 in [-1, 1]."""
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


# Sizes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "sources", "total"),
    [
        (128, 5, 8_913_797),
        (128, 11, 8_916_875),
        (128, 12, 8_917_388),
        (64, 5, 8_900_357),
        (32, 5, 8_845_829),
        (16, 5, 8_626_181),
        (8, 5, 7_744_517),
        (4, 5, 4_211_717),
    ],
)
def test_the_network_has_as_many_parameters_as_the_papers(
    side: int, sources: int, total: int
) -> None:
    network = AttributionNetwork(side, sources)
    assert parameters(network) == total


@pytest.mark.parametrize("side", [64, 32, 16, 8, 4])
def test_fed_with_smaller_images_only_the_first_convolution_differs(side: int) -> None:
    first, *others = convolutions(Trunk(side))
    below = [row for level, rows in LEVELS.items() if level <= side for row in rows]
    assert [(*conv.weight.shape[1::-1], parameters(conv)) for conv in others] == below[1:]
    width = below[0][1]
    assert first.weight.shape == (width, 3, 3, 3)
    assert width == width_at(side)


def test_every_layer_has_the_papers_size() -> None:
    network = AttributionNetwork(128, 5)
    expected = [row for rows in LEVELS.values() for row in rows]
    found = [(*conv.weight.shape[1::-1], parameters(conv)) for conv in convolutions(network.trunk)]
    assert found == expected
    assert all(conv.weight.shape[2:] == (3, 3) for conv in convolutions(network.trunk))
    pooled = [i % 2 == 1 for i in range(len(expected) - 1)] + [False]
    assert network.trunk.pooled == pooled
    assert parameters(network.dense) == 4_194_816
    assert network.dense.weight.shape == (512, 512, 4, 4)
    assert parameters(network.last) == 513 * 5


def convolutions(trunk: Trunk) -> list[EqualisedConv2d]:
    found = list(trunk.convs)
    assert all(isinstance(conv, EqualisedConv2d) for conv in found)
    return [conv for conv in found if isinstance(conv, EqualisedConv2d)]


def test_channels_double_where_sides_halve() -> None:
    sides = [128, 64, 32, 16, 8, 4]
    assert (width_at(128), width_at(4)) == (16, 512)
    assert all(width_at(half) == 2 * width_at(side) for side, half in pairwise(sides))


@pytest.mark.parametrize("side", [0, 2, 24, 100, 256])
def test_a_side_that_no_level_has_is_refused(side: int) -> None:
    with pytest.raises(ValueError, match=f"side {side} is none of 4, 8, 16, 32, 64, 128"):
        check_side(side)
    with pytest.raises(ValueError, match=f"side {side}"):
        Trunk(side)


def test_a_trunk_may_end_at_a_larger_side() -> None:
    trunk = Trunk(16, smallest=8)
    assert trunk.outputs == 256
    assert trunk(some_images(2, 16)).shape == (2, 256, 8, 8)


@pytest.mark.parametrize("side", [4, 8, 16, 32, 64])
def test_images_become_512_features_and_a_logit_for_each_source(side: int) -> None:
    network = AttributionNetwork(side, 3)
    images = some_images(2, side)
    fingerprints = network.image_fingerprints(images)
    assert (fingerprints.shape, fingerprints.dtype) == ((2, 512), torch.float32)
    assert network(images).shape == network.attribute(fingerprints).shape == (2, 3)


# Arithmetic -------------------------------------------------------------------------------------


def slow_convolution(
    image: NDArray[np.float64], weight: NDArray[np.float64], bias: NDArray[np.float64]
) -> NDArray[np.float64]:
    """3x3, borders reflected: (I, R, R) to (O, R, R), output by output."""
    side = image.shape[1]

    reflected = {-1: 1, side: side - 2}

    out = np.empty((len(weight), side, side))
    for o, y, x in np.ndindex(*out.shape):
        total = bias[o]
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                pixel = image[:, reflected.get(y + dy, y + dy), reflected.get(x + dx, x + dx)]
                total += float(weight[o, :, dy + 1, dx + 1] @ pixel)
        out[o, y, x] = total
    return out


def leaky(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(x > 0, x, 0.2 * x)


def halved(maps: NDArray[np.float64]) -> NDArray[np.float64]:
    """(C, R, R) to (C, R/2, R/2), the mean of each block of four."""
    blocks = [maps[:, i::2, j::2] for i in (0, 1) for j in (0, 1)]
    return np.asarray(sum(blocks) / 4)


def plain(layer: EqualisedConv2d, gain: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Its weights as those of a plain layer: scaled by gain / sqrt(fan-in); and its biases."""
    assert layer.bias is not None
    weight = layer.weight.double().numpy()
    fan_in = math.prod(weight.shape[1:])
    return weight * gain / math.sqrt(fan_in), layer.bias.double().numpy()


def test_an_equalised_convolution_is_a_plain_one_with_scaled_weights() -> None:
    torch.manual_seed(2)
    layer = EqualisedConv2d(3, 4, 3, reflect=True).requires_grad_(False)
    layer.bias = nn.Parameter(torch.randn(4), requires_grad=False)
    (image,) = some_images(1, 5)
    expected = slow_convolution(image.double().numpy(), *plain(layer, math.sqrt(2)))
    np.testing.assert_allclose(layer(image[None])[0], expected, atol=1e-5)


def test_without_reflection_borders_are_zeros() -> None:
    torch.manual_seed(3)
    layer = EqualisedConv2d(2, 3, 3, bias=False).requires_grad_(False)
    image = torch.randn(1, 2, 5, 5)
    wide = torch.zeros(1, 2, 9, 9)
    wide[..., 2:7, 2:7] = image
    expected = layer(wide)[..., 2:7, 2:7]  # the layer's own borders lie outside of these
    np.testing.assert_allclose(layer(image), expected, atol=1e-6)


def test_a_dense_layer_is_the_convolution_over_the_whole_map() -> None:
    torch.manual_seed(4)
    layer = EqualisedConv2d(6, 7, 4).requires_grad_(False)
    layer.bias = nn.Parameter(torch.randn(7), requires_grad=False)
    maps = torch.randn(3, 6, 4, 4).contiguous(memory_format=torch.channels_last)
    found = layer.dense(maps.flatten(1))
    np.testing.assert_allclose(found, layer(maps).flatten(1), atol=1e-5, rtol=1e-5)
    layer.to(memory_format=torch.channels_last)
    np.testing.assert_allclose(layer.dense(maps.flatten(1)), found, atol=1e-5)


def test_the_whole_network_equals_a_slow_one(network: AttributionNetwork) -> None:
    (image,) = some_images(1)
    maps = image.double().numpy()
    for conv, pooled in zip(convolutions(network.trunk), network.trunk.pooled, strict=True):
        maps = leaky(slow_convolution(maps, *plain(conv, math.sqrt(2))))
        maps = halved(maps) if pooled else maps
    weight, bias = plain(network.dense, math.sqrt(2))
    fingerprint = leaky(np.array([(row * maps).sum() for row in weight]) + bias)
    np.testing.assert_allclose(network.image_fingerprints(image[None])[0], fingerprint, atol=1e-4)
    weight, bias = plain(network.last, 1.0)
    logits = [float(row.ravel() @ fingerprint) for row in weight] + bias
    np.testing.assert_allclose(network(image[None])[0], logits, atol=1e-4)


def test_a_logit_is_the_product_of_an_image_and_a_model_fingerprint(
    network: AttributionNetwork,
) -> None:
    rows = network.model_fingerprints
    assert rows.shape == (5, 512)
    fingerprints = network.image_fingerprints(some_images(3))
    assert network.last.bias is not None
    products = [[float(f @ row) for row in rows] for f in fingerprints]
    expected = torch.tensor(products) + network.last.bias
    np.testing.assert_allclose(network.attribute(fingerprints), expected, atol=1e-5, rtol=1e-5)


def test_every_weight_learns() -> None:
    torch.manual_seed(6)
    network = AttributionNetwork(8, 3)
    labels = torch.tensor([0, 1, 2, 0])
    loss = nn.functional.cross_entropy(network(some_images(4)), labels)
    loss.backward()  # type: ignore[no-untyped-call]
    parameters = dict(network.named_parameters())
    assert "last.bias" in parameters
    for name, parameter in parameters.items():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name


def test_bfloat16_convolutions_change_a_fingerprint_little(network: AttributionNetwork) -> None:
    """Dense layers stay in float32, so that fingerprints and logits do as well."""
    images = some_images(6)
    exact, exact_logits = network.image_fingerprints(images), network(images)
    with torch.autocast("cpu", torch.bfloat16):
        coarse, coarse_logits = network.image_fingerprints(images), network(images)
        assert network.attribute(exact).dtype == torch.float32
    assert coarse.dtype == coarse_logits.dtype == torch.float32
    assert 0 < float((coarse - exact).abs().max()) < 0.03 * float(exact.std())
    assert float((coarse_logits - exact_logits).abs().max()) < 0.03 * float(exact_logits.std())
