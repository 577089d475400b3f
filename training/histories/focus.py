"""Sharpened, blurred, denoised: pictures after a filter of a camera or of a program."""

from collections.abc import Callable

import numpy as np
import pywt
from numpy.typing import NDArray
from PIL import ImageFilter
from scipy.ndimage import convolve, gaussian_filter, median_filter

from training.histories.pictures import KERNELS, log_uniform, resize, rounded
from worker.enrol.recompress import Picture, from_pil, to_pil

Make = Callable[[Picture, np.random.Generator], Picture]

# To Y, Cb, Cr (BT.601), where denoisers work: colour noise is taken away more strongly.
_TO_YCC = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32
)
_TO_RGB = np.linalg.inv(_TO_YCC).astype(np.float32)


def sharpened(picture: Picture, rng: np.random.Generator) -> Picture:
    """An unsharp mask of radius .4 to 3 pixels and 30 to 250 %."""
    mask = ImageFilter.UnsharpMask(
        float(log_uniform(rng, 0.4, 3.0)), int(rng.integers(30, 251)), int(rng.integers(0, 4))
    )
    return from_pil(to_pil(picture).filter(mask))


def reduced_and_sharpened(picture: Picture, rng: np.random.Generator) -> Picture:
    """Reduced to .3 to .9 of the size and sharpened, as web platforms do."""
    least = min(1.0, max(0.3, 64 / min(picture.shape[1:])))
    kernel = KERNELS[int(rng.integers(len(KERNELS)))]
    smaller = resize(picture, rng.uniform(least, max(0.9, least)), kernel)
    mask = ImageFilter.UnsharpMask(rng.uniform(0.3, 1.0), int(rng.integers(30, 151)), 0)
    return from_pil(to_pil(smaller).filter(mask))


def blurred(sigma: float | None = None) -> Make:
    """A Gaussian blur of `sigma` pixels; where none is given, .5 to 4."""

    def make(picture: Picture, rng: np.random.Generator) -> Picture:
        width = log_uniform(rng, 0.5, 4.0) if sigma is None else sigma
        values = gaussian_filter(picture.astype(np.float32), (0, width, width), mode="nearest")
        return rounded(values)

    return make


def out_of_focus(picture: Picture, rng: np.random.Generator) -> Picture:
    """An even disk of radius 1 to 4 pixels: a lens that is not in focus."""
    radius = log_uniform(rng, 1.0, 4.0)
    reach = int(np.ceil(radius))
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disk = np.clip(radius + 0.5 - np.hypot(rows, columns), 0, 1).astype(np.float32)
    return _convolved(picture, disk)


def moved(picture: Picture, rng: np.random.Generator) -> Picture:
    """Smeared along a line of 3 to 11 pixels in any direction: a camera that moved."""
    length, angle = rng.uniform(3, 11), rng.uniform(0, np.pi)
    reach = int(np.ceil(length / 2)) + 1
    line = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    for along in np.linspace(-length / 2, length / 2, 64):
        row, column = reach + along * np.sin(angle), reach + along * np.cos(angle)
        top, left = int(row), int(column)
        down, right = row - top, column - left
        line[top, left] += (1 - down) * (1 - right)
        line[top, left + 1] += (1 - down) * right
        line[top + 1, left] += down * (1 - right)
        line[top + 1, left + 1] += down * right
    return _convolved(picture, line)


def _convolved(picture: Picture, kernel: NDArray[np.float32]) -> Picture:
    kernel = kernel / kernel.sum()
    values = [convolve(c.astype(np.float32), kernel, mode="nearest") for c in picture]
    return rounded(np.stack(values))


def denoised_by_median(picture: Picture, rng: np.random.Generator) -> Picture:
    """The median of 3x3 pixels, of 5x5 in every fourth picture."""
    size = 5 if rng.random() < 0.25 else 3
    return np.asarray(median_filter(picture, (1, size, size), mode="nearest"), np.uint8)


def denoised_by_wavelets(picture: Picture, rng: np.random.Generator) -> Picture:
    """Wavelet coefficients pulled towards zero by BayesShrink (Chang, Yu, Vetterli 2000).

    The noise is taken to be 2 to 12 grey levels, twice as much in the colours, so that a clean
    photograph is smoothed as by a phone.
    """
    sigma = log_uniform(rng, 2.0, 12.0)
    ycc = np.tensordot(_TO_YCC, picture.astype(np.float32), 1)  # (3, H, W)
    planes = [_shrunk(plane, sigma * (1.0 if i == 0 else 2.0)) for i, plane in enumerate(ycc)]
    return rounded(np.tensordot(_TO_RGB, np.stack(planes), 1))


def _shrunk(plane: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    levels = max(1, min(4, pywt.dwt_max_level(min(plane.shape), "db2")))
    coarse, *details = pywt.wavedec2(plane, "db2", mode="symmetric", level=levels)
    kept = [coarse]
    for level in details:
        bands = []
        for band in level:
            signal = np.sqrt(max(float(np.mean(band**2)) - sigma**2, 1e-6))
            bands.append(pywt.threshold(band, sigma**2 / signal, "soft"))
        kept.append(tuple(bands))
    height, width = plane.shape
    back: NDArray[np.float32] = pywt.waverec2(kept, "db2", mode="symmetric")[:height, :width]
    return back


def denoised_bilaterally(picture: Picture, rng: np.random.Generator) -> Picture:
    """A bilateral filter (Tomasi and Manduchi 1998) of 5x5 pixels over all three colours.

    Neighbours count less the further their colour is: half at about 10 to 40 grey levels.
    """
    near, alike = rng.uniform(1.0, 3.0), rng.uniform(10.0, 40.0)
    values = picture.astype(np.float32)
    _, height, width = values.shape
    padded = np.pad(values, ((0, 0), (2, 2), (2, 2)), mode="edge")
    total = np.zeros_like(values)
    weights = np.zeros(values.shape[1:], np.float32)
    for down in range(5):
        for right in range(5):
            other = padded[:, down : down + height, right : right + width]
            apart = ((down - 2) ** 2 + (right - 2) ** 2) / (2 * near**2)
            colour = ((other - values) ** 2).sum(0) / (2 * 3 * alike**2)
            weight = np.exp(-apart - colour)
            total += weight * other
            weights += weight
    return rounded(total / weights)


def denoised_and_sharpened(picture: Picture, rng: np.random.Generator) -> Picture:
    """Denoised and then sharpened: the usual order inside a phone."""
    smooth = denoised_by_wavelets(picture, rng)
    mask = ImageFilter.UnsharpMask(rng.uniform(0.6, 2.0), int(rng.integers(50, 201)), 0)
    return from_pil(to_pil(smooth).filter(mask))
