"""What `watch` and `scan` print: a record as a document. Knows no Kafka, as `scan` needs none."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from worker.events.dead_letter import DeadLetter

Kind = Literal["verdict", "dead_letter", "alert", "unreadable"]


@dataclass(frozen=True, slots=True)
class Watched:
    """One record as `--json` prints it: `document["record"]` is its kind."""

    kind: Kind
    document: Mapping[str, Any]


def rejected_document(
    letter: DeadLetter, event_id: str | None, subject: str | None
) -> dict[str, Any]:
    """A rejected event as `watch --json` and `scan --json` print it.

    `reason` is what `code` was called first; it stays for those who read it.
    """
    fields = letter.document(event_id, subject)
    return {"record": "dead_letter", **fields, "reason": letter.code}
