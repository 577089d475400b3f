"""decode: from the bytes of a file to native crops, the same ones every time."""

import hashlib
import io
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from tests.worker.decoder.image_samples import (
    encoded,
    picture,
    png_chunk,
    png_file,
    white_png,
)
from worker.decoder.crops import CropReading
from worker.decoder.decode import DecodedImage, DecodeLimits, decode
from worker.decoder.regions import RegionReading
from worker.errors import RejectError

LIMITS = DecodeLimits()
CODES = {"decode.unsupported", "decode.truncated", "decode.corrupt", "decode.dimensions"}


def plain_pixels(data: bytes) -> NDArray[np.uint8]:
    """Pillow's own decode of the whole file, RGB (H, W, 3)."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def assert_crops_are_slices(image: DecodedImage, rgb: NDArray[np.uint8]) -> None:
    size = image.crops.shape[2]
    assert len(image.crops) == len(image.origins) > 0
    for crop, (y, x) in zip(image.crops, image.origins, strict=True):
        assert (y % 8, x % 8) == (0, 0)
        expected = rgb[y : y + size, x : x + size].transpose(2, 0, 1)
        np.testing.assert_array_equal(crop, expected)


@pytest.mark.parametrize(
    ("name", "mode", "options"),
    [
        ("JPEG", "RGB", {"quality": 85}),
        ("JPEG", "RGB", {"quality": 95, "progressive": True, "subsampling": 0}),
        ("JPEG", "L", {}),
        ("JPEG", "CMYK", {}),
        ("PNG", "RGB", {}),
        ("PNG", "RGBA", {}),
        ("PNG", "P", {}),
        ("PNG", "L", {}),
        ("PNG", "LA", {}),
        ("WEBP", "RGB", {"quality": 75}),
        ("WEBP", "RGB", {"lossless": True}),
        ("WEBP", "RGBA", {"quality": 75}),
    ],
)
@pytest.mark.parametrize("size", [(100, 141), (700, 650)])
def test_crops_are_bit_equal_to_slices_of_pillows_decode(
    name: str, mode: str, options: dict[str, object], size: tuple[int, int]
) -> None:
    data = encoded(picture(*size, mode=mode), name, **options)
    image = decode(data, LIMITS)
    assert_crops_are_slices(image, plain_pixels(data))
    assert (image.crops.dtype.name, image.origins.dtype.name) == ("uint8", "int32")
    assert image.crops.shape == (16, 3, 32, 32)
    assert (image.facts.height, image.facts.width) == size
    assert image.facts.sha256 == hashlib.sha256(data).hexdigest()
    assert image.facts.byte_size == len(data)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP"])
def test_exif_orientation_is_not_applied(name: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn a quarter clockwise"
    turned = encoded(picture(96, 200), name, exif=exif)
    image = decode(turned, LIMITS)
    assert (image.facts.height, image.facts.width) == (96, 200)
    assert_crops_are_slices(image, plain_pixels(turned))


@pytest.mark.parametrize("name", ["PNG", "WEBP"])
def test_only_the_first_frame_of_an_animation_is_decoded(name: str) -> None:
    frames = [picture(80, 80, seed=seed) for seed in range(4)]
    options = {"lossless": True} if name == "WEBP" else {}
    data = encoded(frames[0], name, save_all=True, append_images=frames[1:], **options)
    assert_crops_are_slices(decode(data, LIMITS), np.asarray(frames[0]))


def test_only_the_first_picture_of_a_two_picture_jpeg_is_decoded() -> None:
    first, second = picture(80, 80, seed=1), picture(80, 80, seed=2)
    data = encoded(first, "MPO", save_all=True, append_images=[second], quality=90)
    assert_crops_are_slices(decode(data, LIMITS), plain_pixels(data))


def test_16_bit_samples_keep_their_high_byte() -> None:
    samples = np.random.default_rng(3).integers(0, 65_536, (64, 64)).astype(np.uint16)
    image = decode(encoded(Image.fromarray(samples), "PNG"), LIMITS)
    high = (samples >> 8).astype(np.uint8)
    assert_crops_are_slices(image, np.repeat(high[:, :, None], 3, axis=2))
    assert image.facts.greyscale


@pytest.mark.parametrize("size", [(24, 24), (31, 40), (100, 25), (24, 3000)])
def test_sides_from_three_quarters_are_reflect_padded_at_the_end(size: tuple[int, int]) -> None:
    source = picture(*size)
    image = decode(encoded(source, "PNG"), LIMITS)
    rgb = np.asarray(source)
    below, right = max(0, 32 - size[0]), max(0, 32 - size[1])
    assert_crops_are_slices(image, np.pad(rgb, ((0, below), (0, right), (0, 0)), mode="reflect"))
    assert image.problem is None


@pytest.mark.parametrize("size", [(23, 200), (200, 23), (1, 1)])
def test_smaller_sides_are_too_small(size: tuple[int, int]) -> None:
    image = decode(encoded(picture(*size), "PNG"), LIMITS)
    assert image.problem == "too_small"
    assert image.crops.shape == (0, 3, 32, 32)
    assert image.origins.shape == (0, 2)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (90, 120, 200)])
def test_a_picture_of_one_colour_carries_no_evidence(colour: tuple[int, int, int]) -> None:
    image = decode(encoded(Image.new("RGB", (256, 256), colour), "PNG"), LIMITS)
    assert image.problem == "flat_or_saturated"
    assert len(image.crops) == 0


def test_flat_parts_are_passed_over() -> None:
    rgb = np.full((128, 256, 3), 200, dtype=np.uint8)
    rgb[:, :128] = np.asarray(picture(128, 128))
    image = decode(encoded(Image.fromarray(rgb), "PNG"), LIMITS)
    assert len(image.crops) == 16
    assert image.origins[:, 1].max() < 128


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_a_file_without_colour_is_greyscale_and_keeps_its_crops(mode: str) -> None:
    image = decode(encoded(picture(64, 64, mode=mode), "PNG"), LIMITS)
    assert image.problem == "greyscale"
    assert image.facts.greyscale
    assert len(image.crops) == 16


def test_a_bilevel_file_is_greyscale_and_all_clipped() -> None:
    image = decode(encoded(picture(64, 64, mode="1"), "PNG"), LIMITS)
    assert image.facts.greyscale
    assert image.problem == "flat_or_saturated"


def test_grey_pixels_in_a_colour_file_are_greyscale_too() -> None:
    image = decode(encoded(picture(64, 64, mode="L").convert("RGB"), "PNG"), LIMITS)
    assert image.problem == "greyscale"
    assert not decode(encoded(picture(64, 64), "PNG"), LIMITS).facts.greyscale


@pytest.mark.parametrize("size", [64, 128])
def test_the_crop_size_and_count_come_from_the_limits(size: int) -> None:
    limits = DecodeLimits(CropReading(size, 4))
    data = encoded(picture(400, 400), "JPEG", quality=92)
    image = decode(data, limits)
    assert image.crops.shape == (4, 3, size, size)
    assert_crops_are_slices(image, plain_pixels(data))


@pytest.mark.parametrize(
    ("name", "options"),
    [("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {}), ("WEBP", {})],
)
def test_a_file_cut_short_is_truncated(name: str, options: dict[str, object]) -> None:
    data = encoded(picture(96, 96), name, **options)
    for share in (0.3, 0.6, 0.9):
        with pytest.raises(RejectError) as caught:
            decode(data[: int(len(data) * share)], LIMITS)
        assert caught.value.code == "decode.truncated"


def test_a_wrong_checksum_is_corrupt() -> None:
    data = bytearray(encoded(picture(64, 64), "PNG"))
    at = data.index(b"IDAT") + 40
    data[at] ^= 0xFF
    with pytest.raises(RejectError) as caught:
        decode(bytes(data), LIMITS)
    assert caught.value.code == "decode.corrupt"


def test_too_many_bytes_are_refused_before_anything_is_read() -> None:
    limits = DecodeLimits(max_image_bytes=1000)
    with pytest.raises(RejectError) as caught:
        decode(bytes(1001), limits)
    assert caught.value.code == "too_large"
    assert str(caught.value) == "the image has 1001 bytes, at most 1000 are accepted"


def test_a_text_bomb_costs_nothing_because_text_is_never_inflated() -> None:
    data = encoded(picture(64, 64), "PNG")
    bomb = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(100_000_000), 9))
    at = data.index(b"IDAT") - 4
    image = decode(data[:at] + bomb + data[at:], LIMITS)
    assert_crops_are_slices(image, plain_pixels(data))


@pytest.mark.parametrize(
    "make",
    [
        lambda: CropReading(crop_size=33),
        lambda: CropReading(crop_size=0),
        lambda: CropReading(max_crops=0),
        lambda: RegionReading(first_pixels=16_383),
        lambda: RegionReading(first_pixels=1 << 20, most_pixels=1 << 19),
        lambda: DecodeLimits(cpu_s=0.0),
        lambda: DecodeLimits(max_side=0),
    ],
)
def test_limits_that_make_no_sense_are_a_mistake(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        make()


SEEDS = [
    png_file(np.asarray(picture(40, 48)), interlaced=True, key=bytes(6)),
    encoded(picture(40, 48), "JPEG", quality=80),
    encoded(picture(40, 48), "JPEG", quality=80, progressive=True),
    encoded(picture(40, 48, mode="CMYK"), "JPEG"),
    encoded(picture(40, 48), "PNG"),
    encoded(picture(40, 48, mode="P"), "PNG", transparency=1),
    encoded(picture(40, 48), "PNG", save_all=True, append_images=[picture(40, 48, seed=1)]),
    encoded(picture(40, 48), "WEBP", quality=80),
    encoded(picture(40, 48, mode="RGBA"), "WEBP", lossless=True),
    encoded(picture(40, 48), "WEBP", save_all=True, append_images=[picture(40, 48, seed=1)]),
    white_png(40, 48),
]
SMALL = DecodeLimits(max_pixels=1_000_000, memory_bytes=64 * 1024 * 1024)


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_a_mutated_file_gives_an_image_or_a_refusal_and_nothing_else(data: st.DataObject) -> None:
    mutant = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(mutant) - 1) | st.integers(0, min(200, len(mutant) - 1)))
        action = data.draw(st.sampled_from(["set", "insert", "delete", "cut"]))
        if action == "set":
            mutant[at] = data.draw(st.integers(0, 255))
        elif action == "insert":
            mutant[at:at] = data.draw(st.binary(min_size=1, max_size=12))
        elif action == "delete":
            del mutant[at : at + data.draw(st.integers(1, 12))]
        else:
            del mutant[max(1, at) :]
        mutant = mutant or bytearray(1)
    outcome: DecodedImage | RejectError
    try:
        outcome = decode(bytes(mutant), SMALL)
    except RejectError as error:
        outcome = error
    if isinstance(outcome, RejectError):
        assert outcome.code in CODES
    else:
        assert outcome.crops.shape[1:] == (3, 32, 32)
        assert outcome.facts.width * outcome.facts.height <= 1_000_000
