"""The list of generators, and the pictures that they make."""

import numpy as np
import pytest

from tests.training.generators.pictures import picture
from training.generators.catalogue import MEMBERS, generators
from training.generators.generator import Generator, from_pictures
from training.generators.roles import FAMILIES, role_of
from training.generators.squares import square, wide_enough
from training.zoo.catalog import HELD_OUT


def named(name: str) -> Generator:
    """A generator of either role."""
    return next(one for one in [*generators("learn"), *generators("held_out")] if one.name == name)


def test_every_generator_has_the_role_of_its_family() -> None:
    learn, held_out = generators("learn"), generators("held_out")
    assert {one.role for one in learn} == {"learn"}
    assert {one.role for one in held_out} == {"held_out"}
    assert not {one.family for one in learn} & {one.family for one in held_out}
    names = [one.name for one in [*learn, *held_out]]
    assert len(set(names)) == len(names)


def test_simulated_families_have_hundreds_of_members() -> None:
    listed = [*generators("learn"), *generators("held_out")]
    simulated = [one for one in listed if one.kind == "simulated"]
    assert {one.family for one in simulated} == set(FAMILIES["simulated"])
    assert len(simulated) == 16 * MEMBERS >= 300


def test_the_committed_gans_are_listed_by_architecture() -> None:
    learn = {one.name: one for one in generators("learn") if one.kind == "gan"}
    held_out = {one.name: one for one in generators("held_out") if one.kind == "gan"}
    assert {"progan", "progan_scenes", "sngan"} | {f"sngan_seed{n}" for n in range(1, 11)} <= set(
        learn
    )
    assert {"cramergan", "cramergan_scenes", "mmdgan", "mmdgan_scenes"} <= set(held_out)
    assert HELD_OUT not in learn
    assert role_of(held_out["cramergan"].family) == "held_out"


def test_a_gan_draws_from_noise() -> None:
    sngan = named("sngan_seed3")
    assert sngan.draws_from_noise
    one, again, other = (sngan.make(2, 64, seed) for seed in (1, 1, 2))
    assert [image.shape for image in one] == [(3, 64, 64)] * 2
    np.testing.assert_array_equal(one, again)
    assert (np.stack(one) != np.stack(other)).mean() > 0.5
    with pytest.raises(ValueError, match=r"sides of \(64,\), not 128"):
        sngan.make(1, 128, 1)


def test_a_simulated_generator_makes_its_pictures_from_photographs() -> None:
    generator = named("simulated.pixel_shuffle.9")
    assert not generator.draws_from_noise
    photos = [picture(100, seed) for seed in range(3)]
    made, again = (generator.make(5, 64, 7, photos) for _ in range(2))
    np.testing.assert_array_equal(made, again)
    assert [image.shape for image in made] == [(3, 64, 64)] * 5
    with pytest.raises(ValueError, match="none of 3 photographs has sides of 128"):
        generator.make(1, 128, 7, photos)
    with pytest.raises(ValueError, match="none of 0 photographs"):
        generator.make(1, 64, 7)


def test_pictures_are_made_from_the_photographs_in_turn() -> None:
    photos = [np.full((3, 80, 90), shade, np.uint8) for shade in (10, 20, 30)]
    photos.insert(1, np.full((3, 80, 20), 99, np.uint8))  # too narrow
    plain = from_pictures("plain", "rrdb", (64,), lambda source, seed: source)
    made = plain.make(5, 64, 1, photos)
    assert [int(image.mean()) for image in made] == [10, 20, 30, 10, 20]


def test_two_generators_are_shown_the_same_squares() -> None:
    photos = [picture(100)]
    one, other = (
        from_pictures(name, "rrdb", (64,), lambda source, seed: source) for name in ("a", "b")
    )
    np.testing.assert_array_equal(one.make(3, 64, 1, photos), other.make(3, 64, 1, photos))


def test_squares_are_cut_at_the_photographs_size_and_smaller() -> None:
    photo = np.zeros((3, 300, 400), np.uint8)
    photo[:, :, 1::2] = 255  # stripes of one pixel, which any reduction greys
    rng = np.random.default_rng(3)
    cut = [square(photo, 64, rng) for _ in range(40)]
    assert {one.shape for one in cut} == {(3, 64, 64)}
    native = sum(set(np.unique(one)) == {0, 255} for one in cut)
    assert 3 < native < 25
    assert wide_enough([photo], 300) == [photo]
