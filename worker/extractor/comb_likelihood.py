"""How much likelier a histogram of DCT coefficients is with a standard table than without one.

Letters for axes: M the 64 modes of an 8x8 DCT (row by row), N the bins of comb_counts, S
quantisation steps 0..64, Q the qualities, K the multiples of a file's own step.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import erf, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from worker.decoder.jpeg_quality import standard_table
from worker.extractor.comb_counts import BINS, PER_LEVEL

QUALITIES: Final = np.arange(8, 99)
_STEPS: Final = BINS // PER_LEVEL
_MULTIPLES: Final = 48
_SPREADS: Final = (0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)
"""Of a coefficient about its multiple, grey levels. The first: Y, then R, G and B were rounded to
whole levels, variances 1/12 and 0.45/12. The others: by a later JPEG off the grid."""
_SPREAD_BEFORE_OWN: Final = 0.5
"""Of an earlier JPEG's coefficient when the file's own steps round it; some more than rounding."""
_WIDEST: Final = 8.0
"""Grey levels; an error of quantisation is no larger than the coefficients are."""
_STRAY: Final = 0.1
"""Share of coefficients that are anywhere, as after a touch of editing."""
_ZIGZAG: Final = sorted(
    range(64), key=lambda m: (m // 8 + m % 8, m // 8 if (m // 8 + m % 8) % 2 else m % 8)
)
_COUNTED: Final = np.array(_ZIGZAG[1:36])
"""Modes that say something: those that comb_counts counts, but the constant."""

Ratios = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""By quality (Q,): what chooses one, the evidence for it, the evidence's variance without a JPEG.

Choice and evidence are log likelihood ratios of a table. A reference is taken off the evidence, and
off the choice too where it has all in common with the grid but that JPEG.
"""


