"""The demo's books: what was sent, what was answered, and how much of it was right.

An event is known by its place in the images topic, (partition, offset), as the broker confirmed
it; an answer names the place that it answers. So nothing is taken on trust from subjects or counts.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from training.demo.plan import DEAD_LETTER, PlannedEvent, TrueSource

Place = tuple[int, int]
"""Partition and offset of an event in the images topic."""

OUTCOMES = ("no_evidence", "unknown_generator", "attributed", "undetermined", DEAD_LETTER)
LEAST_ACCURACY = 0.85
"""Below, something is broken. The goal is 0.97, which nothing has reached on this mix yet: it comes
to 0.853, two pictures of 700 above this (training/LOG.md)."""
_WRONG_LISTED = 20


@dataclass(frozen=True, slots=True)
class Answer:
    """A verdict or dead letter: its outcome (`dead_letter` for the latter) and the whole record."""

    place: Place
    outcome: str
    model: str | None
    registry_revision: int | None
    document: Mapping[str, Any]


def read_answer(document: Mapping[str, Any]) -> Answer:
    """An answer from a record as `latentprint watch --json` prints it."""
    place = (int(document["partition"]), int(document["offset"]))
    if document["record"] == DEAD_LETTER:
        return Answer(place, DEAD_LETTER, None, None, document)
    return Answer(
        place,
        str(document["outcome"]),
        document.get("model"),
        document.get("registry_revision"),
        document,
    )


def is_right(source: TrueSource, answer: Answer) -> bool:
    """Whether the outcome, and the name where one was due, is the right one."""
    return answer.outcome == source.outcome and answer.model == source.model


@dataclass(frozen=True, slots=True)
class Books:
    """Everything sent and answered; `answers` holds all answers to a place, doubles included."""

    sent: Mapping[Place, PlannedEvent]
    answers: Mapping[Place, Sequence[Answer]]

    @property
    def answered(self) -> int:
        """How many of the sent events have an answer."""
        return sum(place in self.answers for place in self.sent)


class Account:
    """Books that are being written: by the producer's thread and the reader's; read by anyone."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._sent: dict[Place, PlannedEvent] = {}
        self._answers: dict[Place, list[Answer]] = {}
        self._newest: list[Answer] = []
        self._last_at = clock()

    def sent(self, place: Place, event: PlannedEvent) -> None:
        """The broker has stored the event at this place."""
        with self._changed:
            self._sent[place] = event

    def answered(self, answer: Answer) -> None:
        """An answer was read; it may come before the producer knows its event's place."""
        with self._changed:
            self._answers.setdefault(answer.place, []).append(answer)
            self._newest = [*self._newest[-4:], answer]
            self._last_at = self._clock()
            self._changed.notify_all()

    def wait(self, timeout_s: float) -> None:
        """Until the next answer, or so many seconds."""
        with self._changed:
            self._changed.wait(timeout_s)

    def books(self) -> Books:
        """A copy of the present state."""
        with self._changed:
            answers = {place: tuple(found) for place, found in self._answers.items()}
            return Books(dict(self._sent), answers)

    def newest(self) -> tuple[Answer, ...]:
        """The last few answers, oldest first."""
        with self._changed:
            return tuple(self._newest)

    @property
    def last_answer_at(self) -> float:
        """The clock's time of the last answer; before the first one, of construction."""
        with self._changed:
            return self._last_at


@dataclass(frozen=True, slots=True)
class SourceRow:
    """The counts of one true source. `misnamed` were attributed to another model than the right."""

    source: TrueSource
    events: int
    outcomes: Mapping[str, int]
    misnamed: Mapping[str, int]
    right: int

    @property
    def accuracy(self) -> float:
        return self.right / self.events if self.events else 0.0


@dataclass(frozen=True, slots=True)
class Summary:
    """The result of a run."""

    rows: tuple[SourceRow, ...]
    events: int
    verdicts: int
    dead_letters: int
    lost: int
    duplicated: int
    stray: int
    wrong: tuple[tuple[PlannedEvent, Answer | None], ...]

    @property
    def accuracy(self) -> float:
        return 1 - len(self.wrong) / self.events if self.events else 0.0

    @property
    def wrong_by_reason(self) -> Mapping[str, int]:
        """How many wrong answers gave each reason first, most first; of dead letters the code."""
        firsts = Counter(
            "no_answer" if answer is None else (*_reasons(answer), "no_reason")[0]
            for _, answer in self.wrong
        )
        return dict(firsts.most_common())

    def failures(self) -> list[str]:
        """What must not have happened, in words; empty after a good run."""
        found = []
        if self.lost:
            found.append(f"{self.lost} events have neither a verdict nor a dead letter")
        if self.duplicated:
            found.append(f"{self.duplicated} answers are duplicates")
        if self.stray:
            found.append(f"{self.stray} answers belong to no event that was sent")
        if self.accuracy < LEAST_ACCURACY:
            found.append(f"accuracy is {self.accuracy:.3f}, expected at least {LEAST_ACCURACY:g}")
        return found


