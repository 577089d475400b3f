"""Noise of pixels, of sensors, of browsers and of film; and demosaicing alone."""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve, gaussian_filter

from training.histories.pictures import log_uniform, luminance, rounded
from worker.enrol.recompress import Picture

Make = Callable[[Picture, np.random.Generator], Picture]
Demosaicing = Literal["bilinear", "gradients"]

# Gradient-corrected linear demosaicing, in eighths: Malvar, He and Cutler 2004, figure 2.
_GREEN_AT_OTHERS = np.array(
    [[0, 0, -1, 0, 0], [0, 0, 2, 0, 0], [-1, 2, 4, 2, -1], [0, 0, 2, 0, 0], [0, 0, -1, 0, 0]],
    np.float32,
)
_ALONG_ROWS = np.array(
    [[0, 0, 1, 0, 0], [0, -2, 0, -2, 0], [-2, 8, 10, 8, -2], [0, -2, 0, -2, 0], [0, 0, 1, 0, 0]],
    np.float32,
) / np.float32(2)
_ACROSS = np.array(
    [[0, 0, -3, 0, 0], [0, 4, 0, 4, 0], [-3, 0, 12, 0, -3], [0, 4, 0, 4, 0], [0, 0, -3, 0, 0]],
    np.float32,
) / np.float32(2)


def pixel_noise(sigma: float | None = None) -> Make:
    """White noise of `sigma` grey levels on every sample; where none is given, 1 to 25.

    A quarter of the drawn ones have the same noise in all three colours.
    """

    def make(picture: Picture, rng: np.random.Generator) -> Picture:
        grey = sigma is None and rng.random() < 0.25
        deviation = log_uniform(rng, 1.0, 25.0) if sigma is None else sigma
        shape = picture.shape[1:] if grey else picture.shape
        drawn = rng.standard_normal(shape, np.float32) * np.float32(deviation)
        return rounded(picture + drawn)

    return make


def sensor_noise(sigma: float | None = None) -> Make:
    """Noise on the samples of a Bayer mosaic, then demosaiced.

    With `sigma`: white noise of so many grey levels, bilinear demosaicing. Without: 2 to 20 grey
    levels at white, of which a drawn share grows with the light (the photons'), either demosaicing.
    """

    def make(picture: Picture, rng: np.random.Generator) -> Picture:
        mosaic, owner = _mosaic(picture, rng)
        if sigma is None:
            top, of_light = log_uniform(rng, 2.0, 20.0), rng.uniform(0.0, 1.0)
            deviation = top * np.sqrt(1 - of_light + of_light * mosaic / 255)
        else:
            deviation = np.full_like(mosaic, sigma)
        noisy = mosaic + deviation.astype(np.float32) * rng.standard_normal(
            mosaic.shape, np.float32
        )
        simple = sigma is not None or rng.random() < 0.5
        how: Demosaicing = "bilinear" if simple else "gradients"
        return _demosaiced(np.clip(noisy, 0, 255), owner, how)

    return make


def demosaiced(how: Demosaicing) -> Make:
    """Two thirds of the samples taken away as by a Bayer mosaic, and interpolated again."""

    def make(picture: Picture, rng: np.random.Generator) -> Picture:
        return _demosaiced(*_mosaic(picture, rng), how)

    return make


def _mosaic(
    picture: Picture, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The one sample that each pixel keeps, (H, W), and which colour it is, 0..2, (H, W).

    Which of the four pixels of a pattern is red, is drawn.
    """
    _, height, width = picture.shape
    row = np.arange(height)[:, None] + int(rng.integers(2))
    column = np.arange(width)[None, :] + int(rng.integers(2))
    owner = row % 2 + column % 2  # 0 red, 1 green, 2 blue
    mosaic = np.take_along_axis(picture, owner[None], 0)[0]
    return mosaic.astype(np.float32), owner


def _demosaiced(mosaic: NDArray[np.float32], owner: NDArray[np.int64], how: Demosaicing) -> Picture:
    return _by_gradients(mosaic, owner) if how == "gradients" else _bilinear(mosaic, owner)


def _bilinear(mosaic: NDArray[np.float32], owner: NDArray[np.int64]) -> Picture:
    """Each missing sample is the mean of its two or four nearest ones of that colour."""
    weights = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], np.float32)
    found = []
    for colour in range(3):
        known = (owner == colour).astype(np.float32)
        near = convolve(mosaic * known, _cross() if colour == 1 else weights, mode="mirror")
        count = convolve(known, _cross() if colour == 1 else weights, mode="mirror")
        found.append(np.where(known > 0, mosaic, near / count))
    return rounded(np.stack(found))


def _cross() -> NDArray[np.float32]:
    return np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]], np.float32)


def _by_gradients(mosaic: NDArray[np.float32], owner: NDArray[np.int64]) -> Picture:
    green, rows, columns, across = (
        convolve(mosaic, kernel / 8, mode="mirror")
        for kernel in (_GREEN_AT_OTHERS, _ALONG_ROWS, _ALONG_ROWS.T, _ACROSS)
    )
    # A green pixel whose neighbour in its row is red stands in a row of red.
    beside_red = np.roll(owner, 1, axis=1) == 0
    beside_red[:, 0] = owner[:, 1] == 0
    red = np.where(owner == 0, mosaic, np.where(owner == 2, across, 0))
    red = np.where(owner == 1, np.where(beside_red, rows, columns), red)
    blue = np.where(owner == 2, mosaic, np.where(owner == 0, across, 0))
    blue = np.where(owner == 1, np.where(beside_red, columns, rows), blue)
    return rounded(np.stack([red, np.where(owner == 1, mosaic, green), blue]))


def privacy_noise(levels: int | None = None) -> Make:
    """Whole numbers from -`levels` to `levels` on every sample, as browsers do against tracking.

    Where none is given: 1 to 3 levels, on all samples or on a share of them.
    """

    def make(picture: Picture, rng: np.random.Generator) -> Picture:
        most = int(rng.integers(1, 4)) if levels is None else levels
        share = 1.0 if levels is not None or rng.random() < 0.5 else rng.uniform(0.1, 1.0)
        drawn = rng.integers(-most, most + 1, picture.shape).astype(np.float32)
        drawn *= rng.random(picture.shape, np.float32) < share
        return rounded(picture + drawn)

    return make


def film_grain(picture: Picture, rng: np.random.Generator) -> Picture:
    """Grain of .5 to 1.6 pixels and 3 to 14 grey levels, strongest in the middle tones.

    Mostly the same in all colours; one picture in four has finer grain of its own in each layer.
    """
    size, deviation = rng.uniform(0.5, 1.6), log_uniform(rng, 3.0, 14.0)
    layers = 3 if rng.random() < 0.25 else 1
    if layers == 3:
        size, deviation = size / 2 + 0.25, deviation / 2
    drawn = rng.standard_normal((layers, *picture.shape[1:]), np.float32)
    grain = gaussian_filter(drawn, (0, size, size), mode="wrap")
    grain /= grain.std()
    light = luminance(picture) / 255
    return rounded(picture + deviation * (0.25 + 3 * light * (1 - light)) * grain)
