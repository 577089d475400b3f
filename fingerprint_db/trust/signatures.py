"""Entries and photographs against the trusted keys.

An entry is trusted where the last change of its model is signed by a trusted key: it carries the
digest of the model's row, which names its content, name and status, and the head of the history
before it. So a retirement that was cut out breaks the chain, and an entry that was slipped in has
no signature of its own, whoever signed what came after it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from fingerprint_db.calibration import Calibration
from fingerprint_db.calibration import signed_bytes as signed_calibration
from fingerprint_db.change import Change, broken_link, signed_bytes
from fingerprint_db.lifecycle import Row, row_digest
from fingerprint_db.signing.keys import PublicKey, Signature, ids
from fingerprint_db.snapshot import Snapshot


def wrong_signature(space: str, history: Iterable[Change]) -> str | None:
    """The first change whose signature is none over it, whosever it is; None where all hold."""
    for change in history:
        if change.signature is None:
            continue
        if problem := change.signature.problem(signed_bytes(space, change)):
            return f"{_of(change)}: {problem}"
    return None


def untrusted_entry(
    space: str, history: Sequence[Change], rows: Mapping[str, str], keys: Collection[PublicKey]
) -> str | None:
    """The first entry that no trusted key vouches for; None where all are vouched for.

    `rows` are the digests of the rows in use, by model id; the chain of `history` is followed.
    Models that are retired must be so by a change that is signed, too.
    """
    if broken := broken_link(space, history):
        return broken
    last = {change.model_id: change for change in history}
    if unexplained := sorted(rows.keys() - last.keys()):
        return f"the entry {unexplained[0]!r} stands in no change"
    for model_id, change in last.items():
        signature = change.signature
        message = b"" if signature is None else signed_bytes(space, change)
        problem = _untrusted(signature, message, keys)
        if problem is None and change.row != rows.get(model_id, change.row):
            problem = "what was signed is another entry than the one that is there"
        if problem is not None:
            return (
                f"the entry {model_id!r}, last changed by {_of(change)}: {problem}. Whoever holds a"
                f" trusted key looks at it, and vouches with `latentprint registry endorse"
                f" {model_id}` or retires it"
            )
    return None


def untrusted_photographs(calibration: Calibration, keys: Collection[PublicKey]) -> str | None:
    """Why the photographs of a space are not trusted; None where they are, or there are none."""
    if calibration.written is None:
        return None
    signature = calibration.signature
    message = b"" if signature is None else signed_calibration(calibration)
    problem = _untrusted(signature, message, keys)
    if problem is None:
        return None
    return (
        f"the photographs, stored by {calibration.written.by!r}: {problem}. Whoever holds a trusted"
        " key vouches for them with `latentprint registry endorse --photographs`"
    )


def wrong_photographs(calibration: Calibration) -> str | None:
    """Why their signature is none, whosever it is; None where it holds or there is none."""
    if calibration.signature is None:
        return None
    problem = calibration.signature.problem(signed_calibration(calibration))
    return None if problem is None else f"the photographs: {problem}"


def rows_in_use(
    snapshot: Snapshot, contents: Mapping[str, str], history: Sequence[Change]
) -> dict[str, str]:
    """The digests of the rows of a snapshot, by model id; `contents` are those of its entries."""
    began = {
        change.model_id: change.revision
        for change in history
        if change.action in ("register", "import")
    }
    return {
        model.model_id: row_digest(
            Row(
                model.model_id,
                model.name,
                model.status,
                None,
                began.get(model.model_id, 0),
                contents[model.model_id],
            )
        )
        for model in snapshot.models
    }


def _untrusted(
    signature: Signature | None, message: bytes, keys: Collection[PublicKey]
) -> str | None:
    expected = f"expected a signature of one of the keys {ids(keys)} (trust.registry_keys)"
    if signature is None:
        return f"it is not signed; {expected}"
    if problem := signature.problem(message):
        return f"{problem}; {expected}"
    if signature.key not in {key.text for key in keys}:
        return f"it is signed by key {signature.key_id}; {expected}"
    return None


def _of(change: Change) -> str:
    return f"revision {change.revision} ({change.action} by {change.by!r})"
