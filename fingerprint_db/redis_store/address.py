"""Where Redis is and who we are there: checked before anything is sent, shown without secrets."""

import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import SecretStr

from fingerprint_db.errors import WrongSettings

SCHEMES = ("redis", "rediss", "unix")
EXPECTED = "redis://HOST:PORT/DATABASE, rediss://HOST:PORT/DATABASE (TLS) or unix:///PATH?db=N"

_TLS_OPTIONS = {
    "ssl_ca_certs": "tls_ca_file",
    "ssl_certfile": "tls_cert_file",
    "ssl_keyfile": "tls_key_file",
}
"""Options of an address, and the settings that say the same."""

_OPTIONS = ("db", "username", "password", *_TLS_OPTIONS)
_SHOWN_OPTIONS = ("db", *_TLS_OPTIONS)
_HOST_AND_PORT = re.compile(r"(?:\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9_.-]*)(?::[0-9]{1,5})?")
_MASK = "***"


@dataclass(frozen=True, slots=True)
class _Login:
    """Who we are, asked for at every connection: what redis-py takes for a CredentialProvider.

    Not derived from it, or everyone who reads settings would import the client for it.
    """

    user: str
    password: SecretStr

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """As AUTH takes them."""
        password = self.password.get_secret_value()
        return (self.user, password) if self.user else (password,)


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """One Redis: its address and, where the address does not hold them, credentials and TLS files.

    `repr` and `shown` hold no secret. A password and the TLS files are read anew for every
    connection, so they may turn while a client lives; what the address itself holds may not.
    """

    url: str
    username: str | None = None
    password: SecretStr | None = None
    tls_ca_file: Path | None = None
    tls_cert_file: Path | None = None
    tls_key_file: Path | None = None

    @property
    def shown(self) -> str:
        """The address for logs and messages."""
        return masked(self.url)

    def __repr__(self) -> str:
        return f"RedisAddress({self.shown!r})"

    def problems(self) -> list[str]:
        """What is wrong with it, one sentence each, without secrets; reads the TLS files."""
        found = url_problem(self.url)
        if found is not None:
            return [found]
        return [*self._contradictions(), *self._file_problems()]

    def client_options(self) -> dict[str, Any]:
        """What redis-py is given beside the address; raises WrongSettings for every problem."""
        if problems := self.problems():
            raise WrongSettings(f"the Redis address {self.shown!r}: {'; '.join(problems)}")
        options: dict[str, Any] = {
            "ssl_ca_certs": self.tls_ca_file and str(self.tls_ca_file),
            "ssl_certfile": self.tls_cert_file and str(self.tls_cert_file),
            "ssl_keyfile": self.tls_key_file and str(self.tls_key_file),
        }
        if self.password is not None:
            options["credential_provider"] = _Login(self.user or "", self.password)
        elif self.username is not None:
            options["username"] = self.username
        return {name: value for name, value in options.items() if value is not None}

    @property
    def user(self) -> str | None:
        """Who we are for Redis; None for its user `default`."""
        parts = urlsplit(self.url)
        named = unquote(parts.username or "") or dict(parse_qsl(parts.query)).get("username")
        return self.username or named or None

    @property
    def tls_files(self) -> dict[str, Path | None]:
        """The files for TLS by the names of their settings, wherever they were given."""
        options = dict(parse_qsl(urlsplit(self.url).query))
        in_url = {name: Path(options[key]) for key, name in _TLS_OPTIONS.items() if key in options}
        return {name: getattr(self, name) or in_url.get(name) for name in _TLS_OPTIONS.values()}

    @property
    def client_url(self) -> str:
        """The address for redis-py, which takes a user there or our own login, not both."""
        if self.password is None:
            return self.url
        scheme, separator, rest = self.url.partition("://")
        place, question, query = rest.rpartition("@")[2].partition("?")
        kept = [one for one in query.split("&") if not one.startswith("username=")]
        return f"{scheme}{separator}{place}{question}{'&'.join(kept)}"

    def _contradictions(self) -> list[str]:
        parts = urlsplit(self.url)
        options = dict(parse_qsl(parts.query))
        here = {
            "username": parts.username or options.get("username"),
            "password": parts.password or options.get("password"),
            **{name: options.get(option) for option, name in _TLS_OPTIONS.items()},
        }
        found = [
            f"redis.{name} is set and the address holds one too; give it in one place"
            for name, value in here.items()
            if value is not None and getattr(self, name) is not None
        ]
        tls_names = [
            name for name in _TLS_OPTIONS.values() if getattr(self, name) or here[name] is not None
        ]
        if tls_names and parts.scheme != "rediss":
            found.append(
                f"redis.{tls_names[0]} is set, but {parts.scheme}:// is not encrypted;"
                " expected rediss://"
            )
        if (self.tls_key_file or here["tls_key_file"]) and not (
            self.tls_cert_file or here["tls_cert_file"]
        ):
            found.append("redis.tls_key_file is set without redis.tls_cert_file; give both")
        if self.username and not (self.password or here["password"]):
            found.append("redis.username is set without redis.password; give both")
        return found

    def _file_problems(self) -> list[str]:
        parts = urlsplit(self.url)
        if parts.scheme != "rediss":
            return []
        files = self.tls_files
        found = [
            f"redis.{name}={file} is no file; expected a PEM file"
            for name, file in files.items()
            if file is not None and not file.is_file()
        ]
        if found:
            return found
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if (authority := files["tls_ca_file"]) is not None:
            try:
                context.load_verify_locations(cafile=authority)
            except (ssl.SSLError, OSError) as error:
                found.append(_not_pem("tls_ca_file", authority, "certificates", error))
        if (certificate := files["tls_cert_file"]) is not None:
            try:
                context.load_cert_chain(certificate, files["tls_key_file"])
            except (ssl.SSLError, OSError) as error:
                found.append(_not_pem("tls_cert_file", certificate, "one with its key", error))
        return found


