"""Fingerprint records of a stream to rows, without the share that may be synthetic.

Most of a stream is real. What is not scores high, so the highest are trimmed from what calibrates.
That has a price that must be stated: had all that was trimmed been photographs, up to the share
trimmed of them, beyond alpha, would pass. What is held back to certify is not trimmed: the rate
measured on it counts what is synthetic in the stream as well, so that it bounds from above.

A photograph is taken in all the spaces that its file is read in, or not at all.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from fingerprint_db.background import Background, Floats, size_class_of
from fingerprint_db.conditions import CODECS, Codec, readings_of
from fingerprint_db.matching.enrolled import Enrolled
from fingerprint_db.matching.tenant import HELD_BACK
from fingerprint_db.model_fingerprint import ModelFingerprint
from worker.calibrate.files import KNOWN
from worker.calibrate.rows import Photograph, PhotographRow, identity_of
from worker.events.records import FingerprintRecord


def rows_of(
    values: Iterable[bytes | None],
    space: str,
    known: set[bytes],
    most: int,
    left_out: Counter[str],
) -> list[Photograph]:
    """At most `most` photographs, each once, from the records' values; `known` are passed over.

    Of each a row for every space that its file is read in, first the one that the file shows.

    Where there are more, those whose identity is lowest: a choice that depends on the pixels alone,
    so that a later run makes the same.
    """
    kept: dict[bytes, Photograph] = {}
    for value in values:
        found = _photograph(value, space)
        if isinstance(found, str):
            left_out[found] += 1
        elif found[0].identity in known:
            left_out[KNOWN] += 1
        elif found[0].identity in kept:
            left_out["the same picture again"] += 1
        else:
            kept[found[0].identity] = found
            if len(kept) >= 2 * most:
                left_out["more than asked for"] += len(kept) - most
                kept = _lowest(kept, most)
    left_out["more than asked for"] += max(0, len(kept) - most)
    return list(_lowest(kept, most).values())


def trimmed(
    photographs: Sequence[Photograph],
    share: float,
    background: Background,
    models: Sequence[ModelFingerprint],
) -> list[Photograph]:
    """The photographs without the `share` of those of each codec that score highest.

    By the test with nothing registered, or by the registered models in any space that they are read
    in, whichever puts one higher. Those that will be held back stay.
    """
    found: list[Photograph] = []
    for codec in CODECS:
        own = [one for one in photographs if one[0].codec == codec]
        found += [one for one in own if _held_back(one)]
        calibrating = [one for one in own if not _held_back(one)]
        if calibrating:
            suspicion = _suspicion(calibrating, codec, background, models)
            drop = round(share * len(calibrating))
            order = np.argsort(suspicion, kind="stable")
            found += [calibrating[i] for i in sorted(order[: len(calibrating) - drop].tolist())]
    return found


def _photograph(value: bytes | None, space: str) -> Photograph | str:
    """The rows of one record, or why there are none."""
    try:
        record = FingerprintRecord.model_validate_json(value or b"")
    except ValidationError:
        return "no fingerprint record"
    if record.space != space:
        return "of another bundle"
    if record.kind is None or record.pixels_read is None or record.pixels_sha256 is None:
        return "of a worker that published too little to calibrate by"
    codec = next((one for one in CODECS if one == record.codec), None)
    if codec is None:
        return "of a codec that is not known here"
    readings = record.readings()
    if not set(readings_of(codec)) <= set(readings):
        return "of a worker that published too little to calibrate by"
    identity, size = identity_of(record.pixels_sha256), size_class_of(record.pixels_read)
    kind = np.array(record.kind, np.float32)
    return tuple(
        PhotographRow(identity, one, size, kind, readings[one]) for one in readings_of(codec)
    )


def _lowest(rows: dict[bytes, Photograph], most: int) -> dict[bytes, Photograph]:
    # By the end of an identity: its start says what is held back.
    chosen = sorted(rows, key=lambda identity: identity[::-1])[:most]
    return {identity: rows[identity] for identity in chosen}


def _held_back(photograph: Photograph) -> bool:
    return photograph[0].identity[0] % HELD_BACK == 0


def _suspicion(
    photographs: Sequence[Photograph],
    codec: Codec,
    background: Background,
    models: Sequence[ModelFingerprint],
) -> NDArray[np.float64]:
    """(N,) rises with the likelihood of being synthetic: minus the highest of all ranks.

    `codec` is what their files show.
    """
    ranks = []
    for rows in zip(*photographs, strict=True):
        one, vectors = rows[0].codec, np.stack([row.vector for row in rows])
        space = background.codecs[one]
        names = Enrolled.of(space, background.constants, models, one)
        ranks.append(_as_high(names.highest(vectors)))
        if one == codec:  # nothing but names is asked in the others
            ranks.append(_as_high(vectors @ space.synthesis))
    found: NDArray[np.float64] = -np.min(ranks, axis=0)
    return found


def _as_high(scores: Floats) -> NDArray[np.float64]:
    """(N,) how many score at least as high as each."""
    ordered = np.sort(scores)
    return (len(scores) - np.searchsorted(ordered, scores, side="left")).astype(np.float64)
