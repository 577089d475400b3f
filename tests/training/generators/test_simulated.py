"""Simulated families: members that differ, siblings that share, output as sharp as its source."""

import itertools

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.training.generators.pictures import picture
from training.generators import latents, upsampling
from training.generators.roles import FAMILIES
from training.generators.sharpness import match_bands
from training.generators.simulated import SIBLINGS, family_member
from training.generators.traces import ACTIVATIONS, block, colour_mix
from worker.enrol.recompress import Picture

SIMULATED = FAMILIES["simulated"]


def detail(shown: NDArray[np.uint8]) -> float:
    """The deviation of the Laplacian."""
    grey = shown.astype(float).mean(0)
    middle, beside = grey[1:-1, 1:-1], grey[1:-1, :-2] + grey[1:-1, 2:]
    return float((4 * middle - beside - grey[:-2, 1:-1] - grey[2:, 1:-1]).std())


def difference(one: Picture, other: Picture) -> float:
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


@pytest.mark.parametrize("family", SIMULATED)
def test_a_member_is_drawn_from_its_seed_and_renders_the_same_again(family: str) -> None:
    given = picture()
    one, again = (family_member(family, 5).render(given, 3) for _ in range(2))
    np.testing.assert_array_equal(one, again)
    assert one.dtype == np.uint8
    assert one.flags.c_contiguous


@pytest.mark.parametrize("family", SIMULATED)
def test_members_of_a_family_differ(family: str) -> None:
    given = picture(64)
    made = [family_member(family, seed).render(given) for seed in (0, 1, 2, 8, 9, 16)]
    for one, other in itertools.combinations(made, 2):
        assert difference(one, other) > 0.3


def test_siblings_share_their_architecture_and_others_do_not() -> None:
    for family in SIMULATED:
        plans = [family_member(family, seed).architecture for seed in range(2 * SIBLINGS)]
        assert set(plans[:SIBLINGS]) == {plans[0]}
        assert plans[SIBLINGS] != plans[0]


def test_architectures_vary_in_all_that_they_fix() -> None:
    plans = [
        family_member(family, seed).architecture
        for family in SIMULATED
        for seed in range(0, 40, SIBLINGS)
    ]
    assert {plan.stages for plan in plans} == {1, 2, 3, 4}
    assert {plan.activation for plan in plans} == set(ACTIVATIONS)
    assert {plan.kernel for plan in plans} == {1, 3, 5}
    assert {plan.noise > 0 for plan in plans} == {True, False}
    assert {plan.squash for plan in plans} == {True, False}
    assert {plan.checker_blur > 0 for plan in plans} == {True, False}


@pytest.mark.parametrize("family", SIMULATED)
def test_a_rendered_picture_is_still_the_picture_and_no_blurrier(family: str) -> None:
    given = picture(128)
    ratios = []
    for seed in range(0, 4 * SIBLINGS, 5):
        made = family_member(family, seed).render(given)
        assert np.corrcoef(given.ravel().astype(float), made.ravel())[0, 1] > 0.9, seed
        assert difference(given, made) > 0.3
        ratios.append(detail(made) / detail(given))
    assert 0.85 < np.median(ratios) < 1.25
    assert min(ratios) > 0.7


@pytest.mark.parametrize("family", SIMULATED)
def test_any_size_is_rendered_at_its_own_size(family: str) -> None:
    member = family_member(family, 3)
    for height, width in ((64, 64), (65, 101), (130, 71)):
        given = picture(height, width=width)
        assert member.render(given).shape == given.shape


def test_noise_depends_on_the_seed_of_the_picture() -> None:
    given = picture(64)
    member = family_member("denoiser", 0)
    assert difference(member.render(given, 1), member.render(given, 2)) > 0.1


def test_what_is_no_family_is_refused() -> None:
    with pytest.raises(ValueError, match="'stylegan' is no simulated family"):
        family_member("stylegan", 0)


@pytest.mark.parametrize(
    "drawn",
    [
        upsampling.nearest,
        upsampling.bilinear,
        upsampling.bicubic,
        upsampling.transposed(3),
        upsampling.transposed(4),
        upsampling.transposed(5),
        upsampling.zero_insertion,
        upsampling.antialiased,
    ],
)
def test_up_sampling_doubles_and_stays_in_place(drawn: object) -> None:
    """A slope stays the slope: nothing is shifted against the reference by half a pixel."""
    assert callable(drawn)
    ramp = torch.linspace(-0.5, 0.5, 24)[None, None, None, :].expand(1, 3, 24, 24)
    doubled = drawn(np.random.default_rng(1))(ramp)
    assert doubled.shape == (1, 3, 48, 48)
    plain = upsampling.smooth(ramp)[..., 8:-8, 8:-8]
    apart = (doubled[..., 8:-8, 8:-8] - plain).mean(-2)  # 0.021 a pixel
    assert float(apart.mean().abs()) < 0.06  # an activation may bend, a kernel not quite sum up
    assert float((apart - apart.mean()).abs().max()) < 0.06


def test_a_wavelet_comes_back_but_for_its_drawn_misfit() -> None:
    given = torch.from_numpy(picture(64)[None]).float() / 127.5 - 1
    for seed in range(6):
        decode = latents.wavelet(np.random.default_rng(seed))
        made = decode(given, torch.Generator())
        assert 0.001 < float((made - given).abs().mean()) < 0.1


def test_bands_take_the_variance_and_the_colour_of_the_source() -> None:
    source = torch.from_numpy(picture(64)[None]).float() / 127.5 - 1
    blurred = torch.nn.functional.avg_pool2d(source, 3, 1, 1) * 0.9 + 0.1
    matched = match_bands(blurred, source)
    torch.testing.assert_close(matched.mean((2, 3)), source.mean((2, 3)), rtol=0, atol=0.01)
    assert detail((matched[0].numpy() * 127.5 + 127.5).clip(0, 255).astype(np.uint8)) > 1.5 * (
        detail((blurred[0].numpy() * 127.5 + 127.5).clip(0, 255).astype(np.uint8))
    )


def test_drawn_layers_are_near_the_identity() -> None:
    given = torch.from_numpy(picture(64)[None]).float() / 127.5 - 1
    for seed, activation in enumerate(ACTIVATIONS):
        rng = np.random.default_rng(seed)
        changed = block(rng, 0.03, activation, 3)(given)
        assert 0.001 < float((changed - given).abs().mean()) < 0.15
        mixed = torch.nn.functional.conv2d(torch.ones(1, 3, 2, 2), colour_mix(rng, 0.05))
        torch.testing.assert_close(mixed, torch.ones(1, 3, 2, 2))
