"""Regions follow from the digest of the pixels, lie on the grid of 16, and never overlap."""

import hashlib
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.worker.decoder.image_samples import picture
from worker.decoder.crops import carries_evidence
from worker.decoder.regions import (
    Region,
    RegionReading,
    Stage,
    choose_regions,
    evident_part,
)

DIGEST = hashlib.sha256(b"an image").digest()
READING = RegionReading()
TILE_PIXELS = 128 * 128


def stages_of(
    height: int, width: int, digest: bytes = DIGEST, reading: RegionReading = READING
) -> list[Stage]:
    return list(choose_regions(digest, height, width, reading))


def counted(stages: list[Stage], height: int, width: int) -> NDArray[np.int64]:
    """How often each pixel is read, (height, width)."""
    counts = np.zeros((height, width), dtype=np.int64)
    for stage in stages:
        for top, left, high, wide in stage.regions:
            counts[top : top + high, left : left + wide] += 1
    return counts


def pixels_of(stage: Stage) -> int:
    return sum(region.pixels for region in stage.regions)


@pytest.mark.parametrize("size", [(32, 32), (45, 700), (512, 512), (1024, 256), (1, 1000)])
def test_a_small_picture_is_one_region_whole(size: tuple[int, int]) -> None:
    height, width = max(size[0], 32), size[1]
    assert stages_of(*size) == [Stage((Region(0, 0, height, width),), 0)]


@settings(max_examples=60, deadline=None)
@given(
    digest=st.binary(min_size=32, max_size=32),
    height=st.integers(32, 1500),
    width=st.integers(32, 1500),
    first=st.integers(TILE_PIXELS, 1 << 18),
)
def test_stages_are_disjoint_on_the_grid_and_of_bounded_size(
    digest: bytes, height: int, width: int, first: int
) -> None:
    reading = RegionReading(first, max(first, 1 << 20))
    stages = stages_of(height, width, digest, reading)
    assert counted(stages, height, width).max() == 1
    for stage in stages:
        assert stage.regions
        for top, left, high, wide in stage.regions:
            assert (top % 16, left % 16) == (0, 0)
            assert min(high, wide) >= 32
            assert top + high <= height
            assert left + wide <= width
    read = [pixels_of(stage) for stage in stages]
    assert read[0] <= reading.most_first_pixels
    assert len(stages[0].regions) <= reading.most_regions
    before = np.cumsum(read)
    wanted = [first, *np.minimum(4 * before, reading.most_pixels - before)]
    for index, (own, goal) in enumerate(zip(read, wanted, strict=False)):
        assert own < goal + TILE_PIXELS
        assert own >= goal or index == len(read) - 1, "only the last stage may run out of picture"
    whole = height * width
    assert sum(read) == whole or sum(read) >= reading.most_pixels


def test_a_picture_below_the_most_is_read_to_its_last_pixel() -> None:
    stages = stages_of(1017, 1335)
    assert (counted(stages, 1017, 1335) == 1).all()


def test_a_large_picture_is_read_in_three_stages_of_known_size() -> None:
    stages = stages_of(4096, 4096)
    assert [len(stage.regions) for stage in stages] == [16, 64, 176]
    assert sum(map(pixels_of, stages)) == READING.most_pixels
    assert [stage.left_out for stage in stages] == [0, 0, 0]


def test_a_later_stage_is_four_times_what_was_read_and_costs_nothing_until_asked_for() -> None:
    looked: list[Region] = []

    def look(tile: Region) -> Region:
        looked.append(tile)
        return tile

    stages = choose_regions(DIGEST, 4096, 4096, READING, look)
    first = next(stages)
    assert len(looked) == len(first.regions) == 16
    assert pixels_of(next(stages)) == 4 * pixels_of(first)


