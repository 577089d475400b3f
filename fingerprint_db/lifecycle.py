"""What each write does to a space, as pure functions: rows before -> row and change after.

Both registries call these and only store the result, so they cannot disagree about the rules.

    register -> shadow or live;  promote: shadow -> live;  retire: shadow or live -> retired;
    restore: retired -> the status it had before;  endorse: any, and it stays
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Literal, get_args

from fingerprint_db.change import Action, Change, broken_link, canonical_json
from fingerprint_db.errors import (
    IdTaken,
    NameTaken,
    RevisionMoved,
    UnknownModel,
    UnsignedChange,
    WrongStatus,
)
from fingerprint_db.model_fingerprint import ModelFingerprint, Status
from fingerprint_db.snapshot import entry_digest, root_of

_WORDS: dict[str, Status] = {word: word for word in get_args(Status)}
_FORMER: tuple[Status | None, ...] = (None, "shadow", "live")

Move = Literal["promote", "retire", "restore", "endorse"]


@dataclass(frozen=True, slots=True)
class Row:
    """What the index knows of one model; the bulk is in the entry named by `content`.

    `registered_revision` orders the models. `former` is the status before retirement, else None.
    """

    model_id: str
    name: str
    status: Status
    former: Status | None
    registered_revision: int
    content: str


def row_from_document(document: Any) -> Row:
    """A row from its JSON object; raises ValueError on anything else."""
    try:
        row = Row(**document)
    except TypeError as error:
        raise ValueError(f"not a row of the index: {error}") from error
    if row.status not in get_args(Status) or row.former not in (None, *get_args(Status)):
        raise ValueError(f"unknown status {row.status!r} or {row.former!r}")
    # A registry has many rows and few words for their status: each is kept once.
    return replace(row, status=_WORDS[row.status], former=row.former and _WORDS[row.former])


def encode_row(row: Row) -> bytes:
    """The row as bytes; equal rows give equal bytes."""
    return canonical_json(asdict(row)).encode("ascii")


def row_digest(row: Row) -> str:
    """SHA-256 of the row: everything that the index says of a model, its content's digest too."""
    return hashlib.sha256(encode_row(row)).hexdigest()


@dataclass(frozen=True, slots=True)
class Author:
    """When, by whom and why a write is made; `login` and `no_login` as `Change` says."""

    at: datetime
    by: str
    reason: str
    login: str | None = None
    no_login: str | None = None

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ValueError(f"the clock gave {self.at.isoformat()}, a time without a zone")
        if not self.by.strip() or not self.reason.strip():
            raise UnsignedChange(
                f"a change needs an author and a reason, got by={self.by!r},"
                f" reason={self.reason!r}; both are kept in the history"
            )


@dataclass(frozen=True, slots=True)
class Step:
    """The result of one write: the row to store and the change to append."""

    row: Row
    change: Change


def rows_root(rows: Iterable[Row]) -> str:
    """The root of a space with these rows; retired ones do not count."""
    return root_of(
        entry_digest(row.model_id, row.status, row.content)
        for row in rows
        if row.status != "retired"
    )


def in_order(rows: Iterable[Row]) -> list[Row]:
    """The rows in order of registration."""
    return sorted(rows, key=lambda row: row.registered_revision)


def register(
    rows: Mapping[str, Row],
    revision: int,
    model: ModelFingerprint,
    content: str,
    author: Author,
    seen: int | None = None,
) -> Step:
    """Registers `model`; raises IdTaken, NameTaken, or WrongStatus when it comes retired.

    `seen` is the revision that it was judged against, if it was; RevisionMoved where the space is
    at another one.
    """
    if seen is not None and seen != revision:
        raise RevisionMoved(model.name, seen, revision)
    if model.status == "retired":
        raise WrongStatus(
            f"model {model.model_id!r} comes with status 'retired'; register it as 'shadow' or"
            " 'live', then retire it"
        )
    if model.model_id in rows:
        taken = rows[model.model_id]
        raise IdTaken(
            f"the id {model.model_id!r} belongs to {taken.name!r} ({taken.status}); an id is never"
            " used twice. Register under another id, or restore that model"
        )
    row = Row(model.model_id, model.name, model.status, None, revision + 1, content)
    require_free_name(rows, row)
    return _step(rows, revision, row, "register", author)


