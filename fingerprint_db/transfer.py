"""Export and import: one space as one file, checked by digest, the same bit for bit afterwards.

    latentprint-registry-export 1\\n
    SHA-256 of everything below, in hexadecimal\\n
    {canonical JSON: space, rows in order of registration, history}\\n
    the encoded entries, in the order of the rows

Exporting twice without a write between gives equal files, and so does exporting a space that was
restored from an export: entries, history, revision and root all survive. What importing means is
written at `space_contents.plan_import`. The digest finds damage, not forgery.
"""

import json
from dataclasses import asdict
from typing import Any

from fingerprint_db.change import canonical_json, change_document, change_from_document
from fingerprint_db.entry_encoding import digest_of
from fingerprint_db.errors import RegistryCorrupt, WrongSettings
from fingerprint_db.lifecycle import Row, in_order, row_from_document
from fingerprint_db.registry import Registry
from fingerprint_db.space_contents import ImportReport, SpaceContents, contradiction

_FIRST_LINE = b"latentprint-registry-export 1\n"
_DIGEST_LINE_LENGTH = 65  # 64 hexadecimal digits and the newline


def export(registry: Registry, space: str) -> bytes:
    """The whole of `space` as one file's bytes; raises RegistryCorrupt if it contradicts itself."""
    contents = registry.contents(space)
    if problem := contradiction(contents):
        raise RegistryCorrupt(f"space {space}", seen=problem, expected="a space free of it")
    return encode_contents(contents)


def import_(registry: Registry, data: bytes, *, by: str, reason: str) -> ImportReport:
    """Imports an export, all or nothing.

    Raises WrongSettings when `data` is no export, RegistryCorrupt when it is a damaged one,
    ImportConflict and NameTaken as `space_contents.plan_import` says.
    """
    contents = decode_contents(data)
    return registry.absorb(contents, by=by, reason=reason)


def encode_contents(contents: SpaceContents) -> bytes:
    """The file's bytes; equal contents give equal bytes."""
    ordered = in_order(contents.rows.values())
    document = {
        "space": contents.space,
        "rows": [
            {**asdict(row), "byte_size": len(contents.entries[row.content])} for row in ordered
        ],
        "history": [change_document(change) for change in contents.history],
    }
    entries = b"".join(contents.entries[row.content] for row in ordered)
    body = canonical_json(document).encode("ascii") + b"\n" + entries
    return _FIRST_LINE + digest_of(body).encode("ascii") + b"\n" + body


def decode_contents(data: bytes) -> SpaceContents:
    """The inverse of `encode_contents`, with every digest and root checked."""
    if not data.startswith(_FIRST_LINE):
        raise WrongSettings(
            f"not a registry export: it starts with {data[:32]!r}, an export starts with"
            f" {_FIRST_LINE!r}; nothing was imported. Give a file written by"
            " `latentprint registry export`"
        )
    rest = data[len(_FIRST_LINE) :]
    stated, body = rest[:_DIGEST_LINE_LENGTH].rstrip(b"\n"), rest[_DIGEST_LINE_LENGTH:]
    if (found := digest_of(body)) != stated.decode("ascii", "replace"):
        raise _damaged(f"content with SHA-256 {found}", f"{stated.decode('ascii', 'replace')!r}")
    header, _, entries = body.partition(b"\n")
    try:
        contents = _contents(json.loads(header), entries)
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(f"a document that cannot be read ({error})", "rows and history") from error
    if problem := contradiction(contents):
        raise _damaged(problem, "an export free of it")
    return contents


def _contents(document: dict[str, Any], data: bytes) -> SpaceContents:
    rows: dict[str, Row] = {}
    entries: dict[str, bytes] = {}
    start = 0
    for fields in document["rows"]:
        byte_size = fields.pop("byte_size")
        row = row_from_document(fields)
        rows[row.model_id] = row
        entries[row.content] = data[start : start + byte_size]
        start += byte_size
    if start != len(data):
        raise ValueError(f"the entries take {len(data)} bytes, the rows announce {start}")
    history = tuple(change_from_document(change) for change in document["history"])
    return SpaceContents(document["space"], rows, history, entries)


def _damaged(seen: str, expected: str) -> RegistryCorrupt:
    return RegistryCorrupt(
        "the export file",
        seen=seen,
        expected=expected,
        remedy="nothing was imported; take the file from its source again",
    )
