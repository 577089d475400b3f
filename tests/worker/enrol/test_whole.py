"""A sample's whole picture out of the sandbox is the one that a decode in this process gives."""

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from worker.decoder.decode import DecodeLimits, decode
from worker.decoder.pool import DecoderPool
from worker.enrol import whole
from worker.enrol.recompress import open_sample
from worker.enrol.whole import WHOLE, whole_picture
from worker.errors import RejectError


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    with DecoderPool(DecodeLimits(WHOLE), 1) as started:
        yield started


def picture(width: int, height: int, mode: str = "RGB") -> Image.Image:
    noise = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(noise).convert(mode)


def file(image: Image.Image, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("larger than what the worker reads at first", file(picture(700, 601))),
        ("a palette", file(picture(130, 97, "P"))),
        ("grey", file(picture(64, 64, "L"))),
        ("CMYK", file(picture(200, 120, "CMYK"), "JPEG")),
        ("opaque alpha", file(picture(90, 90, "RGBA"))),
        ("WebP", file(picture(150, 80), "WEBP")),
        ("a short side, which is padded", file(picture(40, 25))),
    ],
)
def test_the_picture_is_the_same_to_the_last_pixel(
    pool: DecoderPool, name: str, data: bytes
) -> None:
    confined, here = whole_picture(pool.decode(data)), open_sample(data)
    assert confined.picture.shape == here.picture.shape, name
    assert np.array_equal(confined.picture, here.picture), name
    assert (confined.stored_as, confined.opaque) == (here.stored_as, here.opaque), name


def test_of_a_picture_that_is_not_opaque_there_is_none(pool: DecoderPool) -> None:
    image = picture(256, 256, "RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 40, 40))
    found = whole_picture(pool.decode(file(image)))
    assert (found.opaque, found.picture.size) == (False, 0)


def test_a_picture_that_is_too_large_for_a_sample_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(whole, "MOST_PIXELS", 64 * 64)
    image = decode(file(picture(80, 70)), DecodeLimits(WHOLE))
    with pytest.raises(RejectError, match="80 x 70 pixels; a sample has at most 4096"):
        whole_picture(image)
