"""Half of the training photographs, and the same half with a growing number of others in it.

Yu, Davis and Fritz 2019, section 4.2: a base subset of 100,000 of 200,000 faces, and ten that
differ from it in 1, 10, 100, 1,000, 10,000, 20,000, 40,000, 60,000, 80,000 and 100,000 images.
Scaled to 699 faces, of which 349 are a subset, the first three would be less than one photograph;
they are one, two and three. The others are the paper's shares of the subset: 1, 10, 20, 40, 60, 80
and 100 %.

A photograph that stays keeps its place. With the same random numbers two trainings are therefore
the same, bit for bit on one machine, until one of them draws a photograph that the other has not.
"""

import numpy as np
from numpy.typing import NDArray

SHIFTS = (0, 1, 2, 3, 4, 35, 70, 140, 209, 279, 349)
"""Photographs of each subset that are not in the first one, of 349."""

_LARGEST = SHIFTS[-1]


def shifted(photographs: NDArray[np.uint8], shift: int) -> NDArray[np.uint8]:
    """Half of `photographs` (N,3,R,R), rounded down, with a number replaced by the other half's.

    With fewer or more than 699 photographs the same share is replaced, but one at least for a
    shift above zero.
    """
    half = len(photographs) // 2
    replaced = half * shift // _LARGEST
    if shift:
        replaced = max(1, replaced)
    subset = photographs[:half].copy()
    subset[:replaced] = photographs[half : half + replaced]
    return subset
