"""decode, where regions are read: the picture's own pixels, the same in every file of it."""

import resource
import sys

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tests.worker.decoder.children import answering, patched, same
from tests.worker.decoder.image_samples import encoded, picture, png_file
from tests.worker.decoder.test_decode import plain_pixels
from worker.decoder.decode import DecodedImage, DecodeLimits, decode
from worker.decoder.pool import DecoderPool
from worker.decoder.regions import RegionReading
from worker.errors import RejectError

LIMITS = DecodeLimits(RegionReading())
SMALL = DecodeLimits(RegionReading(1 << 14, 1 << 18))


def assert_regions_are_slices(image: DecodedImage, rgb: NDArray[np.uint8]) -> None:
    assert len(image.regions) == len(image.origins) > 0
    assert image.crops.shape == (0, 3, 32, 32)
    assert image.origins.dtype.name == "int32"
    for region, (y, x) in zip(image.regions, image.origins, strict=True):
        assert (y % 16, x % 16) == (0, 0)
        assert region.flags.c_contiguous
        assert region.dtype.name == "uint8"
        high, wide = region.shape[1:]
        expected = rgb[y : y + high, x : x + wide].transpose(2, 0, 1)
        np.testing.assert_array_equal(region, expected)


def round_avatar(side: int) -> Image.Image:
    clear = picture(side, side)
    mask = Image.new("L", clear.size, 0)
    ImageDraw.Draw(mask).ellipse((0, 0, side - 1, side - 1), fill=255)
    clear.putalpha(mask)
    return clear


@pytest.mark.parametrize(
    ("name", "mode", "options"),
    [
        ("JPEG", "RGB", {"quality": 85}),
        ("JPEG", "L", {}),
        ("JPEG", "CMYK", {}),
        ("PNG", "RGBA", {}),
        ("PNG", "P", {}),
        ("WEBP", "RGB", {"quality": 75}),
    ],
)
@pytest.mark.parametrize("size", [(100, 141), (700, 650)])
def test_regions_are_bit_equal_to_slices_of_pillows_decode(
    name: str, mode: str, options: dict[str, object], size: tuple[int, int]
) -> None:
    data = encoded(picture(*size, mode=mode), name, **options)
    image = decode(data, LIMITS)
    assert_regions_are_slices(image, plain_pixels(data))
    assert image.problem == ("greyscale" if mode == "L" else None)
    read = sum(region[0].size for region in image.regions)
    assert read == 100 * 141 if size[0] == 100 else 1 << 18 <= read < (1 << 18) + (1 << 14)


def test_the_same_pixels_give_the_same_regions_in_every_lossless_file() -> None:
    source = picture(300, 500)
    rgb = np.asarray(source)
    files = [
        encoded(source, "PNG", compress_level=0),
        encoded(source, "PNG", compress_level=9),
        encoded(source.convert("RGBA"), "PNG"),
        encoded(source, "WEBP", lossless=True),
        png_file(rgb, interlaced=True),
        png_file(rgb.astype(np.uint16) * 257),
    ]
    first, *others = (decode(file, SMALL) for file in files)
    assert len(first.regions) < 9, "a part of it"
    for other in others:
        assert np.array_equal(other.origins, first.origins)
        for region, own in zip(other.regions, first.regions, strict=True):
            np.testing.assert_array_equal(region, own)
    changed = rgb.copy()
    draws = set()
    for value in range(9):
        changed[150, 250] = value
        draws.add(tuple(decode(png_file(changed), SMALL).origins[0]))
    assert len(draws) > 1, "another picture is another draw"


@pytest.mark.parametrize("size", [(24, 24), (31, 40), (100, 25), (24, 3000), (24, 12_000)])
def test_sides_from_24_are_reflect_padded_at_the_end(size: tuple[int, int]) -> None:
    source = picture(*size)
    image = decode(encoded(source, "PNG"), LIMITS)
    below, right = max(0, 32 - size[0]), max(0, 32 - size[1])
    rgb = np.pad(np.asarray(source), ((0, below), (0, right), (0, 0)), mode="reflect")
    assert_regions_are_slices(image, rgb)
    assert image.problem is None


@pytest.mark.parametrize("size", [(23, 200), (200, 23), (1, 1), (23, 20_000)])
def test_smaller_sides_are_too_small(size: tuple[int, int]) -> None:
    image = decode(encoded(picture(*size), "PNG"), LIMITS)
    assert image.problem == "too_small"
    assert (image.regions, image.crops.shape, image.origins.shape) == ((), (0, 3, 32, 32), (0, 2))


@pytest.mark.parametrize("side", [256, 1100])
def test_a_picture_of_one_colour_carries_no_evidence(side: int) -> None:
    image = decode(encoded(Image.new("RGB", (side, side), (90, 120, 200)), "PNG"), LIMITS)
    assert (image.problem, image.regions) == ("flat_or_saturated", ())
    assert image.plain_tiles == (4 if side == 256 else 81)


