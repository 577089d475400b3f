"""Scene tiles: what the GANs of scenes learn from, and the real class of their set-up.

Each photograph is made smaller once by a box filter, which weakens the traces of its own codec,
and cut into tiles without overlap; tiles of one photograph are alike, so that splits are by
photograph (`training.data.manifest`), never by tile.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

REDUCTION = {128: 2, 64: 4}
"""How many times smaller a photograph is made for tiles of a side; both show the same places."""

TILES_PER_PHOTO = 40
"""At most; otherwise a few large photographs would make up most of the tiles."""

LEAST_DEVIATION = 10.0
"""Grey levels (of 255): tiles with a smaller deviation of luminance are sky or blur."""


def scenes_of_side(paths: list[Path], side: int) -> NDArray[np.uint8]:
    """The tiles of many photographs, 64 or 128 pixels a side: uint8 (N,3,side,side)."""
    if side not in REDUCTION:
        raise ValueError(f"scenes come with 64 or 128 pixels a side, not {side}")
    return np.concatenate([tiles_of(path, side) for path in paths])


def tiles_of(path: Path, side: int) -> NDArray[np.uint8]:
    """The tiles of one photograph, row by row, evenly thinned: uint8 (n,3,side,side), n <= 40."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB").reduce(REDUCTION[side]), np.uint8)  # (H,W,3)
    rows, columns = pixels.shape[0] // side, pixels.shape[1] // side
    grid = pixels[: rows * side, : columns * side].reshape(rows, side, columns, side, 3)
    tiles = grid.transpose(0, 2, 4, 1, 3).reshape(-1, 3, side, side)
    luminance = np.einsum("nchw,c->nhw", tiles, np.array([0.299, 0.587, 0.114], np.float32))
    tiles = tiles[luminance.std((1, 2)) > LEAST_DEVIATION]
    if len(tiles) > TILES_PER_PHOTO:
        tiles = tiles[np.linspace(0, len(tiles) - 1, TILES_PER_PHOTO).round().astype(int)]
    return np.ascontiguousarray(tiles)
