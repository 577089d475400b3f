"""A ModelFingerprint as bytes and back: deterministic, bit for bit, without pickle.

    latentprint-entry 2\\n
    {canonical JSON: every field that is not an array, and not the status}\\n
    mean (C, D) float16 | variance (C, D) float16 | distance_limit (C,) float64

C is the number of conditions, D the fingerprint size; numbers are little-endian, row by row.
The form is our own and not a library's, because the SHA-256 of these bytes is an entry's address:
it must not move when a library changes the order of its header. The status is left out, because
it changes during an entry's life and the rest never does.
"""

import hashlib
import json
import sys
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.change import canonical_json
from fingerprint_db.model_fingerprint import ModelFingerprint, Statistics, Status

_FIRST_LINE = b"latentprint-entry 2\n"
_FORMER_LINE = b"latentprint-entry 1\n"
_T = TypeVar("_T", str, int)


def encode_entry(model: ModelFingerprint) -> bytes:
    """The content of `model`, without its status; equal content gives equal bytes."""
    kept = model.packed
    document = {
        "model_id": model.model_id,
        "name": model.name,
        "family": model.family,
        "space": model.space,
        "sample_count": model.sample_count,
        "registered_at": model.registered_at.astimezone(UTC).isoformat(),
        "registered_by": model.registered_by,
        "reason": model.reason,
        "dimension": model.dimension,
        "conditions": [
            {"condition": name, "count": count}
            for name, count in zip(kept.conditions, kept.counts, strict=True)
        ],
    }
    means, variances = kept.means.astype("<f2"), kept.variances.astype("<f2")  # (C, D)
    limits = np.array(kept.limits, dtype="<f8")  # (C,)
    header = canonical_json(document).encode("ascii") + b"\n"
    return b"".join((_FIRST_LINE, header, means.tobytes(), variances.tobytes(), limits.tobytes()))


def decode_entry(data: bytes, status: Status) -> ModelFingerprint:
    """The model whose content is `data`, with `status`; its arrays are copies and read-only.

    Raises ValueError when `data` is not what `encode_entry` writes.
    """
    if data.startswith(_FORMER_LINE):
        raise ValueError(
            "the entry was enrolled by a version that kept other fingerprints; register the"
            " generator again from its samples"
        )
    if not data.startswith(_FIRST_LINE):
        raise ValueError(f"an entry starts with {_FIRST_LINE!r}, this one with {data[:24]!r}")
    header, newline, body = data[len(_FIRST_LINE) :].partition(b"\n")
    if not newline:
        raise ValueError("the entry ends inside its JSON document")
    try:
        return _decode(json.loads(header), body, status)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the entry's JSON document lacks or misuses a field: {error}") from error


def content_digest(model: ModelFingerprint) -> str:
    """SHA-256, in hexadecimal, of the encoded content: equal exactly when the content is equal."""
    return digest_of(encode_entry(model))


def digest_of(data: bytes) -> str:
    """SHA-256 of `data` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _decode(document: dict[str, Any], body: bytes, status: Status) -> ModelFingerprint:
    conditions = document["conditions"]
    count, dimension = len(conditions), document["dimension"]
    expected = count * (2 * 2 * dimension + 8)
    if len(body) != expected:
        raise ValueError(
            f"the arrays take {len(body)} bytes; {count} conditions of size {dimension} take"
            f" {expected}"
        )
    size = 2 * count * dimension
    means, variances = (
        _halves(part).reshape(count, dimension) for part in (body[:size], body[size : 2 * size])
    )
    counts = [entry["count"] for entry in conditions]
    if any(type(count) is not int for count in counts):
        raise ValueError(f"the conditions rest on {counts} samples; expected whole numbers")
    # What most models of a registry have in common is kept once.
    statistics = Statistics(
        _once(tuple(sys.intern(entry["condition"]) for entry in conditions)),
        _once(tuple(counts)),
        tuple(np.frombuffer(body[2 * size :], dtype="<f8").tolist()),
        means,
        variances,
    )
    return ModelFingerprint(
        model_id=document["model_id"],
        name=document["name"],
        family=document["family"],
        space=sys.intern(document["space"]),
        status=status,
        statistics=statistics,
        sample_count=document["sample_count"],
        registered_at=datetime.fromisoformat(document["registered_at"]),
        registered_by=sys.intern(document["registered_by"]),
        reason=document["reason"],
    )


@lru_cache(maxsize=256)
def _once(values: tuple[_T, ...]) -> tuple[_T, ...]:
    """The same, and the same object for equal ones."""
    return values


def _halves(data: bytes) -> NDArray[np.float16]:
    """A read-only copy of little-endian `data`, aligned whatever the header's length."""
    halves = np.frombuffer(data, dtype="<f2").astype(np.float16)
    halves.flags.writeable = False
    return halves
