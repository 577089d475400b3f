"""What is drawn of the pixels: light and colour at large, the residual, its fold, the spectrum.

Who looks at a page must not be shown what need not be seen: the picture itself is reduced to the
mean colours of a dozen fields on its longer side, and the residual is shown in small calm windows,
out of their order, or averaged. No array here holds more of the picture than that.

Letters for axes: H rows, W columns of the picture or of a region, S a window's side.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worker.extractor.blocks.planes import to_planes

FIELDS = 12
"""On the longer side: rough light and colour, too coarse for a face, a body or a word."""
WINDOW = 32
"""Pixels a side of a residual window."""
MOST_WINDOWS = 12
FOLD = 16
"""Pixels: the longest period that is looked at; regions begin on multiples of it."""
PERIODS = (2, 4, 8, 16)
_LIVELY = 0.3  # grey levels of deviation; below, a window is flat and shows rounding alone
_CLIP = 3.0  # deviations
_FLOOR = 1e-2  # squared grey levels, as the block of statistics has it
_LEAST_LATTICE = 64  # pixels: a window in which neighbours on the lattice of 16 stand apart

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Residual:
    """The high-pass of brightness, in grey levels.

    `windows` (up to 12, 32, 32) are the calmest that are not flat, `amplified` by how much their
    contrast has to be raised to fill the range. `fold` (16, 16) is the mean over the picture of
    all pixels at the same place modulo 16.
    """

    windows: Floats
    amplified: float
    fold: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Spectrum:
    """Log magnitude of brightness, natural logarithm, mean over `count` windows of S pixels.

    `magnitude` (S, S), frequency zero in the middle (S/2, S/2). `above` is by how many decibels
    the frequencies of each period stand out of those around them, across, down and both ways; of
    period 16 only in windows of 64.
    """

    magnitude: Floats
    count: int
    above: dict[int, tuple[float, float, float]]


def mean_fields(
    regions: Sequence[Bytes], origins: NDArray[np.int32], height: int, width: int
) -> tuple[Bytes, NDArray[np.bool_]]:
    """Mean colours (h, w, 3) uint8 of fields, 12 on the longer side, and which were read, (h, w).

    `regions` are uint8 (3, H, W), `origins` int32 (C, 2) their top left corners.
    """
    side = max(height, width) / FIELDS
    rows, columns = max(1, round(height / side)), max(1, round(width / side))
    sums, counts = np.zeros((rows * columns, 3)), np.zeros(rows * columns)
    for region, (top, left) in zip(regions, origins.tolist(), strict=True):
        seen = region[:, : height - top, : width - left]  # small pictures are padded
        down = (np.arange(top, top + seen.shape[1]) * rows) // height
        across = (np.arange(left, left + seen.shape[2]) * columns) // width
        at = (down[:, None] * columns + across).ravel()
        for channel in range(3):
            sums[:, channel] += np.bincount(at, seen[channel].ravel(), rows * columns)
        counts += np.bincount(at, minlength=rows * columns)
    means = sums / np.maximum(counts, 1)[:, None]
    shape = (rows, columns)
    return means.round().astype(np.uint8).reshape(*shape, 3), (counts > 0).reshape(shape)


def smoothed(fields: Bytes, seen: NDArray[np.bool_], side: int) -> Bytes:
    """Fields (h, w, 3), interpolated to a picture uint8 whose longer side is `side` pixels.

    What was not read is filled with the mean of what was.
    """
    colours = fields.astype(np.float64)
    colours[~seen] = colours[seen].mean(0) if seen.any() else 128.0
    scale = side / max(seen.shape)
    for axis, length in enumerate(seen.shape):
        places = (np.arange(round(length * scale)) + 0.5) / scale - 0.5
        low = np.floor(places).astype(int)
        share = np.expand_dims(places - low, (1, 2) if axis == 0 else (0, 2))
        share = share * share * (3 - 2 * share)  # without the creases of straight lines
        below, above = low.clip(0, length - 1), (low + 1).clip(0, length - 1)
        colours = colours.take(below, axis) * (1 - share) + colours.take(above, axis) * share
    return colours.round().clip(0, 255).astype(np.uint8)


def residual(regions: Sequence[Bytes]) -> Residual:
    """Of regions uint8 (3, H, W), sides of 32 and more, each beginning on the grid of 16."""
    found = [_high_pass(to_planes(region).y) for region in regions]
    sums, counts = np.zeros((FOLD, FOLD)), np.zeros((FOLD, FOLD))
    limit = _CLIP * float(np.sqrt(np.mean([np.square(one).mean() for one in found])))
    for one in found:
        places = np.indices(one.shape) % FOLD
        at = (places[0] * FOLD + places[1]).ravel()
        held = one.clip(-limit, limit).ravel()
        sums += np.bincount(at, held, FOLD * FOLD).reshape(FOLD, FOLD)
        counts += np.bincount(at, minlength=FOLD * FOLD).reshape(FOLD, FOLD)
    windows = _calmest(found)
    largest = float(np.percentile(np.abs(windows), 99)) if len(windows) else 0.0
    return Residual(windows, 127 / max(largest, 1.0), sums / counts)


def _high_pass(y: NDArray[np.float32]) -> Floats:
    """(H, W) less its mean over 3x3, weighted 1 2 1; without the outermost pixels' neighbours."""
    padded = np.pad(y.astype(np.float64), 1, mode="reflect")
    down = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    both = down[:, :-2] + 2 * down[:, 1:-1] + down[:, 2:]
    high: Floats = y - both / 16
    return high