def rows_of_zigzag(table: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    """A quantisation table (64,) in zigzag order, as (M,)."""
    rows = np.empty(64, dtype=np.int64)
    rows[_ZIGZAG] = np.asarray(table, dtype=np.int64)
    return rows


def log_ratios(
    counts: NDArray[np.float32],
    reference: NDArray[np.float32] | None,
    spreads: NDArray[np.int64],
) -> Ratios:
    """For counts (M, N) of one grid, less those of a `reference` without that JPEG.

    `spreads` (M,) says which of `_SPREADS` a mode has.
    """
    differences, weights = counts, counts
    if reference is not None:
        expected = _scaled(reference, counts)
        differences, weights = counts - expected, counts + expected
    sums = np.zeros((64, _STEPS + 1))
    variances = np.zeros((64, _STEPS + 1))
    for spread in set(spreads[_COUNTED].tolist()):
        modes = _COUNTED[spreads[_COUNTED] == spread]
        gains, squares = _gains(_SPREADS[spread])
        sums[modes] = differences[modes] @ gains
        variances[modes] = weights[modes] @ squares
    by_quality = _by_quality(sums)
    return by_quality, by_quality, _by_quality(variances)


def log_ratios_on_own_grid(
    counts: NDArray[np.float32], reference: NDArray[np.float32], own: NDArray[np.int64]
) -> Ratios:
    """For counts (M, N) on the grid of a JPEG with the table `own` (M,): was there one before?

    `reference` (M, N) is a grid's that shows neither.
    """
    sums = np.zeros((64, _STEPS + 1))
    variances = np.zeros((64, _STEPS + 1))
    plain = np.zeros((64, _STEPS + 1))
    for mode in _COUNTED.tolist():
        step = int(own[mode])
        if not 2 <= step <= _STEPS:
            continue
        starts, gains = _gains_on_own_grid(step)
        held = np.add.reduceat(counts[mode, :-1], starts)  # (K,)
        expected = np.add.reduceat(reference[mode, :-1], starts)
        held[0] = expected[0] = 0
        expected = _scaled(expected, held)
        plain[mode] = gains @ held
        sums[mode] = gains @ (held - expected)
        variances[mode] = np.square(gains) @ (held + expected)
    return _by_quality(plain), _by_quality(sums), _by_quality(variances)


def spreads_off_grid(own: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which of `_SPREADS` each mode (M,) has on another grid, after a JPEG with the table `own`.

    An error of a twelfth of the step squared, less where the steps are larger than most
    coefficients, shared by neighbouring frequencies.
    """
    errors = np.minimum(own.reshape(8, 8) / sqrt(12), _WIDEST) ** 2
    padded = np.pad(errors, 1, mode="edge")
    shared = sum(padded[i : i + 8, j : j + 8] for i in range(3) for j in range(3)) / 9
    spread = np.log(np.sqrt(shared + _SPREADS[0] ** 2)).ravel()
    nearest: NDArray[np.int64] = np.abs(np.log(_SPREADS)[:, None] - spread).argmin(axis=0)
    return nearest


def _scaled(reference: NDArray[np.float32], counts: NDArray[np.float32]) -> NDArray[np.float32]:
    """`reference` with as many in all, along the last axis, as `counts`."""
    share = counts.sum(axis=-1, keepdims=True) / np.maximum(
        reference.sum(axis=-1, keepdims=True), 1
    )
    scaled: NDArray[np.float32] = reference * share
    return scaled


def _by_quality(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """(M, S) to (Q,): of each mode that says something, the step that the quality has there."""
    chosen: NDArray[np.float64] = sums.ravel()[_places()].sum(axis=1)
    return chosen


@lru_cache(maxsize=1)
def _places() -> NDArray[np.int64]:
    """Where in (M, S), flat, the steps of a quality stand, (Q, modes that say something).

    Steps that are too small or too large to show are taken for 0.
    """
    tables = np.stack([rows_of_zigzag(standard_table(int(quality))) for quality in QUALITIES])
    steps = np.where((tables >= 2) & (tables <= _STEPS), tables, 0)
    places: NDArray[np.int64] = _COUNTED * (_STEPS + 1) + steps[:, _COUNTED]
    return places


@lru_cache(maxsize=len(_SPREADS))
def _gains(spread: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Log likelihood ratio (N, S) of a coefficient in a bin: multiples of a step or anything.

    And its square.

    0 for steps below 2 and for coefficients below half a step.
    """
    centres = np.arange(BINS) / PER_LEVEL
    gains = np.zeros((_STEPS + 1, BINS), dtype=np.float32)
    for step in range(max(2, int(3 * spread)), _STEPS + 1):
        rest = centres - step * np.rint(centres / step)
        near = sum(np.exp(-0.5 * ((rest + k * step) / spread) ** 2) for k in range(-4, 5))
        density = (1 - _STRAY) * step / (spread * sqrt(2 * np.pi)) * near + _STRAY
        gains[step] = np.where(centres > step / 2, np.log(density), 0)
    gains[:, -1] = 0
    by_bin = np.ascontiguousarray(gains.T)
    return by_bin, np.square(by_bin)


@lru_cache(maxsize=128)
def _gains_on_own_grid(own: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """First bin of each multiple of `own` (K,), and log likelihood ratios (S, K) of its count.

    With an earlier step s, the n-th multiple of s fills the multiple of `own` that it is nearest
    to, with s / own times as many as without.
    """
    centres = np.arange(BINS - 1) / PER_LEVEL
    multiples, starts = np.unique(np.rint(centres / own), return_index=True)
    multiples, starts = multiples[:_MULTIPLES], starts[:_MULTIPLES]
    gains = np.zeros((_STEPS + 1, len(multiples)))
    for step in range(2, _STEPS + 1):
        earlier = np.arange(int(multiples[-1] * own / step) + 3) * step
        below = ((multiples - 0.5) * own)[:, None] - earlier
        inside = _normal((below + own) / _SPREAD_BEFORE_OWN) - _normal(below / _SPREAD_BEFORE_OWN)
        ratio = (1 - _STRAY) * step / own * inside.sum(axis=1) + _STRAY
        gains[step] = np.where(multiples * own > step / 2, np.log(ratio), 0)
    gains[:, 0] = 0
    return starts, gains


def _normal(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The normal distribution's share below each value."""
    shares = [0.5 * (1 + erf(value / sqrt(2))) for value in values.ravel()]
    return np.array(shares).reshape(values.shape)
