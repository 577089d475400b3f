"""The header says what a file is and how large, before any pixel is decoded."""

import io
import struct
import time

import pytest
from PIL import Image

from tests.worker.decoder.image_samples import encoded, picture, png_chunk, white_png
from worker.decoder.decode import DecodeLimits, check_header
from worker.decoder.image_header import ImageHeader, pixel_bytes, read_header
from worker.errors import RejectError

SAVED = [
    ("JPEG", "RGB", {"quality": 90}, True),
    ("JPEG", "RGB", {"quality": 90, "progressive": True, "subsampling": 0}, True),
    ("JPEG", "L", {}, True),
    ("JPEG", "CMYK", {}, True),
    ("PNG", "RGB", {}, False),
    ("PNG", "P", {}, False),
    ("PNG", "1", {}, False),
    ("WEBP", "RGB", {"quality": 80}, True),
    ("WEBP", "RGBA", {"quality": 80}, True),
    ("WEBP", "RGB", {"lossless": True}, False),
    ("WEBP", "RGB", {"lossless": True, "exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"}, False),
]


@pytest.mark.parametrize(("name", "mode", "options", "lossy"), SAVED)
def test_format_size_and_loss_are_read_from_what_pillow_saves(
    name: str, mode: str, options: dict[str, object], lossy: bool
) -> None:
    header = read_header(encoded(picture(37, 91, mode=mode), name, **options))
    assert (header.format, header.height, header.width) == (name.lower(), 37, 91)
    assert header.lossy is lossy
    assert (header.jpeg_quality is None) is (name != "JPEG")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a" + bytes(50),
        b"II*\0" + bytes(50),
        b"BM" + bytes(50),
        b"%PDF-1.7",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"RIFF\x10\0\0\0AVI " + bytes(50),
        b"\xff\xd8",
    ],
)
def test_any_other_kind_of_file_is_unsupported(data: bytes) -> None:
    with pytest.raises(RejectError) as caught:
        read_header(data)
    assert caught.value.code == "decode.unsupported"
    assert caught.value.stage == "decode"


@pytest.mark.parametrize("marker", [0xC3, 0xC9, 0xCA])
def test_lossless_and_arithmetic_jpeg_are_unsupported(marker: int) -> None:
    data = encoded(picture(16, 16), "JPEG")
    changed = data.replace(b"\xff\xc0", bytes([0xFF, marker]), 1)
    with pytest.raises(RejectError) as caught:
        read_header(changed)
    assert caught.value.code == "decode.unsupported"


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP"])
def test_a_header_cut_anywhere_never_passes_for_whole(name: str) -> None:
    data = encoded(picture(16, 16), name)
    whole = read_header(data)
    for length in range(12, 40):
        assert _header_or_code(data[:length]) in (whole, "decode.truncated")


def test_a_169_megapixel_png_is_refused_from_its_header_in_milliseconds() -> None:
    bomb = white_png(13_000, 13_000)
    assert len(bomb) < 1_000_000
    limits = DecodeLimits()
    spent = []
    for _ in range(5):
        began = time.perf_counter()
        with pytest.raises(RejectError) as caught:
            check_header(bomb, limits)
        spent.append(time.perf_counter() - began)
    assert caught.value.code == "decode.dimensions"
    assert str(caught.value) == (
        "the png header says 13000 x 13000 pixels; "
        "at most 100000000 pixels (max_pixels) and 65535 a side are decoded"
    )
    assert min(spent) < 0.005


def test_a_side_over_the_limit_is_refused() -> None:
    with pytest.raises(RejectError) as caught:
        check_header(white_png(2, 65_536), DecodeLimits())
    assert caught.value.code == "decode.dimensions"


def test_what_would_not_fit_in_memory_is_refused_by_name() -> None:
    limits = DecodeLimits(memory_bytes=1_000_000)
    with pytest.raises(RejectError, match="memory_bytes") as caught:
        check_header(encoded(picture(600, 600), "WEBP"), limits)
    assert caught.value.code == "decode.dimensions"


@pytest.mark.parametrize(("mode", "bytes_a_pixel"), [("L", 1), ("RGB", 3), ("CMYK", 4)])
def test_a_jpeg_takes_a_byte_of_memory_for_each_component_of_a_pixel(
    mode: str, bytes_a_pixel: int
) -> None:
    header = read_header(encoded(picture(40, 48).convert(mode), "JPEG"))
    assert header.decode_bytes == bytes_a_pixel * 40 * 48


@pytest.mark.parametrize(
    ("name", "side_mpx", "options"),
    [
        ("JPEG", 12, {}),
        ("JPEG", 50, {"progressive": True, "subsampling": 0}),
        ("JPEG", 100, {}),
        ("PNG", 100, {}),
        ("WEBP", 50, {}),
    ],
)
def test_camera_sizes_fit_within_the_default_limits(
    name: str, side_mpx: int, options: dict[str, object]
) -> None:
    """A small file's header is rewritten to the large size; no pixel is needed for the check."""
    side = int((side_mpx * 1_000_000) ** 0.5)
    data = bytearray(encoded(picture(16, 24), name, **options))
    if name == "JPEG":
        at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
        data[at + 5 : at + 9] = struct.pack(">HH", side, side)
    elif name == "PNG":
        data[16:24] = struct.pack(">II", side, side)
    else:
        data[26:30] = struct.pack("<HH", side, side)
    header = check_header(bytes(data), DecodeLimits())
    assert (header.width, header.height) == (side, side)


def test_metadata_never_reaches_the_decoder_but_the_pixels_stay_the_same() -> None:
    exif = b"Exif\0\0" + b"MM\0*\0\0\0\x08\0\0" + bytes(60_000)
    jpeg = encoded(picture(40, 40), "JPEG", exif=exif, icc_profile=bytes(200_000), comment=b"x")
    lean = pixel_bytes(jpeg, read_header(jpeg))
    assert len(lean) < len(jpeg) - 250_000
    assert b"Exif" not in lean
    png = encoded(picture(40, 40, mode="P"), "PNG", transparency=3, icc_profile=bytes(9_000))
    at = png.index(b"IDAT") - 4
    png = png[:at] + png_chunk(b"zTXt", b"k\0\0" + bytes(500)) + png[at:]
    kept = pixel_bytes(png, read_header(png))
    assert [name in kept for name in (b"zTXt", b"iCCP", b"tRNS")] == [False, False, True]
    for data, part in ((jpeg, lean), (png, kept)):
        assert _pixels(part) == _pixels(data)


def _header_or_code(data: bytes) -> ImageHeader | str:
    try:
        return read_header(data)
    except RejectError as error:
        return error.code


def _pixels(data: bytes) -> bytes:
    return Image.open(io.BytesIO(data)).convert("RGB").tobytes()
