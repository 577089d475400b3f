"""What pydantic found wrong, in plain sentences: no type names, no links, no values."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from fingerprint_db.settings_sources import suggestion

_EXPECTED = {
    "int_parsing": "expected a whole number in digits, without a unit",
    "int_parsing_size": "expected a whole number of a sensible size",
    "int_type": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_parsing": "expected a number, without a unit",
    "float_type": "expected a number",
    "finite_number": "expected a finite number",
    "bool_parsing": "expected true or false",
    "bool_type": "expected true or false",
    "string_type": "expected a text",
    "path_type": "expected a path",
    "greater_than": "expected more than {gt}",
    "greater_than_equal": "expected at least {ge}",
    "less_than": "expected less than {lt}",
    "less_than_equal": "expected at most {le}",
    "literal_error": "expected {expected}",
    "tuple_type": "expected a list",
    "list_type": "expected a list",
    "dict_type": "expected a table",
    "model_type": "expected a table",
}
"""By the type of pydantic's error; what it says of others is short enough."""


def reason(detail: Mapping[str, Any]) -> str:
    """Why one value was refused, from an item of `ValidationError.errors()`."""
    if detail["type"] in _EXPECTED:
        bounds = {name: _short(value) for name, value in detail.get("ctx", {}).items()}
        return _EXPECTED[detail["type"]].format(**bounds)
    text = str(detail["msg"]).removeprefix("Value error, ")
    return text.replace("Input should be ", "expected ")


def sentences(error: ValidationError, known: Iterable[str]) -> str:
    """Every mistake in a document whose fields are the `known` names, joined by semicolons."""
    return "; ".join(_sentence(detail, list(known)) for detail in error.errors())


def _short(bound: object) -> object:
    """A bound as one writes it: 5, not 5.0."""
    return int(bound) if isinstance(bound, float) and bound.is_integer() else bound


def _sentence(detail: Mapping[str, Any], known: list[str]) -> str:
    name = ".".join(map(str, detail["loc"]))
    if detail["type"] == "missing":
        return f"{name} is missing"
    if detail["type"] == "extra_forbidden":
        return f"{name} is not known{suggestion(name, known)}"
    place = f"{name}: " if name else ""
    return f"{place}{reason(detail)}"
