"""Where settings come from: flags, then environment, then a TOML file, then the local services.

The one reader of the program: the registry's commands read the `redis` group with it, the worker
reads everything. Every mistake of every source is reported at once, with the variable, where it
came from and what was expected. Unknown names are mistakes too: a misspelt setting that is silently
ignored is the most expensive kind. Only what the reader does not own is left to who does.

Every secret has a twin whose name ends with `_file`: the path of a file that holds it, such as
LATENTPRINT_KAFKA__SASL_PASSWORD_FILE=/run/secrets/kafka. It is read each time the secret is needed.
"""

import difflib
import json
import stat
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

PREFIX = "LATENTPRINT_"
NOT_SETTINGS = frozenset({"CACHE", "STATE", "CONFIG", "FAILPOINT"})
"""LATENTPRINT_* variables that others read: caches, services' state, this file, scenario tests."""

STATE_FILE = Path(".local", "state", "latentprint", "services.json")
"""Below the home folder: where `latentprint services up` notes what it started."""

MAX_SECRET_BYTES = 64 * 1024
"""A token of a large directory has some 10 KB; a file of more is not what was meant."""

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


class SecretFile(SecretStr):
    """What the file at `path` holds, read again each time it is asked for: it may turn.

    One newline at its end does not count. Where it cannot be read for a moment, as while it is
    replaced, what was read last stands. The first reading raises ValueError with what is wrong,
    without the secret.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(_secret_in(path))

    def get_secret_value(self) -> str:
        """The secret as it stands now."""
        try:
            self._secret_value = _secret_in(self.path)
        except ValueError:
            return self._secret_value
        return self._secret_value


def read_sources(
    known: Collection[SettingPath],
    environment: Mapping[str, str],
    *,
    flags: Mapping[str, object] | None = None,
    config_file: Path | None = None,
    all_known: bool = True,
    secrets: Collection[SettingPath] = (),
) -> Sources:
    """What flags, environment, file and services say of the `known` settings; raises nothing.

    `flags` maps dotted names ("redis.url") to values; None means not given. The file is
    `config_file` or LATENTPRINT_CONFIG. Without `all_known` there are other groups of settings,
    which are not looked at. Those of `secrets` may stand in files; their value is a SecretFile.
    """
    mistakes: list[str] = []
    known = [*known, *map(file_twin, secrets)]
    values: dict[SettingPath, Found] = {}
    groups = {path[0] for path in known}
    ours: Callable[[str], bool] = (
        (lambda _: True) if all_known else (lambda group: group.lower() in groups)
    )
    _read_file(_config_file(config_file, environment), known, ours, values, mistakes)
    _read_environment(environment, known, groups, all_known, values, mistakes)
    for dotted, value in (flags or {}).items():
        if value is not None:
            given = tuple(dotted.split("."))
            values[given] = Found(value, f"flag for {dotted}")
            values.pop(file_twin(given), None)
    _read_secret_files(secrets, values, mistakes)
    wanted = [path for path in _FROM_SERVICES if path in known and path not in values]
    if wanted:
        _read_services(services_state_file(environment), wanted, values, mistakes)
    return Sources(values, tuple(mistakes))


def variable(path: SettingPath) -> str:
    """The environment variable of a setting."""
    return PREFIX + "__".join(path).upper()


def file_twin(path: SettingPath) -> SettingPath:
    """The setting that names the file which holds this secret."""
    return (*path[:-1], f"{path[-1]}_file")


def exposure(path: Path) -> str | None:
    """Who else on this machine may read the file, with the remedy; None where nobody may."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return None
    if mode & stat.S_IROTH:
        return f"{path} can be read by every user of this machine; chmod o-r {path}"
    return None


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


def _read_secret_files(
    secrets: Collection[SettingPath], values: dict[SettingPath, Found], mistakes: list[str]
) -> None:
    """Put what the files hold in the place of their paths."""
    for path in secrets:
        named = values.pop(file_twin(path), None)
        if named is None:
            continue
        shown = f"{variable(file_twin(path))}={named.value!r} ({named.source})"
        if path in values:
            mistakes.append(
                f"{shown}: {variable(path)} is given too ({values[path].source}); give one of them"
            )
        elif not isinstance(named.value, str):
            mistakes.append(f"{shown}: expected the path of a file")
        else:
            try:
                secret = SecretFile(Path(named.value))
            except ValueError as error:
                mistakes.append(f"{shown}: {error}")
            else:
                values[path] = Found(secret, f"file {named.value}")


def _secret_in(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise ValueError(f"{path} is no file; expected a file that holds the secret alone")
        if mode & stat.S_IWOTH:
            raise ValueError(f"{path} can be written by every user of this machine; chmod o-w it")
        with path.open("rb") as file:
            data = file.read(MAX_SECRET_BYTES + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ValueError(
            f"{path} cannot be read ({reason}); expected a file that this user may read"
        ) from None
    if len(data) > MAX_SECRET_BYTES:
        raise ValueError(
            f"{path} is larger than {MAX_SECRET_BYTES} bytes; expected the secret alone"
        )
    text = data.removesuffix(b"\n").removesuffix(b"\r")
    if not text:
        raise ValueError(f"{path} is empty; expected the secret")
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no text in UTF-8; expected the secret alone") from None


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