@pytest.mark.parametrize(("name", "options"), [("PNG", {}), ("JPEG", {"quality": 85})])
@pytest.mark.parametrize("ground", [(255, 255, 255), (90, 120, 200)])
def test_a_small_picture_on_plain_ground_is_read_where_the_picture_is(
    name: str, options: dict[str, object], ground: tuple[int, int, int]
) -> None:
    page = Image.new("RGB", (1200, 1200), ground)
    page.paste(picture(96, 96), (533, 601))
    image = decode(encoded(page, name, **options), LIMITS)
    assert image.problem is None
    assert image.plain_tiles > 90
    within = read = 0
    for (y, x), region in zip(image.origins, image.regions, strict=True):
        high, wide = region.shape[1:]
        rows = max(0, min(y + high, 697) - max(y, 601))
        within += rows * max(0, min(x + wide, 629) - max(x, 533))
        read += high * wide
    assert within > 0.5 * read, "most of what is read is the picture"
    assert within > 0.5 * 96 * 96, "and most of the picture is read"


def test_a_file_without_colour_is_greyscale_and_keeps_its_regions() -> None:
    image = decode(encoded(picture(64, 64, mode="L").convert("RGB"), "PNG"), LIMITS)
    assert (image.problem, len(image.regions)) == ("greyscale", 1)


def test_what_nobody_sees_is_not_read() -> None:
    hidden = picture(480, 360)
    hidden.putalpha(0)
    hidden.paste(picture(64, 64, seed=5), (0, 0))
    image = decode(encoded(hidden, "PNG"), LIMITS)
    assert (image.problem, image.regions, len(image.origins)) == ("transparent", (), 0)


def test_a_round_avatar_is_read_within_its_circle() -> None:
    clear = round_avatar(256)
    mask = np.asarray(clear.getchannel("A"))
    for name, options in (("PNG", {}), ("WEBP", {"lossless": True, "exact": True})):
        image = decode(encoded(clear, name, **options), LIMITS)
        assert image.problem is None
        assert_regions_are_slices(image, np.asarray(clear)[:, :, :3])
        for region, (y, x) in zip(image.regions, image.origins, strict=True):
            seen = mask[y : y + region.shape[1], x : x + region.shape[2]]
            assert (seen == 255).all()


def test_crops_stay_the_default_and_have_no_regions() -> None:
    image = decode(encoded(picture(100, 100), "PNG"), DecodeLimits())
    assert (len(image.crops), image.regions, image.plain_tiles) == (16, (), 0)


PICTURES = {
    "whole": encoded(picture(218, 178), "JPEG", quality=90),
    "tiles": encoded(picture(900, 700), "JPEG", quality=90),
    "padded": encoded(picture(25, 300), "PNG"),
    "alpha": encoded(round_avatar(300), "PNG"),
    "plain": encoded(Image.new("RGB", (700, 700)), "PNG"),
    "too small": encoded(picture(9, 90), "WEBP"),
}


def test_confined_children_give_the_same_regions() -> None:
    with DecoderPool(LIMITS, 1) as pool:
        for name, data in PICTURES.items():
            assert same(pool.decode(data), decode(data, LIMITS)), name
        assert all(pool.posture().values()) or sys.platform != "linux"


@pytest.mark.parametrize(
    "lie",
    [
        "header['regions'] -= 1",
        "header['regions'] = 10**9",
        "header['region_pixels'] = 10**12",
        "header['region_pixels'] -= 1024; body = body[3072:]",
        "body = body[:-8] + (1 << 20).to_bytes(4, 'little') * 2",
    ],
)
def test_a_child_that_lies_about_its_regions_is_ended(
    monkeypatch: pytest.MonkeyPatch, lie: str
) -> None:
    patched(
        monkeypatch,
        answering("return honest(data, limits)") + "import json\n"
        "from worker.decoder.wire import frame, image_reply\n"
        "def forged(image):\n"
        "    reply = b''.join(image_reply(image))\n"
        "    size = int.from_bytes(reply[:4], 'big')\n"
        "    header, body = json.loads(reply[4:4 + size]), reply[4 + size:]\n"
        f"    {lie}\n"
        "    return [frame(header), body]\n"
        "load = child._load_codecs\n"
        "def load_then_lie(reading):\n"
        "    load(reading)\n"
        "    child.image_reply = forged\n"
        "child._load_codecs = load_then_lie\n",
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with DecoderPool(LIMITS, 1) as pool, pytest.raises(RejectError) as caught:
        pool.decode(PICTURES["tiles"])
    assert caught.value.code == "sandbox_kill"
    assert "may have been taken over" in str(caught.value)
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib < 64 * 1024, "nothing was allocated for what it claimed"


def test_reading_regions_stays_within_the_memory_that_a_child_has() -> None:
    """The header's estimate is what the picture takes; the regions must fit beside it."""
    reading = RegionReading(1 << 24, 1 << 24)
    data = encoded(picture(750, 800).resize((3200, 3000)), "JPEG", quality=60)
    limits = DecodeLimits(reading, memory_bytes=40_000_000, max_image_bytes=len(data))
    with DecoderPool(limits, 1) as pool:
        assert same(pool.decode(data), decode(data, limits))
