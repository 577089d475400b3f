"""The quality of a JPEG is read from its quantisation table."""

import pytest
from PIL import Image

from tests.worker.decoder.image_samples import encoded
from worker.decoder.image_header import read_header
from worker.decoder.jpeg_quality import (
    JpegCoding,
    chroma_sampling,
    estimate_quality,
    standard_table,
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
