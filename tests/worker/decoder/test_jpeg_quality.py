"""The quality of a JPEG is read from its quantisation table."""

import math

import pytest
from PIL import Image

from tests.worker.decoder.image_samples import encoded
from worker.decoder.image_header import read_header
from worker.decoder.jpeg_quality import (
    UNFAMILIAR,
    JpegCoding,
    chroma_sampling,
    estimate_quality,
    nearest_quality,
    standard_table,
    table_distance,
)


@pytest.mark.parametrize("quality", range(1, 101))
def test_every_quality_that_pillow_saves_is_recovered(quality: int) -> None:
    for options in ({}, {"subsampling": 0}, {"progressive": True}):
        data = encoded(Image.new("RGB", (16, 16)), "JPEG", quality=quality, **options)
        assert read_header(data).jpeg_quality == quality


def test_a_greyscale_jpeg_has_a_quality_too() -> None:
    data = encoded(Image.new("L", (16, 16)), "JPEG", quality=77)
    assert read_header(data).jpeg_quality == 77


def test_a_foreign_table_gets_the_nearest_quality_by_a_slow_search() -> None:
    foreign = [min(255, 3 + 2 * index) for index in range(64)]
    distances = {
        quality: sum(abs(a - int(b)) for a, b in zip(foreign, standard_table(quality), strict=True))
        for quality in range(1, 101)
    }
    nearest = min(distances, key=lambda quality: (distances[quality], quality))
    assert estimate_quality(foreign) == nearest


def test_a_16_bit_table_beyond_the_scale_gets_quality_1() -> None:
    assert estimate_quality([60_000] * 64) == 1


def test_a_table_of_another_length_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="64 numbers"):
        estimate_quality([1] * 63)


@pytest.mark.parametrize(("subsampling", "name"), [(0, "4:4:4"), (1, "4:2:2"), (2, "4:2:0")])
def test_tables_and_chroma_are_told_as_the_encoder_wrote_them(subsampling: int, name: str) -> None:
    luma, chroma = [*range(1, 65)], [*range(65, 129)]
    image = Image.new("RGB", (32, 32), (200, 40, 90))
    data = encoded(image, "JPEG", qtables=[luma, chroma], subsampling=subsampling)
    coding = read_header(data).jpeg
    assert coding is not None
    assert coding.sampling == name
    assert (sorted(coding.luma), sorted(coding.chroma or ())) == (luma, chroma)
    assert coding.luma[:4] == (1, 2, 9, 17), "in zigzag order: right, down left, down"


def test_the_coding_of_a_usual_jpeg_is_that_of_its_quality() -> None:
    coding = read_header(encoded(Image.new("RGB", (16, 16)), "JPEG", quality=85)).jpeg
    assert coding is not None
    assert coding.luma == tuple(standard_table(85).tolist())
    assert coding.chroma is not None
    assert coding.chroma != coding.luma


def test_a_greyscale_jpeg_has_no_chroma_and_a_png_no_coding() -> None:
    coding = read_header(encoded(Image.new("L", (16, 16)), "JPEG", quality=50)).jpeg
    assert coding == JpegCoding(tuple(standard_table(50).tolist()), None, "4:0:0")
    assert read_header(encoded(Image.new("L", (16, 16)), "PNG")).jpeg is None


@pytest.mark.parametrize(
    ("factors", "name"),
    [
        ((0x11, 0x11, 0x11), "4:4:4"),
        ((0x22, 0x22, 0x22), "4:4:4"),
        ((0x12, 0x11, 0x11), "4:4:0"),
        ((0x41, 0x11, 0x11), "4:1:1"),
        ((0x42, 0x11, 0x11), "4:1:0"),
        ((0x22, 0x21, 0x21), "4:4:0"),
        ((0x22, 0x11, 0x21), "other"),
        ((0x11, 0x22, 0x22), "other"),
        ((0x31, 0x21, 0x21), "other"),
        ((0x11, 0x11, 0x11, 0x11), "4:4:4"),
    ],
)
def test_sampling_factors_have_their_usual_names(factors: tuple[int, ...], name: str) -> None:
    assert chroma_sampling(factors) == name


def test_standard_tables_are_their_own_nearest_at_no_distance() -> None:
    qualities = range(1, 101)
    nearest = [nearest_quality(standard_table(quality).tolist()) for quality in qualities]
    assert nearest == [(quality, 0.0) for quality in qualities]


def test_rounding_down_does_not_make_a_table_unfamiliar() -> None:
    half = standard_table(50)
    for quality in (60, 75, 85, 90):
        nearest, distance = nearest_quality((half * (200 - 2 * quality) // 100).tolist())
        assert abs(nearest - quality) <= 1
        assert 0 < distance < UNFAMILIAR


def test_an_editor_s_table_is_unfamiliar_and_its_low_frequencies_count() -> None:
    """Steps of 8 to 12, as one editor has them: 93 by their sum, 76 by those that are seen."""
    table = [12, 8, 8, 8, 9, 8] + [12] * 58
    quality, distance = nearest_quality(table)
    assert estimate_quality(table) >= 93
    assert quality <= 78
    assert distance > UNFAMILIAR


def test_a_table_s_distance_is_a_weighted_mean_of_logarithms_by_a_slow_sum() -> None:
    first, second = standard_table(90).tolist(), [*range(1, 65)]
    # u + v of the zigzag order: 0, then 1 twice, 2 three times ... 14 once.
    diagonals = [d for d in range(15) for _ in range(min(d, 14 - d) + 1)]
    weights = [1 / (1 + d) for d in diagonals]
    apart = [abs(math.log(a) - math.log(b)) for a, b in zip(first, second, strict=True)]
    slow = sum(w * a for w, a in zip(weights, apart, strict=True)) / sum(weights)
    assert table_distance(first, second) == pytest.approx(slow)
    assert table_distance(second, first) == pytest.approx(slow)


def test_a_damaged_table_has_a_quality_and_a_short_one_is_refused() -> None:
    assert nearest_quality([0] * 64) == (100, 0.0)
    with pytest.raises(ValueError, match="64 numbers"):
        nearest_quality([1] * 63)
