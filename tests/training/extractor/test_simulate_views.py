"""Simulated generators leave a trace of their own, and views say nothing about their class."""

import inspect
from collections import Counter

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from training.extractor.cohort import Source, collect
from training.extractor.simulate import SimulatedGenerator
from training.extractor.views import random_encoding, read_back, real_view, shared_chain
from training.histories.encodings import Encoding, write
from training.histories.pictures import tile
from worker.decoder.crops import CropReading
from worker.decoder.decode import DecodeLimits
from worker.enrol.recompress import Picture

LIMITS = DecodeLimits(CropReading(32, 2))


def pictures(count: int = 4, side: int = 64, seed: int = 1) -> NDArray[np.uint8]:
    """(N, 3, S, S): slopes with noise, each another."""
    numbers = np.random.default_rng(seed)
    slope = np.linspace(0, 90, side) * numbers.uniform(0.3, 1, (count, 3, 1, 1))
    return (90 + slope + numbers.normal(0, 5, (count, 3, side, side))).clip(0, 255).astype(np.uint8)


def a_source(name: str, *, real: bool) -> Source:
    drawn = pictures(3, 96)
    return Source(name, real, lambda number, rng: drawn[number % len(drawn)])


# Simulated generators ---------------------------------------------------------------------------


def test_the_same_number_is_the_same_generator() -> None:
    one, again = (SimulatedGenerator.from_number(7) for _ in range(2))
    np.testing.assert_array_equal(one.render(pictures(), 1), again.render(pictures(), 1))
    assert (one.base, one.levels, one.detail, one.noise) == (
        again.base,
        again.levels,
        again.detail,
        again.noise,
    )


def test_different_numbers_are_different_generators() -> None:
    rendered = [
        SimulatedGenerator.from_number(number).render(pictures(1), 1) for number in range(8)
    ]
    for i, one in enumerate(rendered):
        for other in rendered[:i]:
            assert np.abs(one.astype(int) - other.astype(int)).max() > 2


def test_generators_differ_in_every_part_of_the_trace() -> None:
    drawn = [SimulatedGenerator.from_number(number) for number in range(60)]
    assert {one.base for one in drawn} == {"nearest", "bilinear", "bicubic"}
    assert {one.levels for one in drawn} == {1, 2, 3}
    assert len({one.detail for one in drawn}) == 60
    assert {one.noise > 0 for one in drawn} == {False, True}


def test_a_rendered_picture_is_still_the_picture() -> None:
    given = pictures()
    for number in range(10):
        made = SimulatedGenerator.from_number(number).render(given, 1)
        assert made.shape == given.shape
        assert made.dtype == np.uint8
        for one, other in zip(given, made, strict=True):
            alike = np.corrcoef(one.ravel().astype(float), other.ravel().astype(float))[0, 1]
            assert alike > 0.7, number


def test_an_image_does_not_depend_on_the_others_in_its_batch() -> None:
    generator = next(
        one for one in map(SimulatedGenerator.from_number, range(50)) if one.noise == 0
    )
    given = pictures()
    together = generator.render(given, 1)
    for i in range(len(given)):
        alone = generator.render(given[i : i + 1], 1)
        assert np.abs(alone[0].astype(int) - together[i].astype(int)).max() <= 1


def test_the_phases_are_convolved_each_with_its_own_kernel() -> None:
    """Against a loop over output positions."""
    numbers = np.random.default_rng(2)
    kernels = numbers.normal(size=(4, 3, 3, 5, 5)).astype(np.float32)
    picture = numbers.normal(size=(1, 3, 6, 6)).astype(np.float32)
    found = SimulatedGenerator._by_phase(torch.from_numpy(picture), torch.from_numpy(kernels))
    padded = np.pad(picture[0], ((0, 0), (2, 2), (2, 2)), mode="reflect")
    for y in range(6):
        for x in range(6):
            kernel = kernels[2 * (y % 2) + x % 2]
            patch = padded[:, y : y + 5, x : x + 5]
            for channel in range(3):
                expected = float((kernel[channel] * patch).sum())
                assert float(found[0, channel, y, x]) == pytest.approx(expected, abs=1e-4)


