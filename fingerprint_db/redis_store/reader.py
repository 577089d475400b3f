"""What a space holds, read from Redis and checked: index, entries, and the snapshot of both.

Entries are stored under their own SHA-256 and never rewritten, so a reader needs one small
transaction for the index and may then fetch the bulk at leisure. What a snapshot read is kept: the
next one reads what has changed since.
"""

from collections.abc import Iterable
from typing import Any

from fingerprint_db.entry_encoding import decode_entry, digest_of
from fingerprint_db.errors import RegistryCorrupt, RegistryForbidden
from fingerprint_db.lifecycle import Row
from fingerprint_db.model_fingerprint import ModelFingerprint, Status
from fingerprint_db.redis_store.address import RedisAddress
from fingerprint_db.redis_store.connection import reaching
from fingerprint_db.redis_store.held_space import HeldSpace
from fingerprint_db.redis_store.keys import SpaceKeys
from fingerprint_db.redis_store.moment import of_one_moment
from fingerprint_db.redis_store.values import (
    SpaceIndex,
    agree,
    decode_index,
    decode_listed_change,
    decode_row,
)
from fingerprint_db.snapshot import Snapshot

_FEW_CHANGES = 1000  # since what is held; of more all is read anew
_ENTRIES_PER_READ = 32  # one takes 64 KiB at most, so a reply takes 2 MiB


class SpaceReader:
    """Reads every space of one Redis; nothing is sent before the first call."""

    def __init__(self, client: Any, address: RedisAddress) -> None:
        self._client = client
        self._address = address
        self._held: dict[str, HeldSpace] = {}  # of the last snapshot, by space

    def snapshot(self, space: str) -> Snapshot:
        """The live and shadow models, all of one revision."""
        held = self._held.get(space)
        fresh = None if held is None else self._following(space, held)
        if fresh is None:
            index = self.index(space)
            rows = [row for row in index.rows.values() if row.status != "retired"]
            fresh = HeldSpace.of(index, self.models(space, rows))
        self._held[space] = fresh
        return fresh.snapshot(space)

    def _following(self, space: str, held: HeldSpace) -> HeldSpace | None:
        """What a few changes have made of what is held; None where all is to be read anew.

        Their rows are read in a second moment, in which no further change may have come.
        """
        keys, before = SpaceKeys(space), held.index

        def ask(pipe: Any) -> None:
            pipe.llen(keys.history)
            end = before.revision + _FEW_CHANGES
            pipe.lrange(keys.history, max(before.revision - 1, 0), end)
            pipe.xrevrange(keys.changes, count=1)

        length, listed, newest = of_one_moment(self._client, self._address, keys, ask)
        known = listed[:1] if before.revision else []
        fresh = listed[len(known) :]
        if known != [data for data in (before.last,) if data is not None]:
            return None
        if not fresh or before.revision + len(fresh) != length:
            return None
        agree(keys, length, fresh[-1], newest)
        changes = [
            decode_listed_change(keys.history, number, data)
            for number, data in enumerate(fresh, before.revision + 1)
        ]
        names = list(dict.fromkeys(change.model_id.encode() for change in changes))

        def ask_rows(pipe: Any) -> None:
            pipe.llen(keys.history)
            pipe.hmget(keys.index, names)

        try:
            now, stored = of_one_moment(self._client, self._address, keys, ask_rows)
        except RegistryForbidden:  # rights of a version that read the whole index at every change
            return None
        if now != length or None in stored:
            return None
        rows = [decode_row(keys, name, data) for name, data in zip(names, stored, strict=True)]
        return held.following(
            length, fresh[-1], changes[-1].root, rows, lambda row: self._fetched(space, row)
        )

    def _fetched(self, space: str, row: Row) -> ModelFingerprint:
        ((_, data),) = self.entries(SpaceKeys(space), [row])
        return _decoded(SpaceKeys(space), row, data)

    def index(self, space: str) -> SpaceIndex:
        """Revision, root and rows of one moment."""
        keys = SpaceKeys(space)

        def ask(pipe: Any) -> None:
            pipe.lrange(keys.history, -1, -1)
            pipe.llen(keys.history)
            pipe.hgetall(keys.index)
            pipe.xrevrange(keys.changes, count=1)

        newest_change, revision, stored, newest_entry = of_one_moment(
            self._client, self._address, keys, ask
        )
        return decode_index(keys, revision, newest_change, stored, newest_entry)

    def models(self, space: str, rows: Iterable[Row]) -> dict[str, ModelFingerprint]:
        """The decoded models of `rows` by content digest; fetches only what is not held."""
        keys = SpaceKeys(space)
        last = self._held.get(space)
        held = {} if last is None else last.by_content()
        rows = tuple(rows)
        statuses = {row.content: row for row in rows}
        models = {
            content: _with_status(held[content], row.status)
            for content, row in statuses.items()
            if content in held
        }
        missing = [row for content, row in statuses.items() if content not in held]
        for content, data in self.entries(keys, missing):
            models[content] = _decoded(keys, statuses[content], data)
        for row in rows:  # one that is held may not be this row's either
            _own(keys, row, models[row.content])
        return models

    def entries(self, keys: SpaceKeys, rows: Iterable[Row]) -> Iterable[tuple[str, bytes]]:
        """The encoded entries of `rows`, each checked against its digest; read in portions."""
        contents = [row.content for row in rows]
        for start in range(0, len(contents), _ENTRIES_PER_READ):
            portion = contents[start : start + _ENTRIES_PER_READ]
            with reaching(self._address):
                values = self._client.mget([keys.entry(content) for content in portion])
            for content, data in zip(portion, values, strict=True):
                seen = "nothing" if data is None else f"content with SHA-256 {digest_of(data)}"
                if data is None or digest_of(data) != content:
                    raise RegistryCorrupt(
                        keys.entry(content), seen=seen, expected=f"content with SHA-256 {content}"
                    )
                yield content, data


def _decoded(keys: SpaceKeys, row: Row, data: bytes) -> ModelFingerprint:
    try:
        return _own(keys, row, decode_entry(data, row.status))
    except ValueError as error:
        raise RegistryCorrupt(
            keys.entry(row.content), seen=str(error), expected="an encoded entry"
        ) from error


def _own(keys: SpaceKeys, row: Row, model: ModelFingerprint) -> ModelFingerprint:
    """The model, which must be the row's own."""
    if model.model_id != row.model_id:
        raise RegistryCorrupt(
            f"{keys.index} field {row.model_id!r}",
            seen=f"the entry of {model.model_id!r}",
            expected="its own entry",
        )
    return model


def _with_status(model: ModelFingerprint, status: Status) -> ModelFingerprint:
    return model if model.status == status else model.with_status(status)