def source_rows(books: Books, sources: Sequence[TrueSource]) -> tuple[SourceRow, ...]:
    """One row for each source; an event's first answer counts."""
    events: dict[str, list[Answer | None]] = {source.name: [] for source in sources}
    for place, event in books.sent.items():
        events[event.source.name].append(_first(books, place))
    rows = []
    for source in sources:
        answers = [answer for answer in events[source.name] if answer is not None]
        named = Counter(a.model for a in answers if a.model is not None)
        rows.append(
            SourceRow(
                source=source,
                events=len(events[source.name]),
                outcomes=Counter(answer.outcome for answer in answers),
                misnamed={name: count for name, count in named.items() if name != source.model},
                right=sum(is_right(source, answer) for answer in answers),
            )
        )
    return tuple(rows)


def summarise(books: Books, sources: Sequence[TrueSource]) -> Summary:
    """The result, from all that was sent and all that a read_committed reader finds."""
    wrong = []
    for place, event in books.sent.items():
        answer = _first(books, place)
        if answer is None or not is_right(event.source, answer):
            wrong.append((event, answer))
    everything = [answer for answers in books.answers.values() for answer in answers]
    dead = sum(answer.outcome == DEAD_LETTER for answer in everything)
    return Summary(
        rows=source_rows(books, sources),
        events=len(books.sent),
        verdicts=len(everything) - dead,
        dead_letters=dead,
        lost=len(books.sent) - books.answered,
        duplicated=sum(len(answers) - 1 for answers in books.answers.values()),
        stray=sum(place not in books.sent for place in books.answers),
        wrong=tuple(sorted(wrong, key=lambda pair: pair[0].subject)),
    )


def summary_document(summary: Summary) -> dict[str, Any]:
    """The summary for `--json`; of many wrong answers the first 20 are listed, all are counted."""
    real = [row for row in summary.rows if row.source.is_real]
    flagged = ("attributed", "unknown_generator")
    return {
        "events": summary.events,
        "verdicts": summary.verdicts,
        "dead_letters": summary.dead_letters,
        "lost": summary.lost,
        "duplicated": summary.duplicated,
        "accuracy": round(summary.accuracy, 4),
        "accuracy_per_source": {row.source.name: round(row.accuracy, 4) for row in summary.rows},
        "outcomes": {
            row.source.name: {o: row.outcomes[o] for o in OUTCOMES if row.outcomes.get(o)}
            for row in summary.rows
        },
        "misnamed": {row.source.name: dict(row.misnamed) for row in summary.rows if row.misnamed},
        "false_positives": sum(row.outcomes.get(o, 0) for row in real for o in flagged),
        "wrong_events": len(summary.wrong),
        "wrong_by_reason": dict(summary.wrong_by_reason),
        "wrong": [
            _wrong_document(event, answer) for event, answer in summary.wrong[:_WRONG_LISTED]
        ],
        "failures": summary.failures(),
    }


def _wrong_document(event: PlannedEvent, answer: Answer | None) -> dict[str, Any]:
    document = answer.document if answer else {}
    image, evidence = document.get("image") or {}, document.get("evidence") or {}
    return {
        "subject": event.subject,
        "source": event.source.name,
        "outcome": answer.outcome if answer else None,
        "model": answer.model if answer else None,
        "name_p_value": (document.get("name_test") or {}).get("p_value"),
        "p_value": (document.get("real_test") or {}).get("p_value"),
        "condition": document.get("condition"),
        "unfamiliar": evidence.get("unfamiliar"),
        "reasons": _reasons(answer) if answer else [],
        "width": image.get("width"),
        "height": image.get("height"),
        "jpeg_quality": image.get("jpeg_quality"),
    }


def _reasons(answer: Answer) -> list[str]:
    """A verdict's, or a dead letter's code."""
    document = answer.document
    return document.get("reasons") or [one for one in [document.get("code")] if one]


def _first(books: Books, place: Place) -> Answer | None:
    answers = books.answers.get(place)
    return answers[0] if answers else None
