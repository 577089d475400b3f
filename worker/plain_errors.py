"""What pydantic found wrong, in plain sentences: no type names, no links, no values."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from fingerprint_db.settings_sources import suggestion


def reason(detail: Mapping[str, Any]) -> str:
    """Why one value was refused, from an item of `ValidationError.errors()`."""
    text = str(detail["msg"]).removeprefix("Value error, ")
    return text.replace("Input should be ", "expected ")


def sentences(error: ValidationError, known: Iterable[str]) -> str:
    """Every mistake in a document whose fields are the `known` names, joined by semicolons."""
    return "; ".join(_sentence(detail, list(known)) for detail in error.errors())


def _sentence(detail: Mapping[str, Any], known: list[str]) -> str:
    name = ".".join(map(str, detail["loc"]))
    if detail["type"] == "missing":
        return f"{name} is missing"
    if detail["type"] == "extra_forbidden":
        return f"{name} is not known{suggestion(name, known)}"
    place = f"{name}: " if name else ""
    return f"{place}{reason(detail)}"
