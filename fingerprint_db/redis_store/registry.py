"""RedisRegistry: the registry in Redis, written atomically; changes as a stream. Needs Redis 6.2.

Every write is an optimistic transaction:

1. read revision, root and rows of one moment, in a MULTI
2. let `lifecycle` or `plan_import` say what the write does, or refuse it
3. WATCH the history, the index and the stream, and see that the last change is still the same
4. MULTI: the entry, the index row, the change at the end of the history and of the stream; EXEC.
   The change names the history before it, and is signed where there is a key (`change.sealed`)
5. someone else was faster: start again at 1, a bounded number of times
6. the connection died during EXEC: start again at 1; if our change is in the history, it is done

Not one Lua script: what a write does is said once, in Python, for both registries, and Redis users
are given named commands without EVAL, which has let attackers out of its sandbox.

How a space is read says `reader`.
"""

import random
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.exceptions import WatchError

from fingerprint_db.calibration import Calibration
from fingerprint_db.change import (
    Change,
    Clock,
    decode_change,
    encode_change,
    next_of,
    sealed,
    utc_now,
)
from fingerprint_db.entry_encoding import digest_of, encode_entry
from fingerprint_db.errors import (
    RegistryUnavailable,
    UnknownModel,
)
from fingerprint_db.lifecycle import Author, Move, Row, encode_row, in_order, move, register
from fingerprint_db.model_fingerprint import ModelFingerprint, Status
from fingerprint_db.redis_store.address import RedisAddress
from fingerprint_db.redis_store.calibration import RedisCalibrations
from fingerprint_db.redis_store.connection import BLOCK_SLICE_S, connect, login_of, reaching
from fingerprint_db.redis_store.keys import CHANGES_KEPT, SPACES, SpaceKeys
from fingerprint_db.redis_store.moment import of_one_moment
from fingerprint_db.redis_store.reader import SpaceReader
from fingerprint_db.redis_store.values import (
    SpaceIndex,
    decode_index,
    decode_listed_change,
    decode_listed_changes,
    decode_streamed_changes,
)
from fingerprint_db.registry import CalibrationStep, Registry
from fingerprint_db.signing.keys import SigningKey
from fingerprint_db.snapshot import Snapshot
from fingerprint_db.space_contents import ImportReport, SpaceContents, plan_import

_ATTEMPTS = 100


@dataclass(frozen=True, slots=True)
class _Write:
    """What one EXEC stores; an empty one stores nothing. Restored changes keep their own seals."""

    rows: tuple[Row, ...]
    changes: tuple[Change, ...]
    entries: Mapping[str, bytes]
    restored: bool = False


_Plan = Callable[[SpaceIndex, Author], _Write]


