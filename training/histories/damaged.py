"""JPEG files that lack some of their data and yet open: transfers that broke, disks that failed."""

import io
import re
from collections.abc import Callable
from typing import Final

import numpy as np

from training.histories.encodings import Encoding, write
from worker.decoder.image_header import START_OF_SCAN, jpeg_segments
from worker.enrol.recompress import Picture, to_pil

Damage = Callable[[Picture, np.random.Generator], bytes]

_END: Final = b"\xff\xd9"
_NEXT_MARKER: Final = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # neither data nor a restart
_QUALITY = 85


def ended_after_scan(scans: int) -> Damage:
    """A progressive JPEG that ends after so many of its scans, with an end marker."""

    def make(picture: Picture, rng: np.random.Generator) -> bytes:
        out = io.BytesIO()
        to_pil(picture).save(out, "JPEG", quality=_QUALITY, progressive=True)
        data = out.getvalue()
        return data[: _ends_of_scans(data)[scans - 1]] + _END

    return make


def ended_at(share: float) -> Damage:
    """A baseline JPEG that ends after this share of its coded data, with an end marker."""

    def make(picture: Picture, rng: np.random.Generator) -> bytes:
        data, start = _baseline(picture)
        return data[: start + int(share * (len(data) - start))] + _END

    return make


def without_its_middle(picture: Picture, rng: np.random.Generator) -> bytes:
    """A baseline JPEG with zeros in place of the middle fifth of its coded data."""
    data, start = _baseline(picture)
    length = len(data) - len(_END) - start
    first, last = start + 2 * length // 5, start + 3 * length // 5
    return data[:first] + bytes(last - first) + data[last:]


def _baseline(picture: Picture) -> tuple[bytes, int]:
    """The file, and where its coded data begin."""
    data = write(picture, Encoding("jpeg", _QUALITY, 2))
    return data, _first_scan(data)


def _first_scan(data: bytes) -> int:
    return next(end for marker, _, end in jpeg_segments(data) if marker == START_OF_SCAN)


def _ends_of_scans(data: bytes) -> list[int]:
    """Where the coded data of each scan end, in their order."""
    ends: list[int] = []
    position = _first_scan(data)
    while (match := _NEXT_MARKER.search(data, position)) is not None:
        ends.append(match.start())
        while data[match.start() + 1] not in (START_OF_SCAN, _END[1]):  # tables between two scans
            length = int.from_bytes(data[match.start() + 2 : match.start() + 4], "big")
            match = _NEXT_MARKER.match(data, match.start() + 2 + length)
            assert match is not None, "a JPEG that Pillow wrote"
        if data[match.start() + 1] == _END[1]:
            break
        position = match.start() + 2
        position += int.from_bytes(data[position : position + 2], "big")
    return ends