# Views ------------------------------------------------------------------------------------------


def test_the_chain_and_the_encoding_are_never_told_the_class() -> None:
    assert list(inspect.signature(shared_chain).parameters) == ["picture", "rng"]
    assert list(inspect.signature(random_encoding).parameters) == ["rng"]


def test_codec_and_size_are_spread_alike_over_the_classes() -> None:
    """Two sources of the same pictures, one called real: what their files show is the same mix."""
    sources = [a_source("real.photo", real=True), a_source("zoo.one", real=False)]
    cohort = collect(sources, [150, 150], LIMITS, seed=3)
    assert len(cohort) == 300
    assert cohort.real.tolist() == [True] * 150 + [False] * 150
    counts = [
        Counter(
            codec for codec, label in zip(cohort.codec, cohort.label, strict=True) if label == i
        )
        for i in range(2)
    ]
    assert set(counts[0]) == set(counts[1])
    for codec in counts[0]:
        assert abs(counts[0][codec] - counts[1][codec]) < 30, codec
    means = [cohort.side[cohort.label == i].mean() for i in range(2)]
    assert means[0] == pytest.approx(means[1], rel=0.1)


def test_a_cohort_is_the_same_for_the_same_seed() -> None:
    sources = [a_source("real.photo", real=True), a_source("zoo.one", real=False)]
    one, again, other = (collect(sources, [6, 6], LIMITS, seed) for seed in (4, 4, 5))
    assert one.codec == again.codec
    assert all(np.array_equal(a, b) for a, b in zip(one.crops, again.crops, strict=True))
    assert one.codec != other.codec or one.side.tolist() != other.side.tolist()


@pytest.mark.parametrize(
    ("encoding", "form", "quality"),
    [
        (Encoding("png", 0, 0), "png", None),
        (Encoding("jpeg", 75, 2), "jpeg", 75),
        (Encoding("jpeg", 92, 0), "jpeg", 92),
        (Encoding("webp", 80, 0), "webp", None),
    ],
)
def test_what_is_written_is_read_back_by_the_workers_decoder(
    encoding: Encoding, form: str, quality: int | None
) -> None:
    picture = pictures(1)[0]
    view = read_back(write(picture, encoding), LIMITS)
    assert view is not None
    assert (view.facts.format, view.facts.jpeg_quality) == (form, quality)
    if form == "png":
        y, x = view.origins[0]
        np.testing.assert_array_equal(view.crops[0], picture[:, y : y + 32, x : x + 32])


def test_random_views_decode() -> None:
    rng = np.random.default_rng(6)
    picture = pictures(1, 128)[0]
    views = [
        read_back(write(shared_chain(real_view(picture, rng), rng), random_encoding(rng)), LIMITS)
        for _ in range(60)
    ]
    assert sum(view is not None for view in views) >= 57
    assert {view.facts.format for view in views if view} == {"jpeg", "png", "webp"}


def test_what_the_worker_would_not_judge_is_no_view() -> None:
    small = pictures(1, 16)[0]
    assert read_back(write(small, Encoding("png", 0, 0)), LIMITS) is None
    assert read_back(b"broken", LIMITS) is None


def test_a_tile_is_a_part_of_its_picture() -> None:
    rng = np.random.default_rng(7)
    picture: Picture = np.arange(3 * 20 * 30, dtype=np.uint16).reshape(3, 20, 30).astype(np.uint8)
    corners = set()
    for _ in range(40):
        part = tile(picture, 8, 12, rng)
        assert part.shape == (3, 8, 12)
        places = [
            (y, x)
            for y in range(13)
            for x in range(19)
            if np.array_equal(picture[:, y : y + 8, x : x + 12], part)
        ]
        assert places
        corners.add(places[0])
    assert len(corners) > 10
    assert tile(picture, 99, 99, rng).shape == picture.shape
