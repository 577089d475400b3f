"""Asks a process how it is, over HTTP, for those who can only run a command."""

import http.client
import json
from dataclasses import dataclass
from typing import Any

ANSWER_S = 4.0
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}


@dataclass(frozen=True, slots=True)
class Told:
    """What a process said; `document` is None where it said nothing that can be read."""

    holds: bool
    words: tuple[str, ...]
    document: dict[str, Any] | None


def ask(host: str, port: int, path: str) -> Told:
    """One question, one answer; whatever is no answer counts as no."""
    reached = _ANY_ADDRESS.get(host, host)
    connection = http.client.HTTPConnection(reached, port, timeout=ANSWER_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        document = json.loads(body)
    except (OSError, http.client.HTTPException, ValueError) as error:
        words = f"no answer from {reached}:{port} ({type(error).__name__}: {error}); does it run?"
        return Told(False, (words,), None)
    finally:
        connection.close()
    if not isinstance(document, dict):
        return Told(False, (f"{reached}:{port} answers, but is no worker of Latentprint",), None)
    return Told(answer.status == 200, tuple(_words(document)), document)


def _words(document: dict[str, Any]) -> list[str]:
    """One line a check, those of slots after their numbers."""
    lines = [_line(check) for check in document.get("checks", [])]
    for slot, state in document.get("slots", {}).items():
        lines += [f"slot {slot}: {_line(check)}" for check in state.get("checks", [])]
    return lines or [str(document.get("error", "nothing more was said"))]


def _line(check: dict[str, Any]) -> str:
    return f"{'ok' if check.get('ok') else 'NOT'}  {check.get('check')}: {check.get('seen')}"
