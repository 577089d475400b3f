"""Whoever changes the numbers of the blocks has to give them another version."""

import numpy as np
from numpy.typing import NDArray

from worker.extractor.blocks.picture_features import BLOCKS, BLOCKS_VERSION, accumulate, finish

PINNED = {
    "1": {
        "block_dct": (-55.6853, -20.5379, 19.0737, 1.6919),
        "phase_dct": (8.1422, 35.1643, 91.2978, -7.6973),
        "chroma_phase": (-62.1668, 41.6877, 173.7774, 97.151),
        "co_occurrences": (-4.5613, -2.1073, 3.0843, 4.6788),
        "colour": (0.2209, -3.1265, 0.7184, 1.0746),
        "spectrum": (-77.9147, 225.4387, 207.5047, 219.9455),
    }
}  # by version and block: its numbers, added under four rows of random signs


def picture() -> NDArray[np.uint8]:
    """uint8 (3, 112, 144) of whole numbers alone, so that every machine makes the same."""
    numbers = np.random.default_rng(7)
    levels = sum(
        numbers.integers(0, most, (3, 112 // c, 144 // c)).repeat(c, axis=1).repeat(c, axis=2)
        for c, most in ((1, 9), (4, 40), (16, 200))
    )
    return np.asarray(levels, dtype=np.uint8)


def pins(features: NDArray[np.float32]) -> NDArray[np.float64]:
    """(F,) to (4,): unlike a digest of rounded numbers these bear another order of additions."""
    signs = np.random.default_rng(11).choice([-1.0, 1.0], (4, len(features)))
    pinned: NDArray[np.float64] = signs @ features.astype(np.float64)
    return pinned


def test_the_numbers_are_those_of_the_stated_version() -> None:
    found = {name: pins(own) for name, own in finish(accumulate(picture())).items()}
    assert list(found) == list(BLOCKS)
    for name, own in found.items():
        np.testing.assert_allclose(
            own,
            PINNED[BLOCKS_VERSION][name],
            rtol=0,
            atol=2e-3,
            err_msg=f"{name} gives other numbers: state another BLOCKS_VERSION, draw the corpus and"
            " train the bundle anew, and pin what is found here",
        )
