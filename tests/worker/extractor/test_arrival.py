"""Which codec an image shows: by its tables, or by what a lossless file's pixels were before."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.worker.extractor.tiny_bundle import LIMITS
from worker.decoder.decode import DecodedImage, decode
from worker.extractor.arrival import arrival, on_grid
from worker.extractor.nuisance import nuisance


def scene(side: int = 256) -> Image.Image:
    """Shapes and detail of several sizes, as photographs have them."""
    rng = np.random.default_rng(5)
    levels = np.full((side, side, 3), 128.0)
    for cells, weight in ((4, 0.5), (32, 0.35), (side, 0.12)):
        coarse = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), float)
        levels += weight * (smooth - 128)
    return Image.fromarray(levels.clip(0, 255).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def decoded(image: Image.Image, kind: str, **options: object) -> DecodedImage:
    return decode(encoded(image, kind, **options), LIMITS)


def after_jpeg(quality: int) -> Image.Image:
    return Image.open(io.BytesIO(encoded(scene(), "JPEG", quality=quality))).convert("RGB")


@pytest.mark.parametrize(
    ("quality", "codec"),
    [(98, "jpeg95"), (90, "jpeg90"), (84, "jpeg85"), (70, "jpeg75"), (40, "jpeg60")],
)
def test_a_jpeg_shows_the_codec_nearest_to_its_table(quality: int, codec: str) -> None:
    image = decoded(scene(), "JPEG", quality=quality)
    found = arrival(image)
    assert found.codec == codec
    assert (found.facts, found.earlier_quality) == (image.facts, None)
    assert all(a is b for a, b in zip(found.regions, image.regions, strict=True))


def test_a_foreign_table_is_judged_by_its_distance_to_the_standard_ones() -> None:
    """A flat table of step 8: quality 95 by the sum of differences, 82 by its low frequencies."""
    image = decoded(scene(), "JPEG", qtables=[[8] * 64, [8] * 64])
    assert image.facts.jpeg_quality == 95
    assert arrival(image).codec == "jpeg85"


def test_lossy_webp_and_a_file_that_loses_nothing_show_themselves() -> None:
    assert arrival(decoded(scene(), "WEBP", quality=80)).codec == "webp80"
    for kind, options in (("PNG", {}), ("WEBP", {"lossless": True})):
        image = decoded(scene(), kind, **options)
        found = arrival(image)
        assert (found.codec, found.earlier_quality) == ("lossless", None)
        assert found.facts == image.facts
        assert np.array_equal(found.planes[0].rgb, image.regions[0])


@pytest.mark.parametrize("cut", [(0, 0), (3, 5)])
@pytest.mark.parametrize(("quality", "codec"), [(75, "jpeg75"), (90, "jpeg90")])
def test_a_jpeg_in_a_lossless_file_is_read_as_that_jpeg_and_on_its_grid(
    quality: int, codec: str, cut: tuple[int, int]
) -> None:
    was = after_jpeg(quality)
    image = decoded(was.crop((cut[1], cut[0], *was.size)), "PNG")
    found = arrival(image)
    assert found.codec == codec
    assert found.earlier_quality == found.facts.jpeg_quality
    assert found.earlier_quality is not None
    assert abs(found.earlier_quality - quality) <= 2
    assert found.facts.lossy
    assert (found.facts.width, found.facts.sha256) == (image.facts.width, image.facts.sha256)
    (region,) = found.regions
    down, right = (-cut[0]) % 8, (-cut[1]) % 8
    rgb = np.asarray(was).transpose(2, 0, 1)
    assert np.array_equal(region, rgb[:, cut[0] + down :, cut[1] + right :])
    assert [np.array_equal(planes.rgb, region) for planes in found.planes] == [True]


def test_its_kind_is_that_of_the_jpeg_itself() -> None:
    """Else every such picture would be unlike the photographs that it is held against."""
    was = after_jpeg(75)
    came = arrival(decode(encoded(scene(), "JPEG", quality=75), LIMITS))
    saved = arrival(decoded(was, "PNG"))
    first, second = (nuisance(one.regions, one.facts).vector for one in (came, saved))
    np.testing.assert_allclose(second, first, atol=0.05)


def test_regions_keep_their_least_side_on_a_grid_that_lies_off() -> None:
    rng = np.random.default_rng(1)
    small, large = (rng.integers(0, 256, (3, h, 40), np.uint8) for h in (32, 64))
    found = on_grid([small, large], (3, 5))
    assert [part.shape for part in found] == [(3, 32, 35), (3, 61, 35)]
    assert np.array_equal(found[0][:, :29], small[:, 3:, 5:])
    assert np.array_equal(found[0][:, 29:], small[:, 30:27:-1, 5:])
    assert np.array_equal(found[1], large[:, 3:, 5:])
    assert on_grid([small], (0, 0))[0] is small
