"""The compiled passes of the nuisance vector are what plain numpy gives."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.worker.extractor.blocks.regions import REGIONS, photo_region
from worker.extractor.blocks.planes import to_planes
from worker.extractor.nuisance_sums import (
    add_colours,
    add_luma,
    empty_levels,
    ranked,
)
from worker.extractor.periods import profiles, strongest_period

SAMPLES = {**REGIONS, "several strips": photo_region(160, 203)}


@pytest.mark.parametrize("name", SAMPLES)
def test_blocks_are_high_passed_over_two_by_two_pixels(name: str) -> None:
    y = to_planes(SAMPLES[name]).y
    rows, columns = y.shape[0] // 8, y.shape[1] // 8
    some = np.zeros((rows * columns, 4), np.float32)
    means = np.zeros(rows * columns, np.float32)
    assert add_luma(y, 0, some, means, np.zeros(5)) == rows * columns
    whole = y[: 8 * rows, : 8 * columns].astype(np.float64)
    high = np.abs(
        whole[::2, ::2] + whole[1::2, 1::2] - whole[::2, 1::2] - whole[1::2, ::2]
    ).reshape(rows, 4, columns, 4).transpose(0, 2, 1, 3).reshape(-1, 4, 4) / 2  # fmt: skip
    blocks = whole.reshape(rows, 8, columns, 8).transpose(0, 2, 1, 3).reshape(-1, 64)
    flat = np.ptp(blocks, axis=1) == 0
    expected = np.where(flat, -1, high.mean(axis=(1, 2)))
    np.testing.assert_allclose(means, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(some, high[:, range(4), range(4)], rtol=1e-5, atol=1e-5)


def slow_edges(lines: NDArray[np.float32]) -> NDArray[np.float64]:
    sums = np.zeros(5)
    for line in lines:
        steps = np.abs(np.diff(line))
        for x in range(len(line) - 8):
            whole = abs(line[x + 8] - line[x])
            if whole >= 32 and steps[x : x + 8].argmax() == 3:
                sums[:2] += 1, max(0, np.log2(whole / steps[x + 3]))
            sums[2:] += (line[x + 1] - line[x]) ** 2, (line[x + 4] - line[x]) ** 2, 1
    return sums


@pytest.mark.parametrize("name", ["random", "odd sides", "flat", "several strips"])
def test_edges_are_looked_for_in_every_eighth_row_and_column(name: str) -> None:
    y = to_planes(SAMPLES[name]).y
    blocks = (y.shape[0] // 8) * (y.shape[1] // 8)
    some, means, sums = np.zeros((blocks, 4), np.float32), np.zeros(blocks, np.float32), np.zeros(5)
    add_luma(y, 0, some, means, sums)
    np.testing.assert_allclose(sums, slow_edges(y[3::8]) + slow_edges(y.T[3::8]), rtol=1e-5)


def test_a_ranked_number_is_the_one_in_its_place_and_the_next() -> None:
    rng = np.random.default_rng(9)
    for values in (
        rng.normal(0, 30, 501),
        rng.integers(0, 4, 77) / 2,
        [0, 0, 0],
        [1020],
        [1e-40, 3e38, 2, 2 + 2**-22],
    ):
        numbers = np.abs(np.array(values, np.float32))
        ordered = np.sort(numbers)
        for rank in range(len(numbers)):
            expected = ordered[rank], ordered[min(rank + 1, len(numbers) - 1)]
            assert ranked(numbers, rank) == expected


@pytest.mark.parametrize("step", [1, 7])
def test_colours_are_told_apart_over_all_regions(step: int) -> None:
    regions = [
        np.random.default_rng(seed).integers(0, most, (3, 900), dtype=np.uint8)
        for seed, most in ((1, 256), (2, 3), (1, 256))
    ]
    table = np.zeros(4096, np.uint32)
    seen = [add_colours(region, step, table) for region in regions]
    assert seen == [len(range(0, 900, step))] * 3
    expected = {tuple(colour) for region in regions for colour in region[:, ::step].T.tolist()}
    assert np.count_nonzero(table) == len(expected)


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("axis", [0, 1])
def test_profiles_are_means_over_strips_of_64_lines(name: str, axis: int) -> None:
    plane = to_planes(SAMPLES[name]).whole_y
    lines = (plane if axis == 0 else plane.T).astype(np.int64)
    second, third = np.zeros(lines.shape), np.zeros(lines.shape)
    second[:, 2:-1] = np.abs(np.diff(lines, 2))[:, 1:]
    third[:, 2:-1] = np.abs(np.diff(lines, 3))
    strips = max(1, (len(lines) + 32) // 64)
    cuts = [64 * k for k in range(1, strips)]
    expected = [[part.mean(axis=0) for part in np.split(of, cuts)] for of in (second, third)]
    jumps = np.zeros((2, 8))
    np.testing.assert_allclose(profiles(plane, axis, jumps), expected, rtol=1e-12)
    for phase in range(8):
        x = [x for x in range(2, lines.shape[1] - 1) if x % 8 == phase]
        assert jumps[:, phase].tolist() == [third[:, x].sum(), len(lines) * len(x)]


def test_empty_levels_are_those_that_their_neighbours_do_not_explain() -> None:
    numbers = np.random.default_rng(4)
    for size in (3, 4, 8, 9, 20, 256):
        histogram = np.zeros(256, np.int64)
        histogram[-size:] = numbers.poisson(1.5, size)
        histogram[[-size, -1]] = 1
        around = np.convolve(histogram[-size:], np.ones(9), "same")
        around /= np.convolve(np.ones(size), np.ones(9), "same")
        expected = (histogram[-size:] == 0).mean() - np.exp(-around).mean()
        assert empty_levels(histogram) == pytest.approx(expected)
    histogram[:-2] = 0
    assert empty_levels(histogram) == 0


@pytest.mark.parametrize("length", [32, 64])
def test_the_strongest_period_is_what_plain_spectra_show(length: int) -> None:
    rng = np.random.default_rng(length)
    half, eighth = length // 2, length // 8
    for period in (None, 8, 4, 3):
        windows = rng.random((2, 40, length)) * 3 + 1
        if period is not None:
            windows[1, :, ::period] += 0.6
        strongest = []
        for kind in windows:
            relative = (kind - kind.mean(axis=1, keepdims=True)) * np.hanning(length)
            relative /= kind.mean(axis=1, keepdims=True) + 0.05
            power = (np.abs(np.fft.fft(relative)) ** 2).mean(axis=0)
            above = {}
            for line in range(6, half + 1):
                around = [power[line + k] for k in (-5, -4, -3, -2, 2, 3, 4, 5)]
                above[line] = np.log2((power[line] + 1e-9) / (np.median(around) + 1e-9))
            odd = np.mean([v for k, v in above.items() if k % (2 * eighth) == eighth])
            for line in above:
                if line % (2 * eighth) == eighth:
                    above[line] = 0
                elif line % (2 * eighth) == 0:
                    above[line] -= max(0, odd)
            strongest.append(max(above.values()))
        assert strongest_period(windows, 0.05) == pytest.approx(max(strongest), abs=1e-5)