def _calmest(found: Sequence[Floats]) -> Floats:
    """Up to MOST_WINDOWS windows (n, 32, 32): those of least deviation that are not flat."""
    windows = np.concatenate([list(_cut(one, WINDOW, WINDOW)) for one in found])
    deviations = windows.std(axis=(1, 2))
    order = np.argsort(np.where(deviations < _LIVELY, np.inf, deviations), kind="stable")
    lively = order[: int((deviations >= _LIVELY).sum())]
    return windows[lively[:MOST_WINDOWS]]


def _cut(plane: NDArray[np.floating], side: int, step: int) -> Iterator[NDArray[np.floating]]:
    for top in range(0, plane.shape[0] - side + 1, step):
        for left in range(0, plane.shape[1] - side + 1, step):
            yield plane[top : top + side, left : left + side]


def spectrum(regions: Sequence[Bytes]) -> Spectrum:
    """Of regions uint8 (3, H, W), sides of 32 and more; windows of 64 where there is one."""
    side = 64 if any(min(region.shape[1:]) >= _LEAST_LATTICE for region in regions) else 32
    shape = np.outer(np.hanning(side), np.hanning(side))
    shape /= np.sqrt(np.square(shape).mean()) * side
    total, count = np.zeros((side, side)), 0
    for region in regions:
        for window in _cut(to_planes(region).y, side, side // 2):
            power = np.abs(np.fft.fft2((window - window.mean()) * shape)) ** 2
            total += np.log(power + _FLOOR) / 2
            count += 1
    magnitude = np.fft.fftshift(total / count)
    known = [period for period in PERIODS if period < FOLD or side >= _LEAST_LATTICE]
    return Spectrum(magnitude, count, {period: _above(magnitude, period) for period in known})


def _above(magnitude: Floats, period: int) -> tuple[float, float, float]:
    """Mean excess in decibels of the frequencies k/period, k odd: across, down, both ways."""
    side = len(magnitude)
    step = side // period
    odd = [k * step for k in range(1, period // 2 + 1, 2)]
    across = [_excess(magnitude, 0, x) for x in odd]
    down = [_excess(magnitude, y, 0) for y in odd]
    both = [_excess(magnitude, y, sign * x) for y in odd for x in odd for sign in (1, -1)]
    return float(np.mean(across)), float(np.mean(down)), float(np.mean(both))


def _excess(magnitude: Floats, y: int, x: int) -> float:
    """A frequency's log magnitude less the median of the ring two steps away, in decibels."""
    side = len(magnitude)
    ring = [
        magnitude[(side // 2 + y + dy) % side, (side // 2 + x + dx) % side]
        for dy in range(-2, 3)
        for dx in range(-2, 3)
        if max(abs(dy), abs(dx)) == 2
    ]
    own = magnitude[(side // 2 + y) % side, (side // 2 + x) % side]
    return float((own - np.median(ring)) * 20 / np.log(10))
