"""Change: one numbered step in the history of a space, and its JSON form."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from fingerprint_db.model_fingerprint import Status

Action = Literal["register", "promote", "retire", "restore", "import"]
Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Change:
    """What happened at one revision of a space; revisions count from 1 without holes.

    `status` is the model's status after the change, `root` the root of the whole space after it
    (see `snapshot.root_of`), so that a verdict's revision and root can be checked years later.
    """

    revision: int
    action: Action
    model_id: str
    at: datetime
    by: str
    reason: str
    status: Status
    root: str


def utc_now() -> datetime:
    """The default clock: the present time, aware, in UTC."""
    return datetime.now(UTC)


def canonical_json(document: object) -> str:
    """The one JSON text of `document`: sorted keys, no spaces, ASCII; NaN and infinity refused."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)


def change_document(change: Change) -> dict[str, object]:
    """The change as a JSON object; the time in UTC, so that equal changes have equal texts."""
    return {
        "revision": change.revision,
        "action": change.action,
        "model_id": change.model_id,
        "at": change.at.astimezone(UTC).isoformat(),
        "by": change.by,
        "reason": change.reason,
        "status": change.status,
        "root": change.root,
    }


def encode_change(change: Change) -> bytes:
    """The change as bytes; equal changes give equal bytes."""
    return canonical_json(change_document(change)).encode("ascii")


def change_from_document(document: Any) -> Change:
    """The inverse of `change_document`; raises ValueError on anything else."""
    try:
        change = Change(**{**document, "at": datetime.fromisoformat(document["at"])})
    except (TypeError, KeyError) as error:
        raise ValueError(f"not a change: {error}") from error
    if change.action not in get_args(Action) or change.status not in get_args(Status):
        raise ValueError(f"unknown action {change.action!r} or status {change.status!r}")
    if type(change.revision) is not int or change.at.tzinfo is None:
        raise ValueError("a change needs a whole revision and a time with its zone")
    if not all(isinstance(text, str) for text in (change.model_id, change.by, change.reason)):
        raise ValueError("a change's model id, author and reason are texts")
    return change


def decode_change(data: bytes) -> Change:
    """The inverse of `encode_change`; raises ValueError on anything else."""
    return change_from_document(json.loads(data))
