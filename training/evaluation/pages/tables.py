"""Markdown tables, and the line that says how figures came about."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Document = Mapping[str, Any]
Rows = Sequence[Mapping[str, Any]]


def made_by(document: Document) -> str:
    """Command, date, machine, commit, bundle and policy: beside every figure.

    Baselines have neither bundle nor policy.
    """
    head = document["made_by"]
    made = (
        f"Made by `{head['command']}` on {head['date']} ({head['machine']}), commit"
        f" {head['commit']}"
    )
    if "bundle" not in head:
        return f"{made}."
    levels = head["policy"]
    stated = ", ".join(f"{k} {levels[k]}" for k in sorted(levels) if k.startswith("alpha"))
    return f"{made}; bundle `{head['bundle'][:12]}`" + (f", {stated}." if stated else ".")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table, and an empty one behind it."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    escaped = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    return [*lines, *("| " + " | ".join(row) + " |" for row in escaped), ""]


def percent(share: float | None) -> str:
    """0.987 as 98.7."""
    return "-" if share is None else f"{100 * share:.1f}"
