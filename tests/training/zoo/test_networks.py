"""The networks: shapes, sizes, growth, augmentation."""

import itertools
from dataclasses import replace

import pytest
import torch

from training.zoo import progan
from training.zoo.augment import augment, colour, cutout, translate
from training.zoo.catalog import CATALOG, RECIPES, recipe_named
from training.zoo.recipe import NetworkConfig, Recipe
from worker.errors import StopError

MAX_PARAMETERS = 2_500_000
"""Five megabytes in half precision: what may be committed for one generator."""


@pytest.fixture(params=sorted(RECIPES))
def recipe(request: pytest.FixtureRequest) -> Recipe:
    """Each of the four GANs in turn."""
    return RECIPES[request.param]


@pytest.mark.parametrize("resolution", [64, 128])
def test_generators_draw_and_critics_take_images(recipe: Recipe, resolution: int) -> None:
    width = recipe.network.width if resolution == 64 else 4  # the large one is slow
    network = replace(recipe.network, resolution=resolution, width=width, critic_width=width)
    images = recipe.build_generator(network)(torch.randn(2, network.latent_size))
    assert images.shape == (2, 3, resolution, resolution)
    out = recipe.build_critic(network)(images)
    assert out.shape[0] == 2
    assert torch.isfinite(out).all()


def test_a_generator_is_small_enough_to_commit(recipe: Recipe) -> None:
    generator = recipe.build_generator(recipe.network)
    assert sum(tensor.numel() for tensor in generator.state_dict().values()) <= MAX_PARAMETERS


def test_channels_double_with_each_halving_up_to_the_maximum() -> None:
    assert NetworkConfig(resolution=64, max_width=256).channels(32) == [256, 256, 128, 64, 32]
    with pytest.raises(ValueError, match="choose 64 or 128"):
        NetworkConfig(resolution=48).channels(32)


def test_the_catalogue_names_known_architectures() -> None:
    assert {entry.architecture for entry in CATALOG.values()} <= set(RECIPES)
    assert all(entry.name == name for name, entry in CATALOG.items())
    with pytest.raises(StopError, match="choose one of sngan"):
        recipe_named("stylegan")


def test_progan_grows_from_4_pixels_to_full_size_without_going_back() -> None:
    stages = [progan.grow(iteration, 64) for iteration in range(sum(progan.PHASES) + 1)]
    assert stages[0] == 0
    assert stages[-1] == 4
    assert all(later >= earlier for earlier, later in itertools.pairwise(stages))
    steps = [later - earlier for earlier, later in itertools.pairwise(stages)]
    assert max(steps) < 0.02  # no resolution appears at once
    assert all(stage in stages for stage in (1.0, 2.0, 3.0))  # each holds for a while


def test_a_progan_layer_fades_in_from_the_coarser_image() -> None:
    network = NetworkConfig(width=4, max_width=8)
    generator = progan.Generator(network).eval()
    latents = torch.randn(2, network.latent_size)
    drawn = {}
    for stage in (1.0, 1.0 + 1e-6, 1.5, 2.0):
        generator.stage.fill_(stage)
        drawn[stage] = generator(latents)
    coarse = torch.nn.functional.interpolate(drawn[1.0], scale_factor=2.0)
    torch.testing.assert_close(drawn[1.0 + 1e-6], coarse, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(drawn[1.5], (coarse + drawn[2.0]) / 2)


def test_photographs_shrink_to_the_stage_of_the_progan() -> None:
    images = torch.rand(2, 3, 64, 64)
    assert progan.shrink(images, 4.0) is not None
    torch.testing.assert_close(progan.shrink(images, 4.0), images)
    means = images.view(2, 3, 16, 4, 16, 4).mean((3, 5))
    torch.testing.assert_close(progan.shrink(images, 2.0), means)
    assert progan.shrink(images, 2.5).shape == (2, 3, 32, 32)


def test_minibatch_deviation_tells_one_image_repeated_from_different_ones() -> None:
    varied, same = torch.randn(4, 2, 4, 4), torch.ones(4, 2, 4, 4)
    maps = progan.minibatch_stddev(torch.cat([varied, same]))[:, -1]  # (8,4,4)
    expected = varied.var(0, unbiased=False).sqrt().mean()
    torch.testing.assert_close(maps[:4], expected.expand(4, 4, 4), rtol=1e-4, atol=1e-4)
    assert maps[4:].max() < 1e-3


def test_pixel_norm_gives_each_pixel_unit_mean_square() -> None:
    normed = progan.pixel_norm(5 * torch.randn(2, 8, 4, 4))
    torch.testing.assert_close(normed.square().mean(1), torch.ones(2, 4, 4), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("change", [colour, translate, cutout, augment])
def test_augmentations_keep_the_shape_and_pass_gradients(change: object) -> None:
    assert callable(change)
    images = torch.rand(4, 3, 16, 16, requires_grad=True)
    changed = change(images, torch.Generator().manual_seed(0))
    changed.sum().backward()
    assert changed.shape == images.shape
    assert images.grad is not None
    assert images.grad.abs().sum() > 0


def test_a_shifted_image_is_the_image_elsewhere() -> None:
    images = torch.rand(8, 3, 16, 16)
    shifted = translate(images, torch.Generator().manual_seed(1))
    for before, after in zip(images, shifted, strict=True):
        found = [
            (y, x)
            for y in range(-2, 3)
            for x in range(-2, 3)
            if torch.equal(
                after[:, max(0, -y) : 16 - max(0, y), max(0, -x) : 16 - max(0, x)],
                before[:, max(0, y) : 16 + min(0, y), max(0, x) : 16 + min(0, x)],
            )
        ]
        assert len(found) == 1


def test_cutout_blanks_at_most_a_square_of_half_the_side() -> None:
    holes = cutout(torch.ones(16, 3, 16, 16), torch.Generator().manual_seed(0)) == 0
    blank = holes[:, 0].sum((1, 2))
    assert blank.max() <= 64
    assert blank.min() >= 16  # a centre in a corner leaves a quarter of the square inside