def move(
    rows: Mapping[str, Row], revision: int, space: str, model_id: str, verb: Move, author: Author
) -> Step:
    """Changes a model's status; raises UnknownModel, WrongStatus, NameTaken (restore)."""
    row = rows.get(model_id)
    if row is None:
        raise UnknownModel(space, model_id)
    allowed: dict[Move, tuple[Status, ...]] = {
        "promote": ("shadow",),
        "retire": ("shadow", "live"),
        "restore": ("retired",),
        "endorse": ("shadow", "live", "retired"),
    }
    if row.status not in allowed[verb]:
        raise WrongStatus(
            f"cannot {verb} {model_id!r}: its status is {row.status!r}, {verb} needs"
            f" {' or '.join(map(repr, allowed[verb]))}; nothing was changed"
        )
    if verb == "promote":
        moved = replace(row, status="live")
    elif verb == "retire":
        moved = replace(row, status="retired", former=row.status)
    elif verb == "endorse":
        moved = row
    else:
        moved = replace(row, status=row.former or "shadow", former=None)
        require_free_name(rows, moved)
    return _step(rows, revision, moved, verb, author)


def adopt(rows: Mapping[str, Row], revision: int, foreign: Row, author: Author) -> Step:
    """Adds a row of an export, with the status it has there; raises NameTaken."""
    row = replace(foreign, registered_revision=revision + 1)
    if row.status != "retired":
        require_free_name(rows, row)
    return _step(rows, revision, row, "import", author)


def require_free_name(rows: Mapping[str, Row], row: Row) -> None:
    """Raises NameTaken when another model that is not retired has the row's name."""
    for other in rows.values():
        if other.name == row.name and other.model_id != row.model_id and other.status != "retired":
            raise NameTaken(
                f"the name {row.name!r} belongs to model {other.model_id!r} ({other.status});"
                f" {row.model_id!r} was not added. Choose another name, or retire"
                f" {other.model_id!r} first"
            )


def replay(space: str, history: Sequence[Change], rows: Mapping[str, Row]) -> str | None:
    """Checks that `history` leads to exactly `rows`; returns the first contradiction, else None.

    Its chain is followed, and every root and row recomputed on the way, so a flipped status, a
    swapped entry and an edited, lost or reordered change all show.
    """
    if broken := broken_link(space, history):
        return broken
    present: dict[str, Row] = {}
    for change in history:
        at = f"revision {change.revision}"
        if change.model_id not in rows:
            return f"{at} names {change.model_id!r}, which the index lacks"
        if (change.action in ("register", "import")) == (change.model_id in present):
            return f"{at} does {change.action} of {change.model_id!r} out of turn"
        row = present.get(change.model_id) or replace(
            rows[change.model_id], registered_revision=change.revision, former=None
        )
        present[change.model_id] = after = _replayed(row, change)
        if change.row not in (None, row_digest(after)):
            return f"{at} carries the digest of another row than {after}"
        if rows_root(present.values()) != change.root:
            return f"{at} carries a root that its entries do not give"
    if unexplained := sorted(rows.keys() - present.keys()):
        return f"the index holds {unexplained[0]!r}, which no change registered"
    for model_id, row in rows.items():
        replayed = present[model_id]
        if history_forgets_former(history, model_id):
            replayed = replace(replayed, former=row.former)
        if replayed != row:
            return f"the index says {row}, the history gives {replayed}"
    return None


def _replayed(row: Row, change: Change) -> Row:
    """The row after a change.

    A model that was imported as retired has a former status that no change of its own gave it: the
    digest of the row tells which.
    """
    former = row.status if change.action == "retire" else None
    if change.action in ("import", "endorse") and change.status == "retired":
        former = row.former
        for possible in _FORMER:
            if row_digest(replace(row, status="retired", former=possible)) == change.row:
                former = possible
    return replace(row, status=change.status, former=former)


def history_forgets_former(history: Sequence[Change], model_id: str) -> bool:
    """Whether the model was imported as retired, before changes had a digest of the row, and never
    moved since: the index alone knows.
    """
    last = [change for change in history if change.model_id == model_id][-1]
    return last.action == "import" and last.status == "retired" and last.row is None


def _step(rows: Mapping[str, Row], revision: int, row: Row, action: Action, author: Author) -> Step:
    after = {**rows, row.model_id: row}
    change = Change(
        revision=revision + 1,
        action=action,
        model_id=row.model_id,
        at=author.at,
        by=author.by,
        reason=author.reason,
        status=row.status,
        root=rows_root(after.values()),
        row=row_digest(row),
        login=author.login,
        no_login=author.no_login,
    )
    return Step(row, change)
