"""Models and changes as aligned plain text and as JSON objects, for people and for programs."""

from collections.abc import Sequence
from typing import Any

from fingerprint_db.change import Change
from fingerprint_db.entry_encoding import content_digest
from fingerprint_db.model_fingerprint import ModelFingerprint
from fingerprint_db.names import printable, width


def model_document(model: ModelFingerprint, *, full: bool) -> dict[str, Any]:
    """The model as a JSON object without its arrays; `full` adds the conditions."""
    document: dict[str, Any] = {
        "model_id": model.model_id,
        "name": model.name,
        "family": model.family,
        "space": model.space,
        "status": model.status,
        "dimension": model.dimension,
        "sample_count": model.sample_count,
        "registered_at": model.registered_at.isoformat(),
        "registered_by": model.registered_by,
        "reason": model.reason,
    }
    if full:
        document["content"] = content_digest(model)
        document["conditions"] = [
            {
                "condition": entry.condition,
                "count": entry.count,
                "distance_threshold": entry.distance_limit,
            }
            for entry in model.statistics
        ]
    return document


def models_text(space: str, revision: int, models: Sequence[ModelFingerprint]) -> str:
    """One line a model, under the space and its revision."""
    rows = [
        (m.model_id, m.name, m.family, m.status, str(m.sample_count), m.registered_by)
        for m in models
    ]
    heading = ("id", "name", "family", "status", "samples", "registered by")
    return f"space {space}, revision {revision}\n\n{columns(heading, rows)}"


def model_text(model: ModelFingerprint) -> str:
    """The model's facts, then one line a condition: its count and its distance limit."""
    facts = [
        ("id", model.model_id),
        ("name", model.name),
        ("family", model.family),
        ("status", model.status),
        ("space", model.space),
        ("dimension", str(model.dimension)),
        ("samples", str(model.sample_count)),
        ("registered", f"{model.registered_at:%Y-%m-%d %H:%M} by {model.registered_by}"),
        ("reason", model.reason),
        ("content", content_digest(model)),
    ]
    lines = "\n".join(f"{name:<11} {printable(value)}" for name, value in facts)
    rows = [(s.condition, str(s.count), f"{s.distance_limit:.3f}") for s in model.statistics]
    heading = ("condition", "samples", "distance limit")
    return f"{lines}\n\n{columns(heading, rows)}"


def changes_text(changes: Sequence[Change]) -> str:
    """One line a change, oldest first: `by` as they said, `login` as Redis knew them."""
    rows = [
        (
            str(c.revision),
            f"{c.at:%Y-%m-%d %H:%M}",
            c.action,
            c.model_id,
            c.status,
            c.by,
            c.login or "-",
            c.signature.key_id if c.signature else "-",
            c.reason,
        )
        for c in changes
    ]
    heading = ("revision", "at", "action", "model", "status", "by", "login", "signed by", "reason")
    return columns(heading, rows)


def columns(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Left-aligned columns, two spaces apart; the same on a terminal and in a file."""
    table = [tuple(printable(cell) for cell in row) for row in (heading, *rows)]
    widths = [max(width(row[i]) for row in table) for i in range(len(heading))]
    lines = (
        "  ".join(
            cell + " " * (wide - width(cell)) for cell, wide in zip(row, widths, strict=True)
        ).rstrip()
        for row in table
    )
    return "\n".join(lines)
