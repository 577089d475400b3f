"""A space as it was read last, and what a few changes make of it.

Of a registry of 100,000 models the index alone takes a second to read and to check. A change names
its model, so that the rows of the models that changed are enough: with what is held they must give
the root that the last change carries, or all is read anew. What is held was checked when it came.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self

from fingerprint_db.lifecycle import Row, in_order
from fingerprint_db.model_fingerprint import ModelFingerprint
from fingerprint_db.redis_store.values import SpaceIndex
from fingerprint_db.snapshot import RootLines, Snapshot, entry_digest

Fetch = Callable[[Row], ModelFingerprint]
"""The model of a row, read from Redis."""


@dataclass(frozen=True, slots=True, eq=False)
class HeldSpace:
    """The rows of one moment, `index`, and the `models` of those that are in use.

    `registered` (R,) are the revisions at which the models were registered, in their order; `lines`
    is what their root is made of.
    """

    index: SpaceIndex
    models: tuple[ModelFingerprint, ...]
    registered: tuple[int, ...]
    lines: RootLines

    @classmethod
    def of(cls, index: SpaceIndex, models: dict[str, ModelFingerprint]) -> Self:
        """From the whole index, and the models of its rows by their content."""
        rows = [row for row in in_order(index.rows.values()) if row.status != "retired"]
        return cls(
            index,
            tuple(models[row.content] for row in rows),
            tuple(row.registered_revision for row in rows),
            RootLines.of(map(_line, rows)),
        )

    def snapshot(self, space: str) -> Snapshot:
        """What is judged with."""
        return Snapshot(space, self.index.revision, self.index.root, self.models)

    def by_content(self) -> dict[str, ModelFingerprint]:
        """The models by the digest of their content."""
        rows = self.index.rows
        return {rows[model.model_id].content: model for model in self.models}

    def following(
        self, revision: int, last: bytes, root: str, changed: Iterable[Row], fetch: Fetch
    ) -> "HeldSpace | None":
        """With these rows instead of those of the same models, at another revision.

        None where that does not give the root that is stated there.
        """
        rows, gone, come = dict(self.index.rows), [], []
        models, registered = self.models, self.registered
        for row in changed:
            before, known = rows.get(row.model_id), None
            if before is not None and before.status != "retired":
                place = self._place(models, registered, before)
                known = models[place] if before.content == row.content else None
                models = models[:place] + models[place + 1 :]
                registered = registered[:place] + registered[place + 1 :]
                gone.append(_line(before))
            if row.status != "retired":
                model = fetch(row) if known is None else known
                if model.status != row.status:
                    model = model.with_status(row.status)
                place = bisect_left(registered, row.registered_revision)
                one, its = (model,), (row.registered_revision,)
                models = models[:place] + one + models[place:]
                registered = registered[:place] + its + registered[place:]
                come.append(_line(row))
            rows[row.model_id] = row
        lines = self.lines.changed(gone, come)
        if lines.root() != root:
            return None
        return HeldSpace(SpaceIndex(revision, last, root, rows), models, registered, lines)

    @staticmethod
    def _place(models: tuple[ModelFingerprint, ...], registered: tuple[int, ...], row: Row) -> int:
        """Where a row's model stands."""
        place = bisect_left(registered, row.registered_revision)
        while models[place].model_id != row.model_id:  # of one revision, by an import of old
            place += 1
        return place


def _line(row: Row) -> str:
    return entry_digest(row.model_id, row.status, row.content)
