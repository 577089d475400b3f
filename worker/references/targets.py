"""What a reference names, and whether a list of the settings allows it.

A reference is a stranger's word. It is read by patterns that take the plain form alone: what a
lenient parser would have to interpret (a backslash, a blank, a user name, an escape in a host, an
address in octal) is refused, so that no second parser can read it otherwise. No message quotes a
reference: one may be signed, and messages end up in logs.
"""

import os
import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote_to_bytes

from worker.errors import RejectError
from worker.settings.references import (
    HOST_NAME,
    BucketRule,
    HostRule,
    ReferenceSettings,
    looks_like_an_address,
)

STAGE: Final = "fetch"
SCHEMES: Final = ("file", "s3", "gs", "az", "https")

_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):")
_ESCAPES = re.compile(r"(?:[^%]|%[0-9a-fA-F]{2})*", re.DOTALL)
_FILE = re.compile(r"file:(?://)?(/[^?#]*)", re.DOTALL)
_OBJECT = re.compile(r"(s3|gs|az)://([a-z0-9][a-z0-9._-]{1,61}[a-z0-9])/([^?#]+)", re.DOTALL)
_PCHAR = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"
_WEB = re.compile(
    r"https://(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[1-9][0-9]{0,4}))?"
    rf"(?P<path>(?:/{_PCHAR}*)*)(?P<query>\?(?:{_PCHAR}|[/?])*)?"
)


@dataclass(frozen=True, slots=True)
class FileTarget:
    """A file by its parts below an allowed folder."""

    root: str
    parts: tuple[bytes, ...]
    place: str
    scheme: str = "file"

    @property
    def store(self) -> str:
        """What answers or is away as a whole."""
        return f"file:{self.root}"


@dataclass(frozen=True, slots=True)
class ObjectTarget:
    """An object of a store by bucket and key."""

    scheme: str
    bucket: str
    key: str

    @property
    def place(self) -> str:
        """What a verdict says of where it was fetched."""
        return f"{self.scheme}://{self.bucket}/{self.key}"

    @property
    def store(self) -> str:
        """What answers or is away as a whole."""
        return f"{self.scheme}://{self.bucket}"


@dataclass(frozen=True, slots=True)
class WebTarget:
    """A page of a host; `path_and_query` may hold a signature and is shown nowhere."""

    host: str
    port: int
    path_and_query: str = field(repr=False)
    place: str
    store: str
    scheme: str = "https"


Target = FileTarget | ObjectTarget | WebTarget


@dataclass(frozen=True, slots=True)
class Rules:
    """The lists of the settings, read once."""

    roots: tuple[str, ...]
    buckets: tuple[BucketRule, ...]
    hosts: tuple[HostRule, ...]

    @classmethod
    def of(cls, settings: ReferenceSettings) -> "Rules":
        """The lists of these settings; of folders the longest first."""
        roots = sorted((os.path.normpath(root) for root in settings.roots()), key=len, reverse=True)
        return cls(tuple(roots), settings.buckets(), settings.hosts())


def target_of(reference: str, rules: Rules) -> Target:
    """What `reference` names. Raises RejectError("fetch.refused") where nothing allows it."""
    found = _SCHEME.match(reference)
    if found is None:
        raise refused("the reference names no scheme; an absolute URI is expected")
    scheme = found[1]
    if scheme not in SCHEMES:
        raise refused(f"the reference's scheme is {scheme[:20]!r}; {', '.join(SCHEMES)} are read")
    if any(not sign.isprintable() for sign in reference) or not _ESCAPES.fullmatch(reference):
        raise refused("the reference holds a control character, or a % that begins no escape")
    if scheme == "file":
        return _file_target(reference, rules)
    if scheme == "https":
        return _web_target(reference, rules)
    return _object_target(reference, scheme, rules)


def refused(message: str) -> RejectError:
    """The policy or the form of the reference forbids it; no packet was sent for it."""
    return RejectError("fetch.refused", message, stage=STAGE)


def _file_target(reference: str, rules: Rules) -> FileTarget:
    if not rules.roots:
        raise refused("files are not fetched: references.allowed_roots is empty")
    found = _FILE.fullmatch(reference)
    if found is None or found[1].startswith("//"):
        raise refused("a file is expected as file:///FOLDER/FILE, without host, ? and #")
    parts = tuple(unquote_to_bytes(part) for part in found[1].split("/")[1:])
    if any(part in (b"", b".", b"..") or b"/" in part or b"\0" in part for part in parts):
        raise refused("the path of the file holds an empty part, '.', '..', or an escaped / or NUL")
    for root in rules.roots:
        above = tuple(os.fsencode(part) for part in root.split("/")[1:])
        if parts[: len(above)] == above and len(parts) > len(above):
            place = "file://" + found[1]
            return FileTarget(root, parts[len(above) :], place)
    raise refused("the file lies below no folder of references.allowed_roots")


def _object_target(reference: str, scheme: str, rules: Rules) -> ObjectTarget:
    if not any(rule.scheme == scheme for rule in rules.buckets):
        raise refused(f"references.allowed_buckets holds nothing of {scheme}: none is fetched")
    found = _OBJECT.fullmatch(reference)
    if found is None:
        raise refused(
            f"an object is expected as {scheme}://BUCKET/KEY, without user, port, ? and #; of a key"
            " that holds them write %3F and %23"
        )
    try:
        key = unquote_to_bytes(found[3]).decode()
    except UnicodeDecodeError:
        raise refused("the key is not UTF-8") from None
    if any(part in ("", ".", "..") for part in key.split("/")) or not key.isprintable():
        raise refused("the key holds an empty part, '.', '..' or a control character")
    for rule in rules.buckets:
        if (rule.scheme, rule.bucket) == (scheme, found[2]) and key.startswith(rule.prefix):
            return ObjectTarget(scheme, found[2], key)
    raise refused(f"the object lies in no place of references.allowed_buckets ({found[2]})")


def _web_target(reference: str, rules: Rules) -> WebTarget:
    if not rules.hosts:
        raise refused("https is not fetched: references.allowed_hosts is empty")
    found = _WEB.fullmatch(reference)
    if found is None:
        raise refused(
            "an address is expected as https://HOST/PATH, in ASCII, without user name, backslash"
            " and #, its port in plain digits"
        )
    host, port = found["host"].lower(), int(found["port"] or 443)
    listed = [rule for rule in rules.hosts if rule.allows(host, port)]
    literal = host.startswith("[") or looks_like_an_address(host)
    if not literal and HOST_NAME.fullmatch(host) is None:
        raise refused("the host is no name: empty labels and a dot at its end are not taken")
    if not listed:
        what = "is an address and" if literal else "is"
        raise refused(f"the host {what} not in references.allowed_hosts ({host[:100]}:{port})")
    shown = host if port == 443 else f"{host}:{port}"
    path = found["path"] or "/"
    return WebTarget(
        host=host,
        port=port,
        path_and_query=path + (found["query"] or ""),
        place=f"https://{shown}{path}",
        store=f"https://{listed[0].text}",
    )
