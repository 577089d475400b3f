"""The same pixels give one answer, and what nobody sees decides nothing."""

import hashlib
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tests.worker.decoder.image_samples import (
    encoded,
    picture,
    png_chunk,
    png_file,
    with_png_chunk,
)
from tests.worker.decoder.test_decode import assert_crops_are_slices
from worker.decoder.crops import CropReading
from worker.decoder.decode import DecodedImage, DecodeLimits, decode
from worker.decoder.regions import RegionReading

LIMITS = DecodeLimits()


def same_picture(image: DecodedImage, other: DecodedImage) -> bool:
    return (
        np.array_equal(image.crops, other.crops)
        and np.array_equal(image.origins, other.origins)
        and image.facts.pixels_sha256 == other.facts.pixels_sha256
        and (image.problem, image.facts.lossy, image.facts.greyscale)
        == (other.problem, other.facts.lossy, other.facts.greyscale)
    )


COLOURS = picture(300, 300).quantize(64)  # so that a palette can hold the picture too


@pytest.mark.parametrize("size", [(300, 300), (620, 650)])
def test_the_same_pixels_give_one_answer_in_every_lossless_file(size: tuple[int, int]) -> None:
    source = picture(*size)
    rgb = np.asarray(source)
    opaque = source.copy()
    opaque.putalpha(255)
    frames = [picture(*size, seed=seed) for seed in (1, 2)]
    expected = decode(encoded(source, "PNG"), LIMITS)
    files = {
        "level 0": encoded(source, "PNG", compress_level=0),
        "level 9": encoded(source, "PNG", compress_level=9),
        "comment": with_png_chunk(encoded(source, "PNG"), b"tEXt", b"Comment\0another draw"),
        "Adam7": png_file(rgb, interlaced=True),
        "16 bits": png_file(rgb.astype(np.uint16) * 257),
        "16 bits, Adam7": png_file(rgb.astype(np.uint16) * 257, interlaced=True),
        "RGBA": encoded(opaque, "PNG"),
        "APNG": encoded(source, "PNG", save_all=True, append_images=frames),
        "WebP": encoded(source, "WEBP", lossless=True),
    }
    wrong = [
        name for name, file in files.items() if not same_picture(decode(file, LIMITS), expected)
    ]
    assert wrong == []
    assert len({decode(file, LIMITS).facts.sha256 for file in files.values()}) == len(files)


def test_a_palette_and_its_colours_give_one_answer() -> None:
    palette, plain = encoded(COLOURS, "PNG"), encoded(COLOURS.convert("RGB"), "PNG")
    assert same_picture(decode(palette, LIMITS), decode(plain, LIMITS))
    transparent_entry = encoded(COLOURS, "PNG", transparency=255)  # an entry that no pixel uses
    assert same_picture(decode(transparent_entry, LIMITS), decode(plain, LIMITS))


def test_grey_is_one_answer_in_every_mode() -> None:
    grey = picture(120, 120, mode="L")
    wide = png_file(np.asarray(grey).astype(np.uint16) * 257)
    answers = [decode(encoded(grey.convert(mode), "PNG"), LIMITS) for mode in ("L", "RGB", "LA")]
    assert all(same_picture(answer, answers[0]) for answer in (*answers, decode(wide, LIMITS)))


def test_a_comment_in_a_jpeg_buys_no_other_draw() -> None:
    plain = decode(encoded(picture(300, 300), "JPEG", quality=90), LIMITS)
    for comment in (b"1", b"2", b"3"):
        other = encoded(picture(300, 300), "JPEG", quality=90, comment=comment)
        assert same_picture(decode(other, LIMITS), plain)


def test_one_pixel_more_or_less_is_another_picture() -> None:
    rgb = np.asarray(picture(300, 300)).copy()
    first = decode(encoded(Image.fromarray(rgb), "PNG"), LIMITS)
    rgb[299, 299, 2] ^= 1
    second = decode(encoded(Image.fromarray(rgb), "PNG"), LIMITS)
    assert first.facts.pixels_sha256 != second.facts.pixels_sha256
    assert not np.array_equal(first.origins, second.origins)


def test_the_digest_of_a_known_picture_never_changes() -> None:
    """A frozen example: if this fails, old verdicts can no longer be computed again."""
    ramp = np.arange(40 * 48 * 3, dtype=np.uint32).reshape(40, 48, 3) * 7 % 251
    size = (48).to_bytes(4, "big") + (40).to_bytes(4, "big")
    pixels = ramp.astype(np.uint8)
    expected = hashlib.sha256(b"latentprint pixels 1\n" + size + pixels.tobytes()).hexdigest()
    image = decode(encoded(Image.fromarray(pixels), "PNG"), LIMITS)
    assert image.facts.pixels_sha256 == expected
    assert expected == "fc00e35f3fdc3d317cd8eb80d994d1375d05a9245d79aee4cdc19ae56666e3bf"


def test_a_photo_under_full_transparency_decides_nothing() -> None:
    """A generated 64 x 64 in the corner is what is seen; the photo beneath alpha 0 is not."""
    hidden = picture(480, 360)
    hidden.putalpha(0)
    hidden.paste(picture(64, 64, seed=5), (0, 0))
    for name, options in (("PNG", {}), ("WEBP", {"lossless": True, "exact": True})):
        image = decode(encoded(hidden, name, **options), LIMITS)
        assert image.problem == "transparent"
        assert (len(image.crops), len(image.origins)) == (0, 0)


