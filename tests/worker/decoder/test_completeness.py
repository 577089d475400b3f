"""A file that lacks a part of its picture is refused, and a whole one of any kind is not."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.worker.decoder.image_samples import encoded, picture, png_chunk, png_file
from worker.decoder.completeness import MAX_JPEG_SCANS
from worker.decoder.decode import DecodeLimits, decode
from worker.errors import RejectError

LIMITS = DecodeLimits()
SOURCE = picture(240, 320)
SCAN, END = b"\xff\xda", b"\xff\xd9"
PHOTOS = sorted((Path(__file__).parents[3] / "training" / "demo" / "photos").glob("*.jpg"))


def refusal(data: bytes) -> str:
    with pytest.raises(RejectError) as caught:
        decode(data, LIMITS)
    return caught.value.code


def scans(data: bytes) -> list[int]:
    return [at for at in range(len(data) - 1) if data[at : at + 2] == SCAN]


def with_hole(data: bytes, start: int) -> bytes:
    """Return `data` with the middle fifth of what follows `start` zeroed."""
    first, last = (start + (len(data) - start) * share // 5 for share in (2, 3))
    return data[:first] + bytes(last - first) + data[last:]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 4}])
def test_a_jpeg_that_ends_early_with_an_end_marker_is_truncated(
    share: float, options: dict[str, object]
) -> None:
    data = encoded(SOURCE, "JPEG", quality=90, **options)
    start = scans(data)[0]
    assert refusal(data[: start + int((len(data) - start) * share)] + END) == "decode.truncated"


@pytest.mark.parametrize("kept", [1, 4, 9])
def test_a_progressive_jpeg_without_its_last_scans_is_truncated(kept: int) -> None:
    data = encoded(SOURCE, "JPEG", quality=90, progressive=True)
    assert refusal(data[: scans(data)[kept]] + END) == "decode.truncated"


def test_bytes_that_fill_the_gap_before_a_scan_hide_neither_it_nor_its_absence() -> None:
    data = encoded(SOURCE, "JPEG", quality=90, progressive=True)
    filled = data.replace(SCAN, b"\xff\xff" + SCAN)
    assert decode(filled, LIMITS).facts.pixels_sha256 == decode(data, LIMITS).facts.pixels_sha256
    assert refusal(filled[: scans(filled)[-1]] + END) == "decode.truncated"


def test_a_jpeg_whose_header_promises_more_columns_is_truncated() -> None:
    data = bytearray(encoded(picture(480, 640), "JPEG", quality=90))
    at = data.index(b"\xff\xc0") + 7
    data[at : at + 2] = struct.pack(">H", 1279)
    assert refusal(bytes(data)) == "decode.truncated"


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("JPEG", {"quality": 90}),
        ("JPEG", {"quality": 90, "restart_marker_blocks": 4}),
        ("PNG", {}),
    ],
)
def test_a_hole_in_the_middle_is_seen(name: str, options: dict[str, object]) -> None:
    data = encoded(SOURCE, name, **options)
    start = scans(data)[0] if name == "JPEG" else 100
    assert refusal(with_hole(data, start)) in ("decode.corrupt", "decode.truncated")


@pytest.mark.parametrize("rows", [0, 1, 120, 238, 239])
def test_a_png_with_fewer_rows_than_its_header_says_is_truncated(rows: int) -> None:
    samples = np.asarray(SOURCE)
    raw = b"".join(b"\0" + row.tobytes() for row in samples[:rows])
    whole = png_file(samples)
    cut = whole[:33] + png_chunk(b"IDAT", zlib.compress(raw)) + png_chunk(b"IEND", b"")
    assert refusal(cut) == "decode.truncated"


def test_an_interlaced_png_without_its_last_pass_is_truncated() -> None:
    whole = png_file(np.asarray(SOURCE), interlaced=True)
    at = whole.index(b"IDAT")
    size = int.from_bytes(whole[at - 4 : at], "big")
    raw = zlib.decompress(whole[at + 4 : at + 4 + size])
    cut = whole[:33] + png_chunk(b"IDAT", zlib.compress(raw[: len(raw) // 2]))
    assert refusal(cut + png_chunk(b"IEND", b"")) == "decode.truncated"


@pytest.mark.parametrize("share", [0.3, 0.9])
@pytest.mark.parametrize("options", [{"quality": 80}, {"lossless": True}])
def test_a_webp_cut_short_with_its_sizes_mended_is_refused(
    share: float, options: dict[str, object]
) -> None:
    data = encoded(SOURCE, "WEBP", **options)
    size = int(len(data) * share) // 2 * 2
    cut = bytearray(data[:size])
    cut[4:8], cut[16:20] = struct.pack("<I", size - 8), struct.pack("<I", size - 20)
    assert refusal(bytes(cut)) in ("decode.corrupt", "decode.truncated")


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"progressive": True},
        {"optimize": True},
        {"restart_marker_blocks": 3},
        {"restart_marker_rows": 1, "progressive": True},
        {"quality": 100},
        {"quality": 20},
    ],
)
def test_whole_jpegs_are_not_hit(mode: str, options: dict[str, object]) -> None:
    assert len(decode(encoded(SOURCE.convert(mode), "JPEG", **options), LIMITS).crops) == 16


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("size", [(240, 320), (97, 131)])
def test_whole_jpegs_of_every_subsampling_are_not_hit(
    subsampling: str, size: tuple[int, int]
) -> None:
    data = encoded(picture(*size), "JPEG", subsampling=subsampling)
    assert len(decode(data, LIMITS).crops) == 16


@pytest.mark.parametrize("photo", PHOTOS, ids=lambda path: path.stem)
def test_real_photos_are_not_hit(photo: Path) -> None:
    assert len(decode(photo.read_bytes(), LIMITS).crops) == 16


def test_black_rows_at_the_end_of_a_whole_png_are_not_hit() -> None:
    samples = np.asarray(SOURCE).copy()
    samples[200:] = 0
    for interlaced in (False, True):
        image = decode(png_file(samples, interlaced=interlaced), LIMITS)
        assert len(image.crops) == 16


def test_an_unusual_subsampling_that_cannot_be_checked_is_refused_by_name() -> None:
    data = bytearray(encoded(SOURCE, "JPEG", subsampling="4:4:4"))
    at = data.index(b"\xff\xc0") + 11
    data[at] = 0x42  # the luminance at 4 x 2: 4:1:0, as old video frames have it
    with pytest.raises(RejectError, match="chroma subsampling") as caught:
        decode(bytes(data), LIMITS)
    assert caught.value.code == "decode.unsupported"


def test_a_black_half_of_a_whole_webp_is_not_hit() -> None:
    samples = np.zeros((2000, 2000, 3), dtype=np.uint8)
    samples[:1000] = np.asarray(picture(1000, 2000))
    for options in ({"quality": 80}, {"lossless": True, "method": 0}):
        image = decode(encoded(Image.fromarray(samples), "WEBP", **options), LIMITS)
        assert len(image.crops) == 16


def test_more_scans_than_any_encoder_writes_are_refused_before_decoding() -> None:
    data = encoded(SOURCE, "JPEG", progressive=True)
    first, second = scans(data)[-2:]
    scan = data[first:second]
    many = data[:first] + scan * MAX_JPEG_SCANS + data[second:]
    with pytest.raises(RejectError, match="more than 100 scans") as caught:
        decode(many, LIMITS)
    assert caught.value.code == "decode.unsupported"


def test_a_second_picture_and_rubbish_after_the_end_are_not_hit() -> None:
    data = encoded(SOURCE, "JPEG", quality=90)
    assert len(decode(data + data[:500] + bytes(5000), LIMITS).crops) == 16


def test_a_wrong_checksum_is_said_in_words() -> None:
    whole = encoded(SOURCE, "PNG")
    for kind in (b"IHDR", b"IDAT"):
        data = bytearray(whole)
        at = data.index(kind)
        end = at + 4 + int.from_bytes(data[at - 4 : at], "big")
        data[end] ^= 0xFF
        with pytest.raises(RejectError) as caught:
            decode(bytes(data), LIMITS)
        assert caught.value.code == "decode.corrupt"
        assert caught.value.message == (
            f"the checksum of the PNG chunk {kind.decode()} does not fit its contents: "
            "the file was changed or damaged on its way"
        )


def test_a_file_that_pillow_does_not_know_is_refused_without_a_memory_address() -> None:
    data = bytearray(encoded(SOURCE, "PNG"))
    data[24] = 4  # bits a sample, which no colour PNG has
    fixed = bytes(data[:8]) + png_chunk(b"IHDR", bytes(data[16:29])) + bytes(data[33:])
    with pytest.raises(RejectError) as caught:
        decode(fixed, LIMITS)
    assert caught.value.code == "decode.corrupt"
    assert "0x" not in caught.value.message


def test_a_text_chunk_of_wrong_checksum_changes_nothing() -> None:
    whole = encoded(SOURCE, "PNG")
    text = bytearray(png_chunk(b"tEXt", b"Comment\0x"))
    text[-1] ^= 0xFF
    at = whole.index(b"IDAT") - 4
    image = decode(whole[:at] + bytes(text) + whole[at:], LIMITS)
    assert image.facts.pixels_sha256 == decode(whole, LIMITS).facts.pixels_sha256


def test_a_long_screenshot_is_decoded() -> None:
    tall = Image.new("RGB", (108, 40_000), (250, 250, 250))
    tall.paste(picture(20_000, 108), (0, 0))
    file = io.BytesIO()
    tall.save(file, "PNG", compress_level=1)
    assert len(decode(file.getvalue(), LIMITS).crops) == 16
