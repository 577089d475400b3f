"""The demo's books: what is right, what is lost or doubled, and how it is told."""

import io
import json

import pytest
from rich.console import Console

from training.demo.accounting import (
    Answer,
    Books,
    SourceRow,
    read_answer,
    source_rows,
    summarise,
    summary_document,
)
from training.demo.files import (
    DemoFile,
)
from training.demo.plan import PlannedEvent, TrueSource
from training.demo.view import DemoView, print_summary

REAL = TrueSource("real", "no_evidence")
MADE = TrueSource("one", "attributed", "one")
BAD = TrueSource("broken", "dead_letter")


def planned(number: int, source: TrueSource) -> PlannedEvent:
    return PlannedEvent(f"demo/{number:04d}.png", DemoFile(b"", "png"), source)


def verdict(offset: int, outcome: str, name: str | None = None) -> Answer:
    document = {"record": "verdict", "partition": 0, "offset": offset, "outcome": outcome}
    return read_answer({**document, "model": name, "registry_revision": 3})


def letter(offset: int) -> Answer:
    document = {"record": "dead_letter", "partition": 0, "offset": offset, "code": "x"}
    return read_answer({**document, "message": "y", "subject": "demo/0003.png"})


def some_books() -> Books:
    """Six events: two right, one misnamed, one flagged though real, one lost, one twice."""
    sources = [REAL, REAL, MADE, BAD, MADE, MADE]
    answers = {
        (0, 0): (verdict(0, "no_evidence"),),
        (0, 1): (verdict(1, "unknown_generator"),),
        (0, 2): (verdict(2, "attributed", "two"),),
        (0, 3): (letter(3),),
        (0, 5): (verdict(5, "attributed", "one"), verdict(5, "attributed", "one")),
    }
    return Books({(0, i): planned(i, source) for i, source in enumerate(sources)}, answers)


def test_lost_and_duplicated_are_counted_from_the_places_of_the_events() -> None:
    summary = summarise(some_books(), [REAL, MADE, BAD])
    assert (summary.events, summary.verdicts, summary.dead_letters) == (6, 5, 1)
    assert (summary.lost, summary.duplicated, summary.stray) == (1, 1, 0)
    assert summary.accuracy == pytest.approx(3 / 6)
    assert summary.failures() == [
        "1 events have neither a verdict nor a dead letter",
        "1 answers are duplicates",
        "accuracy is 0.500, expected at least 0.85",
    ]


def test_an_attribution_counts_as_right_only_under_the_right_name() -> None:
    document = summary_document(summarise(some_books(), [REAL, MADE, BAD]))
    assert document["accuracy_per_source"] == {
        "real": 0.5,
        "one": pytest.approx(0.3333),
        "broken": 1.0,
    }
    assert document["outcomes"] == {
        "real": {"no_evidence": 1, "unknown_generator": 1},
        "one": {"attributed": 2},
        "broken": {"dead_letter": 1},
    }
    assert document["misnamed"] == {"one": {"two": 1}}
    assert document["false_positives"] == 1
    assert [entry["subject"] for entry in document["wrong"]] == [
        "demo/0001.png",
        "demo/0002.png",
        "demo/0004.png",
    ]
    assert json.loads(json.dumps(document)) == document


def test_a_photograph_counts_as_flagged_whatever_was_done_to_it_and_undetermined_is_not_right() -> (
    None
):
    noisy = TrueSource("real_noisy", "no_evidence")
    sources = [REAL, noisy, noisy]
    answers = {
        (0, 0): (verdict(0, "undetermined"),),
        (0, 1): (verdict(1, "attributed", "one"),),
        (0, 2): (verdict(2, "no_evidence"),),
    }
    books = Books({(0, i): planned(i, source) for i, source in enumerate(sources)}, answers)
    document = summary_document(summarise(books, [REAL, noisy]))
    assert document["false_positives"] == 1
    assert document["wrong_events"] == 2


