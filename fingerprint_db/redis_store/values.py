"""What the registry's Redis values say: rows, changes, stream entries; any damage is named."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fingerprint_db.change import Change, decode_change
from fingerprint_db.errors import RegistryCorrupt, RevisionGap
from fingerprint_db.lifecycle import Row, encode_row, row_from_document, rows_root
from fingerprint_db.redis_store.keys import SpaceKeys
from fingerprint_db.snapshot import EMPTY_ROOT


@dataclass(frozen=True, slots=True)
class SpaceIndex:
    """Revision, root and rows of a space at one moment; they agree with each other.

    `last` is the history's last element as stored, None where there is none.
    """

    revision: int
    last: bytes | None
    root: str
    rows: Mapping[str, Row]


def decode_index(
    keys: SpaceKeys,
    revision: int,
    newest_change: Sequence[bytes],
    stored: Mapping[bytes, bytes],
    newest_entry: Sequence[tuple[bytes, Mapping[bytes, bytes]]],
) -> SpaceIndex:
    """The index from the history's length and last element, the hash, and the stream's last entry.

    Raises RegistryCorrupt unless the rows give exactly the root that the last change carries, when
    the stream is further than the history, which then has lost changes, and when the two tell the
    last change differently.
    """
    rows = {}
    for model_id, data in stored.items():
        row = decode_row(keys, model_id, data)
        rows[row.model_id] = row
    last = newest_change[0] if newest_change else None
    agree(keys, revision, last, newest_entry)
    root = EMPTY_ROOT
    if last is not None:
        change = _decoded(f"{keys.history} element {revision - 1}", last)
        if change.revision != revision:
            raise RegistryCorrupt(
                keys.history,
                seen=f"{revision} changes, the last of revision {change.revision}",
                expected="as many changes as revisions",
            )
        root = change.root
    elif rows:
        raise RegistryCorrupt(
            keys.history, seen="no change", expected=f"the history of {len(rows)} models"
        )
    if (found := rows_root(rows.values())) != root:
        raise RegistryCorrupt(
            keys.index, seen=f"rows with root {found}", expected=f"{root} at revision {revision}"
        )
    return SpaceIndex(revision, last, root, rows)


def decode_row(keys: SpaceKeys, model_id: bytes, data: bytes) -> Row:
    """A row of the index; RegistryCorrupt unless it is the model's own, letter for letter."""
    try:
        row = row_from_document(json.loads(data))
    except ValueError as error:
        raise RegistryCorrupt(
            f"{keys.index} field {model_id!r}", seen=str(error), expected="a row"
        ) from error
    if row.model_id.encode() != model_id:
        raise RegistryCorrupt(
            f"{keys.index} field {model_id!r}",
            seen=f"the row of {row.model_id!r}",
            expected="its own row",
        )
    if encode_row(row) != data:
        raise RegistryCorrupt(
            f"{keys.index} field {model_id!r}",
            seen=data.decode("utf-8", "backslashreplace"),
            expected=f"{encode_row(row).decode()}, letter for letter",
        )
    return row


def agree(
    keys: SpaceKeys,
    revision: int,
    last: bytes | None,
    newest_entry: Sequence[tuple[bytes, Mapping[bytes, bytes]]],
) -> None:
    """Raises RegistryCorrupt where the stream's last entry is further than the history, or tells
    its last change differently."""
    if newest_entry and int(newest_entry[0][0].split(b"-")[0]) > revision:
        raise RegistryCorrupt(
            keys.history,
            seen=f"{revision} changes",
            expected=f"as many as the stream knows, which is at {newest_entry[0][0].decode()}",
        )
    if newest_entry and int(newest_entry[0][0].split(b"-")[0]) == revision:
        streamed = newest_entry[0][1].get(b"change")
        if streamed != last:
            raise RegistryCorrupt(
                keys.history, seen=f"a last change {last!r}", expected=f"the stream's, {streamed!r}"
            )


def decode_listed_changes(key: str, listed: Sequence[bytes]) -> tuple[Change, ...]:
    """The history from its list; raises RegistryCorrupt unless element i is revision i + 1."""
    return tuple(decode_listed_change(key, i, data) for i, data in enumerate(listed, start=1))


def decode_listed_change(key: str, revision: int, data: bytes) -> Change:
    """The history's element of `revision`, from 1; raises RegistryCorrupt where it is another's."""
    place = f"{key} element {revision - 1}"
    change = _decoded(place, data)
    if change.revision != revision:
        raise RegistryCorrupt(
            place, seen=f"revision {change.revision}", expected=f"revision {revision}"
        )
    return change


def decode_streamed_changes(
    keys: SpaceKeys,
    revision: int,
    root: str | None,
    length: int,
    held: Sequence[bytes],
    streamed: Sequence[tuple[bytes, Mapping[bytes, bytes]]],
) -> tuple[Change, ...]:
    """The changes after `revision` from the stream, all of them or RevisionGap.

    `length` is the history's length and `held` its element at `revision`, read in the same
    transaction as `streamed`, the stream's entries after `revision`.
    """
    if revision < 0 or length < revision:
        raise RevisionGap(
            f"revision {revision} is held, the registry is at {length}: it was emptied or rolled"
            " back; take a new snapshot"
        )
    here = _decoded(keys.history, held[0]).root if revision else EMPTY_ROOT
    if root is not None and root != here:
        raise RevisionGap(
            f"revision {revision} is held with root {root[:12]}…, the registry had {here[:12]}…"
            " there: it was replaced; take a new snapshot"
        )
    ids = [identity.decode() for identity, _ in streamed]
    expected = [f"{number}-0" for number in range(revision + 1, length + 1)]
    if ids[len(expected) :] and ids[: len(expected)] == expected:
        raise RegistryCorrupt(
            keys.changes, seen=f"an entry {ids[len(expected)]}", expected=f"{length}-0 as the last"
        )
    if ids != expected:
        raise RevisionGap(
            f"the changes {revision + 1} to {length} are no longer all in the stream, which holds"
            f" {len(ids)} of {len(expected)}; take a new snapshot"
        )
    changes = tuple(_streamed(keys, identity, fields) for identity, fields in streamed)
    for change, identity in zip(changes, ids, strict=True):
        if f"{change.revision}-0" != identity:
            raise RegistryCorrupt(
                f"{keys.changes} entry {identity}",
                seen=f"revision {change.revision}",
                expected="the revision of its id",
            )
    return changes


def _streamed(keys: SpaceKeys, identity: bytes, fields: Mapping[bytes, bytes]) -> Change:
    place = f"{keys.changes} entry {identity.decode()}"
    if b"change" not in fields:
        raise RegistryCorrupt(place, seen="no field 'change'", expected="one change")
    return _decoded(place, fields[b"change"])


def _decoded(place: str, data: bytes) -> Change:
    try:
        return decode_change(data)
    except ValueError as error:
        raise RegistryCorrupt(place, seen=str(error), expected="a change") from error
