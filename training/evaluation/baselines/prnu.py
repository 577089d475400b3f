"""Baseline: PRNU, correlation with the mean residual of a generator's samples.

The steps are those of training/paper/baselines/prnu.py.
"""

import numpy as np
from numpy.typing import NDArray

from training.evaluation.baselines.cell import Learned, Pictures
from training.evaluation.baselines.naming import Floats, Score
from training.paper.baselines.prnu import cleaned, correlations, fingerprints_of, residuals
from training.paper.images import LabelledImages

LEVEL, SIGMA = 3, 9.0
"""Of the ten seeds with the wider grid (docs/paper/attribution.md): chosen on validation images
of generators that the evaluation does not hold."""

_CHUNK = 20  # pictures in the wavelet domain at a time: some 60 MB at 256 pixels


def learn_prnu(learned: Learned) -> Score:
    """Residual means of the samples; photographs are not needed."""
    names = tuple(map(str, range(learned.count)))
    fitted = fingerprints_of(LabelledImages(learned.samples, learned.whose, names), LEVEL, SIGMA)

    def score(pictures: Pictures) -> Floats:
        return np.concatenate(
            [
                correlations(cleaned(residuals(chunk, LEVEL, SIGMA)), fitted.fingerprints)
                for chunk in _chunks(pictures)
            ]
        )

    return score


def _chunks(pictures: Pictures) -> list[NDArray[np.uint8]]:
    return [pictures[start : start + _CHUNK] for start in range(0, len(pictures), _CHUNK)]
