"""What an image file says of itself, read before any pixel is decoded.

The formats are told by their magic bytes, never by a name or a content type. Everything here is
arithmetic on a few bytes, so that a file that promises too many pixels is refused in well under a
millisecond, whatever a decoding library would have done with it. `pixel_bytes` then gives the
decoder only what pixels are made from: text, ICC and EXIF blocks, previews and the later frames of
an animated PNG never reach a parser, and so cannot be a bomb and need not be refused either.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from worker.decoder.file_kinds import describe
from worker.decoder.jpeg_quality import JpegCoding, chroma_sampling, estimate_quality
from worker.errors import RejectError

ImageFormat = Literal["jpeg", "png", "webp"]

_JPEG_MAGIC: Final = b"\xff\xd8\xff"
_PNG_MAGIC: Final = b"\x89PNG\r\n\x1a\n"
_MAX_SEGMENTS: Final = 65_536  # real files of 10 MiB stay in the low thousands
_NOT_FILL: Final = re.compile(rb"[^\xff]")
JPEG_FRAMES: Final = {0xC0: "baseline", 0xC1: "extended", 0xC2: "progressive"}
_OTHER_FRAMES: Final = frozenset({0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
START_OF_SCAN: Final = 0xDA
_PNG_PIXEL_CHUNKS: Final = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
PNG_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """The header of one image file.

    `sample_bits` is the depth of a PNG's samples (1, 2, 4, 8 or 16), 8 elsewhere. `decode_bytes` is
    about what decoding the first frame whole will allocate. `components` are a JPEG's: 1 (grey), 3
    (colour) or 4 (for print); 0 elsewhere.
    """

    format: ImageFormat
    width: int
    height: int
    sample_bits: int
    lossy: bool
    jpeg_quality: int | None
    decode_bytes: int
    jpeg: JpegCoding | None = None
    components: int = 0


def read_header(data: bytes) -> ImageHeader:
    """Parse the header of a JPEG, PNG or WebP file.

    Raises RejectError: decode.unsupported for any other kind of file or coding, decode.truncated
    where the file ends too early, decode.corrupt where it contradicts itself.
    """
    if data.startswith(_JPEG_MAGIC):
        return _read_jpeg(data)
    if data.startswith(_PNG_MAGIC):
        return _read_png(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _read_webp(data)
    raise refuse(
        "unsupported",
        f"{describe(data)}; JPEG, PNG or WebP is expected: save it as one of them",
    )


def pixel_bytes(data: bytes, header: ImageHeader) -> bytes:
    """Return `data` without what the pixels of its first frame do not need.

    JPEG: APP0 and APP14 stay, since libjpeg reads the colour space from them; other APPn and
    comments go (the second pictures of an MPO are thereby ignored). PNG: IHDR, PLTE, tRNS, IDAT and
    IEND stay. WebP: unchanged, because libwebp does not interpret the other chunks.
    """
    if header.format == "jpeg":
        kept = [b"\xff\xd8"]
        for marker, start, end in jpeg_segments(data):
            if marker == START_OF_SCAN:
                kept.append(data[start - 4 :])
            elif not (0xE1 <= marker <= 0xED or marker in (0xEF, 0xFE)):
                kept.append(b"\xff" + bytes([marker]) + data[start - 2 : end])
        return b"".join(kept)
    if header.format == "png":
        chunks = png_chunks(data, open_end=True)
        kept = [data[s - 8 : e + 4] for kind, s, e in chunks if kind in _PNG_PIXEL_CHUNKS]
        return _PNG_MAGIC + b"".join(kept)
    return data


def refuse(reason: str, message: str) -> RejectError:
    """Return the refusal decode.`reason`."""
    return RejectError(f"decode.{reason}", message, stage="decode")


def _truncated(kind: str, size: int) -> RejectError:
    return refuse("truncated", f"the {kind} file ends after {size} bytes, in the midst of a part")


# --- JPEG -------------------------------------------------------------------------------------


def jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (marker, start, end) of each segment's contents, up to and with the first scan's."""
    position = 2
    for _ in range(_MAX_SEGMENTS):
        if data[position : position + 1] not in (b"\xff", b""):
            raise refuse("corrupt", f"byte {position} of the JPEG file should begin a marker")
        match = _NOT_FILL.search(data, position)  # any number of 0xff may precede a marker
        if match is None:
            raise _truncated("JPEG", len(data))
        marker = data[match.start()]
        position = match.start() + 1
        if marker in (0x00, 0x01, 0xD8, 0xD9) or 0xD0 <= marker <= 0xD7:
            raise refuse("corrupt", f"marker ff {marker:02x} stands before the first JPEG scan")
        if position + 2 > len(data):
            raise _truncated("JPEG", len(data))
        length = int.from_bytes(data[position : position + 2], "big")
        if length < 2:
            raise refuse("corrupt", f"a JPEG segment says it is {length} bytes long, at least 2")
        if position + length > len(data):
            raise _truncated("JPEG", len(data))
        yield marker, position + 2, position + length
        if marker == START_OF_SCAN:
            return
        position += length
    raise refuse("corrupt", f"more than {_MAX_SEGMENTS} segments before the first JPEG scan")


