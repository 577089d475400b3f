"""Baseline: PRNU, correlation of an image's noise residual with each source's mean residual.

Marra, Gragnaniello, Verdoliva and Poggi 2019, arXiv 1812.11842, on generators; the
steps come from Chen, Fridrich, Goljan and Lukáš 2008, "Determining image origin and integrity
using sensor noise", and the denoiser from Mıhçak, Kozintsev and Ramchandran 1999:

1. details: db4 wavelet transform of every colour channel, finest level first;
2. noise in them: a Wiener filter whose local variance is the least over `WINDOWS`;
3. grey: Rec. 601 weights, and back from the wavelet domain with zero in place of the rest: the
   image less its denoised self;
4. model fingerprint: the mean residual of a source;
5. zero mean of every row and column, then a Wiener filter in the DFT domain that lowers peaks;
6. answer: the model fingerprint with the highest normalised correlation at no shift.

Steps 1 to 4 but for the filter of step 2 are linear, so that grey and mean are taken there, before
the costly way back.

Deviations from RUB-SysSec/GANDCTAnalysis, whose grid this is with every second sigma: a plain mean
(as Marra) where that weighs by intensity; the zero mean over all rows and columns where that takes
it for each of the four parities of a colour filter array, which generated images have not and
which would take the checkerboard of an up-sampling with it.

`sigma` is in grey levels of 0 to 255, as in that code, which denoises uint8 values unscaled.

Axes: N images, R pixels a side, S sources; a band is one of three details of a level.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import pywt
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import uniform_filter

from training.paper.accuracy import measure
from training.paper.baselines.selections import some_of_each
from training.paper.images import LabelledImages

LEVELS = (1, 2, 3, 4)
SIGMAS = tuple(percent / 100 for percent in range(5, 100, 10))
"""0.05, 0.15 ... 0.95 grey levels."""

WIDER_SIGMAS = (*SIGMAS, 1.5, 2.5, 4.0, 6.0, 9.0)
"""What lies beyond the edge of the published grid."""

WINDOWS = (3, 5, 7, 9)
SEARCHED = 300
"""Training images of each source in the search of the grid."""

_REC_601 = np.array([0.299, 0.587, 0.114], np.float32)
_CHUNK = 200  # images in the wavelet domain at a time: some 40 MB at 64 pixels a side
_LEAST = np.float32(1e-20)  # keeps a constant image from dividing by zero

Float = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Prnu:
    """Model fingerprints, float32 (S,R,R) after step 5, and how residuals are made.

    `settings` holds `level`, `sigma` and, after a search, its `validation_accuracy` (0 to 1, with
    model fingerprints of fewer training images than the final ones).
    """

    fingerprints: Float
    level: int
    sigma: float
    settings: dict[str, float]

    def answers(self, images: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Images uint8 (N,3,R,R) to places in `train.sources`, int64 (N,)."""
        found = []
        for chunk in _chunks(images):
            residual = residuals(chunk, self.level, self.sigma)
            found.append(correlations(cleaned(residual), self.fingerprints).argmax(axis=1))
        return np.concatenate(found)


def fit_prnu(
    train: LabelledImages, validation: LabelledImages, sigmas: tuple[float, ...] = SIGMAS
) -> Prnu:
    """Choose level and sigma on `validation`, the first of ties; fingerprints of all of `train`."""
    fingerprints = _fingerprints(some_of_each(train, SEARCHED), LEVELS, sigmas)
    answers: dict[tuple[int, float], list[NDArray[np.int64]]] = {key: [] for key in fingerprints}
    for chunk in _chunks(validation.images):
        noise = _Noise(chunk, max(LEVELS))
        for sigma in sigmas:
            bands = noise.grey(sigma)
            for level in LEVELS:
                residual = cleaned(_rebuild(bands[:level], chunk.shape[-1]))
                likeness = correlations(residual, fingerprints[level, sigma])
                answers[level, sigma].append(likeness.argmax(axis=1))
    grid = list(product(LEVELS, sigmas))
    found = [measure(validation, np.concatenate(answers[key])).mean for key in grid]
    best = int(np.argmax(found))
    fitted = fingerprints_of(train, *grid[best])
    settings = {**fitted.settings, "validation_accuracy": found[best]}
    return Prnu(fitted.fingerprints, fitted.level, fitted.sigma, settings)


def fingerprints_of(train: LabelledImages, level: int, sigma: float) -> Prnu:
    """Model fingerprints of all of `train`, at a given level and sigma."""
    fingerprints = _fingerprints(train, (level,), (sigma,))[level, sigma]
    return Prnu(fingerprints, level, sigma, {"level": float(level), "sigma": sigma})


