"""Random light and colour for training images."""

import numpy as np

from training.paper.networks.jitter import BRIGHTNESS, COLOUR, CONTRAST, jitter_light


def test_each_image_gets_light_of_its_own_within_the_ranges() -> None:
    grey = np.full((64, 3, 8, 8), 128, np.uint8)
    grey[:, :, ::2] = 120  # mean 124, so that contrast shows
    grey[:, :, 1::2] = 128
    changed = jitter_light(grey, np.random.default_rng(0)).astype(float)
    steps = changed[:, :, 1, 0] - changed[:, :, 0, 0]  # 8 before
    assert steps.min() >= 8 * CONTRAST[0] * COLOUR[0] - 1
    assert steps.max() <= 8 * CONTRAST[1] * COLOUR[1] + 1
    means = changed.mean((1, 2, 3)) - 124
    assert np.unique(means.round()).size > 20, "every image has a brightness of its own"
    assert means.min() >= BRIGHTNESS[0] - 1
    assert means.max() <= BRIGHTNESS[1] + 1


def test_it_follows_from_the_random_source_alone() -> None:
    images = np.random.default_rng(1).integers(0, 256, (4, 3, 8, 8), dtype=np.uint8)
    first, second = (jitter_light(images, np.random.default_rng(7)) for _ in range(2))
    assert first.dtype == np.uint8
    assert first.shape == images.shape
    np.testing.assert_array_equal(first, second)
    assert (first != images).any()
