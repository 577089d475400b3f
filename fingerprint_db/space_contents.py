"""SpaceContents: everything one space holds; what importing it into another registry does."""

from collections.abc import Mapping
from dataclasses import dataclass

from fingerprint_db.change import Change
from fingerprint_db.entry_encoding import decode_entry, digest_of
from fingerprint_db.errors import ImportConflict
from fingerprint_db.lifecycle import Author, Row, Step, adopt, in_order, replay


@dataclass(frozen=True, slots=True)
class SpaceContents:
    """Rows by model id, the whole history, and the encoded entries by their SHA-256."""

    space: str
    rows: Mapping[str, Row]
    history: tuple[Change, ...]
    entries: Mapping[str, bytes]

    @property
    def revision(self) -> int:
        """The revision these contents are of."""
        return len(self.history)


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did.

    `restored`: the space was empty and now equals the export, its history and revision included.
    Otherwise `added` models are new, `unchanged` ones were already there with the same content,
    and `kept_status` names those of the unchanged ones whose status differs from the export's:
    the status here stands. `photographs` are how many of a tenant's came that were not here.
    """

    space: str
    restored: bool
    added: tuple[str, ...]
    unchanged: tuple[str, ...]
    kept_status: tuple[str, ...]
    revision: int
    photographs: int = 0


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What to store for an import: rows, changes to append in order, and the report."""

    rows: tuple[Row, ...]
    changes: tuple[Change, ...]
    report: ImportReport


def contradiction(contents: SpaceContents) -> str | None:
    """The first thing in `contents` that contradicts the rest, or None when all agrees.

    Checks every digest, decodes every entry, and replays the history with its chain and roots.
    """
    for row in in_order(contents.rows.values()):
        data = contents.entries.get(row.content)
        if data is None:
            return f"the entry of {row.model_id!r} is missing"
        if digest_of(data) != row.content:
            return f"the entry of {row.model_id!r} has SHA-256 {digest_of(data)}, not {row.content}"
        try:
            model = decode_entry(data, row.status)
        except ValueError as error:
            return f"the entry of {row.model_id!r} cannot be read: {error}"
        if (model.model_id, model.name, model.space) != (row.model_id, row.name, contents.space):
            return f"the entry of {row.model_id!r} belongs to {model.model_id!r} ({model.name!r})"
    return replay(contents.space, contents.history, contents.rows)


def plan_import(
    rows: Mapping[str, Row], revision: int, incoming: SpaceContents, author: Author
) -> ImportPlan:
    """What importing `incoming` into a space with `rows` at `revision` means.

    Into an empty space it is a restoration: rows, history, revision and root become exactly the
    export's, nothing is added, and the author is not recorded. Workers that held this revision
    before the loss go on without noticing.

    Into a filled space it is a merge: each model that is missing here is added with the export's
    status, by one change `import` of its own, and a model that is here with the same content is
    left alone, its status too; importing twice changes nothing. The export's own history is not
    merged. Raises ImportConflict when an id is here with other content, NameTaken when a name is
    here under another id; then nothing is imported.
    """
    if revision == 0:
        ordered = in_order(incoming.rows.values())
        report = ImportReport(
            space=incoming.space,
            restored=True,
            added=tuple(row.model_id for row in ordered),
            unchanged=(),
            kept_status=(),
            revision=incoming.revision,
        )
        return ImportPlan(tuple(ordered), incoming.history, report)
    present = dict(rows)
    steps: list[Step] = []
    unchanged: list[Row] = []
    for foreign in in_order(incoming.rows.values()):
        here = rows.get(foreign.model_id)
        if here is None:
            step = adopt(present, revision + len(steps), foreign, author)
            present[foreign.model_id] = step.row
            steps.append(step)
        elif here.content == foreign.content:
            unchanged.append(foreign)
        else:
            raise ImportConflict(
                f"model {foreign.model_id!r} is already registered with other content (SHA-256"
                f" {here.content[:12]}…, the export's {foreign.content[:12]}…); nothing was"
                " imported. Two different models must not share an id: enrol one of them anew"
                " under another id"
            )
    report = ImportReport(
        space=incoming.space,
        restored=False,
        added=tuple(step.row.model_id for step in steps),
        unchanged=tuple(row.model_id for row in unchanged),
        kept_status=tuple(
            row.model_id for row in unchanged if rows[row.model_id].status != row.status
        ),
        revision=revision + len(steps),
    )
    return ImportPlan(
        tuple(step.row for step in steps), tuple(step.change for step in steps), report
    )
