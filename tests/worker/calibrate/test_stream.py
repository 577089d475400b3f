"""Fingerprint records become photographs, each once; what scores highest is trimmed."""

import json
from collections import Counter
from typing import Any
from uuid import uuid4

import numpy as np

from fingerprint_db.background import Floats
from fingerprint_db.calibration import Calibration
from fingerprint_db.conditions import Codec
from tests.fingerprint_db.matching.small_spaces import entry, model
from tests.fingerprint_db.spaces import DIMENSION, SPACE, small_background
from worker.calibrate.files import KNOWN
from worker.calibrate.rows import Photograph, PhotographRow, identity_of, parts_of
from worker.calibrate.stream import rows_of, trimmed
from worker.events.records import FingerprintRecord, encode_fingerprint

MADE = np.full(DIMENSION, 2.0, np.float32)
"""Where a generator lies, far from photographs."""


def digest(number: int) -> str:
    """The digest of a picture's pixels; those of multiples of five are held back."""
    return f"{number % 256:02x}" + f"{number:062x}"


def value(number: int, **changes: Any) -> bytes:
    vector = np.full(4, number, np.float32)
    record = FingerprintRecord(
        verdict_id=uuid4(),
        space=SPACE,
        fingerprint=encode_fingerprint(vector),
        dimension=4,
        synthesis_score=0.0,
        condition="twice_jpeg75",
        jpeg_quality=75,
        width=300,
        height=200,
        crop_count=1,
        codec="jpeg75",
        pixels_read=60_000,
        kind=tuple(float(i) for i in range(15)),
        pixels_sha256=digest(number),
    )
    return json.dumps({**record.model_dump(mode="json"), **changes}).encode()


def test_a_record_says_all_that_a_photograph_needs() -> None:
    left_out: Counter[str] = Counter()
    ((row,),) = rows_of([value(7)], SPACE, set(), 10, left_out)
    assert (row.identity, row.codec, row.size_class) == (identity_of(digest(7)), "jpeg75", 2)
    assert row.vector.tolist() == [7.0] * 4
    assert row.kind.tolist() == list(range(15))
    assert left_out.total() == 0


def test_a_lossless_photograph_has_a_row_in_each_space_or_none_at_all() -> None:
    left_out: Counter[str] = Counter()
    further = {"half_lossless": encode_fingerprint(np.full(4, 3, np.float32))}
    values = [value(7, codec="lossless", further=further), value(8, codec="lossless")]
    (photograph,) = rows_of(values, SPACE, set(), 10, left_out)
    assert [(row.codec, row.vector.tolist()) for row in photograph] == [
        ("lossless", [7.0] * 4),
        ("half_lossless", [3.0] * 4),
    ]
    assert {row.identity for row in photograph} == {identity_of(digest(7))}
    assert +left_out == {"of a worker that published too little to calibrate by": 1}


def test_records_that_are_of_no_use_are_counted_by_reason() -> None:
    values = [
        b"no record",
        None,
        value(1, space="d4" * 32),
        value(2, kind=None),
        value(3, codec="jpeg99"),
        value(4),
        value(4),
        value(6),
    ]
    left_out: Counter[str] = Counter()
    rows = rows_of(values, SPACE, {identity_of(digest(6))}, 10, left_out)
    assert [row.identity for (row,) in rows] == [identity_of(digest(4))]
    assert +left_out == {
        "no fingerprint record": 2,
        "of another bundle": 1,
        "of a worker that published too little to calibrate by": 1,
        "of a codec that is not known here": 1,
        "the same picture again": 1,
        KNOWN: 1,
    }


def test_of_too_many_the_same_ones_are_taken_whatever_their_order() -> None:
    numbers = np.random.default_rng(1).permutation(100)
    taken = []
    for order in (numbers, numbers[::-1]):
        left_out: Counter[str] = Counter()
        rows = rows_of([value(int(n)) for n in order], SPACE, set(), 12, left_out)
        taken.append({row.identity for (row,) in rows})
        assert left_out["more than asked for"] == 88
    assert len(taken[0]) == 12
    assert taken[0] == taken[1]


def row(number: int, vector: Floats, codec: Codec = "jpeg75") -> PhotographRow:
    return PhotographRow(identity_of(digest(number)), codec, 2, np.zeros(15, np.float32), vector)


def test_the_highest_scores_do_not_calibrate_but_what_is_held_back_stays() -> None:
    background = small_background(("jpeg75",))
    rng = np.random.default_rng(2)
    made = 3.0 * background.codecs["jpeg75"].synthesis.astype(np.float32)
    rows = [
        row(number, (rng.normal(0, 0.3, DIMENSION) + made * (number % 10 in (3, 5))).astype("f4"))
        for number in range(250)
    ]
    photographs = [(one,) for one in rows]
    kept = trimmed(photographs, 0.125, background, ())
    identities = {one.identity for (one,) in kept}
    for number, one in enumerate(rows):
        held_back = number % 5 == 0
        assert (one.identity in identities) == (held_back or number % 10 != 3), number
    assert len(kept) == 225
    assert len(trimmed(photographs, 0.0, background, ())) == 250


def test_what_a_registered_model_finds_in_either_space_is_trimmed_as_a_whole() -> None:
    background = small_background(("lossless", "half_lossless"))
    registered = model("one", entry(background.codecs["half_lossless"], MADE, "half_lossless"))
    rng = np.random.default_rng(4)

    def drawn(number: int) -> Photograph:
        plain, half = rng.normal(0, 0.3, (2, DIMENSION)).astype(np.float32)
        if number % 50 == 3:
            half += MADE
        return row(number, plain, "lossless"), row(number, half, "half_lossless")

    photographs = [drawn(number) for number in range(250)]
    # As many again go for their scores in the test with nothing registered.
    kept = {one[0].identity for one in trimmed(photographs, 0.05, background, [registered])}
    dropped = {i for i, one in enumerate(photographs) if one[0].identity not in kept}
    assert dropped > {3, 53, 103, 153, 203}
    assert len(dropped) == 10


def test_parts_hold_what_the_rows_say() -> None:
    rows = [row(number, np.full(DIMENSION, number + 1, np.float32)) for number in range(2300)]
    parts = list(parts_of(rows, "shop", "stream", 0.05))
    assert [len(one) for one in parts] == [1000, 1000, 300]
    assert {(one.source, one.origin, one.trimmed) for one in parts} == {("shop", "stream", 0.05)}
    last = parts[-1]
    assert bytes(last.identities[-1]) == rows[-1].identity
    assert last.vectors[-1][0] * last.scales[-1] == np.float32(2300)
    assert last.size_classes[-1] == 2
    assert list(parts_of([], "shop", "files")) == []
    stored = Calibration(SPACE, 1, {str(i): one for i, one in enumerate(parts)})
    assert stored.identities() == {one.identity for one in rows}