@pytest.mark.parametrize("size", [(400, 402), (640, 650)])
def test_crops_are_cut_from_what_is_seen_alone(size: tuple[int, int]) -> None:
    source = picture(*size)
    alpha = np.zeros(size, dtype=np.uint8)
    alpha[37:330, 41:333] = 255
    alpha[200, 200] = 254  # almost opaque is not opaque
    clear = source.copy()
    clear.putalpha(Image.fromarray(alpha))
    image = decode(encoded(clear, "PNG"), LIMITS)
    assert image.problem is None
    assert len(image.crops) == 16
    assert_crops_are_slices(image, np.asarray(source))
    for y, x in image.origins:
        assert (alpha[y : y + 32, x : x + 32] == 255).all()


def test_colours_that_nobody_sees_buy_no_other_draw() -> None:
    alpha = np.full((400, 400), 255, dtype=np.uint8)
    alpha[:100] = 0
    answers = []
    for seed in (1, 2):
        rgb = np.asarray(picture(400, 400)).copy()
        rgb[:100] = np.asarray(picture(100, 400, seed=seed))
        clear = Image.fromarray(rgb)
        clear.putalpha(Image.fromarray(alpha))
        answers.append(decode(encoded(clear, "PNG"), LIMITS))
        answers.append(decode(encoded(clear, "WEBP", lossless=True), LIMITS))
    assert answers[0].problem is None
    assert all(same_picture(answer, answers[0]) for answer in answers)
    opaque = decode(encoded(Image.fromarray(rgb), "PNG"), LIMITS)
    assert opaque.facts.pixels_sha256 != answers[0].facts.pixels_sha256


def transparent_files() -> dict[str, bytes]:
    """Pictures whose left half is hidden, by every means that PNG has."""
    rgb = np.asarray(picture(200, 400)).copy()
    rgb[:, :200] = (10, 20, 30)
    rgb[:, 200:] |= 1  # the key colour does not occur on the right
    grey = np.asarray(picture(200, 400, mode="L")).copy()
    grey[:, :200], grey[:, 200:] = 16, grey[:, 200:] | 1
    key = struct.pack(">3H", 10, 20, 30)
    palette = picture(200, 400).quantize(32)
    indices = np.asarray(palette).copy()
    indices[:, 200:] %= 30
    indices[:, :100], indices[:, 100:200] = 30, 31
    palette.putdata(indices.ravel().tolist())
    wide = struct.pack(">3H", 10 * 257, 20 * 257, 30 * 257)
    return {
        "RGB": png_file(rgb, key=key),
        "RGB 16 bits": png_file(rgb.astype(np.uint16) * 257, key=wide),
        "grey": png_file(grey, key=struct.pack(">H", 16)),
        "grey 16 bits": png_file(grey.astype(np.uint16) * 257, key=struct.pack(">H", 16 * 257)),
        "palette": encoded(palette, "PNG", transparency=b"\xff" * 30 + b"\0\x80"),
    }


@pytest.mark.parametrize("name", ["RGB", "RGB 16 bits", "grey", "grey 16 bits", "palette"])
def test_every_kind_of_transparency_hides(name: str) -> None:
    image = decode(transparent_files()[name], DecodeLimits(CropReading(max_crops=4)))
    assert image.problem == ("greyscale" if name.startswith("grey") else None)
    assert len(image.crops) == 4
    assert image.origins[:, 1].min() >= 200


def test_a_picture_of_few_grey_levels_with_a_key_is_read() -> None:
    rows = np.tile(np.array([0b00011011] * 30, dtype=np.uint8), (120, 1))  # levels 0 1 2 3, packed
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    size = struct.pack(">IIBBBBB", 120, 120, 2, 0, 0, 0, 0)
    kinds = (b"IHDR", b"tRNS", b"IDAT", b"IEND")
    bodies = (size, struct.pack(">H", 2), zlib.compress(raw), b"")
    file = b"\x89PNG\r\n\x1a\n" + b"".join(map(png_chunk, kinds, bodies))
    assert decode(file, LIMITS).problem == "transparent"


@pytest.mark.parametrize("size", [(240, 320), (37, 51)])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        *({"subsampling": kind, "quality": 83} for kind in ("4:4:4", "4:2:2", "4:2:0")),
        {"quality": 5},
        {"quality": 100, "subsampling": "4:4:4"},
        {"keep_rgb": True},
        {"restart_marker_blocks": 2},
        {"optimize": True},
    ],
)
def test_a_jpegs_pixels_are_pillows(
    options: dict[str, object], size: tuple[int, int], progressive: bool
) -> None:
    data = encoded(picture(*size), "JPEG", progressive=progressive, **options)
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(image)
    assert image.mode == "RGB"
    (region,) = decode(data, DecodeLimits(RegionReading())).regions
    assert (region == expected.transpose(2, 0, 1)).all()
    assert decode(data, DecodeLimits()).facts.decoder == "simplejpeg"


@pytest.mark.parametrize(("mode", "kind"), [("L", "JPEG"), ("CMYK", "JPEG"), ("RGB", "PNG")])
def test_what_is_no_jpeg_in_colour_is_pillows_to_decode(mode: str, kind: str) -> None:
    data = encoded(picture(64, 64).convert(mode), kind)
    assert decode(data, DecodeLimits()).facts.decoder == "pillow"
