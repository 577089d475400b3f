"""A ModelFingerprint as bytes and back: deterministic, bit for bit, without pickle.

    latentprint-entry 1\\n
    {canonical JSON: every field that is not an array, and not the status}\\n
    mean (C, D) float32 | scatter (C, D, D) float32 | distance_threshold (C,) float64

C is the number of conditions, D the fingerprint size; numbers are little-endian, row by row.
The form is our own and not a library's, because the SHA-256 of these bytes is an entry's address:
it must not move when a library changes the order of its header. The status is left out, because
it changes during an entry's life and the rest never does.
"""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.change import canonical_json
from fingerprint_db.model_fingerprint import ConditionStatistics, ModelFingerprint, Status

_FIRST_LINE = b"latentprint-entry 1\n"


def encode_entry(model: ModelFingerprint) -> bytes:
    """The content of `model`, without its status; equal content gives equal bytes."""
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
            {"condition": s.condition, "count": s.count, "threshold_count": s.threshold_count}
            for s in model.statistics
        ],
    }
    means = np.stack([s.mean for s in model.statistics]).astype("<f4")  # (C, D)
    scatters = np.stack([s.scatter for s in model.statistics]).astype("<f4")  # (C, D, D)
    thresholds = np.array([s.distance_threshold for s in model.statistics], dtype="<f8")  # (C,)
    header = canonical_json(document).encode("ascii") + b"\n"
    return b"".join(
        (_FIRST_LINE, header, means.tobytes(), scatters.tobytes(), thresholds.tobytes())
    )


def decode_entry(data: bytes, status: Status) -> ModelFingerprint:
    """The model whose content is `data`, with `status`; its arrays are copies and read-only.

    Raises ValueError when `data` is not what `encode_entry` writes.
    """
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
    expected = count * (4 * dimension + 4 * dimension * dimension + 8)
    if len(body) != expected:
        raise ValueError(
            f"the arrays take {len(body)} bytes; {count} conditions of size {dimension} take"
            f" {expected}"
        )
    after_means = 4 * count * dimension
    after_scatters = after_means + 4 * count * dimension * dimension
    means = _floats(body[:after_means]).reshape(count, dimension)  # (C, D)
    scatters = _floats(body[after_means:after_scatters])
    scatters = scatters.reshape(count, dimension, dimension)  # (C, D, D)
    thresholds = np.frombuffer(body[after_scatters:], dtype="<f8").tolist()  # (C,)
    statistics = tuple(
        ConditionStatistics(
            condition=entry["condition"],
            count=entry["count"],
            mean=means[row],
            scatter=scatters[row],
            distance_threshold=thresholds[row],
            threshold_count=entry["threshold_count"],
        )
        for row, entry in enumerate(conditions)
    )
    return ModelFingerprint(
        model_id=document["model_id"],
        name=document["name"],
        family=document["family"],
        space=document["space"],
        status=status,
        statistics=statistics,
        sample_count=document["sample_count"],
        registered_at=datetime.fromisoformat(document["registered_at"]),
        registered_by=document["registered_by"],
        reason=document["reason"],
    )


def _floats(data: bytes) -> NDArray[np.float32]:
    """A read-only float32 copy of little-endian `data`, aligned whatever the header's length."""
    floats = np.frombuffer(data, dtype="<f4").astype(np.float32)
    floats.flags.writeable = False
    return floats
