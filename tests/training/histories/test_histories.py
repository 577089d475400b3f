"""Histories of real pictures: each does what its name says, and the same for the same draw."""

from typing import get_args

import numpy as np
import pytest

from training.histories.history import HISTORIES, Group, learned_histories
from training.histories.pictures import luminance
from training.histories.resampling import MOST_PIXELS
from worker.enrol.recompress import Picture

HEIGHT, WIDTH = 150, 203


def photograph(height: int = HEIGHT, width: int = WIDTH) -> Picture:
    """(3, H, W): slopes and soft edges without noise, from 25 to 230, each colour another."""
    rows, columns = np.mgrid[:height, :width] / 17.0
    planes = [
        np.sin(rows * (0.5 + c / 5)) * np.cos(columns * 0.7 + c) + 0.2 * np.sign(np.sin(rows / 2))
        for c in range(3)
    ]
    return np.asarray(np.rint(127.5 + np.stack(planes) * 85), np.uint8)


def after(name: str, picture: Picture | None = None, seed: int = 1) -> Picture:
    drawn = np.random.default_rng(seed)
    return HISTORIES[name].apply(photograph() if picture is None else picture, drawn)


def colours_of(picture: Picture) -> int:
    return len(np.unique(picture.reshape(3, -1), axis=1).T)


def detail(picture: Picture) -> float:
    """The mean squared second difference of the luminance along rows."""
    return float(np.mean(np.diff(luminance(picture), 2, axis=1) ** 2))


# Every history ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HISTORIES)
def test_a_history_gives_a_picture_and_leaves_the_one_it_got(name: str) -> None:
    picture = photograph()
    made = after(name, picture)
    assert made.dtype == np.uint8
    assert made.ndim == 3
    assert made.shape[0] == 3
    assert min(made.shape[1:]) >= 64
    np.testing.assert_array_equal(picture, photograph())


@pytest.mark.parametrize("name", HISTORIES)
def test_the_same_draw_gives_the_same_picture(name: str) -> None:
    np.testing.assert_array_equal(after(name, seed=5), after(name, seed=5))


@pytest.mark.parametrize("name", sorted(set(HISTORIES) - {"native"}))
def test_every_history_but_none_changes_the_picture(name: str) -> None:
    made = after(name)
    assert made.shape != (3, HEIGHT, WIDTH) or (made != photograph()).any()


@pytest.mark.parametrize("name", HISTORIES)
def test_a_small_picture_of_odd_sides_has_every_history(name: str) -> None:
    for seed in range(3):
        assert after(name, photograph(65, 71), seed).size > 0


def test_every_group_is_learned_and_no_field_kind_of_one_strength_is() -> None:
    learned = learned_histories()
    assert {history.group for history in learned} == set(get_args(Group))
    assert not {"noise_10", "nearest_x2", "bits_333", "jpeg_20"} & {h.name for h in learned}


# Sizes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", ["box", "bilinear", "hamming", "bicubic", "lanczos"])
def test_reduced_pictures_keep_their_shape_and_a_side_of_64(kernel: str) -> None:
    for seed in range(8):
        _, height, width = after(f"reduced_{kernel}", seed=seed).shape
        assert 64 <= height <= HEIGHT
        assert width / height == pytest.approx(WIDTH / HEIGHT, rel=0.02)


@pytest.mark.parametrize("kernel", ["nearest", "bilinear", "bicubic", "lanczos"])
def test_enlarged_pictures_are_five_quarters_to_four_times_as_large(kernel: str) -> None:
    ratios = [after(f"enlarged_{kernel}", seed=seed).shape[1] / HEIGHT for seed in range(12)]
    assert min(ratios) >= 1.24
    assert max(ratios) <= 4.0
    assert len(set(ratios)) > 3


def test_nearest_twice_repeats_every_pixel() -> None:
    made = after("nearest_x2")
    np.testing.assert_array_equal(made, photograph().repeat(2, 1).repeat(2, 2))


def test_of_a_large_picture_a_part_is_enlarged() -> None:
    _, height, width = after("bicubic_x4", photograph(900, 1200)).shape
    assert 0.98 * MOST_PIXELS < height * width <= 1.02 * MOST_PIXELS


def test_a_straightened_picture_has_no_empty_corner() -> None:
    bright = np.full((3, 120, 200), 200, np.uint8)
    for seed in range(10):
        made = after("straightened", bright, seed)
        assert made.min() == 200
        assert made.shape[1] < 120


# Focus ------------------------------------------------------------------------------------------


def test_sharpening_raises_the_detail() -> None:
    noisy = after("noise_5")
    raised = [detail(after("sharpened", noisy, seed)) / detail(noisy) for seed in range(5)]
    assert min(raised) > 1.1


@pytest.mark.parametrize(
    "name",
    ["blurred", "out_of_focus", "blurred_2", "blurred_4", "denoised_median", "denoised_bilateral"],
)
def test_blur_and_denoising_lower_the_detail(name: str) -> None:
    noisy = after("noise_10")
    assert detail(after(name, noisy)) < 0.75 * detail(noisy)


def test_wavelets_take_noise_away_and_leave_the_picture() -> None:
    noisy = after("noise_5")
    errors = [
        np.abs(made.astype(int) - photograph()).mean()
        for made in (after("denoised_wavelets", noisy, seed) for seed in range(4))
    ]
    assert min(errors) < 0.7 * np.abs(noisy.astype(int) - photograph()).mean()
    assert max(errors) < 8


