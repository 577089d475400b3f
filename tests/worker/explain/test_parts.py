"""Parts of a picture: where they are cut, and whether they agree."""

import numpy as np
import pytest

from worker.explain.parts import GRID, PartScore, agreement, cut_in_parts


def region(height: int, width: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    rng = np.random.default_rng(height * width)
    return rng.integers(0, 256, (3, height, width), dtype=np.uint8)


ORIGIN = np.zeros((1, 2), np.int32)


@pytest.mark.parametrize(
    ("height", "width", "count"),
    [(64, 64, 4), (63, 64, 2), (200, 40, 2), (40, 40, 0), (63, 63, 0), (77, 131, 4)],
)
def test_a_small_picture_is_cut_on_the_grid_where_both_sides_of_a_cut_are_long_enough(
    height: int, width: int, count: int
) -> None:
    whole = region(height, width)
    cuts = cut_in_parts((whole,), ORIGIN, height, width)
    assert len(cuts) == count
    for cut in cuts:
        assert min(cut.regions[0].shape[1:]) >= 32
    if count:
        assert sum(cut.regions[0].size for cut in cuts) == whole.size
        first = cuts[0].regions[0]
        high, wide = first.shape[1:]
        assert high == height or high % GRID == 0
        assert wide == width or wide % GRID == 0
        assert np.array_equal(first, whole[:, :high, :wide])


def test_tiles_go_to_the_quarter_where_their_middle_lies() -> None:
    tiles = tuple(region(128, 128) for _ in range(3))
    origins = np.array([[0, 0], [0, 512], [640, 512]], np.int32)
    cuts = cut_in_parts(tiles, origins, 768, 640)
    assert [(cut.row, cut.column, len(cut.regions)) for cut in cuts] == [
        (0, 0, 1),
        (0, 1, 1),
        (1, 1, 1),
    ]
    assert cut_in_parts(tiles[:2], origins[[0, 0]], 768, 640) == ()


def test_agreement_is_the_share_on_the_whole_pictures_side() -> None:
    up, down = PartScore(3.0, 1.0, True), PartScore(0.0, 1.0, False)
    unknown = PartScore(9.0, None, False)
    assert agreement([up, up, down, up], True) == 0.75
    assert agreement([up, up, down, up], False) == 0.25
    assert agreement([up, unknown, None], True) == 1.0
    assert agreement([unknown, None], True) is None
    assert agreement([], False) is None
