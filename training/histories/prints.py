"""Printed with a screen of dots, and scanned: books, newspapers, posters."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from training.histories.pictures import resize_to, rounded
from worker.enrol.recompress import Picture, from_pil, to_pil

_FINER = 3  # the dots are drawn on a grid so many times finer than the scan
_ANGLES = (15.0, 75.0, 0.0, 45.0)  # degrees, of cyan, magenta, yellow and black: offset printing


def print_scan(picture: Picture, rng: np.random.Generator) -> Picture:
    """Dots of four inks 2 to 4.5 pixels apart on tinted paper, turned a little, and blurred.

    The dots grow with the ink (a threshold on a cosine screen); the scanner blurs by .5 to 1.2
    pixels, sees paper instead of white and deep grey instead of black, and adds a little noise.
    """
    _, height, width = picture.shape
    fine = resize_to(picture, height * _FINER, width * _FINER, Image.Resampling.BICUBIC)
    ink = 1 - fine.astype(np.float32) / 255
    black = 0.7 * ink.min(0)
    inks = np.concatenate([(ink - black) / np.maximum(1 - black, 1e-3), black[None]])
    period, phase = rng.uniform(2.0, 4.5) * _FINER, rng.uniform(0, 2 * np.pi, (4, 2))
    turn = rng.uniform(-3, 3)
    dots = [
        _dots(plane, period, angle + turn, phase[i])
        for i, (plane, angle) in enumerate(zip(inks, _ANGLES, strict=True))
    ]
    printed = rounded(255 * np.stack([(1 - dot) * (1 - dots[3]) for dot in dots[:3]]))
    small = to_pil(printed).resize((width, height), Image.Resampling.BOX)
    degrees = float(rng.uniform(-1.0, 1.0))
    turned = small.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=(255, 255, 255))
    sigma = rng.uniform(0.5, 1.2)
    values = gaussian_filter(from_pil(turned).astype(np.float32), (0, sigma, sigma))
    paper = np.array([1.0, rng.uniform(0.94, 1.0), rng.uniform(0.82, 0.98)], np.float32)
    low, high = rng.uniform(10, 45), rng.uniform(225, 252)
    seen = low + (high - low) / 255 * values * paper[:, None, None]
    grain = rng.uniform(0.5, 2.5) * rng.standard_normal(seen.shape, np.float32)
    return rounded(seen + grain)


def _dots(
    plane: NDArray[np.float32], period: float, degrees: float, phase: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Where the ink of one colour lies, 0..1: dots that cover as much as `plane`, (H, W), says.

    A cosine screen, whose edge is soft by a tenth of its range, as ink spreads in paper.
    """
    step, angle = 2 * np.pi / period, np.deg2rad(degrees)
    right, down = step * float(np.cos(angle)), step * float(np.sin(angle))
    screen = _wave(plane, right, down, phase[0]) + _wave(plane, -down, right, phase[1])
    covered: NDArray[np.float32] = np.clip((plane - (screen / 4 + 0.5)) / 0.1 + 0.5, 0, 1)
    return covered


def _wave(
    like: NDArray[np.float32], right: float, down: float, phase: np.float64
) -> NDArray[np.float32]:
    """cos(right x + down y + phase) at every pixel (y, x) of `like`, as two products of rows."""
    columns = (np.arange(like.shape[1]) * right + phase).astype(np.float32)[None]
    rows = (np.arange(like.shape[0]) * down).astype(np.float32)[:, None]
    wave: NDArray[np.float32] = np.cos(rows) * np.cos(columns) - np.sin(rows) * np.sin(columns)
    return wave