# Noise ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [3, 5, 10, 25])
def test_noise_has_its_standard_deviation(sigma: int) -> None:
    grey = np.full((3, 200, 200), 128, np.uint8)
    spread = after(f"noise_{sigma}", grey).astype(float).std()
    assert spread == pytest.approx(sigma, rel=0.03)


@pytest.mark.parametrize("levels", [1, 2])
def test_privacy_noise_moves_a_sample_by_at_most_its_levels(levels: int) -> None:
    moved = after(f"privacy_noise_{levels}").astype(int) - photograph()
    assert set(np.unique(moved)) == set(range(-levels, levels + 1))


@pytest.mark.parametrize("how", ["bilinear", "gradients"])
def test_demosaicing_keeps_a_plain_slope_and_one_third_of_the_samples(how: str) -> None:
    ramp = np.broadcast_to(np.arange(40, 168)[None, :, None], (3, 128, 96)).astype(np.uint8)
    made = after(f"demosaiced_{how}", ramp)
    np.testing.assert_array_equal(made[:, 3:-3, 3:-3], ramp[:, 3:-3, 3:-3])
    kept = after(f"demosaiced_{how}") == photograph()
    assert kept.mean() > 1 / 3
    assert (kept.any(0)).all()


def test_demosaicing_spreads_the_noise_of_a_sensor() -> None:
    grey = np.full((3, 200, 200), 128, np.uint8)
    noise = after("sensor_noise_8", grey).astype(float) - 128
    beside = float(np.mean(noise[:, :, 1:] * noise[:, :, :-1]))
    assert 4 < noise.std() < 8
    assert beside > 0.3 * float(np.mean(noise**2))


def test_grain_is_strongest_in_the_middle_tones() -> None:
    halves = np.concatenate(
        [np.full((3, 100, 100), 8, np.uint8), np.full((3, 100, 100), 128, np.uint8)], axis=2
    )
    made = after("film_grain", halves).astype(float)
    assert made[:, :, 100:].std() > 2 * made[:, :, :100].std()


# Colours ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("palette_web_dithered", 216),
        ("palette_web", 216),
        ("palette_octree", 256),
        ("palette_octree_256", 256),
        ("palette_median_cut", 256),
        ("palette_median_cut_64", 64),
        ("palette_dithered", 256),
        ("bits_333", 512),
    ],
)
def test_a_palette_has_no_more_colours_than_it_says(name: str, most: int) -> None:
    assert all(8 < colours_of(after(name, seed=seed)) <= most for seed in range(4))


@pytest.mark.parametrize("name", ["bits_565", "bits_565_dithered"])
def test_sixteen_bits_leave_32_reds_64_greens_32_blues(name: str) -> None:
    counts = [len(np.unique(plane)) for plane in after(name, after("noise_25"))]
    assert counts == [32, 64, 32]


def test_dithering_keeps_the_mean_of_a_plain_colour() -> None:
    plain = np.full((3, 64, 64), 100, np.uint8)
    dithered = after("bits_565_dithered", plain).astype(float)
    assert dithered.std() > 1
    assert np.abs(dithered.mean((1, 2)) - 100).max() < 0.6


def test_a_stretched_picture_fills_the_scale() -> None:
    for seed in range(4):
        made = after("stretched", seed=seed)
        assert made.min() <= 2
        assert made.max() >= 253


def test_cmyk_there_and_back_changes_little() -> None:
    for seed in range(6):
        change = np.abs(after("cmyk", seed=seed).astype(int) - photograph())
        assert change.any()
        assert change.mean() < 4


# Screens ----------------------------------------------------------------------------------------


def test_a_small_picture_stands_in_the_middle_of_white() -> None:
    made = after("small_on_white")
    assert made.shape == (3, 1200, 1200)
    inside = np.zeros((1200, 1200), bool)
    inside[552:648, 552:648] = True
    assert (made[:, ~inside] == 255).all()
    assert made[:, inside].std() > 10


def test_a_phones_screen_is_upright_and_shows_the_whole_picture() -> None:
    for seed in range(4):
        made = after("phone_screenshot", seed=seed)
        assert made.shape[1] > 1.7 * made.shape[2]
        assert made.shape[2] in (360, 540, 720, 1080)


def test_a_chat_card_is_mostly_white() -> None:
    white = (after("chat_card") == 255).all(0)
    assert 0.6 < white.mean() < 0.98
    assert not white[12:76, 12:76].all(1).any()


# Earlier files ----------------------------------------------------------------------------------


def blockiness(picture: Picture, down: int = 0, right: int = 0) -> float:
    """Steps at the edges of the blocks of a grid that begins at (down, right), against others."""
    steps = np.abs(np.diff(luminance(picture), axis=1)).mean(0)
    at = (np.arange(len(steps)) + 1 - right) % 8 == 0
    return float(steps[at].mean() / steps[~at].mean())


@pytest.mark.parametrize("quality", [10, 15, 20])
def test_a_low_quality_shows_its_blocks(quality: int) -> None:
    noisy = after("noise_10")
    assert blockiness(after(f"jpeg_{quality}", noisy)) > 1.25 * blockiness(noisy)


def test_a_shifted_jpeg_lost_some_rows_or_columns() -> None:
    shapes = {after("jpeg_shifted", seed=seed).shape for seed in range(12)}
    assert (3, HEIGHT, WIDTH) not in shapes
    assert all(h > HEIGHT - 8 and w > WIDTH - 8 for _, h, w in shapes)
    assert len(shapes) > 6
