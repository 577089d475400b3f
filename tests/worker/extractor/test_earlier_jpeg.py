"""A JPEG that a picture was before is told from its pixels, and none where there was none.

The shares are bounds below what benchmarks/earlier_jpeg.py measured (training/LOG.md).
"""

import io
from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.imports import ROOT
from worker.decoder.jpeg_quality import standard_table
from worker.extractor.blocks.planes import to_planes
from worker.extractor.comb_counts import (
    BINS,
    PER_LEVEL,
    block_histograms,
    clipped_pixels,
    grid_votes,
)
from worker.extractor.earlier_jpeg import EarlierJpeg, find_earlier

Picture = NDArray[np.uint8]
SIDE = 264


def jpeg(picture: Picture, quality: int, chroma: int = 2) -> Picture:
    file = io.BytesIO()
    image = Image.fromarray(picture.transpose(1, 2, 0))
    image.save(file, "JPEG", quality=quality, subsampling=chroma)
    return np.ascontiguousarray(np.asarray(Image.open(file)).transpose(2, 0, 1))


def cut(picture: Picture, top: int, left: int) -> Picture:
    return np.ascontiguousarray(picture[:, top:, left:])


def scene(seed: int) -> Picture:
    """(3, SIDE, SIDE): noise with a 1/f spectrum, nearly grey, and straight edges across it."""
    rng = np.random.default_rng(seed)
    across = np.fft.fftfreq(SIDE)
    frequency = np.hypot(across[:, None], across)
    frequency[0, 0] = 1
    shared, own = rng.normal(size=(1, SIDE, SIDE)), rng.normal(size=(3, SIDE, SIDE))
    noise = np.fft.ifft2(np.fft.fft2(shared + 0.3 * own) / frequency).real
    levels = 128 + 30 * noise / noise.std()
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for _ in range(6):
        angle, place = rng.uniform(0, np.pi), rng.uniform(-0.5, 1) * SIDE
        levels += rng.normal(0, 15) * (rows * np.cos(angle) + columns * np.sin(angle) > place)
    picture: Picture = levels.clip(0, 255).astype(np.uint8)
    return picture


@lru_cache(maxsize=1)
def never_compressed() -> tuple[Picture, ...]:
    """Photographs reduced by 2.2, after which nothing is left of their own JPEG; and scenes."""
    pictures = []
    for file in sorted((ROOT / "training/demo/photos").glob("*.*")):
        if file.suffix != ".md":
            image = Image.open(file).convert("RGB")
            size = (round(image.width / 2.2), round(image.height / 2.2))
            small = np.asarray(image.resize(size, Image.Resampling.LANCZOS)).transpose(2, 0, 1)
            pictures.append(np.ascontiguousarray(small[:, :SIDE, :SIDE]))
    return (*pictures, *(scene(seed) for seed in range(6)))


def share_found(
    found: list[EarlierJpeg | None], offset: tuple[int, int], quality: int
) -> tuple[float, int]:
    """The share with this offset and the quality within 5, and how many say anything else."""
    right = sum(
        one is not None and one.offset == offset and abs(one.quality - quality) <= 5
        for one in found
    )
    return right / len(found), sum(one is not None for one in found) - right


@pytest.mark.parametrize("quality", [10, 20, 30, 50, 60, 75, 90, 95])
@pytest.mark.parametrize("chroma", [0, 2])
def test_a_jpeg_saved_as_png_is_found_with_its_quality_and_grid(quality: int, chroma: int) -> None:
    cuts = [cut(jpeg(picture, quality, chroma), 3, 3) for picture in never_compressed()]
    right, wrong = share_found([find_earlier([one]) for one in cuts], (5, 5), quality)
    assert right >= 0.9
    assert wrong <= 2


@pytest.mark.parametrize("quality", [10, 20, 75])
def test_a_jpeg_that_was_not_cut_lies_on_the_first_grid(quality: int) -> None:
    found = find_earlier([jpeg(scene(0), quality)])
    assert found is not None
    assert (found.offset, found.quality) == ((0, 0), quality)


def test_a_picture_that_never_was_a_jpeg_is_not_taken_for_one() -> None:
    assert [find_earlier([picture]) for picture in never_compressed()] == [None] * 22


@pytest.mark.parametrize("second", [75, 90, 98])
def test_a_jpeg_that_was_none_before_is_not_taken_for_one_in_another(second: int) -> None:
    table = standard_table(second).tolist()
    found = [find_earlier([jpeg(picture, second)], table) for picture in never_compressed()]
    assert found == [None] * 22


