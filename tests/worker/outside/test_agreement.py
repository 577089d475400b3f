"""Verdicts of a shadow beside those that count."""

import json
from typing import Any

import pytest

from worker.errors import StopError
from worker.outside import agreement
from worker.outside.agreement import compare


def verdict(offset: int, outcome: str = "no_evidence", **fields: Any) -> bytes:
    document = {
        "topic": "images",
        "topic_id": "t",
        "partition": 0,
        "offset": offset,
        "verdict_id": f"id-{offset}",
        "event_id": f"event-{offset}",
        "subject": None,
        "outcome": outcome,
        "flagged": outcome in ("attributed", "unknown_generator"),
        "model": None,
        "bundle_digest": "aa" * 32,
    }
    return json.dumps(document | fields).encode()


def test_the_same_answers_agree_and_what_one_alone_judged_is_counted_apart() -> None:
    found = compare(
        [verdict(0), verdict(1), verdict(2)], [verdict(1), verdict(2), verdict(3)], most_examples=3
    )
    assert (found.both, found.same, found.only_counts, found.only_shadow) == (2, 2, 1, 1)


def test_another_model_is_a_disagreement_though_both_are_attributed() -> None:
    found = compare(
        [verdict(0, "attributed", model="a"), verdict(1, "attributed", model="a")],
        [verdict(0, "attributed", model="b"), verdict(1, "attributed", model="a")],
        most_examples=3,
    )
    assert (found.both, found.same) == (2, 1)
    assert found.names == {("a", "b"): 1}
    assert found.outcomes == {("attributed", "attributed"): 2}


def test_newly_flagged_events_are_counted_with_a_bound_and_shown() -> None:
    counts = [verdict(n) for n in range(100)]
    shadow = [verdict(n, "unknown_generator" if n < 2 else "no_evidence") for n in range(100)]
    found = compare(counts, shadow, most_examples=1)
    document = found.document()
    assert document["flagged"]["shadow_alone"] == 2
    assert document["flagged"]["shadow_alone_upper_95"] == pytest.approx(0.0616, abs=0.001)
    assert document["examples"]["flagged by the shadow alone"] == [
        {"subject": "event-0", "counts": "id-0", "shadow": "id-0"}
    ]
    text = "\n".join(found.lines())
    assert "flagged by the shadow alone: 2 (2.00%, at most 6.16% at 95 %)" in text
    assert "same outcome and model: 98 (98.00%)" in text


def test_a_topic_that_was_made_again_is_another_topic() -> None:
    found = compare([verdict(0)], [verdict(0, topic_id="later")], most_examples=1)
    assert (found.both, found.only_counts, found.only_shadow) == (0, 1, 1)


def test_of_several_verdicts_on_one_event_the_last_counts() -> None:
    found = compare([verdict(0, "unknown_generator"), verdict(0)], [verdict(0)], most_examples=1)
    assert (found.both, found.same) == (1, 1)


@pytest.mark.parametrize("value", [None, b"", b"[]", b'{"topic": 1}', b"\xff", b"[" * 100_000])
def test_what_is_no_verdict_is_counted_and_passed_over(value: bytes | None) -> None:
    found = compare([value, verdict(0)], [verdict(0), value], most_examples=1)
    assert (found.both, found.unreadable) == (1, 2)


def test_nothing_to_compare_is_said() -> None:
    assert list(compare([], [], most_examples=1).lines())[-1].startswith("nothing to compare")


def test_more_than_can_be_held_is_refused_with_the_way_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(agreement, "MOST_EVENTS", 2)
    with pytest.raises(StopError, match="later --since"):
        compare([], [verdict(n) for n in range(3)], most_examples=1)