class RedisRegistry(Registry):
    """Keeps every space in the Redis at `address`; safe to share between threads.

    Nothing is sent before the first call; an address that cannot be used is refused at once
    (WrongSettings). `changes_kept` bounds each space's change stream.
    """

    def __init__(
        self,
        address: str | RedisAddress,
        *,
        clock: Clock = utc_now,
        changes_kept: int = CHANGES_KEPT,
        key: SigningKey | None = None,
    ) -> None:
        self._address = address if isinstance(address, RedisAddress) else RedisAddress(address)
        self._client: Any = connect(self._address)
        self._clock = clock
        self._changes_kept = changes_kept
        self._key = key
        self._calibrations = RedisCalibrations(self._client, self._address)
        self._reader = SpaceReader(self._client, self._address)

    def close(self) -> None:
        """Closes the connections; a later call opens new ones."""
        self._client.close()

    def register(
        self, model: ModelFingerprint, *, by: str, reason: str, seen: int | None = None
    ) -> Change:
        data = encode_entry(model)
        content = digest_of(data)

        def plan(index: SpaceIndex, author: Author) -> _Write:
            step = register(index.rows, index.revision, model, content, author, seen)
            return _Write((step.row,), (step.change,), {content: data})

        return self._write(model.space, plan, by, reason).changes[0]

    def promote(self, space: str, model_id: str, *, by: str, reason: str) -> Change:
        return self._move(space, model_id, "promote", by, reason)

    def retire(self, space: str, model_id: str, *, by: str, reason: str) -> Change:
        return self._move(space, model_id, "retire", by, reason)

    def restore(self, space: str, model_id: str, *, by: str, reason: str) -> Change:
        return self._move(space, model_id, "restore", by, reason)

    def endorse(self, space: str, model_id: str, *, by: str, reason: str) -> Change:
        return self._move(space, model_id, "endorse", by, reason)

    def get(self, space: str, model_id: str) -> ModelFingerprint:
        row = self._reader.index(space).rows.get(model_id)
        if row is None:
            raise UnknownModel(space, model_id)
        return self._reader.models(space, [row])[row.content]

    def list(self, space: str, *, status: Status | None = None) -> tuple[ModelFingerprint, ...]:
        index = self._reader.index(space)
        rows = in_order(row for row in index.rows.values() if status in (None, row.status))
        models = self._reader.models(space, rows)
        return tuple(models[row.content] for row in rows)

    def history(self, space: str, model_id: str | None = None) -> tuple[Change, ...]:
        keys = SpaceKeys(space)
        with reaching(self._address):
            listed = self._client.lrange(keys.history, 0, -1)
        changes = decode_listed_changes(keys.history, listed)
        found = tuple(change for change in changes if model_id in (None, change.model_id))
        if model_id is not None and not found:
            raise UnknownModel(space, model_id)
        return found

    def change(self, space: str, revision: int) -> Change | None:
        if revision < 1:
            return None
        keys = SpaceKeys(space)
        with reaching(self._address):
            stored = self._client.lindex(keys.history, revision - 1)
        return None if stored is None else decode_listed_change(keys.history, revision, stored)

    def snapshot(self, space: str) -> Snapshot:
        return self._reader.snapshot(space)

    def follow(
        self, space: str, revision: int, *, block_s: float, root: str | None = None
    ) -> tuple[Change, ...]:
        keys = SpaceKeys(space)
        changes = self._changes_after(keys, revision, root)
        deadline = time.monotonic() + block_s
        while not changes and (remaining_s := deadline - time.monotonic()) > 0:
            block_ms = max(1, round(1000 * min(remaining_s, BLOCK_SLICE_S)))
            with reaching(self._address):
                self._client.xread({keys.changes: f"{revision}-0"}, count=1, block=block_ms)
            changes = self._changes_after(keys, revision, root)
        return changes

    def revision(self, space: str) -> int:
        with reaching(self._address):
            return int(self._client.llen(SpaceKeys(space).history))

    def spaces(self) -> tuple[str, ...]:
        with reaching(self._address):
            names = self._client.smembers(SPACES)
            if not names:
                # One node of a cluster would answer with nothing, as an empty Redis does; two keys
                # in one command it refuses.
                self._client.mget(SPACES, f"{SPACES}:none")
        return tuple(sorted(name.decode() for name in names))

    def contents(self, space: str) -> SpaceContents:
        keys = SpaceKeys(space)

        def ask(pipe: Any) -> None:
            pipe.lrange(keys.history, 0, -1)
            pipe.hgetall(keys.index)
            pipe.xrevrange(keys.changes, count=1)

        listed, stored, newest_entry = self._of_one_moment(keys, ask)
        history = decode_listed_changes(keys.history, listed)
        index = decode_index(keys, len(listed), listed[-1:], stored, newest_entry)
        entries = dict(self._reader.entries(keys, index.rows.values()))
        return SpaceContents(space, index.rows, history, entries)

    def absorb(self, contents: SpaceContents, *, by: str, reason: str) -> ImportReport:
        report: ImportReport | None = None

        def plan(index: SpaceIndex, author: Author) -> _Write:
            nonlocal report
            planned = plan_import(index.rows, index.revision, contents, author)
            report = planned.report
            added = {row.content: contents.entries[row.content] for row in planned.rows}
            return _Write(planned.rows, planned.changes, added, report.restored)

        self._write(contents.space, plan, by, reason)
        assert report is not None
        return report

    def calibration(self, space: str) -> Calibration:
        return self._calibrations.read(space)

    def _write_calibration(
        self, space: str, step: CalibrationStep, data: Mapping[str, bytes]
    ) -> Calibration:
        return self._calibrations.write(space, step, data)

    def _move(self, space: str, model_id: str, verb: Move, by: str, reason: str) -> Change:
        def plan(index: SpaceIndex, author: Author) -> _Write:
            step = move(index.rows, index.revision, space, model_id, verb, author)
            return _Write((step.row,), (step.change,), {})

        return self._write(space, plan, by, reason).changes[0]

    def _write(self, space: str, plan: _Plan, by: str, reason: str) -> _Write:
        """The optimistic transaction of the module's docstring; returns what was stored."""
        keys = SpaceKeys(space)
        author = self._author(by, reason)
        in_doubt: deque[_Write] = deque()
        try:
            with reaching(self._address), self._client.pipeline(transaction=True) as pipe:
                for attempt in range(_ATTEMPTS):
                    if write := self._attempt(pipe, keys, plan, author, in_doubt):
                        return write
                    time.sleep(random.uniform(0.0, 0.001 * min(attempt, 20)))
            raise RegistryUnavailable(
                f"{_ATTEMPTS} attempts to write space {space[:12]}… at {self._address.shown} met"
                " another writer each time; try again later"
            )
        except RegistryUnavailable as error:
            if not in_doubt:
                raise
            raise RegistryUnavailable(
                f"{error}; the connection died while a change was being stored, so look for it"
                " with `latentprint registry history` before trying again"
            ) from error

    def _attempt(
        self, pipe: Any, keys: SpaceKeys, plan: _Plan, author: Author, in_doubt: deque[_Write]
    ) -> _Write | None:
        """Steps 1 to 4, once; None when it is to be tried again.

        redis-py reports a connection lost under WATCH as a WatchError too; then `in_doubt` gains
        the write, which Redis may have done or may still do.
        """
        index = self._reader.index(keys.space)
        for doubtful in in_doubt:
            if self._is_stored(keys, doubtful):
                return doubtful
        write = plan(index, author)
        if not write.changes:
            return write
        if not write.restored:
            head = self._head(keys, index)
            write = replace(write, changes=sealed(write.changes, keys.space, head, self._key))
        executing = False
        try:
            pipe.watch(keys.history, keys.index, keys.changes)
            if pipe.lindex(keys.history, -1) != index.last:
                pipe.unwatch()
                return None
            self._queue(pipe, keys, write)
            executing = True
            pipe.execute()
            return write
        except WatchError as error:
            lost = isinstance(error.__context__, RedisConnectionError | RedisTimeoutError)
            if lost and executing:
                in_doubt.append(write)
            return None

    def _head(self, keys: SpaceKeys, index: SpaceIndex) -> str:
        """The head of the history up to the index's revision."""
        last = [decode_change(index.last)] if index.last is not None else []
        if last and last[0].previous is None:  # of a version before the chain: all must be read
            last = list(self.history(keys.space)[: index.revision])
        return next_of(keys.space, last)

    def _login(self) -> tuple[str | None, str | None]:
        return login_of(self._client, self._address)

    def _is_stored(self, keys: SpaceKeys, write: _Write) -> bool:
        last = write.changes[-1]
        stored: bytes | None = self._client.lindex(keys.history, last.revision - 1)
        return stored == encode_change(last)

    def _queue(self, pipe: Any, keys: SpaceKeys, write: _Write) -> None:
        pipe.multi()
        for content, data in write.entries.items():
            pipe.set(keys.entry(content), data)
        pipe.hset(keys.index, mapping={row.model_id: encode_row(row) for row in write.rows})
        pipe.rpush(keys.history, *map(encode_change, write.changes))
        for change in write.changes[-self._changes_kept :]:
            pipe.xadd(
                keys.changes,
                {"change": encode_change(change)},
                id=f"{change.revision}-0",
                maxlen=self._changes_kept,
                approximate=False,
            )
        pipe.sadd(SPACES, keys.space)

    def _of_one_moment(self, keys: SpaceKeys, ask: Callable[[Any], None]) -> tuple[Any, ...]:
        return of_one_moment(self._client, self._address, keys, ask)

    def _changes_after(
        self, keys: SpaceKeys, revision: int, root: str | None
    ) -> tuple[Change, ...]:
        def ask(pipe: Any) -> None:
            pipe.llen(keys.history)
            pipe.lrange(keys.history, max(revision - 1, 0), max(revision - 1, 0))
            pipe.xrange(keys.changes, min=f"{max(revision, 0) + 1}-0")

        length, held, streamed = self._of_one_moment(keys, ask)
        return decode_streamed_changes(keys, revision, root, length, held, streamed)
