"""The attacks: stated ranges, really applied, and the same for the same seed."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from training.paper import attacks
from training.paper.attacks import ATTACKS, Attack, attack_batch
from worker.decoder.jpeg_quality import standard_table

SIDE = 32


def picture(seed: int = 0, side: int = SIDE) -> NDArray[np.uint8]:
    """A smooth picture with some texture: uint8 (3,side,side)."""
    rng = np.random.default_rng(seed)
    axis = np.linspace(0, 3, side)
    waves = np.sin(axis[:, None] + seed) + np.cos(2 * axis[None, :])
    values = 128 + 30 * waves + 10 * rng.standard_normal((3, side, side))
    return values.clip(0, 255).astype(np.uint8)


def grey(level: int = 128) -> NDArray[np.uint8]:
    return np.full((3, SIDE, SIDE), level, np.uint8)


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attacked_set_has_no_image_left_out(attack: Attack) -> None:
    images = np.stack([picture(i) for i in range(200)])
    attacked = attack_batch(images, attack, np.random.default_rng(1))
    unchanged = float((attacked == images).all((1, 2, 3)).mean())
    # A kernel of one pixel changes nothing (1 in 5), nor does a combination of none (1 in 32)
    # or of a blur with that kernel alone.
    expected = {"blur": 1 / 5, "combination": 1 / 32 * (1 + 1 / 5)}.get(attack, 0.0)
    assert abs(unchanged - expected) <= 3 * (expected * (1 - expected) / 200) ** 0.5
    assert attacked.shape == images.shape
    assert attacked.dtype == np.uint8


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_same_seed_attacks_alike_and_another_does_not(attack: Attack) -> None:
    images = np.stack([picture(i) for i in range(8)])
    first, again, other = (
        attack_batch(images, attack, np.random.default_rng(seed)) for seed in (3, 3, 4)
    )
    assert (first == again).all()
    assert (first != other).any()


def test_a_share_of_one_half_attacks_about_half() -> None:
    images = np.stack([picture(i) for i in range(400)])
    attacked = attack_batch(images, "noise", np.random.default_rng(0), share=0.5)
    changed = (attacked != images).any((1, 2, 3)).mean()
    assert 0.4 < changed < 0.6


@pytest.mark.parametrize(
    ("attack", "low", "high"),
    [(attacks.noise, 5.0, 20.0), (attacks.noise_variance, 5.0**0.5, 20.0**0.5)],
)
def test_noise_has_the_stated_deviation(
    attack: Callable[[NDArray[np.uint8], np.random.Generator], NDArray[np.uint8]],
    low: float,
    high: float,
) -> None:
    rng = np.random.default_rng(0)
    deviations = [attack(grey(), rng).astype(float).std() for _ in range(200)]
    assert low * 0.95 < min(deviations) < low + 0.1 * (high - low) + 0.2
    assert high - 0.1 * (high - low) - 0.2 < max(deviations) < high * 1.05


def test_blur_takes_every_kernel_with_its_sigma() -> None:
    point = grey(0)
    point[:, SIDE // 2, SIDE // 2] = 255
    rng = np.random.default_rng(0)
    widths = {int((attacks.blur(point, rng)[0] > 0).any(0).sum()) for _ in range(100)}
    # What is below half a grey level is rounded away, so that the 9-pixel kernel shows 7 or 9.
    assert {1, 3, 5} <= widths <= {1, 3, 5, 7, 9}
    assert len(widths) >= 4
    assert [round(attacks.sigma_of(k), 3) for k in (3, 5, 7, 9)] == [0.8, 1.1, 1.4, 1.7]


def test_crop_takes_off_5_to_20_percent_of_each_side_by_draws_of_their_own() -> None:
    axis = np.linspace(0, 255, 64).round().astype(np.uint8)
    ramp = np.stack([np.tile(axis, (64, 1)), np.tile(axis[:, None], (1, 64)), np.zeros((64, 64))])
    rng = np.random.default_rng(0)
    kept = []
    for _ in range(200):
        cropped = attacks.crop(ramp.astype(np.uint8), rng).astype(float)
        middle = slice(8, 56)  # the slope away from the borders tells the enlargement
        across = np.polyfit(np.arange(48), cropped[0, 32, middle], 1)[0]
        down = np.polyfit(np.arange(48), cropped[1, middle, 32], 1)[0]
        kept.append((across * 63 / 255, down * 63 / 255))
    shares = np.array(kept)
    assert shares.min() > 0.79
    assert shares.max() < 0.96
    assert shares.std(0).min() > 0.02
    assert abs(np.corrcoef(shares.T)[0, 1]) < 0.3


def test_jpeg_files_have_qualities_from_10_to_75() -> None:
    rng = np.random.default_rng(0)
    quality_of = {tuple(sorted(standard_table(q).tolist())): q for q in range(1, 101)}
    qualities = []
    for _ in range(600):
        with Image.open(io.BytesIO(attacks.jpeg_file(picture(), rng))) as file:
            assert isinstance(file, JpegImageFile)
            qualities.append(quality_of[tuple(sorted(file.quantization[0]))])
    assert min(qualities) == 10
    assert max(qualities) == 75


def test_jpeg_keeps_the_order_of_the_colours() -> None:
    red = grey(0)
    red[0] = 255
    seen = attacks.jpeg(red, np.random.default_rng(0)).mean((1, 2))
    assert seen[0] > 200
    assert seen[1:].max() < 60


def test_relighting_changes_the_light_smoothly_and_keeps_the_colours() -> None:
    image = grey(100)
    image[1] = 50
    lit = attacks.relighting(image, np.random.default_rng(5)).astype(float)
    assert lit[0].max() - lit[0].min() > 10
    assert np.abs(np.diff(lit[0], axis=0)).max() < 12
    assert np.abs(lit[1] - lit[0] / 2).max() <= 1