@pytest.mark.parametrize(
    ("size", "slack"),
    [((4096, 4096), 0), ((2048, 8192), 0), ((3000, 4000), 5), ((160, 60_000), 3)],
)
def test_every_stage_is_spread_over_the_picture(size: tuple[int, int], slack: int) -> None:
    """Each eighth of the picture gets its share of the first two stages, whatever is drawn.

    Exactly where eighths are made of whole tiles, else but for a few.
    """
    height, width = size
    rows, columns = (2, 4) if height > 1000 else (1, 8)
    for number in range(20):
        digest = hashlib.sha256(bytes([number])).digest()
        for stage in stages_of(height, width, digest)[:2]:
            counts = np.zeros((rows, columns), dtype=int)
            for top, left, high, wide in stage.regions:
                counts[
                    (top + high // 2) * rows // height, (left + wide // 2) * columns // width
                ] += 1
            assert np.abs(counts - len(stage.regions) / counts.size).max() <= slack


def test_every_tile_can_be_drawn_and_digests_draw_otherwise() -> None:
    firsts = [
        stages_of(1280, 1280, hashlib.sha256(bytes([i, 1])).digest())[0].regions for i in range(80)
    ]
    assert len(set(firsts)) == 80
    assert len({region for regions in firsts for region in regions}) == 100


def test_regions_of_a_known_digest_never_change() -> None:
    """A frozen example: if this fails, old verdicts can no longer be computed again."""
    (first, *_) = stages_of(1300, 900, bytes(32), RegionReading(1 << 16, 1 << 20))
    assert [tuple(region) for region in first.regions] == [
        (128, 128, 128, 128),
        (256, 640, 128, 128),
        (1152, 0, 96, 128),
        (1152, 512, 96, 128),
        (1152, 256, 96, 128),
    ]


def test_plain_tiles_are_left_out_counted_and_replaced() -> None:
    def look(tile: Region) -> Region | None:
        return tile if tile.left >= 2048 else None

    stages = list(choose_regions(DIGEST, 4096, 4096, READING, look))
    assert [len(stage.regions) for stage in stages] == [16, 64, 176]
    assert all(region.left >= 2048 for stage in stages for region in stage.regions)
    assert 16 <= stages[0].left_out < 128, "plain ground is not searched while there is other"


def test_a_small_picture_on_a_large_plain_ground_is_found() -> None:
    def look(tile: Region) -> Region | None:
        return tile if (tile.top, tile.left) == (256, 512) else None

    assert list(choose_regions(DIGEST, 1280, 1280, READING, look)) == [
        Stage((Region(256, 512, 128, 128),), 99)
    ]


@pytest.mark.parametrize("size", [(256, 256), (1280, 1280)])
def test_a_picture_that_is_plain_everywhere_gives_one_empty_stage(size: tuple[int, int]) -> None:
    (stage,) = choose_regions(DIGEST, *size, READING, lambda tile: None)
    assert stage == Stage((), size[0] * size[1] // TILE_PIXELS)


@pytest.mark.parametrize(("side", "looked_at"), [(63, 63), (64, 32), (512, 32)])
def test_one_cell_with_evidence_is_enough_to_read_a_small_picture(
    side: int, looked_at: int
) -> None:
    seen: list[Region] = []

    def look(part: Region) -> Region:
        seen.append(part)
        return part

    assert next(choose_regions(DIGEST, side, side, READING, look)).regions
    assert seen == [Region(0, 0, looked_at, looked_at)]


def test_only_what_is_wholly_opaque_is_read() -> None:
    rng = np.random.default_rng(5)
    opaque = np.repeat(np.repeat(rng.random((12, 12)) < 0.6, 8, axis=0), 8, axis=1)
    opaque = np.pad(opaque, ((0, 4), (0, 4)), constant_values=True)  # 100 x 100 blocks
    seen = np.kron(opaque, np.ones((8, 8), dtype=bool))
    stages = list(choose_regions(DIGEST, 797, 793, READING, opaque_blocks=opaque))
    counts = counted(stages, 797, 793)
    assert counts.max() == 1
    assert not (counts.astype(bool) & ~seen[:797, :793]).any()
    assert counts.sum() > 0.5 * seen[:797, :793].sum()
    for stage in stages:
        for top, left, high, wide in stage.regions:
            assert (top % 16, left % 16) == (0, 0)
            assert min(high, wide) >= 32


def test_the_largest_opaque_rectangle_of_a_tile_is_taken() -> None:
    blocks = np.ones((13, 13), dtype=bool)  # 100 x 100 pixels, one tile
    blocks[2, 2] = False
    (stage,) = choose_regions(DIGEST, 100, 100, READING, opaque_blocks=blocks)
    assert stage.regions in ((Region(0, 32, 100, 68),), (Region(32, 0, 68, 100),))
    blocks[:] = False
    blocks[9:, 9:] = True  # 72 is not on the grid of 16, and from 80 there are 20 pixels left
    (stage,) = choose_regions(DIGEST, 100, 100, READING, opaque_blocks=blocks)
    assert stage.regions == ()


@pytest.mark.parametrize("size", [(128, 128), (40, 96), (63, 127), (32, 32)])
def test_the_evident_part_holds_every_cell_that_a_crop_would_take(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(11)
    height, width = size
    edges = [[*range(0, side - 31, 32), side] for side in size]
    for _ in range(30):
        rgb = np.asarray(picture(height, width)).copy()
        expected: list[tuple[int, int, int, int]] = []
        for y, bottom in pairwise(edges[0]):
            for x, right in pairwise(edges[1]):
                kind = rng.integers(0, 4)
                if kind == 0:
                    rgb[y:bottom, x:right] = rng.integers(0, 256, 3)
                elif kind == 1:
                    rgb[y : y + (bottom - y) * 6 // 10, x:right] = 255
                elif kind == 2:
                    rgb[y:bottom, x:right] = 100 + rng.integers(0, 5, (bottom - y, right - x, 1))
                if carries_evidence(rgb[y:bottom, x:right]):
                    expected.append((y, x, bottom, right))
        part = evident_part(rgb, Region(160, 320, height, width))
        if not expected:
            assert part is None
            continue
        top, left = min(e[0] for e in expected), min(e[1] for e in expected)
        bottom, right = max(e[2] for e in expected), max(e[3] for e in expected)
        assert part == Region(160 + top, 320 + left, bottom - top, right - left)
