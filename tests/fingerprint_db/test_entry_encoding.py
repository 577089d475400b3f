"""An entry's bytes: the same for the same content, exact to the last bit, and nothing else read."""

import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fingerprint_db.entry_encoding import content_digest, decode_entry, encode_entry
from fingerprint_db.model_fingerprint import ConditionStatistics, ModelFingerprint, Statistics
from tests.fingerprint_db.samples import OTHER_SPACE, model, statistics

FINITE = st.floats(width=16, allow_nan=False, allow_infinity=False)


@given(
    mean=arrays.arrays(np.float32, 2, elements=FINITE),
    variance=arrays.arrays(np.float32, 2, elements=FINITE),
    limit=st.floats(allow_nan=False),
    texts=st.tuples(st.text(min_size=1), st.text(), st.text()),
)
def test_every_float_and_text_survives_bit_for_bit(
    mean: np.ndarray, variance: np.ndarray, limit: float, texts: tuple[str, str, str]
) -> None:
    entry = ConditionStatistics(texts[1] or "x", 2, mean, variance, limit)
    given_model = replace(
        model("a"), statistics=(entry,), name=f"n{texts[0]}", family=texts[1], reason=texts[2]
    )
    found = decode_entry(encode_entry(given_model), "live")
    assert found.statistics[0].mean.tobytes() == mean.tobytes()
    assert found.statistics[0].variance.tobytes() == variance.tobytes()
    assert repr(found.statistics[0].distance_limit) == repr(limit)
    assert (found.name, found.family, found.reason) == (f"n{texts[0]}", texts[1], texts[2])
    assert encode_entry(found) == encode_entry(given_model)


def test_the_layout_is_the_documented_one() -> None:
    given_model = model("a", dimension=3)
    first, header, body = encode_entry(given_model).split(b"\n", 2)
    assert first == b"latentprint-entry 2"
    assert [c["condition"] for c in json.loads(header)["conditions"]] == ["unchanged", "jpeg-75"]
    numbers: list[float] = []
    for entry in given_model.statistics:
        numbers += [float(value) for value in entry.mean]
    for entry in given_model.statistics:
        numbers += [float(value) for value in entry.variance]
    assert np.frombuffer(body[: 2 * 12], "<f2").tolist() == numbers
    limits = [entry.distance_limit for entry in given_model.statistics]
    assert np.frombuffer(body[2 * 12 :], "<f8").tolist() == limits


def test_every_field_but_the_status_is_part_of_the_content() -> None:
    given_model = model("a")
    others: dict[str, object] = {
        "model_id": "b",
        "name": "other",
        "family": "other",
        "space": OTHER_SPACE,
        "statistics": model("a", seed=1).statistics,
        "sample_count": 1,
        "registered_at": datetime(2020, 1, 1, tzinfo=UTC),
        "registered_by": "other",
        "reason": "other",
    }
    assert set(others) | {"status"} == {field.name for field in fields(ModelFingerprint)}
    digests = {content_digest(replace(given_model, **{k: v})) for k, v in others.items()}  # type: ignore[arg-type]
    assert len(digests | {content_digest(given_model)}) == len(others) + 1
    assert content_digest(given_model.with_status("live")) == content_digest(given_model)


def test_every_field_of_the_statistics_is_part_of_the_content() -> None:
    entry = statistics("unchanged", 0)
    others: dict[str, object] = {
        "condition": "other",
        "count": 99,
        "mean": -entry.mean,
        "variance": 2 * entry.variance,
        "distance_limit": 99.0,
    }
    assert set(others) == {field.name for field in fields(ConditionStatistics)}
    digests = {
        content_digest(replace(model("a"), statistics=(replace(entry, **{k: v}),)))  # type: ignore[arg-type]
        for k, v in others.items()
    }
    assert len(digests) == len(others)


def test_the_same_moment_in_another_time_zone_is_the_same_content() -> None:
    given_model = model("a")
    moved = given_model.registered_at.astimezone(timezone(timedelta(hours=5)))
    assert content_digest(replace(given_model, registered_at=moved)) == content_digest(given_model)


def test_decoded_arrays_cannot_be_written_to() -> None:
    found = decode_entry(encode_entry(model("a")), "live")
    with pytest.raises(ValueError, match="read-only"):
        found.statistics[0].mean[0] = 1.0


@given(data=st.data())
def test_bytes_cut_short_or_prolonged_are_refused(data: st.DataObject) -> None:
    whole = encode_entry(model("a"))
    length = data.draw(st.integers(0, len(whole) - 1))
    for wrong in (whole[:length], whole + b"x"):
        with pytest.raises(ValueError, match=r"entry|arrays|Expecting|JSON|string|delimiter"):
            decode_entry(wrong, "live")


@pytest.mark.parametrize("header", [b"{}", b"[]", b"3", b'{"conditions": 3, "dimension": 1}'])
def test_a_header_without_the_fields_is_refused(header: bytes) -> None:
    with pytest.raises(ValueError, match="lacks or misuses a field"):
        decode_entry(b"latentprint-entry 2\n" + header + b"\n", "live")


def test_an_entry_of_a_later_version_is_refused_by_its_first_line() -> None:
    with pytest.raises(ValueError, match="starts with b'latentprint-entry 2"):
        decode_entry(b"latentprint-entry 3\n{}\n", "live")


def test_an_entry_of_the_former_fingerprints_is_refused_with_the_way_forward() -> None:
    with pytest.raises(ValueError, match="register the generator again from its samples"):
        decode_entry(b"latentprint-entry 1\n{}\n", "live")


def test_statistics_take_the_bytes_they_are_stored_in_and_are_opened_when_asked_for() -> None:
    given_model = model("a")
    kept = decode_entry(encode_entry(given_model), "live").packed
    assert kept.means.dtype == kept.variances.dtype == np.float16
    for found, expected in zip(kept, given_model.statistics, strict=True):
        assert found.mean.dtype == found.variance.dtype == np.float32
        assert found.mean.tobytes() == expected.mean.tobytes()
        assert found.variance.tobytes() == expected.variance.tobytes()
        assert (found.condition, found.count) == (expected.condition, expected.count)
        assert found.distance_limit == expected.distance_limit


def test_numbers_that_half_the_bits_would_round_are_kept_whole() -> None:
    entry = statistics("fine", 0)
    fine = replace(entry, mean=entry.mean + np.float32(1e-6), variance=entry.variance)
    kept = Statistics.of([fine])
    assert kept.means.dtype == np.float32
    assert kept[0].mean.tobytes() == fine.mean.tobytes()


def test_counts_that_are_no_whole_numbers_are_refused() -> None:
    """200.0 equals 200 and is written otherwise: taken for one another they would spoil a root."""
    given = encode_entry(model("a"))
    assert decode_entry(given, "live").packed.counts == (8, 8)
    for count in (b"8.0", b"true"):
        with pytest.raises(ValueError, match="whole numbers"):
            decode_entry(given.replace(b'"count":8', b'"count":' + count), "live")
