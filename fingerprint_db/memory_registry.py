"""MemoryRegistry: the registry in a dict, for tests, the demo and one-off scans."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from fingerprint_db.calibration import Calibration
from fingerprint_db.change import Change, Clock, next_of, sealed, utc_now
from fingerprint_db.entry_encoding import decode_entry, digest_of, encode_entry
from fingerprint_db.errors import RevisionGap, UnknownModel
from fingerprint_db.lifecycle import (
    Author,
    Move,
    Row,
    Step,
    in_order,
    move,
    register,
    rows_root,
)
from fingerprint_db.model_fingerprint import ModelFingerprint, Status
from fingerprint_db.registry import CalibrationStep, Registry
from fingerprint_db.signing.keys import SigningKey
from fingerprint_db.snapshot import EMPTY_ROOT, Snapshot
from fingerprint_db.space_contents import ImportReport, SpaceContents, plan_import


@dataclass(slots=True)
class _Space:
    rows: dict[str, Row] = field(default_factory=dict)
    history: list[Change] = field(default_factory=list)
    entries: dict[str, bytes] = field(default_factory=dict)


class MemoryRegistry(Registry):
    """Keeps every space in this process; safe to share between threads."""

    def __init__(
        self, *, clock: Clock = utc_now, key: SigningKey | None = None, login: str | None = None
    ) -> None:
        """`login` is what changes say that they were made by; nobody logs in here."""
        self._clock = clock
        self._key = key
        self._known_login = login
        self._spaces: dict[str, _Space] = {}
        self._calibrations: dict[str, Calibration] = {}
        self._changed = threading.Condition()

    def register(
        self, model: ModelFingerprint, *, by: str, reason: str, seen: int | None = None
    ) -> Change:
        data = encode_entry(model)
        content = digest_of(data)

        def step(rows: Mapping[str, Row], revision: int, author: Author) -> Step:
            return register(rows, revision, model, content, author, seen)

        return self._write(model.space, step, by, reason, {content: data})

    def promote(self, space: str, model_id: str, *, by: str, reason: str) -> Change:
        return self._move(space, model_id, "promote", by, reason)

    def retire(self, space: str, model_id: str, *, by: str, reason: str) -> Change:
        return self._move(space, model_id, "retire", by, reason)

    def restore(self, space: str, model_id: str, *, by: str, reason: str) -> Change:
        return self._move(space, model_id, "restore", by, reason)

    def endorse(self, space: str, model_id: str, *, by: str, reason: str) -> Change:
        return self._move(space, model_id, "endorse", by, reason)

    def get(self, space: str, model_id: str) -> ModelFingerprint:
        held = self._held(space)
        row = held.rows.get(model_id)
        if row is None:
            raise UnknownModel(space, model_id)
        return decode_entry(held.entries[row.content], row.status)

    def list(self, space: str, *, status: Status | None = None) -> tuple[ModelFingerprint, ...]:
        with self._changed:
            held = self._held(space)
            rows = in_order(row for row in held.rows.values() if status in (None, row.status))
        return tuple(decode_entry(held.entries[row.content], row.status) for row in rows)

    def history(self, space: str, model_id: str | None = None) -> tuple[Change, ...]:
        with self._changed:
            held = self._held(space)
            if model_id is not None and model_id not in held.rows:
                raise UnknownModel(space, model_id)
            return tuple(c for c in held.history if model_id in (None, c.model_id))

    def change(self, space: str, revision: int) -> Change | None:
        with self._changed:
            history = self._held(space).history
            return history[revision - 1] if 1 <= revision <= len(history) else None

    def snapshot(self, space: str) -> Snapshot:
        with self._changed:
            held = self._held(space)
            rows, revision = in_order(held.rows.values()), len(held.history)
        models = tuple(
            decode_entry(held.entries[row.content], row.status)
            for row in rows
            if row.status != "retired"
        )
        return Snapshot(space=space, revision=revision, root=rows_root(rows), models=models)

    def follow(
        self, space: str, revision: int, *, block_s: float, root: str | None = None
    ) -> tuple[Change, ...]:
        with self._changed:
            self._changed.wait_for(
                lambda: len(self._held(space).history) != revision, timeout=max(block_s, 0.0)
            )
            history = self._held(space).history
            if revision < 0 or len(history) < revision:
                raise RevisionGap(
                    f"revision {revision} is held, the registry is at {len(history)}: it was"
                    " emptied or rolled back; take a new snapshot"
                )
            here = history[revision - 1].root if revision else EMPTY_ROOT
            if root is not None and root != here:
                raise RevisionGap(
                    f"revision {revision} is held with root {root[:12]}…, the registry had"
                    f" {here[:12]}… there: it was replaced; take a new snapshot"
                )
            return tuple(history[revision:])

    def revision(self, space: str) -> int:
        return len(self._held(space).history)

    def spaces(self) -> tuple[str, ...]:
        with self._changed:
            calibrated = {name for name, held in self._calibrations.items() if held.revision}
            return tuple(sorted(calibrated.union(self._spaces)))

    def contents(self, space: str) -> SpaceContents:
        with self._changed:
            held = self._held(space)
            return SpaceContents(space, dict(held.rows), tuple(held.history), dict(held.entries))

    def absorb(self, contents: SpaceContents, *, by: str, reason: str) -> ImportReport:
        with self._changed:
            held = self._held(contents.space)
            author = self._author(by, reason)
            plan = plan_import(held.rows, len(held.history), contents, author)
            changes = plan.changes
            if not plan.report.restored:
                changes = self._sealed(contents.space, held, changes)
            for row in plan.rows:
                held.rows[row.model_id] = row
                held.entries[row.content] = contents.entries[row.content]
            held.history.extend(changes)
            if changes:
                self._spaces[contents.space] = held
                self._changed.notify_all()
        return plan.report

    def calibration(self, space: str) -> Calibration:
        with self._changed:
            return self._calibrations.setdefault(space, Calibration.empty(space))

    def _write_calibration(
        self, space: str, step: CalibrationStep, data: Mapping[str, bytes]
    ) -> Calibration:
        with self._changed:
            held = self._calibrations.get(space) or Calibration.empty(space)
            self._calibrations[space] = step(held)
            return self._calibrations[space]

    def _move(self, space: str, model_id: str, verb: Move, by: str, reason: str) -> Change:
        def step(rows: Mapping[str, Row], revision: int, author: Author) -> Step:
            return move(rows, revision, space, model_id, verb, author)

        return self._write(space, step, by, reason, {})

    def _write(
        self,
        space: str,
        step: Callable[[Mapping[str, Row], int, Author], Step],
        by: str,
        reason: str,
        entries: Mapping[str, bytes],
    ) -> Change:
        with self._changed:
            held = self._held(space)
            done = step(held.rows, len(held.history), self._author(by, reason))
            (change,) = self._sealed(space, held, [done.change])
            held.rows[done.row.model_id] = done.row
            held.history.append(change)
            held.entries.update(entries)
            self._spaces[space] = held
            self._changed.notify_all()
        return change

    def _sealed(self, space: str, held: _Space, changes: Sequence[Change]) -> tuple[Change, ...]:
        return sealed(changes, space, next_of(space, held.history), self._key)

    def _login(self) -> tuple[str | None, str | None]:
        return self._known_login, None if self._known_login else "kept in memory: nobody logs in"

    def _held(self, space: str) -> _Space:
        """The space as kept, or an empty one that is not kept yet."""
        return self._spaces.get(space) or _Space()