@pytest.mark.parametrize(("first", "second"), [(60, 75), (75, 85), (75, 90), (85, 90)])
def test_a_jpeg_in_a_jpeg_on_the_same_grid_is_found(first: int, second: int) -> None:
    table = standard_table(second).tolist()
    twice = [jpeg(jpeg(picture, first), second) for picture in never_compressed()]
    right, wrong = share_found([find_earlier([one], table) for one in twice], (0, 0), first)
    assert right >= 0.8
    assert wrong <= 2


@pytest.mark.parametrize(("first", "second"), [(75, 85), (75, 90), (85, 90)])
def test_a_jpeg_that_was_cut_before_the_next_is_found(first: int, second: int) -> None:
    table = standard_table(second).tolist()
    twice = [jpeg(cut(jpeg(picture, first), 3, 5), second) for picture in never_compressed()]
    right, wrong = share_found([find_earlier([one], table) for one in twice], (5, 3), first)
    assert right >= 0.6
    assert wrong <= 2


@pytest.mark.parametrize("own", [None, 75, 95])
def test_noise_and_flat_pictures_claim_nothing(own: int | None) -> None:
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 256, (3, 128, 128), dtype=np.uint8)
    grey = np.repeat(rng.normal(128, 8, (1, 128, 128)), 3, axis=0).astype(np.uint8)
    flats = [np.full((3, 128, 128), level, dtype=np.uint8) for level in (0, 77, 255)]
    table = None if own is None else standard_table(own).tolist()
    for picture in (noise, grey, *flats):
        assert find_earlier([picture if own is None else jpeg(picture, own)], table) is None


def test_regions_of_one_picture_are_evidence_together() -> None:
    whole = cut(jpeg(scene(2), 85), 3, 3)[:, :256, :256]
    tiles = [whole[:, y : y + 128, x : x + 128] for y in (0, 128) for x in (0, 128)]
    alone, together = find_earlier(tiles[:1]), find_earlier(tiles)
    assert alone is not None
    assert together is not None
    assert alone.offset == together.offset == (5, 5)
    assert together.strength > alone.strength


def test_histograms_are_those_of_a_slow_transform() -> None:
    rng = np.random.default_rng(3)
    plane = rng.normal(0, 20, (32, 45)).astype(np.float32)
    clipped = np.zeros((32, 45), dtype=np.uint8)
    clipped[12, 20] = 1
    k = np.arange(8)
    basis = np.cos((2 * k + 1) * k[:, None] * np.pi / 16) / 2
    basis[0] /= np.sqrt(2)
    expected = np.zeros((64, BINS))
    for y in range(3, 25, 8):
        for x in range(5, 38, 8):
            if clipped[y : y + 8, x : x + 8].any():
                continue
            block = basis @ plane[y : y + 8, x : x + 8].astype(np.float64) @ basis.T
            bins = np.minimum(np.abs(block) * PER_LEVEL + 0.5, BINS - 1).astype(int)
            expected[np.arange(64), bins.ravel()] += 1
    expected[np.add.outer(k, k).ravel() > 7] = 0
    counts = block_histograms(plane, clipped, 3, 5)
    assert counts.sum() == 36 * (3 * 5 - 1)
    assert np.abs(counts - expected).sum() <= 4  # rounding at a bin's edge


@pytest.mark.parametrize("compressed", [False, True])
def test_votes_are_those_of_a_slow_transform(compressed: bool) -> None:
    plane = np.random.default_rng(5).normal(0, 20, (83, 330)).astype(np.float32)
    modes, near = (((2, 4), (4, 2)), 16.0) if compressed else (((3, 3), (5, 5)), 0.5)
    blocks = np.lib.stride_tricks.sliding_window_view(plane.astype(np.float64), (8, 8))
    waves = np.cos((2 * np.arange(8) + 1) * np.arange(8)[:, None] * np.pi / 16) / 2
    expected = np.zeros((2, 8, 8))
    for u, v in modes:
        c = np.einsum("yxij,i,j->yx", blocks, waves[u], waves[v])
        for y in range(8):
            for x in range(8):
                of_grid = c[y::8, x::8]
                expected[:, y, x] += (near / (near + of_grid**2)).sum(), of_grid.size
    np.testing.assert_allclose(grid_votes(plane, compressed), expected, rtol=1e-5)


def test_planes_are_as_good_as_regions() -> None:
    region = cut(jpeg(scene(1), 70), 2, 6)
    assert find_earlier([to_planes(region)]) == find_earlier([region])


def test_clipped_is_black_or_full_in_any_channel() -> None:
    rgb = np.full((3, 2, 2), 100, dtype=np.uint8)
    rgb[1, 0, 1], rgb[2, 1, 0] = 255, 0
    assert clipped_pixels(rgb).tolist() == [[0, 1], [1, 0]]


def test_without_a_region_there_is_nothing_to_tell() -> None:
    assert find_earlier([]) is None