def residuals(images: NDArray[np.uint8], level: int, sigma: float) -> Float:
    """Grey residuals, steps 1 to 3, of images uint8 (N,3,R,R): float32 (N,R,R)."""
    return _rebuild(_Noise(images, level).grey(sigma), images.shape[-1])


def cleaned(residual: Float) -> Float:
    """Step 5 on residuals float32 (N,R,R): rows and columns have zero mean, peaks are lowered.

    The noise variance of the Wiener filter is the residual's own.
    """
    x = residual - residual.mean(axis=-1, keepdims=True)
    x = x - x.mean(axis=-2, keepdims=True)
    spectrum = fft.fft2(x)
    variance = np.maximum(x.var(axis=(-2, -1), ddof=1, keepdims=True), _LEAST)
    gain = variance / np.maximum(_local_energy(np.abs(spectrum) / x.shape[-1]), variance)
    back: Float = fft.ifft2(spectrum * gain).real
    return back


def correlations(residual: Float, fingerprints: Float) -> Float:
    """Normalised correlation in [-1,1] of (N,R,R) with (S,R,R), rows and columns of zero mean.

    Returns float32 (N,S); 0 for an array that is zero throughout.
    """
    sides = [array.reshape(len(array), -1) for array in (residual, fingerprints)]
    lengths = [np.maximum(np.linalg.norm(side, axis=1), _LEAST) for side in sides]
    one, other = (side / length[:, None] for side, length in zip(sides, lengths, strict=True))
    likeness: Float = one @ other.T
    return likeness


class _Noise:
    """Images uint8 (N,3,R,R) in the wavelet domain, from which noise of any sigma is taken."""

    def __init__(self, images: NDArray[np.uint8], level: int) -> None:
        smooth, self.details = images.astype(np.float32), list[Float]()
        for _ in range(level):
            smooth, bands = pywt.dwt2(smooth, "db4", axes=(-2, -1))
            self.details.append(np.stack(bands))  # (3,N,3,h,w): band, image, channel
        self.energies = [_local_energy(detail) for detail in self.details]

    def grey(self, sigma: float) -> list[Float]:
        """The noise in every level, finest first: float32 (3,N,h,w), band by band.

        The Wiener filter takes x max(E - v, 0) / (max(E - v, 0) + v) for the signal, with E the
        local energy and v the variance of the noise; what it leaves is x v / max(E, v).
        """
        variance = np.float32(sigma**2)
        return [
            np.einsum("bnchw,c->bnhw", detail * (variance / np.maximum(energy, variance)), _REC_601)
            for detail, energy in zip(self.details, self.energies, strict=True)
        ]


def _local_energy(x: Float) -> Float:
    """The least over `WINDOWS` of the mean square in a window, zero outside; shape of `x`."""
    least, flat, squared = np.full_like(x, np.inf), (1,) * (x.ndim - 2), np.square(x)
    for side in WINDOWS:
        least = np.minimum(least, uniform_filter(squared, (*flat, side, side), mode="constant"))
    return least


def _rebuild(bands: list[Float], side: int) -> Float:
    """Back from details (3,N,h,w), finest first, and no smooth part: float32 (N,side,side)."""
    smooth: Float | None = None
    for level in reversed(bands):
        if smooth is not None:
            smooth = smooth[..., : level.shape[-2], : level.shape[-1]]  # an odd size grew by one
        smooth = pywt.idwt2((smooth, tuple(level)), "db4", axes=(-2, -1))
    assert smooth is not None
    return smooth[..., :side, :side]


def _fingerprints(
    train: LabelledImages, levels: tuple[int, ...], sigmas: tuple[float, ...]
) -> dict[tuple[int, float], Float]:
    """Model fingerprints, float32 (S,R,R), for every level and sigma."""
    side, deepest = train.images.shape[-1], max(levels)
    found: dict[tuple[int, float], list[Float]] = {key: [] for key in product(levels, sigmas)}
    for place in range(len(train.sources)):
        images = train.of(place)
        sums: dict[float, list[Float]] = {}
        for chunk in _chunks(images):
            noise = _Noise(chunk, deepest)
            for sigma in sigmas:
                added = [band.sum(axis=1, keepdims=True) for band in noise.grey(sigma)]
                before = sums.get(sigma, [np.zeros_like(band) for band in added])
                sums[sigma] = [a + b for a, b in zip(before, added, strict=True)]
        for level, sigma in found:
            mean = [band / np.float32(len(images)) for band in sums[sigma][:level]]
            found[level, sigma].append(cleaned(_rebuild(mean, side)))
    return {key: np.concatenate(arrays) for key, arrays in found.items()}


def _chunks(images: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    return (images[start : start + _CHUNK] for start in range(0, len(images), _CHUNK))