def url_problem(url: str) -> str | None:
    """Why `url` cannot be used, without its secrets; None where it can.

    Stricter than redis-py, which takes a database that is no number as 0 and hands on options
    that it does not know.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in SCHEMES:
        return f"it does not begin with redis://, rediss:// or unix://; expected {EXPECTED}"
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "#" in rest or "@" in rest[len(authority) :] or authority.count("@") > 1:
        return (
            "'#', or '@' where none belongs: write the signs / ? # @ : in a user name or password"
            " as %2F %3F %23 %40 %3A, or give redis.username and redis.password"
        )
    if not _HOST_AND_PORT.fullmatch(authority.rpartition("@")[2]):
        return f"its host or its port is none; expected {EXPECTED}, the port as digits"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # its text repeats the address
        return f"it cannot be parsed; expected {EXPECTED}"
    if port == 0:
        return "its port is 0; expected 1 to 65535"
    if scheme == "unix" and (authority.rpartition("@")[2] or not parts.path.strip("/")):
        return f"it names no path; expected {EXPECTED}"
    database = unquote(parts.path).strip("/")
    if scheme != "unix" and database and not _is_database(database):
        return f"its database is {database!r}; expected a whole number, as in redis://HOST:PORT/0"
    return _option_problem(parts.query)


def _option_problem(query: str) -> str | None:
    known = f"only these are known: {', '.join(_OPTIONS)}"
    if any(query) and not all("=" in option for option in query.split("&")):
        return f"what follows its '?' is no option, as NAME=VALUE; {known}"
    options = parse_qsl(query, keep_blank_values=True)
    if unknown := sorted({name for name, _ in options} - {*_OPTIONS}):
        return f"it has the option {', '.join(map(repr, unknown))}; {known}"
    for name, value in options:
        if name == "db" and not _is_database(value):
            return f"its option db is {value!r}; expected a whole number"
    return None


def _is_database(text: str) -> bool:
    return text.isascii() and text.isdigit()


def masked(url: str) -> str:
    """The address for logs and messages, without anything that may be a secret.

    What cannot be told apart from a password with certainty is hidden too: in an address that
    cannot be parsed, everything after its scheme.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url if _HOST_AND_PORT.fullmatch(url) and ":" in url else _MASK
    start = f"{scheme}://" if re.fullmatch(r"[a-z]{1,10}", scheme) else ""
    place, question, query = rest.partition("?")
    authority, slash, path = place.partition("/")
    login, at, host = authority.rpartition("@")
    doubtful = "@" in f"{login}{path}{query}" or "#" in rest
    if doubtful or not _HOST_AND_PORT.fullmatch(host):
        return f"{start}{_MASK}"
    name, colon, _ = login.partition(":")
    shown_login = f"{name}:{_MASK}" if colon else _MASK
    options = "&".join(map(_masked_option, query.split("&"))) if question else ""
    return f"{start}{shown_login + at if at else ''}{host}{slash}{path}{question}{options}"


def _masked_option(option: str) -> str:
    name, _, _ = option.partition("=")
    return option if name in _SHOWN_OPTIONS else f"{name if name in _OPTIONS else ''}={_MASK}"


def _not_pem(name: str, file: Path, what: str, error: Exception) -> str:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or "unreadable"
    return f"redis.{name}={file} is no PEM file of {what} ({reason})"
