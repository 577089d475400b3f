"""The file of receivers: who is told of which alerts, in which form; every mistake at once."""

import ipaddress
import ssl
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fingerprint_db.settings_sources import suggestion
from worker.errors import StopError
from worker.notify.secret_source import SecretSource, read_text
from worker.notify.severity import SEVERITIES, Rule, Severity
from worker.plain_errors import reason

Format = Literal["standard", "slack"]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Table = TypeVar("Table", bound=BaseModel)


class ReceiverTable(_Table):
    """One `[[receiver]]` as it is written."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")
    format: Format = "standard"
    url: str | None = None
    url_file: Path | None = None
    url_env: str | None = None
    secret_files: tuple[Path, ...] = ()
    secret_env: tuple[str, ...] = ()
    severities: tuple[Severity, ...] = Field(default=SEVERITIES, min_length=1)
    ca_file: Path | None = None
    allow_http: bool = False


class Flood(_Table):
    """Above `alerts` of one generator and severity in `window_s`, the rest is told in a digest."""

    alerts: int = Field(default=30, ge=1, le=10_000)
    window_s: int = Field(default=60, ge=1, le=3600)
    sample: int = Field(default=10, ge=0, le=50)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a receiver listens; `target`, path and query, may be a secret and is never shown."""

    tls: bool
    host: str
    port: int
    target: str

    def __str__(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.authority}/…"

    @property
    def authority(self) -> str:
        """Host and port, as the header `Host` has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Receiver:
    """One whom alerts are told to."""

    name: str
    format: Format
    address: Address
    secrets: SecretSource
    severities: frozenset[Severity]
    tls: ssl.SSLContext | None


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole file."""

    receivers: tuple[Receiver, ...]
    rules: tuple[Rule, ...]
    default_severity: Severity
    flood: Flood


def load_plan(path: Path | None, environment: Mapping[str, str]) -> Plan:
    """Read the file of receivers; StopError (exit code 2) lists every mistake in it."""
    if path is None:
        raise StopError(
            "no receivers are named: set LATENTPRINT_NOTIFY__FILE, or give --receivers, a TOML file"
            " like deploy/notify.example.toml",
            exit_code=2,
        )
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise StopError(f"{path} cannot be read ({error.strerror})", exit_code=2) from error
    except ValueError as error:  # no UTF-8, or no TOML
        raise StopError(f"{path} is no TOML: {error}", exit_code=2) from error
    mistakes: list[str] = []
    plan = _plan(document, environment, mistakes)
    if plan is None or mistakes:
        lines = "\n".join(f"  {mistake}" for mistake in mistakes)
        count = f"{len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''}"
        raise StopError(f"{count} in {path}; nothing was sent\n{lines}", exit_code=2)
    return plan


_KNOWN = ("receiver", "rule", "default_severity", "flood")


def _plan(
    document: dict[str, Any], environment: Mapping[str, str], mistakes: list[str]
) -> Plan | None:
    for name in document:
        if name not in _KNOWN:
            mistakes.append(f"{name} is not known{suggestion(name, _KNOWN)}")
    default = document.get("default_severity", "warning")
    if default not in SEVERITIES:
        mistakes.append(f"default_severity={default!r}: expected one of {', '.join(SEVERITIES)}")
    flood = _checked(Flood, document.get("flood", {}), "flood", mistakes)
    rules = [
        rule
        for number, table in enumerate(_tables(document, "rule", mistakes), start=1)
        if (rule := _checked(Rule, table, f"rule {number}", mistakes)) is not None
    ]
    tables = _tables(document, "receiver", mistakes)
    if not tables:
        mistakes.append("no [[receiver]]: there is nobody to tell")
    receivers: list[Receiver] = []
    names: set[str] = set()
    for number, table in enumerate(tables, start=1):
        receiver = _receiver(table, number, environment, mistakes)
        if receiver is None:
            continue
        if receiver.name in names:
            mistakes.append(f"receiver {receiver.name}: the name is given twice")
        names.add(receiver.name)
        receivers.append(receiver)
    if flood is None or mistakes:
        return None
    return Plan(tuple(receivers), tuple(rules), default, flood)


