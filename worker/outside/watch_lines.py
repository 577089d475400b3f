"""One readable line for each watched record, coloured where a terminal shows it."""

from collections.abc import Mapping
from typing import Any

import typer

from fingerprint_db.names import printable
from worker.outside.watched import Watched

_COLOURS = {
    "attributed": typer.colors.RED,
    "unknown_generator": typer.colors.MAGENTA,
    "no_evidence": typer.colors.GREEN,
    "undetermined": typer.colors.YELLOW,
}


def line(watched: Watched) -> str:
    """The record on one line; control characters of the sender never reach the terminal."""
    document = watched.document
    if watched.kind == "unreadable":
        text = f"{_place(document)}: {document['message']}"
        return f"{typer.style('unreadable', fg='yellow'):<18} {printable(text)}"
    subject = printable(str(document.get("subject") or document.get("event_id") or "-"))
    if watched.kind == "dead_letter":
        head = typer.style(f"{'dead letter':<18}", fg=typer.colors.BRIGHT_BLACK)
        why = printable(f"{document['code']}: {document['message']}")
        return f"{head} {subject}  {why}"
    outcome = str(document.get("outcome"))
    head = typer.style(f"{printable(outcome):<18}", fg=_COLOURS.get(outcome))
    if document.get("flagged") or watched.kind == "alert":
        head += typer.style(" FLAGGED", fg=typer.colors.RED, bold=True)
    return f"{head} {subject}  {printable(_detail(document))}"


def _detail(document: Mapping[str, Any]) -> str:
    parts = []
    if document.get("model"):
        parts.append(str(document["model"]))
    elif document.get("family"):
        parts.append(f"family {document['family']}")
    p_value = _p_value(document)
    if p_value is not None:
        parts.append(f"p={p_value:.4g}")
    reasons = document.get("reasons")
    if isinstance(reasons, list) and reasons:
        parts.append(f"({', '.join(str(reason) for reason in reasons)})")
    return "  ".join(parts)


def _p_value(document: Mapping[str, Any]) -> float | None:
    """That of the test that decided: of names where that passed, else with none registered."""
    for name in ("name_test", "real_test"):
        test = document.get(name)
        if not isinstance(test, dict) or not isinstance(test.get("p_value"), int | float):
            continue
        if name == "real_test" or document.get("outcome") == "attributed" or _passed(test):
            return float(test["p_value"])
    return None


def _passed(name_test: Mapping[str, Any]) -> bool:
    try:
        return bool(
            name_test["p_value"] <= name_test["alpha"]
            and name_test["worst_source_share"] <= name_test["alpha_source"]
        )
    except (KeyError, TypeError):
        return False


def _place(document: Mapping[str, Any]) -> str:
    return f"{document['topic']} {document['partition']} @ {document['offset']}"
