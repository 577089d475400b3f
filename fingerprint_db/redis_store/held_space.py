"""A space as it was read last, and what a few changes make of it.

Of a registry of 100,000 models the index alone takes a second to read and to check. A change names
its model, so that the rows of the models that changed are enough: with what is held they must give
the root that the last change carries, or all is read anew. What is held was checked when it came.
"""

from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.lifecycle import Row, in_order
from fingerprint_db.model_fingerprint import ModelFingerprint
from fingerprint_db.redis_store.values import SpaceIndex
from fingerprint_db.snapshot import RootLines, Snapshot, entry_digest

_FEW = 1000  # rows that changed, above the others

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
    registered: NDArray[np.int64]
    lines: RootLines

    @classmethod
    def of(cls, index: SpaceIndex, models: dict[str, ModelFingerprint]) -> Self:
        """From the whole index, and the models of its rows by their content."""
        rows = [row for row in in_order(index.rows.values()) if row.status != "retired"]
        return cls(
            index,
            tuple(models[row.content] for row in rows),
            np.array([row.registered_revision for row in rows], np.int64),
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
        rows, gone, come = _over(self.index.rows), [], []
        models, registered = self.models, self.registered
        for row in changed:
            before, known = rows.get(row.model_id), None
            if before is not None and before.status != "retired":
                place = self._place(models, registered, before)
                known = models[place] if before.content == row.content else None
                models = models[:place] + models[place + 1 :]
                registered = np.delete(registered, place)
                gone.append(_line(before))
            if row.status != "retired":
                model = fetch(row) if known is None else known
                if model.status != row.status:
                    model = model.with_status(row.status)
                place = int(np.searchsorted(registered, row.registered_revision))
                models = (*models[:place], model, *models[place:])
                registered = np.insert(registered, place, row.registered_revision)
                come.append(_line(row))
            rows[row.model_id] = row
        lines = self.lines.changed(gone, come)
        if lines.root() != root:
            return None
        return HeldSpace(SpaceIndex(revision, last, root, rows), models, registered, lines)

    @staticmethod
    def _place(
        models: tuple[ModelFingerprint, ...], registered: NDArray[np.int64], row: Row
    ) -> int:
        """Where a row's model stands."""
        place = int(np.searchsorted(registered, row.registered_revision))
        while models[place].model_id != row.model_id:  # of one revision, by an import of old
            place += 1
        return place


def _over(rows: Mapping[str, Row]) -> MutableMapping[str, Row]:
    """The same to be written to, which leaves these as they are: those that change lie above the
    many that do not, which are copied once in a while."""
    if isinstance(rows, ChainMap) and len(rows.maps[0]) < _FEW:
        return ChainMap(dict(rows.maps[0]), *rows.maps[1:])
    return ChainMap({}, dict(rows))


def _line(row: Row) -> str:
    return entry_digest(row.model_id, row.status, row.content)
