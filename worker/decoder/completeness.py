"""Whether a file holds all of its picture, where the decoder would fill what is missing.

libjpeg paints missing data grey or flat and only counts a warning, which Pillow does not pass on;
a progressive JPEG that ends after its first scan is even valid to it. Pillow leaves the rows that
a PNG does not have black. Such a picture is not the one that was made, so it is refused. libwebp
itself refuses a picture that ends early; a hole within one cannot be told from data.
"""

import re
import zlib
from collections.abc import Iterator
from typing import Final

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from worker.decoder.image_header import (
    JPEG_FRAMES,
    PNG_CHANNELS,
    START_OF_SCAN,
    ImageHeader,
    jpeg_segments,
    png_chunks,
    refuse,
)

MAX_JPEG_SCANS: Final = 100  # encoders write about ten; 300 KB of empty scans cost seconds
# Neither data nor a fill byte nor a restart. The pattern begins with one certain byte, which `re`
# looks for twenty times as fast as for one or more of it.
_NEXT_MARKER: Final = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_END_OF_IMAGE: Final = 0xD9
_COEFFICIENTS: Final = 64
COLOUR: Final = 3
"""Components of a JPEG that is neither grey nor for print."""
_ADAM7: Final = (
    (0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)
)  # fmt: skip


def check_before(data: bytes, header: ImageHeader) -> None:
    """Refuse a file whose image data are missing or damaged; `data` is what `pixel_bytes` gives.

    Of a JPEG in colour the scans alone are checked: `read_colour` reads its coded data strictly.
    Those of others are read once more here, strictly too, at an eighth of their size. Raises
    RejectError: decode.truncated where data are missing, decode.corrupt where they contradict
    themselves, decode.unsupported beyond 100 scans.
    """
    if header.format == "jpeg":
        _check_scans(data)
        if header.components != COLOUR:
            _read_strictly(data, "CMYK" if header.components == 4 else "GRAY", min_factor=8)
    elif header.format == "png":
        _check_sums(data)


def read_colour(data: bytes) -> NDArray[np.uint8]:
    """The pixels of a JPEG of three components, RGB uint8 (H, W, 3), equal to Pillow's.

    Raises RejectError as `check_before` does.
    """
    return _read_strictly(data, "RGB", min_factor=1)


def check_after(data: bytes, header: ImageHeader, image: Image.Image) -> None:
    """Refuse a PNG file with fewer rows than its header says, decoded as `image`.

    Rows that are missing come out as zeros, so only a picture that ends in zeros, or is
    interlaced, has its compressed data counted.
    """
    if header.format != "png":
        return
    bottom = image.crop((0, image.height - 1, image.width, image.height))
    depth, colour, interlaced = data[24], data[25], data[28]
    if not interlaced and np.asarray(bottom).any():
        return
    bits = depth * PNG_CHANNELS[colour]
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    expected = 0
    for top, left, down, right in passes:
        rows = len(range(top, image.height, down))
        columns = len(range(left, image.width, right))
        if columns:
            expected += rows * (1 + (columns * bits + 7) // 8)
    found = _inflated_bytes(data)
    if found < expected:
        raise refuse("truncated", f"the PNG file holds {found} of {expected} bytes of its picture")


def _check_sums(data: bytes) -> None:
    for kind, start, end in png_chunks(data, open_end=True):
        said = int.from_bytes(data[end : end + 4], "big")
        if kind != b"IEND" and end + 4 <= len(data) and zlib.crc32(data[start - 4 : end]) != said:
            raise refuse(
                "corrupt",
                f"the checksum of the PNG chunk {kind.decode('ascii', 'replace')} does not fit its "
                "contents: the file was changed or damaged on its way",
            )


def _inflated_bytes(data: bytes) -> int:
    inflater, total = zlib.decompressobj(), 0
    for kind, start, end in png_chunks(data):
        rest = data[start:end] if kind == b"IDAT" else b""
        while rest and not inflater.eof:
            total += len(inflater.decompress(rest, 1 << 20))
            rest = inflater.unconsumed_tail
    return total + len(inflater.flush())


def _scans(data: bytes, end: int) -> Iterator[bytes]:
    """Yield the headers of the scans after the first one, whose header ends at `end`."""
    position = end
    while match := _NEXT_MARKER.search(data, position):
        marker, position = data[match.end() - 1], match.end()
        if marker == _END_OF_IMAGE:
            return
        body = data[position + 2 : position + int.from_bytes(data[position : position + 2], "big")]
        if marker == START_OF_SCAN:
            yield body
        position += 2 + len(body)


def _check_scans(data: bytes) -> None:
    """Refuse too many scans, or scans that do not bring all of the picture.

    A scan brings coefficients Ss to Se of its components, down to bit Al (ITU-T T.81, G.1.1.1); the
    picture is whole when each coefficient of each component has come down to bit 0.
    """
    frame, progressive, first, end = b"", False, b"", 0
    for marker, start, stop in jpeg_segments(data):
        if marker in JPEG_FRAMES:
            frame, progressive = data[start:stop], JPEG_FRAMES[marker] == "progressive"
        elif marker == START_OF_SCAN:
            first, end = data[start:stop], stop
    components = frame[6 : 6 + 3 * frame[5] : 3]
    lowest = {component: [16] * _COEFFICIENTS for component in components}
    count = 1
    _note(lowest, first, progressive)
    for body in _scans(data, end):
        count += 1
        if count > MAX_JPEG_SCANS:
            raise refuse(
                "unsupported",
                f"the JPEG file has more than {MAX_JPEG_SCANS} scans, at most {MAX_JPEG_SCANS} "
                "are read; save it anew",
            )
        _note(lowest, body, progressive)
    if any(any(bits) for bits in lowest.values()):
        raise refuse(
            "truncated",
            f"the JPEG file ends after {count} scans, which do not bring all of its picture",
        )


def _note(lowest: dict[int, list[int]], scan: bytes, progressive: bool) -> None:
    """Enter the lowest bit that a scan brings of each coefficient."""
    size = 1 + 2 * scan[0] if scan else 0
    if not scan or len(scan) < size + 3:
        raise refuse("corrupt", "the header of a JPEG scan is too short for its components")
    first, last, low = (scan[size], scan[size + 1], scan[size + 2] & 15)
    if not progressive:
        first, last, low = 0, _COEFFICIENTS - 1, 0
    for component in scan[1:size:2]:
        bits = lowest.get(component, [0] * _COEFFICIENTS)
        for coefficient in range(first, min(last, _COEFFICIENTS - 1) + 1):
            bits[coefficient] = min(bits[coefficient], low)


def _read_strictly(data: bytes, colours: str, min_factor: int) -> NDArray[np.uint8]:
    """Decode, at one over `min_factor` of the size; where libjpeg only warns, this refuses."""
    small = min_factor > 1  # nobody looks at its pixels
    try:
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(
            data, colours, fastdct=small, fastupsample=small, min_factor=min_factor
        )
    except ValueError as error:
        message = str(error)
        if "memory" in message.lower():
            raise MemoryError(message) from error
        if "subsampling" in message.lower():
            raise refuse(
                "unsupported", "JPEG with this chroma subsampling is not read; save it anew"
            ) from error
        reason = "truncated" if "premature" in message.lower() else "corrupt"
        raise refuse(reason, f"the JPEG file's picture is incomplete: {message}"[:300]) from error
    return pixels
