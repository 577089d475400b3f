"""The worker's settings from their sources, checked; every mistake of every source at once.

The sources are read by `fingerprint_db.settings_sources`, the one reader of the program. Secrets
are masked.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from fingerprint_db.redis_store.address import masked
from fingerprint_db.settings_sources import (
    NOT_SETTINGS,
    PREFIX,
    Found,
    SettingPath,
    file_twin,
    mistakes_text,
    read_sources,
    variable,
)
from worker.errors import StopError
from worker.plain_errors import reason
from worker.settings.settings import Settings
from worker.settings_rules import contradictions

__all__ = [
    "NOT_SETTINGS",
    "PREFIX",
    "Given",
    "SettingsError",
    "file_twin",
    "is_secret",
    "load_settings",
    "load_with_sources",
    "setting_fields",
    "variable",
]


_MOST_SHOWN = 200
"""Signs of a value in a message: enough for a path, too few for a file that was pasted."""


class SettingsError(StopError):
    """One or more settings are wrong; the message lists all of them."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__(mistakes_text(mistakes), exit_code=2)
        self.mistakes = mistakes


def load_settings(
    *,
    environment: Mapping[str, str],
    flags: Mapping[str, object] | None = None,
    config_file: Path | None = None,
) -> Settings:
    """The settings of this process, or SettingsError with every mistake.

    `flags` maps dotted names ("kafka.brokers") to values; None means not given. The file is
    `config_file` or LATENTPRINT_CONFIG.
    """
    return load_with_sources(environment=environment, flags=flags, config_file=config_file)[0]


@dataclass(frozen=True, slots=True)
class Given:
    """A setting that some source gave: its dotted name, its value to show, where it came from."""

    name: str
    shown: str
    source: str


def load_with_sources(
    *,
    environment: Mapping[str, str],
    flags: Mapping[str, object] | None = None,
    config_file: Path | None = None,
) -> tuple[Settings, tuple[Given, ...]]:
    """As `load_settings`, and what is no default with its source, secrets masked."""
    fields = dict(setting_fields())
    secrets = [path for path, field in fields.items() if is_secret(field)]
    sources = read_sources(
        fields, environment, flags=flags, config_file=config_file, secrets=secrets
    )
    mistakes = list(sources.mistakes)
    settings, wrong = _validate(sources.values, mistakes)
    mistakes.extend(_contradictions(settings, sources.values, wrong))
    if mistakes:
        raise SettingsError(mistakes)
    given = tuple(
        Given(
            ".".join(path), _shown(sources.values[path].value, field), sources.values[path].source
        )
        for path, field in fields.items()
        if path in sources.values
    )
    return settings, given


def setting_fields() -> Iterator[tuple[SettingPath, FieldInfo]]:
    """Every setting with its path, ("kafka", "brokers") or ("profile",), in order."""
    for name, field in Settings.model_fields.items():
        group = field.annotation
        if isinstance(group, type) and issubclass(group, BaseModel):
            for inner, inner_field in group.model_fields.items():
                yield (name, inner), inner_field
        else:
            yield (name,), field


def is_secret(field: FieldInfo) -> bool:
    """Whether the value must never be printed."""
    return "SecretStr" in str(field.annotation)


def _validate(
    values: Mapping[SettingPath, Found], mistakes: list[str]
) -> tuple[Settings, frozenset[SettingPath]]:
    """The settings, with defaults in place of values that are wrong, and which those are."""
    try:
        return Settings.model_validate(_document(values)), frozenset()
    except ValidationError as error:
        fields = dict(setting_fields())
        wrong = set()
        for detail in error.errors():
            path = tuple(str(part) for part in detail["loc"])[:2]
            found = values.get(path, Found(detail["input"], "unknown source"))
            shown = _shown(found.value, fields.get(path))
            mistakes.append(f"{variable(path)}={shown} ({found.source}): {reason(detail)}")
            wrong.add(path)
        right = {path: found for path, found in values.items() if path not in wrong}
        return Settings.model_validate(_document(right)), frozenset(wrong)


def _document(values: Mapping[SettingPath, Found]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for path, found in values.items():
        if len(path) == 1:
            document[path[0]] = found.value
        else:
            document.setdefault(path[0], {})[path[1]] = found.value
    return document


def _contradictions(
    settings: Settings, values: Mapping[SettingPath, Found], wrong: frozenset[SettingPath]
) -> Iterator[str]:
    """The rules that do not hold, each with where its settings come from.

    A rule names its settings in its text. One that rests on a value that is wrong itself is left
    for the next round: a default stands there, which nobody chose.
    """
    for text in contradictions(settings):
        involved = [path for path, _ in setting_fields() if _names(text, ".".join(path))]
        if wrong.intersection(involved):
            continue
        sources = [
            f"{'.'.join(path)}: {values[path].source if path in values else 'default'}"
            for path in involved
        ]
        yield f"{text} ({', '.join(sources)})" if sources else text


def _names(text: str, dotted: str) -> bool:
    """Whether `text` names the setting, and not one whose name only begins alike."""
    before, found, after = text.partition(dotted)
    return bool(found) and not (before[-1:].isalnum() or after[:1].isalnum() or after[:1] == "_")


def _shown(value: object, field: FieldInfo | None) -> str:
    """The value for a message; of what may hold a password, an address with an @, no more."""
    if isinstance(value, SecretStr) or (field is not None and is_secret(field)):
        return "***"
    if isinstance(value, str) and "@" in value:
        return repr(masked(value))
    shown = repr(value)
    return shown if len(shown) <= _MOST_SHOWN else f"{shown[:_MOST_SHOWN]}…"
