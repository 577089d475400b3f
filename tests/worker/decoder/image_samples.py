"""Image files for the decoder's tests, made on the spot from a seed."""

import io
import struct
import zlib
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def picture(height: int, width: int, *, seed: int = 0, mode: str = "RGB") -> Image.Image:
    """Return a textured colour picture: smooth shapes and noise, never flat, seldom clipped."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [
        np.sin(rows / 7 + phase) + np.cos(columns / 5 - phase) for phase in rng.uniform(0, 6, 3)
    ]
    rgb = 128 + 30 * np.stack(waves, axis=2) + rng.normal(0, 6, (height, width, 3))
    return Image.fromarray(rgb.clip(0, 255).astype(np.uint8)).convert(mode)


def encoded(image: Image.Image, name: str, **options: Any) -> bytes:
    """Return `image` saved as `name` (JPEG, PNG or WEBP)."""
    file = io.BytesIO()
    image.save(file, name, **options)
    return file.getvalue()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """Return one PNG chunk with its length and checksum."""
    checksum = zlib.crc32(kind + body).to_bytes(4, "big")
    return len(body).to_bytes(4, "big") + kind + body + checksum


def with_png_chunk(file: bytes, kind: bytes, body: bytes) -> bytes:
    """Return the PNG `file` with one more chunk before its pixels."""
    at = file.index(b"IDAT") - 4
    return file[:at] + png_chunk(kind, body) + file[at:]


def png_file(samples: NDArray[Any], *, interlaced: bool = False, key: bytes | None = None) -> bytes:
    """Return a PNG as Pillow cannot write it.

    `samples` is uint8 or uint16, (H, W) or (H, W, 3); `key` the tRNS chunk; `interlaced` is Adam7.
    """
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2)]
    passes = [*passes, (1, 0, 2, 1)] if interlaced else [(0, 0, 1, 1)]
    raw = b"".join(
        b"\0" + row.astype(row.dtype.newbyteorder(">")).tobytes()
        for top, left, down, right in passes
        for row in samples[top::down, left::right]
        if row.size
    )
    depth, colour = 8 * samples.dtype.itemsize, 2 if samples.ndim == 3 else 0
    size = struct.pack(">II", samples.shape[1], samples.shape[0])
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", size + bytes([depth, colour, 0, 0, interlaced]))
        + (b"" if key is None else png_chunk(b"tRNS", key))
        + png_chunk(b"IDAT", zlib.compress(raw))
        + png_chunk(b"IEND", b"")
    )


@lru_cache(maxsize=8)
def white_png(height: int, width: int) -> bytes:
    """Return a valid one-colour RGB PNG: a small file, many pixels.

    One compressed row is repeated as it stands (a full flush makes the compressor forget), so that
    even 169 megapixels are made in a moment.
    """
    row = b"\x00" + b"\xff" * (3 * width)
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = compressor.compress(row) + compressor.flush(zlib.Z_FULL_FLUSH)
    checksum = 1
    for _ in range(height):
        checksum = zlib.adler32(row, checksum)
    stream = b"\x78\xda" + packed * height + b"\x03\x00" + checksum.to_bytes(4, "big")
    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", size + b"\x08\x02\x00\x00\x00")
        + png_chunk(b"IDAT", stream)
        + png_chunk(b"IEND", b"")
    )
