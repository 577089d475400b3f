"""Controls: the same images once without the coarse cues that may give a source away.

Generators that were trained for minutes may differ in the colours that they draw, and what they
draw wrongly lies in the same place of every image, where a linear method finds it. A control
changes every image once, before anything is fitted, so that all methods see the same:

    colours     every generator's colours get the mean and the covariance of the real ones
    both        that, and every image of every source is shifted by a random number of pixels, so
                that no place of the image means anything

None of it is in the paper.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Control = Literal["colours", "both"]
CONTROLS: tuple[Control, ...] = get_args(Control)

SHIFT = 8
"""The largest shift either way is the side over this: 8 pixels of 64. What lies beyond the border
is mirrored. Shifts of 2 of 64 left the wide-grid Eigenface most of what it knew (training/LOG.md).
"""

Pixels = NDArray[np.uint8]
"""Images of one source, (N,3,R,R) RGB."""


def control_config(control: Control) -> dict[str, Any]:
    """All that fixes a control, beside the images."""
    return {"control": control} | ({"shift": SHIFT} if control == "both" else {})


def controlled(
    control: Control, groups: Sequence[Pixels], training: Sequence[Pixels], seed: int
) -> list[Pixels]:
    """The images of every source, real first, under a control.

    Colours are fitted on `training`, the training images of the same sources. The random numbers
    follow from `seed` and the place of a source alone.
    """
    changed = match_colours(groups, training, seed)
    if control == "both":
        changed = each(changed, seed + 1, shift)
    return changed


def each(
    groups: Sequence[Pixels], seed: int, change: Callable[[Pixels, np.random.Generator], Pixels]
) -> list[Pixels]:
    """Every source changed, with random numbers of its own."""
    return [
        change(group, np.random.default_rng([seed, place])) for place, group in enumerate(groups)
    ]


def match_colours(groups: Sequence[Pixels], training: Sequence[Pixels], seed: int) -> list[Pixels]:
    """Give every source but the first the first one's mean and covariance of RGB.

    Over all pixels of the training images; the images of `groups` get the same map, are rounded and
    clipped. Values are spread evenly over the grey level that they were rounded from before they
    are mapped: stretched whole numbers would leave gaps, a mark of the map's own.
    """
    mean, covariance = moments(training[0])

    changed = [groups[0]]
    for place, (group, known) in enumerate(zip(groups[1:], training[1:], strict=True), 1):
        own, spread = moments(known)
        matrix, rng = colour_map(spread, covariance), np.random.default_rng([seed, place])
        changed.append(_mapped(group, matrix, mean - matrix @ own, rng))
    return changed


def moments(images: Pixels) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean (3,) and covariance (3,3) of the colours of all pixels."""
    sums, products, count = np.zeros(3), np.zeros((3, 3)), 0
    for image in images:
        colours = image.reshape(3, -1).astype(np.float64)
        sums += colours.sum(1)
        products += colours @ colours.T
        count += colours.shape[1]
    mean = sums / count
    return mean, products / count - np.outer(mean, mean)


def colour_map(covariance: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """The symmetric matrix A (3,3) with A C A = W, for covariances C, of full rank, and W.

    Of all that do so it moves colours least: the optimal transport between Gaussians, Monge's map,
    A = C^(-1/2) (C^(1/2) W C^(1/2))^(1/2) C^(-1/2) (Knott and Smith 1984).
    """
    root = _root(covariance)
    back = np.linalg.inv(root)
    matrix: NDArray[np.float64] = back @ _root(root @ wanted @ root) @ back
    return matrix


def _root(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The symmetric root of a symmetric matrix without negative eigenvalues."""
    values, vectors = np.linalg.eigh(matrix)
    root: NDArray[np.float64] = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return root


def _mapped(
    images: Pixels,
    matrix: NDArray[np.float64],
    offset: NDArray[np.float64],
    rng: np.random.Generator,
) -> Pixels:
    """Colours c to `matrix` c + `offset`, as whole numbers of 0 to 255."""
    changed, linear = np.empty_like(images), matrix.astype(np.float32)
    for place, image in enumerate(images):
        colours = image.reshape(3, -1) + (rng.random((3, image[0].size), np.float32) - 0.5)
        colours = linear @ colours + offset.astype(np.float32)[:, None]
        changed[place] = colours.round().clip(0, 255).reshape(image.shape)
    return changed


def shift(images: Pixels, rng: np.random.Generator) -> Pixels:
    """Every image by whole pixels of its own, evenly drawn up to a `SHIFT`th of the side each way.

    Up or down and left or right; the image is mirrored beyond its border, the border once.
    """
    side = images.shape[-1]
    most = side // SHIFT
    rows, columns = rng.integers(0, 2 * most + 1, (2, len(images)))
    changed = np.empty_like(images)
    for place, image in enumerate(images):
        wide = np.pad(image, ((0, 0), (most, most), (most, most)), mode="reflect")
        row, column = rows[place], columns[place]
        changed[place] = wide[:, row : row + side, column : column + side]
    return changed
