"""Pictures under the conditions of enrolment: each file is what its condition says."""

import io

import numpy as np
import pytest
from PIL import Image

from fingerprint_db.conditions import (
    CONDITIONS,
    FULL_CHROMA_QUALITIES,
    JPEG_QUALITIES,
    Condition,
    readings_of,
)
from tests.worker.decoder.image_samples import picture
from worker.decoder.decode import DecodeLimits, decode
from worker.enrol.recompress import from_pil, under_condition
from worker.extractor.arrival import file_codec

PICTURE = from_pil(picture(75, 101, seed=4))


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def as_jpeg(quality: int, image: Image.Image) -> Image.Image:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality, subsampling=2)
    return opened(out.getvalue())


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: condition.name)
def test_the_file_shows_its_codec_and_chroma(condition: Condition) -> None:
    facts = decode(under_condition(None, PICTURE, condition), DecodeLimits()).facts
    quality = (JPEG_QUALITIES | FULL_CHROMA_QUALITIES).get(condition.codec)
    assert facts.jpeg_quality == quality
    assert facts.lossy == (condition.file_codec != "lossless")
    assert condition.codec in readings_of(file_codec(facts))
    if quality is not None:
        assert facts.jpeg is not None
        assert facts.jpeg.sampling == ("4:4:4" if condition.treatment == "full_chroma" else "4:2:0")
    size = {"half": (38, 50), "shifted": (72, 98)}.get(condition.treatment, (75, 101))
    assert (facts.height, facts.width) == size


def test_the_sample_s_own_file_stands_unchanged() -> None:
    assert under_condition(b"as it came", PICTURE, Condition("lossless")) == b"as it came"


def test_without_a_file_a_png_holds_every_pixel() -> None:
    found = opened(under_condition(None, PICTURE, Condition("lossless")))
    np.testing.assert_array_equal(from_pil(found), PICTURE)


def test_twice_is_a_second_jpeg_on_the_same_grid() -> None:
    plain = opened(under_condition(None, PICTURE, Condition("lossless")))
    expected = as_jpeg(75, as_jpeg(85, plain))
    found = opened(under_condition(None, PICTURE, Condition("jpeg75", "twice")))
    np.testing.assert_array_equal(from_pil(found), from_pil(expected))


def test_shifted_is_a_second_jpeg_whose_grid_lies_three_pixels_off() -> None:
    plain = opened(under_condition(None, PICTURE, Condition("lossless")))
    expected = as_jpeg(85, as_jpeg(75, plain).crop((3, 3, 101, 75)))
    found = opened(under_condition(None, PICTURE, Condition("jpeg85", "shifted")))
    np.testing.assert_array_equal(from_pil(found), from_pil(expected))
