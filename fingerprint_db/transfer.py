"""Export and import: one space as one file, checked by digest, the same bit for bit afterwards.

    latentprint-registry-export 1\\n, or 2 with a tenant's photographs
    SHA-256 of everything below, in hexadecimal\\n
    {canonical JSON: space, rows in order of registration, history, in 2 photographs}\\n
    the encoded entries, in the order of the rows
    in 2 the encoded parts of the photographs, in the order of storing

Exporting twice without a write between gives equal files, and so does exporting a space that was
restored from an export: entries, history, revision and root all survive, photographs with theirs
too. What importing means is written at `space_contents.plan_import` and `calibration.joined`. The
digest finds damage, not forgery.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from fingerprint_db.calibration import (
    Calibration,
    calibration_from,
    joined,
    written_document,
)
from fingerprint_db.calibration_encoding import decode_part, encode_part
from fingerprint_db.change import canonical_json, change_document, change_from_document, utc_now
from fingerprint_db.entry_encoding import digest_of
from fingerprint_db.errors import RegistryCorrupt, WrongSettings
from fingerprint_db.lifecycle import Author, Row, in_order, row_from_document
from fingerprint_db.registry import Registry
from fingerprint_db.space_contents import ImportReport, SpaceContents, contradiction

_FIRST_LINE = b"latentprint-registry-export 1\n"
_WITH_PHOTOGRAPHS = b"latentprint-registry-export 2\n"
_DIGEST_LINE_LENGTH = 65  # 64 hexadecimal digits and the newline


@dataclass(frozen=True, slots=True)
class Export:
    """What an export holds of one space: its models, and the photographs that calibrate it."""

    contents: SpaceContents
    calibration: Calibration


def export(registry: Registry, space: str) -> bytes:
    """The whole of `space` as one file's bytes; raises RegistryCorrupt if it contradicts itself."""
    contents = registry.contents(space)
    if problem := contradiction(contents):
        raise RegistryCorrupt(f"space {space}", seen=problem, expected="a space free of it")
    return encode_export(Export(contents, registry.calibration(space)))


def import_(registry: Registry, data: bytes, *, by: str, reason: str) -> ImportReport:
    """Imports an export.

    Raises WrongSettings when `data` is no export, RegistryCorrupt when it is a damaged one, and
    what `absorb` raises.
    """
    return absorb(registry, decode_export(data), by=by, reason=reason)


def absorb(registry: Registry, given: Export, *, by: str, reason: str) -> ImportReport:
    """Imports what was decoded: the models all or none, then the photographs, all or none.

    Raises ImportConflict and NameTaken as `space_contents.plan_import` says, and WrongSettings
    where there would be too many photographs; then nothing is imported, unless somebody else
    stores photographs at the same moment.
    """
    space, photographs = given.contents.space, given.calibration
    before = registry.calibration(space)
    joined(before, photographs, Author(utc_now(), by, reason))  # refuses what cannot be
    report = registry.absorb(given.contents, by=by, reason=reason)
    if not photographs.revision:
        return report
    after = registry.absorb_calibration(photographs, by=by, reason=reason)
    return replace(report, photographs=len(after.identities() - before.identities()))


def encode_export(given: Export) -> bytes:
    """The file's bytes; equal contents give equal bytes."""
    contents, calibration = given.contents, given.calibration
    ordered = in_order(contents.rows.values())
    document: dict[str, Any] = {
        "space": contents.space,
        "rows": [
            {**asdict(row), "byte_size": len(contents.entries[row.content])} for row in ordered
        ],
        "history": [change_document(change) for change in contents.history],
    }
    pieces = [contents.entries[row.content] for row in ordered]
    if calibration.written is not None:
        parts = [encode_part(contents.space, part) for part in calibration.parts.values()]
        document["photographs"] = {
            **written_document(calibration),
            "parts": [{"content": digest_of(one), "byte_size": len(one)} for one in parts],
        }
        pieces += parts
    body = canonical_json(document).encode("ascii") + b"\n" + b"".join(pieces)
    first = _FIRST_LINE if calibration.written is None else _WITH_PHOTOGRAPHS
    return first + digest_of(body).encode("ascii") + b"\n" + body


def decode_export(data: bytes) -> Export:
    """The inverse of `encode_export`, with every digest and root checked."""
    if not data.startswith((_FIRST_LINE, _WITH_PHOTOGRAPHS)):
        raise WrongSettings(
            f"not a registry export: it starts with {data[:32]!r}, an export starts with"
            f" {_FIRST_LINE!r} or {_WITH_PHOTOGRAPHS!r}; nothing was imported. Give a file written"
            " by `latentprint registry export`"
        )
    rest = data[len(_FIRST_LINE) :]
    stated, body = rest[:_DIGEST_LINE_LENGTH].rstrip(b"\n"), rest[_DIGEST_LINE_LENGTH:]
    if (found := digest_of(body)) != stated.decode("ascii", "replace"):
        raise _damaged(f"content with SHA-256 {found}", f"{stated.decode('ascii', 'replace')!r}")
    header, _, pieces = body.partition(b"\n")
    try:
        document = json.loads(header)
        if ("photographs" in document) != data.startswith(_WITH_PHOTOGRAPHS):
            raise ValueError("the first line and the document disagree on photographs")
        given = _decoded(document, pieces)
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(
            f"a document that cannot be read ({error})", "rows, history and photographs"
        ) from error
    if problem := contradiction(given.contents):
        raise _damaged(problem, "an export free of it")
    return given


def _decoded(document: dict[str, Any], data: bytes) -> Export:
    space, stated = document["space"], document.get("photographs")
    parts = stated["parts"] if stated else []
    sizes = [fields.pop("byte_size") for fields in (*document["rows"], *parts)]
    if sum(sizes) != len(data):
        raise ValueError(
            f"entries and photographs take {len(data)} bytes, the document announces {sum(sizes)}"
        )
    pieces = _cut(data, sizes)
    rows: dict[str, Row] = {}
    entries: dict[str, bytes] = {}
    for fields in document["rows"]:
        row = row_from_document(fields)
        rows[row.model_id] = row
        entries[row.content] = next(pieces)
    history = tuple(change_from_document(change) for change in document["history"])
    contents = SpaceContents(space, rows, history, entries)
    return Export(contents, _photographs(space, stated, pieces))


def _photographs(space: str, stated: dict[str, Any] | None, pieces: Iterable[bytes]) -> Calibration:
    """ValueError for photographs that are damaged, or of another space than the models."""
    if stated is None:
        return Calibration.empty(space)
    parts = {}
    for fields, piece in zip(stated["parts"], pieces, strict=True):
        digest = digest_of(piece)
        if digest != fields["content"]:
            raise ValueError(f"photographs have SHA-256 {digest}, not {fields['content']}")
        parts[digest] = decode_part(space, piece)
    found = calibration_from(space, stated, parts)
    if found.revision < 1:
        raise ValueError(f"photographs of revision {found.revision}; the first write makes 1")
    return found


def _cut(data: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    """Pieces of these sizes, one after another."""
    start = 0
    for size in sizes:
        yield data[start : start + size]
        start += size


def _damaged(seen: str, expected: str) -> RegistryCorrupt:
    return RegistryCorrupt(
        "the export file",
        seen=seen,
        expected=expected,
        remedy="nothing was imported; take the file from its source again",
    )
