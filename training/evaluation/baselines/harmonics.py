"""Baseline: gradient boosting on the spectrum of a residual at harmonics, as in Synthbuster.

Bammey 2023, "Synthbuster: Towards detection of diffusion model generated images", IEEE Open
Journal of Signal Processing 5: the cross-difference filter takes the picture away, and the Fourier
transform of what is left shows what up-sampling repeats at periods of 2, 4 and 8 pixels; its
magnitudes there go to a gradient-boosted classifier.

Deviations: magnitudes are logarithms over the median of the spectrum, so that contrast says
nothing; the classes are the registered generators and photographs, where that has two.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from sklearn.ensemble import HistGradientBoostingClassifier

from training.evaluation.baselines.cell import Learned, Pictures
from training.evaluation.baselines.naming import Floats, Score

PERIOD = 8
"""Pixels: the longest period; harmonics are its multiples in frequency, 0 to 4 eighths."""

_PHOTOGRAPHS = -1  # the class beside the generators' 0 to S-1
_ITERATIONS, _LEARNING_RATE, _LEAVES = 60, 0.1, 15
_CHUNK = 50
_LEAST = 1e-6


def learn_harmonics(learned: Learned) -> Score:
    """One classifier of all generators and of photographs; classes weigh the same."""
    numbers = harmonics(np.concatenate([learned.samples, learned.photographs]))
    labels = np.concatenate([learned.whose, np.full(len(learned.photographs), _PHOTOGRAPHS)])
    fitted = HistGradientBoostingClassifier(
        learning_rate=_LEARNING_RATE,
        max_iter=_ITERATIONS,
        max_leaf_nodes=_LEAVES,
        early_stopping=False,
        class_weight="balanced",
        random_state=0,
    ).fit(numbers, labels)

    def score(pictures: Pictures) -> Floats:
        """The probability of each generator."""
        shares: Floats = fitted.predict_proba(harmonics(pictures))[:, 1:].astype(np.float32)
        return shares

    return score


def harmonics(pictures: Pictures) -> Floats:
    """(N, 3, R, R) uint8 to (N, 3·F) float32: log magnitudes at F harmonics over the median."""
    rows, columns = _places()
    found = []
    for start in range(0, len(pictures), _CHUNK):
        residual = cross_difference(pictures[start : start + _CHUNK])
        side = residual.shape[-1] // PERIOD * PERIOD  # where harmonics fall on whole bins
        spectrum = np.abs(fft.fft2(residual[..., :side, :side]))
        step = side // PERIOD
        peaks = spectrum[..., rows * step, columns * step]  # (N, 3, F)
        median = np.median(spectrum, axis=(-2, -1))[..., None]
        logs = np.log((peaks + _LEAST) / (median + _LEAST))
        found.append(logs.reshape(len(logs), -1).astype(np.float32))
    return np.concatenate(found)


def cross_difference(pictures: Pictures) -> Floats:
    """|x(i,j) + x(i+1,j+1) - x(i,j+1) - x(i+1,j)|: (N, 3, R, R) to float32 (N, 3, R-1, R-1)."""
    x = pictures.astype(np.float32)
    found: Floats = np.abs(x[..., :-1, :-1] + x[..., 1:, 1:] - x[..., :-1, 1:] - x[..., 1:, :-1])
    return found


def _places() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the harmonics in eighths, (F,) each; of a real array half are enough."""
    half = PERIOD // 2
    kept = [
        (v, u)
        for v in range(half + 1)
        for u in range(PERIOD)
        if (v, u) != (0, 0) and (0 < v < half or u <= half)
    ]
    rows, columns = np.array(kept, np.int64).T
    return rows, columns
