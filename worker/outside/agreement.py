"""What workers in shadow say, beside what the workers that count say of the same events.

Both publish a verdict for every event that they can read. Two verdicts are of one event where they
name the same place: topic, partition, offset, and the topic's id where Kafka gives one.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fingerprint_db.matching.photographs import clopper_pearson_upper
from worker.broker.admin import admin, require_topics
from worker.broker.read_back import read_back
from worker.broker.refusals import Who
from worker.broker.topics import Topics
from worker.errors import StopError

MOST_EVENTS = 1_000_000
"""Verdicts of the shadow that are held at once; for more, --since is given later."""

_VERDICT_BYTES = 1024 * 1024
"""What the topics of verdicts take."""

_Place = tuple[str, str | None, int, int]


@dataclass(frozen=True, slots=True)
class Said:
    """What of a verdict is compared."""

    verdict_id: str
    subject: str
    outcome: str
    flagged: bool
    model: str | None
    bundle: str


@dataclass(slots=True)
class Agreement:
    """Counts over the events that both have judged; `events` of one side alone beside them."""

    both: int = 0
    same: int = 0
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(counts, shadow) -> events."""
    names: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(model that counts, model of the shadow) -> events, where both name one and it differs."""
    flagged: Counter[tuple[bool, bool]] = field(default_factory=Counter)
    bundles: tuple[set[str], set[str]] = field(default_factory=lambda: (set(), set()))
    examples: dict[str, list[tuple[Said, Said]]] = field(default_factory=dict)
    only_counts: int = 0
    only_shadow: int = 0
    unreadable: int = 0

    def add(self, counts: Said, shadow: Said, most_examples: int) -> None:
        """Count one event that both have judged."""
        self.both += 1
        self.outcomes[counts.outcome, shadow.outcome] += 1
        self.flagged[counts.flagged, shadow.flagged] += 1
        self.bundles[0].add(counts.bundle)
        self.bundles[1].add(shadow.bundle)
        if (counts.outcome, counts.model) == (shadow.outcome, shadow.model):
            self.same += 1
        elif counts.model and shadow.model and counts.model != shadow.model:
            self.names[counts.model, shadow.model] += 1
            self._keep("another model", counts, shadow, most_examples)
        if counts.flagged != shadow.flagged:
            what = "flagged by the shadow alone" if shadow.flagged else "no longer flagged"
            self._keep(what, counts, shadow, most_examples)

    def _keep(self, what: str, counts: Said, shadow: Said, most: int) -> None:
        kept = self.examples.setdefault(what, [])
        if len(kept) < most:
            kept.append((counts, shadow))

    def document(self) -> dict[str, Any]:
        """All of it, for programs."""
        return {
            "judged_by_both": self.both,
            "same_outcome_and_model": self.same,
            "only_counts": self.only_counts,
            "only_shadow": self.only_shadow,
            "unreadable": self.unreadable,
            "bundles": {"counts": sorted(self.bundles[0]), "shadow": sorted(self.bundles[1])},
            "outcomes": [
                {"counts": a, "shadow": b, "events": n} for (a, b), n in self.outcomes.most_common()
            ],
            "flagged": {
                "both": self.flagged[True, True],
                "counts_alone": self.flagged[True, False],
                "shadow_alone": self.flagged[False, True],
                "neither": self.flagged[False, False],
                "shadow_alone_upper_95": self._upper(self.flagged[False, True]),
                "counts_alone_upper_95": self._upper(self.flagged[True, False]),
            },
            "other_models": [
                {"counts": a, "shadow": b, "events": n} for (a, b), n in self.names.most_common()
            ],
            "examples": {
                what: [
                    {"subject": a.subject, "counts": a.verdict_id, "shadow": b.verdict_id}
                    for a, b in kept
                ]
                for what, kept in self.examples.items()
            },
        }

    def lines(self) -> Iterator[str]:
        """All of it, for people."""
        yield (
            f"judged by both: {self.both}; by the workers that count alone: {self.only_counts};"
            f" by the shadow alone: {self.only_shadow}"
        )
        if self.unreadable:
            yield f"verdicts that cannot be read: {self.unreadable}"
        if not self.both:
            yield "nothing to compare; is a worker with --shadow running, and since when?"
            return
        for name, bundles in zip(("counts", "shadow"), self.bundles, strict=True):
            yield f"bundle, {name}: {', '.join(one[:12] for one in sorted(bundles))}"
        yield f"same outcome and model: {self.same} ({self.same / self.both:.2%})"
        yield "outcome that counts -> of the shadow"
        for (a, b), n in self.outcomes.most_common():
            yield f"  {a:<18} -> {b:<18} {n:>9} ({n / self.both:.2%})"
        for what, pair in (
            ("flagged by the shadow alone", (False, True)),
            ("no longer flagged", (True, False)),
        ):
            n = self.flagged[pair]
            yield f"{what}: {n} ({n / self.both:.2%}, at most {self._upper(n):.2%} at 95 %)"
        for (a, b), n in self.names.most_common(10):
            yield f"named {a}, by the shadow {b}: {n}"
        for what, kept in self.examples.items():
            yield f"{what}, for example:"
            for one, other in kept:
                yield f"  {one.subject}  {one.verdict_id}  shadow {other.verdict_id}"

    def _upper(self, events: int) -> float:
        return clopper_pearson_upper(events, self.both) if self.both else 1.0


def read_agreement(
    brokers: str,
    prefix: str,
    client: Mapping[str, Any] | None,
    *,
    since_ms: int | None,
    most_examples: int,
) -> Agreement:
    """Read both topics of verdicts up to their ends and compare.

    Of several verdicts on one event the last counts. StopError where a topic is missing or may not
    be read, or where the shadow has said more than MOST_EVENTS since then.
    """
    counts, shadow = Topics(prefix).verdicts, Topics(prefix, shadow=True).verdicts
    with admin(brokers, client=client) as connection:
        partitions = require_topics(connection, [counts, shadow], Who.by(brokers, client), "READ")

    def verdicts(topic: str) -> Iterator[bytes | None]:
        records = read_back(
            brokers,
            topic,
            partitions[topic],
            client,
            max_message_bytes=_VERDICT_BYTES,
            since_ms=since_ms,
        )
        return (record.value for record in records)

    return compare(verdicts(counts), verdicts(shadow), most_examples)


def compare(
    counts: Iterable[bytes | None], shadow: Iterable[bytes | None], most_examples: int
) -> Agreement:
    """The agreement of two streams of verdicts, each as JSON; the shadow's are held."""
    agreement = Agreement()
    of_shadow: dict[_Place, Said] = {}
    for value in shadow:
        place, said = _read(value)
        if place is None or said is None:
            agreement.unreadable += 1
            continue
        of_shadow[place] = said
        if len(of_shadow) > MOST_EVENTS:
            raise StopError(
                f"the shadow has judged more than {MOST_EVENTS} events in this time; give a later"
                " --since",
                exit_code=2,
            )
    met: dict[_Place, Said] = {}
    for value in counts:
        place, said = _read(value)
        if place is None or said is None:
            agreement.unreadable += 1
        elif place in of_shadow:
            met[place] = said
        else:
            agreement.only_counts += 1
    for place, said in met.items():
        agreement.add(said, of_shadow[place], most_examples)
    agreement.only_shadow = len(of_shadow) - len(met)
    return agreement


def _read(value: bytes | None) -> tuple[_Place, Said] | tuple[None, None]:
    """Fields of a newer worker are passed over; what is no verdict gives nothing."""
    try:
        document = json.loads(value or b"")
        place = (
            str(document["topic"]),
            document.get("topic_id"),
            int(document["partition"]),
            int(document["offset"]),
        )
        return place, Said(
            verdict_id=str(document["verdict_id"]),
            subject=str(document.get("subject") or document["event_id"]),
            outcome=str(document["outcome"]),
            flagged=bool(document["flagged"]),
            model=document.get("model"),
            bundle=str(document["bundle_digest"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None, None