def _tables(document: dict[str, Any], name: str, mistakes: list[str]) -> list[Any]:
    tables = document.get(name, [])
    if isinstance(tables, list):
        return tables
    mistakes.append(f"{name}: expected a list of tables, each begun by [[{name}]]")
    return []


def _checked(model: type[Table], table: Any, place: str, mistakes: list[str]) -> Table | None:
    try:
        return model.model_validate(table)
    except ValidationError as error:
        for detail in error.errors():
            name = ".".join(map(str, detail["loc"]))
            if detail["type"] == "missing":
                mistakes.append(f"{place}: {name} is missing")
            elif detail["type"] == "extra_forbidden":
                mistakes.append(
                    f"{place}: {name} is not known{suggestion(name, model.model_fields)}"
                )
            else:
                mistakes.append(f"{place}: {name}{': ' if name else ''}{reason(detail)}")
        return None


def _receiver(
    table: Any, number: int, environment: Mapping[str, str], mistakes: list[str]
) -> Receiver | None:
    named = table.get("name") if isinstance(table, dict) else None
    place = f"receiver {named if isinstance(named, str) else number}"
    read = _checked(ReceiverTable, table, place, mistakes)
    if read is None:
        return None
    secrets = SecretSource(read.secret_files, read.secret_env, environment)
    problems: list[str] = []
    if read.format == "standard" and not secrets:
        problems.append("secret_files or secret_env is missing; every message is signed")
    address = tls = None
    try:
        address = parse_address(_url(read, environment), allow_http=read.allow_http)
    except ValueError as error:
        problems.append(str(error))
    try:
        secrets.read()
    except ValueError as error:
        problems.append(str(error))
    if address is not None and address.tls:
        try:
            tls = ssl.create_default_context(cafile=read.ca_file)
        except OSError as error:
            problems.append(f"ca_file: expected a PEM file of certificates ({error})")
    elif address is not None and read.ca_file is not None:
        problems.append("ca_file is given, but the address is not https")
    mistakes.extend(f"{place}: {problem}" for problem in problems)
    if address is None or problems:
        return None
    return Receiver(read.name, read.format, address, secrets, frozenset(read.severities), tls)


def _url(table: ReceiverTable, environment: Mapping[str, str]) -> str:
    given = [name for name in ("url", "url_file", "url_env") if getattr(table, name) is not None]
    if len(given) != 1:
        raise ValueError(
            f"expected exactly one of url, url_file and url_env, {' and '.join(given) or 'none'}"
            " is given"
        )
    if table.url_file is not None:
        return read_text(table.url_file).strip()
    if table.url_env is not None:
        if not environment.get(table.url_env):
            raise ValueError(f"url_env: the environment has no {table.url_env}")
        return environment[table.url_env].strip()
    return table.url or ""


def parse_address(url: str, *, allow_http: bool = False) -> Address:
    """Where to send to; ValueError, which shows no more than the host, for what is not taken."""
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("url: expected printable ASCII without blanks")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"url: {error}") from None
    if parts.scheme not in ("https", "http") or not host:
        raise ValueError("url: expected https://HOST[:PORT]/PATH")
    if parts.username is not None or parts.password is not None:
        raise ValueError("url: no user and no password may stand in it")
    if parts.fragment:
        raise ValueError("url: no fragment (#…) may stand in it, it would not be sent")
    if parts.scheme == "http" and not allow_http and not _is_loopback(host):
        raise ValueError(
            f"url: http to {host} would send alerts unencrypted; give https, or allow_http = true"
        )
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    tls = parts.scheme == "https"
    return Address(tls, host, port or (443 if tls else 80), target)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
