"""Baseline: ridge regression on logarithms of DCT coefficients.

Frank, Eisenhofer, Schönherr, Fischer, Kolossa and Holz 2020, "Leveraging frequency analysis for
deep fake image recognition", arXiv 2003.08685, sections 3 and 5: the DCT of the whole picture, its
magnitudes on a logarithmic scale, each coefficient with zero mean and unit variance, and ridge
regression. Their pictures have one size; here the DCT is of tiles, averaged over a picture, so that
pictures of 64 and of 256 pixels have the same numbers.
"""

import numpy as np
from scipy import fft
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from training.evaluation.baselines.cell import Learned, Pictures
from training.evaluation.baselines.naming import Floats, Score

TILE = 64
"""Pixels a side; of a smaller picture the tile is the picture."""

PENALTY_PER_NUMBER = 1.0
"""Of the ridge, for each of its standardised numbers: as strong as the data of one picture whose
numbers are all one deviation from the mean. Chosen beforehand, on nothing."""

_LEAST = 1e-3  # grey levels: below rounding, so that a coefficient of zero has a logarithm
_CHUNK = 50


def learn_dct_ridge(learned: Learned) -> Score:
    """One regression for each generator, of +1 for its samples and -1 for all else."""
    numbers = log_dct(np.concatenate([learned.samples, learned.photographs]))
    targets = np.full((len(numbers), learned.count), -1.0, np.float32)
    targets[np.arange(len(learned.whose)), learned.whose] = 1.0
    ridge = Ridge(alpha=PENALTY_PER_NUMBER * numbers.shape[1])
    fitted = make_pipeline(StandardScaler(copy=False), ridge).fit(numbers, targets)

    def score(pictures: Pictures) -> Floats:
        found: Floats = fitted.predict(log_dct(pictures)).reshape(len(pictures), -1)
        return found

    return score


def log_dct(pictures: Pictures) -> Floats:
    """(N, 3, R, R) uint8 to (N, 3·T·T) float32: the mean over tiles of T pixels of log |DCT|.

    Tiles begin at the left and at the top, and what does not fill one is left out.
    """
    found = []
    for start in range(0, len(pictures), _CHUNK):
        chunk = pictures[start : start + _CHUNK]
        side = min(TILE, chunk.shape[-1])
        across = chunk.shape[-1] // side
        cut = chunk[..., : across * side, : across * side].astype(np.float32)
        tiles = cut.reshape(len(chunk), 3, across, side, across, side)
        spectra = fft.dctn(tiles, axes=(3, 5), norm="ortho")
        logs = np.log(np.abs(spectra) + _LEAST).mean((2, 4))  # (N, 3, T, T)
        found.append(logs.reshape(len(chunk), -1).astype(np.float32))
    return np.concatenate(found)
