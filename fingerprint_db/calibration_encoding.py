"""A part of a calibration as bytes and back: deterministic, checked, without pickle.

    latentprint-photographs 1\\n
    {canonical JSON: space, source, origin, trimmed, count, dimension, numbers, codecs,
     size_classes}\\n
    identities (N, 16) uint8 | codecs (N,) uint8 | size_classes (N,) uint8 |
    kinds (N, V) float16 | vectors (N, D) int8 | scales (N,) float32

Numbers are little-endian, row by row; `codecs` and `size_classes` of the document name what the
positions mean.
"""

import json
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fingerprint_db.background import SIZE_CLASSES
from fingerprint_db.calibration import IDENTITY_BYTES, PhotographPart
from fingerprint_db.change import canonical_json
from fingerprint_db.conditions import CODECS

_FIRST_LINE = b"latentprint-photographs 1\n"
_SIZE_CLASSES = [[name, least] for name, least in SIZE_CLASSES]
_LARGEST = 127


def eight_bits(vectors: NDArray[np.floating]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Fingerprints (N, D) as int8 and the factor of each, (N,) float32.

    Half a step is at most a 254th of a fingerprint's largest number: some hundredths of the
    deviation that its numbers have among photographs.
    """
    largest = np.abs(vectors).max(axis=1, initial=0.0)
    scales = (np.where(largest > 0, largest, 1.0) / _LARGEST).astype(np.float32)
    return np.rint(vectors / scales[:, None]).clip(-_LARGEST, _LARGEST).astype(np.int8), scales


def encode_part(space: str, part: PhotographPart) -> bytes:
    """The part's bytes; equal parts give equal bytes."""
    document = {
        "space": space,
        "source": part.source,
        "origin": part.origin,
        "trimmed": part.trimmed,
        "count": len(part),
        "dimension": part.vectors.shape[1],
        "numbers": part.kinds.shape[1],
        "codecs": list(CODECS),
        "size_classes": _SIZE_CLASSES,
    }
    arrays = (
        part.identities.astype("u1"),
        part.codecs.astype("u1"),
        part.size_classes.astype("u1"),
        part.kinds.astype("<f2"),
        part.vectors.astype("i1"),
        part.scales.astype("<f4"),
    )
    header = canonical_json(document).encode("ascii") + b"\n"
    return b"".join((_FIRST_LINE, header, *(array.tobytes() for array in arrays)))


def decode_part(space: str, data: bytes) -> PhotographPart:
    """The inverse of `encode_part`; its arrays are read-only.

    Raises ValueError when `data` is not what `encode_part` writes for this space.
    """
    if not data.startswith(_FIRST_LINE):
        raise ValueError(f"photographs start with {_FIRST_LINE!r}, these with {data[:24]!r}")
    header, newline, body = data[len(_FIRST_LINE) :].partition(b"\n")
    if not newline:
        raise ValueError("the photographs end inside their JSON document")
    try:
        return _decode(space, json.loads(header), body)
    except (KeyError, TypeError) as error:
        raise ValueError(f"the photographs' document lacks or misuses a field: {error}") from error


def _decode(space: str, document: dict[str, Any], body: bytes) -> PhotographPart:
    if document["space"] != space:
        raise ValueError(f"the photographs are of space {document['space']}, expected {space}")
    if document["codecs"] != list(CODECS) or document["size_classes"] != _SIZE_CLASSES:
        raise ValueError(
            "the photographs were calibrated by a version with other codecs or size classes;"
            " calibrate again with `latentprint registry calibrate`"
        )
    rows, size, numbers = document["count"], document["dimension"], document["numbers"]
    shapes: tuple[tuple[DTypeLike, tuple[int, ...]], ...] = (
        ("u1", (rows, IDENTITY_BYTES)),
        ("u1", (rows,)),
        ("u1", (rows,)),
        ("<f2", (rows, numbers)),
        ("i1", (rows, size)),
        ("<f4", (rows,)),
    )
    lengths = [np.dtype(kind).itemsize * int(np.prod(shape)) for kind, shape in shapes]
    if len(body) != sum(lengths):
        raise ValueError(
            f"the arrays take {len(body)} bytes; {rows} photographs of size {size} take"
            f" {sum(lengths)}"
        )
    arrays: list[NDArray[Any]] = []
    start = 0
    for (kind, shape), length in zip(shapes, lengths, strict=True):
        arrays.append(np.frombuffer(body[start : start + length], dtype=kind).reshape(shape))
        start += length
    if arrays[1].max() >= len(CODECS) or arrays[2].max() >= len(SIZE_CLASSES):
        raise ValueError("the photographs have a codec or a size class that there is not")
    return PhotographPart(document["source"], document["origin"], document["trimmed"], *arrays)
