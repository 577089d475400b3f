"""Scene tiles: their shapes and places, which are dropped, and how many are kept."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from training.data.scenes import LEAST_DEVIATION, TILES_PER_PHOTO, scenes_of_side, tiles_of


def noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """A picture of coarse noise, uint8 (H,W,3): its 16x16 blocks survive every reduction."""
    blocks = np.random.default_rng(seed).integers(0, 256, (height // 16, width // 16, 3), np.uint8)
    return blocks.repeat(16, 0).repeat(16, 1)


def saved(folder: Path, pixels: NDArray[np.uint8], name: str = "photo.png") -> Path:
    """`pixels`, uint8 (H,W,3), as a file without loss."""
    path = folder / name
    Image.fromarray(pixels).save(path)
    return path


@pytest.mark.parametrize(("side", "reduction"), [(64, 4), (128, 2)])
def test_tiles_are_the_reduced_photograph_cut_up_without_overlap(
    side: int, reduction: int, tmp_path: Path
) -> None:
    pixels = noise(2 * 256 + 80, 3 * 256 + 96)  # what is left at the right and below is dropped
    tiles = tiles_of(saved(tmp_path, pixels), side)
    assert tiles.shape == (6, 3, side, side)
    assert tiles.dtype == np.uint8
    for place, tile in enumerate(tiles):
        top, left = 256 * (place // 3), 256 * (place % 3)
        part = pixels[top : top + 256, left : left + 256].astype(float)
        means = part.reshape(side, reduction, side, reduction, 3).mean((1, 3))  # (R,R,3)
        assert np.abs(tile - means.transpose(2, 0, 1)).max() <= 0.5


def test_both_sides_show_the_same_places(tmp_path: Path) -> None:
    path = saved(tmp_path, noise(8 * 256, 7 * 256))  # more than are kept: thinned alike too
    small, large = tiles_of(path, 64), tiles_of(path, 128)
    assert len(small) == len(large)
    halved = large.reshape(len(large), 3, 64, 2, 64, 2).mean((3, 5))
    assert np.abs(small - halved).max() <= 1


def test_a_large_photograph_gives_at_most_forty_tiles_from_all_over(tmp_path: Path) -> None:
    pixels = noise(8 * 256, 7 * 256)
    tiles = tiles_of(saved(tmp_path, pixels), 64)
    assert len(tiles) == TILES_PER_PHOTO == 40
    for kept, top, left in ((0, 0, 0), (-1, 7 * 256, 6 * 256)):  # the first and the last of 56
        corner = saved(tmp_path, pixels[top : top + 256, left : left + 256], "corner.png")
        assert np.array_equal(tiles[kept], tiles_of(corner, 64)[0])


def test_flat_tiles_are_dropped(tmp_path: Path) -> None:
    pixels = noise(256, 3 * 256)
    pixels[:, 256:512] = 128
    faint = np.where(noise(256, 256)[..., :1] < 128, 120, 126)  # a deviation of 3
    pixels[:, 512:] = faint
    tiles = tiles_of(saved(tmp_path, pixels), 64)
    assert len(tiles) == 1
    assert tiles[0].std() > LEAST_DEVIATION
    flat = saved(tmp_path, np.full((256, 256, 3), 90, np.uint8), "flat.png")
    assert tiles_of(flat, 64).shape == (0, 3, 64, 64)


def test_the_tiles_of_many_photographs_follow_each_other(tmp_path: Path) -> None:
    paths = [saved(tmp_path, noise(256, 512, seed), f"{seed}.png") for seed in (1, 2)]
    tiles = scenes_of_side(paths, 128)
    assert tiles.shape == (4, 3, 128, 128)
    assert np.array_equal(tiles[2:], tiles_of(paths[1], 128))


def test_a_photograph_smaller_than_a_tile_gives_none(tmp_path: Path) -> None:
    assert len(tiles_of(saved(tmp_path, noise(240, 512)), 64)) == 0


def test_another_side_is_refused() -> None:
    with pytest.raises(ValueError, match="64 or 128 pixels a side, not 32"):
        scenes_of_side([], 32)
