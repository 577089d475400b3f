"""The quality of a JPEG is read from its quantisation table."""

import pytest
from PIL import Image

from tests.worker.decoder.image_samples import encoded
from worker.decoder.image_header import read_header
from worker.decoder.jpeg_quality import estimate_quality, standard_table


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
