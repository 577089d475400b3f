"""The networks of one component: their sizes, what they see, and that nothing else reaches them."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from training.paper.networks.component_networks import (
    Component,
    FrequencyNetwork,
    Kind,
    PatchNetwork,
    doubled,
    halved,
    network_for,
    receptive_field,
)

# Derived from the paper's layers at 128 pixels and five sources.
PARAMETERS = {
    128: 8_913_797,
    64: 8_900_357,
    32: 8_845_829,
    16: 8_626_181,
    8: 7_744_517,
    4: 4_211_717,
}
RECEPTIVE_FIELDS = {128: 3, 64: 10, 32: 24, 16: 52, 8: 108, 4: 220}


def random(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("kind", ["low", "band"])
@pytest.mark.parametrize(("side", "parameters"), PARAMETERS.items())
def test_frequency_networks_have_the_paper_s_layers(kind: Kind, side: int, parameters: int) -> None:
    network = network_for(128, 5, Component(kind, side))
    assert sum(weights.numel() for weights in network.parameters()) == parameters


@pytest.mark.parametrize(("side", "pixels"), RECEPTIVE_FIELDS.items())
def test_a_place_of_a_patch_network_sees_the_derived_patch_and_nothing_else(
    side: int, pixels: int
) -> None:
    assert receptive_field(128, side) == pixels
    if pixels >= 128:
        return
    network = PatchNetwork(128, 5, Component("patch", side))
    images = random(1, 3, 128, 128).requires_grad_(True)
    maps = network.patch_features(images)
    middle = maps.shape[-1] // 2
    maps[0, :, middle, middle].sum().backward()  # type: ignore[no-untyped-call]
    assert images.grad is not None
    touched = images.grad[0].abs().sum(0).nonzero()
    assert (touched.amax(0) - touched.amin(0) + 1).tolist() == [pixels, pixels]


def test_the_logits_of_a_patch_network_are_the_mean_of_its_places_votes() -> None:
    network = PatchNetwork(32, 4, Component("patch", 16))
    images = random(2, 3, 32, 32)
    features = network.patch_features(images)
    weights = network.last.weight * network.last.scale
    votes = torch.nn.functional.conv2d(features, weights, network.last.bias)  # (2,4,16,16)
    torch.testing.assert_close(network(images), votes.mean((2, 3)), rtol=1e-4, atol=1e-5)


def slow_halved(image: NDArray[np.float32]) -> NDArray[np.float64]:
    """One channel, by the definition."""
    kernel = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256
    padded = np.pad(image, 2, mode="reflect")
    side = len(image) // 2
    return np.array(
        [
            [(padded[2 * y : 2 * y + 5, 2 * x : 2 * x + 5] * kernel).sum() for x in range(side)]
            for y in range(side)
        ]
    )


def test_halving_is_the_binomial_kernel_at_every_second_pixel() -> None:
    images = random(1, 3, 16, 16)
    found = halved(images)[0].numpy()
    for channel in range(3):
        expected = slow_halved(images[0, channel].numpy())
        np.testing.assert_allclose(found[channel], expected, atol=1e-6)


@pytest.mark.parametrize("side", [4, 8, 64])
def test_halving_and_doubling_keep_a_plain_colour(side: int) -> None:
    images = torch.full((1, 3, side, side), 0.25)
    torch.testing.assert_close(halved(images), torch.full((1, 3, side // 2, side // 2), 0.25))
    torch.testing.assert_close(doubled(halved(images)), images)


def test_a_band_and_what_is_below_it_make_the_low_pass_image_again() -> None:
    images = random(2, 3, 64, 64)
    for side in (64, 32, 16, 8, 4):
        low = FrequencyNetwork(64, 3, Component("low", side)).seen(images)
        band = FrequencyNetwork(64, 3, Component("band", side)).seen(images)
        assert low.shape == band.shape == (2, 3, side, side)
        torch.testing.assert_close(band + doubled(halved(low)), low)


def test_a_band_network_is_blind_to_colour_and_a_low_pass_one_to_fine_detail() -> None:
    images = random(1, 3, 64, 64)
    band = network_for(64, 3, Component("band", 64))
    torch.testing.assert_close(band(images), band(images + 0.3), rtol=1e-3, atol=1e-4)
    checks = (-1.0) ** (torch.arange(64)[:, None] + torch.arange(64)[None])
    low = network_for(64, 3, Component("low", 32))
    torch.testing.assert_close(low(images), low(images + checks), rtol=1e-3, atol=1e-3)
    assert (band(images) - band(images + checks)).abs().max() > 0.01


@pytest.mark.parametrize(
    ("side", "component"), [(64, Component("low", 128)), (64, Component("band", 12))]
)
def test_a_component_that_the_images_have_not_is_refused(side: int, component: Component) -> None:
    with pytest.raises(ValueError, match=f"{component.side}"):
        network_for(side, 3, component)