def _read_jpeg(data: bytes) -> ImageHeader:
    tables: dict[int, list[int]] = {}
    frame: tuple[str, bytes] | None = None
    scan_components = 0
    for marker, start, end in jpeg_segments(data):
        if marker == 0xDB:
            tables.update(_quantisation_tables(data[start:end]))
        elif marker in _OTHER_FRAMES:
            raise refuse("unsupported", f"JPEG coding ff {marker:02x} is not read; save it anew")
        elif marker in JPEG_FRAMES:
            if frame is not None:
                raise refuse("corrupt", "the JPEG file has two frame headers")
            frame = JPEG_FRAMES[marker], data[start:end]
        elif marker == START_OF_SCAN and end > start:
            scan_components = data[start]
    if frame is None:
        raise refuse("corrupt", "the JPEG file has no frame header before its first scan")
    coding, body = frame
    if len(body) < 6 or len(body) < 6 + 3 * body[5]:
        raise refuse("corrupt", "the JPEG frame header is too short for its components")
    height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    if body[0] != 8 or body[5] not in (1, 3, 4):
        raise refuse("unsupported", f"JPEG of {body[0]} bits and {body[5]} components is not read")
    if not width or not height:
        raise refuse("unsupported", f"the JPEG frame header says {width} x {height} pixels")
    samplings = [body[7 + 3 * i] for i in range(body[5])]
    areas = [(s >> 4) * (s & 15) for s in samplings]
    largest = max(s >> 4 for s in samplings) * max(s & 15 for s in samplings)
    if min(areas) == 0 or largest > 16:
        raise refuse("corrupt", "a JPEG component's sampling factor is outside 1 to 4")
    luminance_table = tables.get(body[8])
    if luminance_table is None:
        raise refuse("corrupt", f"JPEG quantisation table {body[8]} is used but not given")
    chroma_table = tables.get(body[11]) if body[5] > 1 else None
    jpeg = JpegCoding(
        tuple(luminance_table),
        None if chroma_table is None else tuple(chroma_table),
        chroma_sampling(samplings),
    )
    pixels = width * height
    decode_bytes = pixels * body[5]
    if coding == "progressive" or scan_components < body[5]:
        decode_bytes += pixels * 2 * sum(areas) // largest  # libjpeg keeps every coefficient
    quality = estimate_quality(luminance_table)
    return ImageHeader("jpeg", width, height, 8, True, quality, decode_bytes, jpeg, body[5])


def _quantisation_tables(body: bytes) -> dict[int, list[int]]:
    """Return the tables of one DQT segment by their number, in zigzag order."""
    tables: dict[int, list[int]] = {}
    position = 0
    while position < len(body):
        number, width = body[position] & 15, 2 if body[position] >> 4 else 1
        values = body[position + 1 : position + 1 + 64 * width]
        if len(values) < 64 * width or number > 3:
            raise refuse("corrupt", "a JPEG quantisation table is cut short or wrongly numbered")
        tables[number] = [
            int.from_bytes(values[i : i + width], "big") for i in range(0, 64 * width, width)
        ]
        position += 1 + 64 * width
    return tables


# --- PNG --------------------------------------------------------------------------------------


def png_chunks(data: bytes, *, open_end: bool = False) -> Iterator[tuple[bytes, int, int]]:
    """Yield (kind, start, end) of each chunk's contents until IEND.

    A chunk that is cut short is an error, or with `open_end` the quiet end, so that the decoder
    itself finds what is missing.
    """
    position = len(_PNG_MAGIC)
    for _ in range(_MAX_SEGMENTS):
        start = position + 8
        length = int.from_bytes(data[position : position + 4], "big")
        if start > len(data) or start + length + 4 > len(data):
            if open_end:
                yield data[position + 4 : start], start, len(data)
                return
            raise _truncated("PNG", len(data))
        kind = data[position + 4 : start]
        yield kind, start, start + length
        if kind == b"IEND":
            return
        position = start + length + 4
    raise refuse("corrupt", f"more than {_MAX_SEGMENTS} chunks in the PNG file")


