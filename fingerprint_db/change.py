"""Change: one numbered step in the history of a space, its JSON form, and the chain of them.

The **head** of a history names it whole: that of no change is the SHA-256 of HISTORY_BEGINS and the
space, each a line; that after a change is the SHA-256 of the head before it, a line, and the
change's bytes. A change carries the head before it as `previous`, so that whoever edits, drops or
moves one must rewrite all that follow. Changes of versions before the chain carry none; the first
that does covers them all.

What a key signs of a change is SIGNED_CHANGE and the space, each a line, and the change's bytes
without its signature: place in the chain, root and row included.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from fingerprint_db.model_fingerprint import Status
from fingerprint_db.signing.keys import Signature, SigningKey

Action = Literal["register", "promote", "retire", "restore", "import", "endorse"]
Clock = Callable[[], datetime]

HISTORY_BEGINS = "latentprint-history 1"
SIGNED_CHANGE = "latentprint-change 1"

_OPTIONAL = ("row", "previous", "login", "no_login")


@dataclass(frozen=True, slots=True)
class Change:
    """What happened at one revision of a space; revisions count from 1 without holes.

    `status` is the model's status after the change, `root` the root of the whole space after it
    (see `snapshot.root_of`), so that a verdict's revision and root can be checked years later.
    `row` is the digest of the model's row after it (`lifecycle.row_digest`), `previous` the head of
    the history before it. `by` is who says to have done it, `login` who Redis says is logged in, or
    None and `no_login` why that is not known. None in all of them: written by a version before.
    """

    revision: int
    action: Action
    model_id: str
    at: datetime
    by: str
    reason: str
    status: Status
    root: str
    row: str | None = None
    previous: str | None = None
    login: str | None = None
    no_login: str | None = None
    signature: Signature | None = None


def utc_now() -> datetime:
    """The default clock: the present time, aware, in UTC."""
    return datetime.now(UTC)


def canonical_json(document: object) -> str:
    """The one JSON text of `document`: sorted keys, no spaces, ASCII; NaN and infinity refused."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)


def change_document(change: Change) -> dict[str, Any]:
    """The change as a JSON object; the time in UTC, so that equal changes have equal texts."""
    document: dict[str, Any] = {
        "revision": change.revision,
        "action": change.action,
        "model_id": change.model_id,
        "at": change.at.astimezone(UTC).isoformat(),
        "by": change.by,
        "reason": change.reason,
        "status": change.status,
        "root": change.root,
    }
    given = {name: getattr(change, name) for name in _OPTIONAL}
    document |= {name: value for name, value in given.items() if value is not None}
    if change.no_login is not None:
        document["login"] = change.login
    if change.signature is not None:
        document["signature"] = signature_document(change.signature)
    return document


def encode_change(change: Change) -> bytes:
    """The change as bytes; equal changes give equal bytes."""
    return canonical_json(change_document(change)).encode("ascii")


def change_from_document(document: Any) -> Change:
    """The inverse of `change_document`; raises ValueError on anything else."""
    try:
        change = Change(
            **{
                **document,
                "at": datetime.fromisoformat(document["at"]),
                "signature": signature_from(document.get("signature")),
            }
        )
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"not a change: {error}") from error
    if change.action not in get_args(Action) or change.status not in get_args(Status):
        raise ValueError(f"unknown action {change.action!r} or status {change.status!r}")
    if type(change.revision) is not int or change.at.tzinfo is None:
        raise ValueError("a change needs a whole revision and a time with its zone")
    if not all(isinstance(text, str) for text in (change.model_id, change.by, change.reason)):
        raise ValueError("a change's model id, author and reason are texts")
    if not all(isinstance(getattr(change, name), str | None) for name in _OPTIONAL):
        raise ValueError(f"a change's {', '.join(_OPTIONAL)} are texts")
    return change


def decode_change(data: bytes) -> Change:
    """The inverse of `encode_change`; raises ValueError on anything else.

    One text alone is a change's: a letter that means the same would still change the head.
    """
    change = change_from_document(json.loads(data))
    if encode_change(change) != data:
        raise ValueError("a change that is not written as this program writes it")
    return change


def signature_document(signature: Signature) -> dict[str, str]:
    """The signature as a JSON object."""
    return {"key": signature.key, "value": signature.value}


def signature_from(document: Any) -> Signature | None:
    """The inverse of `signature_document`, None of None; raises ValueError on anything else."""
    if document is None:
        return None
    if not isinstance(document, dict) or set(document) != {"key", "value"}:
        raise ValueError(f"a signature has key and value, this one is {document!r}")
    if not all(isinstance(value, str) for value in document.values()):
        raise ValueError("a signature's key and value are texts")
    return Signature(**document)


def first_head(space: str) -> str:
    """The head of a history without changes."""
    return hashlib.sha256(f"{HISTORY_BEGINS}\n{space}\n".encode()).hexdigest()


def next_head(head: str, change: Change) -> str:
    """The head after `change`, which follows `head`."""
    return hashlib.sha256(f"{head}\n".encode() + encode_change(change)).hexdigest()


def head_of(space: str, history: Iterable[Change]) -> str:
    """The head of a whole history, from its first change on."""
    head = first_head(space)
    for change in history:
        head = next_head(head, change)
    return head


def next_of(space: str, history: Sequence[Change]) -> str:
    """What a change that follows `history` names: its head, as its last change tells it.

    Only a last change of a version before the chain makes it read the others.
    """
    if history and (before := history[-1].previous) is not None:
        return next_head(before, history[-1])
    return head_of(space, history)


def broken_link(space: str, history: Iterable[Change]) -> str | None:
    """The first change that does not follow the ones before it; None where all do."""
    head, chained = first_head(space), False
    for place, change in enumerate(history, start=1):
        if change.revision != place:
            return f"revision {change.revision} stands where revision {place} belongs"
        if change.previous is None and chained:
            return f"revision {place} does not name the history before it, as the one before does"
        if change.previous not in (None, head):
            return (
                f"revision {place} follows a history of head {change.previous[:12]}…, the one that"
                f" is there has {head[:12]}…: something before it was edited, dropped or moved"
            )
        chained = change.previous is not None
        head = next_head(head, change)
    return None


def sealed(
    changes: Sequence[Change], space: str, head: str, key: SigningKey | None
) -> tuple[Change, ...]:
    """The changes as they are stored after a history of `head`: linked, and signed by `key`."""
    done = []
    for change in changes:
        linked = replace(change, previous=head)
        if key is not None:
            linked = replace(linked, signature=key.sign(signed_bytes(space, linked)))
        done.append(linked)
        head = next_head(head, linked)
    return tuple(done)


def signed_bytes(space: str, change: Change) -> bytes:
    """What is signed of a change."""
    unsigned = encode_change(replace(change, signature=None))
    return f"{SIGNED_CHANGE}\n{space}\n".encode() + unsigned
