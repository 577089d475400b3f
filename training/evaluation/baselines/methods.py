"""The baselines by name, and what a baseline is: from samples and photographs to scores."""

from collections.abc import Callable
from dataclasses import dataclass

from training.evaluation.baselines.cell import Learned
from training.evaluation.baselines.dct_ridge import learn_dct_ridge
from training.evaluation.baselines.harmonics import learn_harmonics
from training.evaluation.baselines.naming import Score
from training.evaluation.baselines.network import SIDE, learn_network
from training.evaluation.baselines.prnu import learn_prnu


@dataclass(frozen=True, slots=True)
class Baseline:
    """`learn` gives scores; `least_side` is that of the smallest picture it can read, in pixels.

    `about` says in a sentence what it is here, for the page.
    """

    title: str
    learn: Callable[[Learned], Score]
    about: str
    least_side: int = 16


BASELINES: dict[str, Baseline] = {
    "prnu": Baseline(
        "PRNU",
        learn_prnu,
        "The noise residual of wavelet denoising, held by normalised correlation against the mean"
        " residual of a generator's samples (Marra et al. 2019; level and sigma are those that the"
        " paper's tables chose on validation images of the ten seeds, wider grid).",
    ),
    "dct_ridge": Baseline(
        "DCT and ridge",
        learn_dct_ridge,
        "Logarithms of the DCT coefficients of tiles of 64 pixels, averaged over the tiles of a"
        " picture, and a ridge regression of each generator against photographs and all others"
        " (Frank et al. 2020).",
    ),
    "harmonics": Baseline(
        "Harmonics and boosting",
        learn_harmonics,
        "Like Synthbuster (Bammey 2023): magnitudes of the spectrum of the cross-difference at the"
        " periods 8, 4, 2 and their harmonics, and gradient boosting of all generators against"
        " photographs.",
    ),
    "network": Baseline(
        "Paper's network",
        learn_network,
        "The paper's attribution network as it was trained on faces and ten seeds of SNGAN, none"
        " of which is asked about. It cannot name what it was not trained on, so that a generator's"
        " class is the mean of the features of its samples (the nearest class mean of Mensink et"
        " al. 2013), and the largest logit of these classes is held against the threshold. It reads"
        " the middle 64 pixels, the only side that it was trained for, and nothing smaller.",
        least_side=SIDE,
    ),
}
"""In the order of the page."""