def _read_png(data: bytes) -> ImageHeader:
    header: tuple[int, int, int, int] | None = None
    for index, (kind, start, end) in enumerate(png_chunks(data)):
        if index == 0:
            if kind != b"IHDR" or end - start != 13:
                raise refuse("corrupt", "the PNG file does not begin with an IHDR of 13 bytes")
            header = (
                int.from_bytes(data[start : start + 4], "big"),
                int.from_bytes(data[start + 4 : start + 8], "big"),
                data[start + 8],
                data[start + 9],
            )
        elif kind in (b"IDAT", b"IEND"):
            break
    assert header is not None  # the walk yields IHDR first or raises
    width, height, depth, colour = header
    if depth not in (1, 2, 4, 8, 16) or colour not in PNG_CHANNELS or not width or not height:
        raise refuse(
            "corrupt", f"the PNG header says {width} x {height}, depth {depth}, colour {colour}"
        )
    channels = PNG_CHANNELS[colour]
    per_pixel = 4 if channels > 1 else (2 if depth == 16 else 1)
    row = width * channels * 2  # the inflated row, twice, for the filters
    return ImageHeader(
        "png", width, height, depth, False, None, width * height * per_pixel + 2 * row
    )


# --- WebP -------------------------------------------------------------------------------------


def _webp_chunks(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield (kind, start, end) of each RIFF chunk's contents between `start` and `end`."""
    position = start
    for _ in range(_MAX_SEGMENTS):
        if position + 8 > end:
            return
        length = int.from_bytes(data[position + 4 : position + 8], "little")
        if position + 8 + length > end:
            raise _truncated("WebP", len(data))
        yield data[position : position + 4], position + 8, position + 8 + length
        position += 8 + length + length % 2
    raise refuse("corrupt", f"more than {_MAX_SEGMENTS} chunks in the WebP file")


def _read_webp(data: bytes) -> ImageHeader:
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise _truncated("WebP", len(data))
    canvas: tuple[int, int] | None = None
    first: tuple[int, int, bool] | None = None
    for kind, start, stop in _webp_chunks(data, 12, end):
        if kind == b"VP8X" and canvas is None:
            if stop - start < 10:
                raise refuse("corrupt", "the WebP canvas chunk is shorter than 10 bytes")
            canvas = (
                1 + int.from_bytes(data[start + 4 : start + 7], "little"),
                1 + int.from_bytes(data[start + 7 : start + 10], "little"),
            )
        elif kind == b"ANMF":
            if first is not None:
                break  # later frames are never looked into
            for inner, inner_start, inner_stop in _webp_chunks(data, start + 16, stop):
                first = first or _webp_frame(inner, data[inner_start:inner_stop][:10])
        else:
            first = first or _webp_frame(kind, data[start:stop][:10])
    if first is None:
        raise refuse("corrupt", "the WebP file holds no image")
    width, height = canvas or first[:2]
    # libwebp's animation decoder: two canvases, their copy, Pillow's image, and the lossless ARGB.
    decode_bytes = width * height * (16 if first[2] else 20)
    return ImageHeader("webp", width, height, 8, first[2], None, decode_bytes)


def _webp_frame(kind: bytes, body: bytes) -> tuple[int, int, bool] | None:
    """Return (width, height, lossy) if the chunk is a coded picture, else None."""
    if kind == b"VP8 ":
        if len(body) < 10 or body[3:6] != b"\x9d\x01\x2a":
            raise refuse("corrupt", "the WebP picture does not begin with a key frame")
        width = int.from_bytes(body[6:8], "little") & 0x3FFF
        height = int.from_bytes(body[8:10], "little") & 0x3FFF
        if not width or not height:
            raise refuse("corrupt", f"the WebP picture says {width} x {height} pixels")
        return width, height, True
    if kind == b"VP8L":
        if len(body) < 5 or body[0] != 0x2F:
            raise refuse("corrupt", "the lossless WebP picture does not begin with its signature")
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, False
    return None
