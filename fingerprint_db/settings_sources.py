"""Where settings come from: flags, then environment, then a TOML file, then the local services.

The one reader of the program: the registry's commands read the `redis` group with it, the worker
reads everything. Every mistake of every source is reported at once, with the variable, where it
came from and what was expected. Unknown names are mistakes too: a misspelt setting that is silently
ignored is the most expensive kind. Only what the reader does not own is left to who does.
"""

import difflib
import json
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PREFIX = "LATENTPRINT_"
NOT_SETTINGS = frozenset({"CACHE", "STATE", "CONFIG", "FAILPOINT"})
"""LATENTPRINT_* variables that others read: caches, services' state, this file, scenario tests."""

STATE_FILE = Path(".local", "state", "latentprint", "services.json")
"""Below the home folder: where `latentprint services up` notes what it started."""

_FROM_SERVICES = (("kafka", "brokers"), ("redis", "url"))

SettingPath = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A value as its source gave it, unchecked, and what to call that source in a message."""

    value: object
    source: str


@dataclass(frozen=True, slots=True)
class Sources:
    """What all sources say: the value that wins for each setting, and every mistake."""

    values: Mapping[SettingPath, Found]
    mistakes: tuple[str, ...]


def read_sources(
    known: Collection[SettingPath],
    environment: Mapping[str, str],
    *,
    flags: Mapping[str, object] | None = None,
    config_file: Path | None = None,
    all_known: bool = True,
) -> Sources:
    """What flags, environment, file and services say of the `known` settings; raises nothing.

    `flags` maps dotted names ("redis.url") to values; None means not given. The file is
    `config_file` or LATENTPRINT_CONFIG. Without `all_known` there are other groups of settings,
    which are not looked at.
    """
    mistakes: list[str] = []
    values: dict[SettingPath, Found] = {}
    groups = {path[0] for path in known}
    ours: Callable[[str], bool] = (
        (lambda _: True) if all_known else (lambda group: group.lower() in groups)
    )
    _read_file(_config_file(config_file, environment), known, ours, values, mistakes)
    _read_environment(environment, known, groups, all_known, values, mistakes)
    for dotted, value in (flags or {}).items():
        if value is not None:
            values[tuple(dotted.split("."))] = Found(value, f"flag for {dotted}")
    wanted = [path for path in _FROM_SERVICES if path in known and path not in values]
    if wanted:
        _read_services(services_state_file(environment), wanted, values, mistakes)
    return Sources(values, tuple(mistakes))


def variable(path: SettingPath) -> str:
    """The environment variable of a setting."""
    return PREFIX + "__".join(path).upper()


def services_state_file(environment: Mapping[str, str]) -> Path:
    """Where `latentprint services up` leaves the addresses of the local Kafka and Redis."""
    if named := environment.get(f"{PREFIX}STATE"):
        return Path(named).expanduser()
    return Path(environment.get("HOME") or Path.home()) / STATE_FILE


def suggestion(name: str, known: Iterable[str]) -> str:
    """`, did you mean X?` where one of the known names is close; else nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f", did you mean {close[0]}?" if close else ""


def mistakes_text(mistakes: Collection[str]) -> str:
    """All mistakes as one message, one a line."""
    lines = "\n".join(f"  {mistake}" for mistake in mistakes)
    count = f"{len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''}"
    return f"{count} in the settings; nothing was started\n{lines}"


def _config_file(given: Path | None, environment: Mapping[str, str]) -> Path | None:
    named = environment.get(f"{PREFIX}CONFIG")
    return given or (Path(named) if named else None)


def _read_file(
    path: Path | None,
    known: Collection[SettingPath],
    ours: Callable[[str], bool],
    values: dict[SettingPath, Found],
    mistakes: list[str],
) -> None:
    if path is None:
        return
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        mistakes.append(f"{path}: cannot be read ({error.strerror}); expected a TOML file")
        return
    except ValueError as error:  # no UTF-8, or no TOML
        mistakes.append(f"{path}: {error}; expected TOML")
        return
    groups = {path[0] for path in known if len(path) > 1}
    for name, content in document.items():
        if not ours(name):
            continue
        if name in groups and not isinstance(content, dict):
            mistakes.append(
                f"{name} in {path}: expected a table, [{name}] and its settings below it"
            )
            continue
        for inner, value in content.items() if isinstance(content, dict) else [(None, content)]:
            at = (name,) if inner is None else (name, inner)
            if at in known:
                values[at] = Found(value, str(path))
            else:
                close = _meant(at, known)
                mistakes.append(
                    f"{'.'.join(at)} in {path}: no such setting{close}; remove or correct it"
                )


def _meant(at: SettingPath, known: Collection[SettingPath]) -> str:
    """Which setting a name in a file may stand for: one written alike, or one of another table."""
    close = suggestion(".".join(at), map(".".join, known))
    elsewhere = [".".join(path) for path in known if path[-1] == at[-1]]
    return close or (f", did you mean {elsewhere[0]}?" if elsewhere else "")


def _read_environment(
    environment: Mapping[str, str],
    known: Collection[SettingPath],
    groups: Collection[str],
    all_known: bool,
    values: dict[SettingPath, Found],
    mistakes: list[str],
) -> None:
    names = {variable(path): path for path in known}
    owned = tuple(PREFIX + ("" if all_known else group.upper()) for group in sorted(groups))
    for name, value in sorted(environment.items()):
        if not name.upper().startswith(owned) or name[len(PREFIX) :] in NOT_SETTINGS:
            continue
        if name in names:
            if value != "":
                values[names[name]] = Found(value, "environment")
        elif name != name.upper():
            close = name.upper() if name.upper() in names else ""
            mistakes.append(
                f"{name}: these variables are written in capitals"
                + (f", {close}; rename it" if close else "; unset or correct it")
            )
        else:
            mistakes.append(
                f"{name}: no such setting{suggestion(name, names)}; unset or correct it"
            )


def _read_services(
    file: Path,
    wanted: Collection[SettingPath],
    values: dict[SettingPath, Found],
    mistakes: list[str],
) -> None:
    """The addresses of services that run; no file says nothing, a damaged one is a mistake."""
    try:
        state: Any = json.loads(file.read_text(encoding="utf-8"))
        for group, name in wanted:
            if not isinstance(state, dict) or not isinstance(state.get(group, {}), dict):
                raise ValueError(f"expected an object with an object {group!r}")
            address = state.get(group, {}).get(name)
            if address is not None and not isinstance(address, str):
                raise ValueError(f"{group}.{name} is no text")
            if address is not None:
                values[group, name] = Found(address, "the local services' state file")
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError) as error:
        missing = " and ".join(".".join(path) for path in wanted)
        mistakes.append(
            f"the state file of the local services, {file}, cannot be used: {error}; run"
            " `latentprint services down` and `latentprint services up`, or remove it and give"
            f" {missing}"
        )
