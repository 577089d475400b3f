"""Where settings come from: flags, then environment, then a TOML file, then the local services.

Every mistake of every source is reported at once, with the variable, the value, where it came from
and what was expected. Secrets are masked. Unknown variables under the prefix are mistakes too: a
misspelt setting that is silently ignored is the most expensive kind.
"""

import difflib
import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from worker.errors import StopError
from worker.settings import Settings, contradictions

PREFIX = "LATENTPRINT_"
NOT_SETTINGS = frozenset({"CACHE", "STATE", "CONFIG", "FAILPOINT"})
"""LATENTPRINT_* variables that others read: caches, services' state, this file, scenario tests."""

SettingPath = tuple[str, ...]


class SettingsError(StopError):
    """One or more settings are wrong; the message lists all of them."""

    def __init__(self, mistakes: list[str]) -> None:
        lines = "\n".join(f"  {mistake}" for mistake in mistakes)
        count = f"{len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''}"
        super().__init__(f"{count} in the settings; nothing was started\n{lines}", exit_code=2)
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
    mistakes: list[str] = []
    values: dict[SettingPath, tuple[object, str]] = {}
    for path, value in _services_state(environment):
        values[path] = (value, "the local services' state file")
    named = config_file or (
        Path(environment[f"{PREFIX}CONFIG"]) if environment.get(f"{PREFIX}CONFIG") else None
    )
    if named is not None:
        _read_file(named, values, mistakes)
    _read_environment(environment, values, mistakes)
    for dotted, value in (flags or {}).items():
        if value is not None:
            values[tuple(dotted.split("."))] = (value, f"flag for {dotted}")
    settings = _validate(values, mistakes)
    if settings is not None:
        mistakes.extend(contradictions(settings))
    if mistakes or settings is None:
        raise SettingsError(mistakes)
    return settings


def setting_fields() -> Iterator[tuple[SettingPath, FieldInfo]]:
    """Every setting with its path, ("kafka", "brokers") or ("profile",), in order."""
    for name, field in Settings.model_fields.items():
        group = field.annotation
        if isinstance(group, type) and issubclass(group, BaseModel):
            for inner, inner_field in group.model_fields.items():
                yield (name, inner), inner_field
        else:
            yield (name,), field


def variable(path: SettingPath) -> str:
    """The environment variable of a setting."""
    return PREFIX + "__".join(path).upper()


def is_secret(field: FieldInfo) -> bool:
    """Whether the value must never be printed."""
    return "SecretStr" in str(field.annotation)


def services_state_file(environment: Mapping[str, str]) -> Path:
    """Where `latentprint services up` writes what it started."""
    named = environment.get(f"{PREFIX}STATE")
    home = Path(environment.get("HOME", "~")).expanduser()
    return Path(named) if named else home / ".local" / "state" / "latentprint" / "services.json"


def _services_state(environment: Mapping[str, str]) -> Iterator[tuple[SettingPath, object]]:
    """The addresses of services that run; a missing or unreadable file simply says nothing."""
    try:
        state = json.loads(services_state_file(environment).read_text(encoding="utf-8"))
        found = ((("kafka", "brokers"), "kafka"), (("redis", "url"), "redis"))
        addresses = [
            (path, state[service][path[-1]]) for path, service in found if service in state
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return
    yield from addresses


def _read_file(
    path: Path, values: dict[SettingPath, tuple[object, str]], mistakes: list[str]
) -> None:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        mistakes.append(f"{path}: cannot be read ({error.strerror}); expected a TOML file")
        return
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        mistakes.append(f"{path}: {error}; expected TOML")
        return
    known = dict(setting_fields())
    for name, content in document.items():
        for inner, value in content.items() if isinstance(content, dict) else [(None, content)]:
            at = (name,) if inner is None else (name, inner)
            if at in known:
                values[at] = (value, str(path))
            else:
                dotted = ".".join(at)
                mistakes.append(
                    f"{dotted} in {path}: no such setting"
                    + _suggestion(dotted, [".".join(p) for p in known])
                )


def _read_environment(
    environment: Mapping[str, str],
    values: dict[SettingPath, tuple[object, str]],
    mistakes: list[str],
) -> None:
    known = {variable(path): path for path, _ in setting_fields()}
    for name, value in sorted(environment.items()):
        if not name.startswith(PREFIX) or name[len(PREFIX) :] in NOT_SETTINGS:
            continue
        if name not in known:
            mistakes.append(
                f"{name}: no such setting{_suggestion(name, known)}; unset or correct it"
            )
        elif value != "":
            values[known[name]] = (value, "environment")


def _suggestion(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f", did you mean {close[0]}?" if close else ""


def _validate(
    values: Mapping[SettingPath, tuple[object, str]], mistakes: list[str]
) -> Settings | None:
    document: dict[str, Any] = {}
    for path, (value, _) in values.items():
        if len(path) == 1:
            document[path[0]] = value
        else:
            document.setdefault(path[0], {})[path[1]] = value
    try:
        return Settings.model_validate(document)
    except ValidationError as error:
        fields = dict(setting_fields())
        for detail in error.errors():
            path = tuple(str(part) for part in detail["loc"])[:2]
            value, source = values.get(path, (detail["input"], "unknown source"))
            field = fields.get(path)
            shown = "***" if field is not None and is_secret(field) else repr(_plain(value))
            reason = detail["msg"].removeprefix("Value error, ")
            mistakes.append(f"{variable(path)}={shown} ({source}): {reason}")
        return None


def _plain(value: object) -> object:
    return "***" if isinstance(value, SecretStr) else value