def test_a_wrong_answer_is_listed_with_what_both_tests_and_the_evidence_said() -> None:
    verdict_document = {
        **{"record": "verdict", "partition": 0, "offset": 0, "outcome": "attributed"},
        **{"model": "two", "registry_revision": 3, "condition": "twice_jpeg75"},
        **{"name_test": {"p_value": 0.004}, "real_test": {"p_value": 0.2}},
        "evidence": {"codec": "jpeg75", "unfamiliar": True},
        "reasons": ["model_accepts", "unfamiliar_picture"],
        "image": {"width": 64, "height": 64, "jpeg_quality": 77},
    }
    books = Books({(0, 0): planned(0, REAL)}, {(0, 0): (read_answer(verdict_document),)})
    (listed,) = summary_document(summarise(books, [REAL]))["wrong"]
    assert listed == {
        "subject": "demo/0000.png",
        "source": "real",
        "outcome": "attributed",
        "model": "two",
        "name_p_value": 0.004,
        "p_value": 0.2,
        "condition": "twice_jpeg75",
        "unfamiliar": True,
        "reasons": ["model_accepts", "unfamiliar_picture"],
        "width": 64,
        "height": 64,
        "jpeg_quality": 77,
    }


def test_an_answer_to_an_event_that_was_never_sent_is_a_failure() -> None:
    books = Books({(0, 0): planned(0, REAL)}, {(0, 9): (verdict(9, "no_evidence"),)})
    summary = summarise(books, [REAL])
    assert (summary.lost, summary.stray) == (1, 1)
    assert "1 answers belong to no event that was sent" in summary.failures()


def test_the_summary_names_what_came_out_and_what_was_wrong() -> None:
    out = io.StringIO()
    console = Console(file=out, width=140)
    print_summary(console, summarise(some_books(), [REAL, MADE, BAD]), seconds=12.0, rate=34.5)
    text = out.getvalue()
    assert "1 + 1" in text
    assert "misnamed" in text
    assert "wrong: one: no answer" in text
    assert "1 lost, 1 duplicated" in text


def test_outcomes_that_begin_alike_are_told_apart_on_a_narrow_terminal() -> None:
    out = io.StringIO()
    long = TrueSource("cramergan_seed1_before_registration", "unknown_generator")
    books = Books({(0, 0): planned(0, long)}, {(0, 0): (verdict(0, "undetermined"),)})
    console = Console(file=out, width=80, color_system=None)
    print_summary(console, summarise(books, [long]), seconds=12.0, rate=34.5)
    text = out.getvalue()
    for word in ("generator", "undetermined", "attributed", "registration"):
        assert word in text.split(), f"{word} is cut off"
    assert "…" not in text


def test_wrong_answers_are_counted_by_their_first_reason_most_first() -> None:
    doubt, other = ["unfamiliar_picture", "shadow_match:a"], ["real_test_not_passed"]
    answers = []
    for offset, reasons in enumerate([other, doubt, doubt]):
        document = dict(verdict(offset, "undetermined").document)
        answers.append(read_answer({**document, "reasons": reasons}))
    sent = {(0, i): planned(i, MADE) for i in range(4)}
    summary = summarise(Books(sent, {(0, i): (one,) for i, one in enumerate(answers)}), [MADE])
    expected = {"unfamiliar_picture": 2, "no_answer": 1, "real_test_not_passed": 1}
    assert summary.wrong_by_reason == expected
    assert summary_document(summary)["wrong_by_reason"] == expected
    out = io.StringIO()
    print_summary(Console(file=out, width=80), summary, seconds=1.0, rate=1.0)
    assert "wrong by reason: 2 unfamiliar_picture, " in out.getvalue()


def test_without_a_terminal_the_view_is_plain_lines() -> None:
    out = io.StringIO()
    rows: tuple[SourceRow, ...] = source_rows(some_books(), [REAL, MADE, BAD])
    with DemoView(Console(file=out, width=100)) as view:
        view.step("Kafka is up")
        view.update(rows, [letter(3)], 6, 2.0)
    assert "Kafka is up" in out.getvalue()
    assert "5 of 6 events answered, 2 events/s" in out.getvalue()
    assert "\x1b" not in out.getvalue()
