"""Which images may be fetched that events only refer to, and what that may cost."""

import ipaddress
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from worker.settings.group import Count, Group, Seconds

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
HOST_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
"""A host's name in lower case, without a dot at its end; names of other scripts begin with xn--."""

_HOST = re.compile(r"(?P<host>[^:\[\]]+|\[[0-9a-f:.]+\])(?::(?P<port>[1-9][0-9]{0,4}))?")
_BUCKET = re.compile(
    r"(?P<scheme>s3|gs|az)://(?P<bucket>[a-z0-9][a-z0-9._-]{1,61}[a-z0-9])(?:/(?P<prefix>.*/)?)?"
)
_NO_ROOTS = (Path("/proc"), Path("/sys"), Path("/dev"))

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class HostRule:
    """One entry of `allowed_hosts`: a host, or all below a suffix, at one port."""

    text: str
    host: str
    port: int
    below: bool

    def allows(self, host: str, port: int) -> bool:
        """Whether this entry lists the host at this port."""
        if port != self.port:
            return False
        return host.endswith("." + self.host) if self.below else host == self.host


@dataclass(frozen=True, slots=True)
class BucketRule:
    """One entry of `allowed_buckets`: a bucket, or what lies in it below a prefix."""

    text: str
    scheme: Literal["s3", "gs", "az"]
    bucket: str
    prefix: str


class ReferenceSettings(Group):
    """Images that events only refer to; nothing is fetched where no list allows it."""

    allowed_roots: str | None = Field(
        default=None, description="folders whose files `file:` may name, commas; empty: none"
    )
    allowed_buckets: str | None = Field(
        default=None,
        description="s3://BUCKET, gs://BUCKET, az://CONTAINER, each perhaps with /PREFIX/, commas;"
        " empty: none",
    )
    allowed_hosts: str | None = Field(
        default=None,
        description="hosts of `https:`, HOST or *.SUFFIX, with :PORT where it is not 443, commas;"
        " empty: none",
    )
    private_networks: str | None = Field(
        default=None,
        description="networks such as 10.20.0.0/16 that allowed_hosts may lie in, commas; empty:"
        " public addresses alone",
    )
    ca_file: Path | None = Field(
        default=None, description="PEM of a further authority for https, such as a private one"
    )
    s3_endpoint: str | None = Field(
        default=None, description="address of an S3-compatible store; empty: Amazon's"
    )
    timeout_s: float = Field(
        default=5.0, gt=0, le=60, description="s; one try, from name to last byte"
    )
    tries: int = Field(
        default=4, ge=1, le=20, description="tries of one event, before it counts as unavailable"
    )
    budget_s: Seconds = Field(
        default=20.0, description="s; all tries of one event, with the pauses between them"
    )
    outage_s: float = Field(
        default=300.0,
        ge=0,
        le=86_400,
        description="s; how long a store that answers nobody holds its events before exit 3",
    )
    processes: int = Field(
        default=2, ge=1, le=32, description="fetch processes; each fetches four images at once"
    )
    max_fetched_mib: Count = Field(
        default=96,
        description="MiB; fetched images and those under way, which count as the largest",
    )

    @property
    def enabled(self) -> bool:
        """Whether anything at all may be fetched."""
        return any((self.allowed_roots, self.allowed_buckets, self.allowed_hosts))

    def roots(self) -> tuple[Path, ...]:
        """The allowed folders, as they were written."""
        return tuple(Path(entry) for entry in _entries(self.allowed_roots))

    def buckets(self) -> tuple[BucketRule, ...]:
        """The allowed buckets."""
        return tuple(bucket_rule(entry) for entry in _entries(self.allowed_buckets))

    def hosts(self) -> tuple[HostRule, ...]:
        """The allowed hosts."""
        return tuple(host_rule(entry) for entry in _entries(self.allowed_hosts))

    def networks(self) -> tuple[Network, ...]:
        """The networks that are allowed although they are not public."""
        return tuple(ipaddress.ip_network(entry) for entry in _entries(self.private_networks))

    @field_validator("allowed_roots")
    @classmethod
    def _roots(cls, value: str | None) -> str | None:
        for entry in _entries(value):
            root = Path(entry)
            if not root.is_absolute() or ".." in root.parts or root == Path("/"):
                raise ValueError(
                    f"expected absolute folders below /, such as /srv/uploads; {entry!r} is none"
                )
            if any(root.is_relative_to(other) for other in _NO_ROOTS):
                raise ValueError(f"expected a folder of images; {entry!r} is the kernel's")
        return value

    @field_validator("allowed_buckets")
    @classmethod
    def _buckets(cls, value: str | None) -> str | None:
        for entry in _entries(value):
            bucket_rule(entry)
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _hosts(cls, value: str | None) -> str | None:
        for entry in _entries(value):
            host_rule(entry)
        return value

    @field_validator("private_networks")
    @classmethod
    def _networks(cls, value: str | None) -> str | None:
        for entry in _entries(value):
            try:
                network = ipaddress.ip_network(entry)
            except ValueError as error:
                raise ValueError(f"expected networks such as 10.20.0.0/16; {error}") from None
            if network.prefixlen == 0:
                raise ValueError(f"{entry} is every address; name the networks that you mean")
        return value

    @field_validator("ca_file")
    @classmethod
    def _authority(cls, value: Path | None) -> Path | None:
        try:
            ssl.create_default_context(cafile=value)
        except OSError as error:
            raise ValueError(f"expected a PEM file of certificates ({error})") from None
        return value

    @field_validator("s3_endpoint")
    @classmethod
    def _endpoint(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                parts = urlsplit(value)
                wrong = parts.scheme not in ("https", "http") or not parts.hostname
                wrong = wrong or "@" in parts.netloc or bool(parts.query or parts.fragment)
                wrong = wrong or parts.path not in ("", "/") or parts.port == 0
            except ValueError:
                wrong = True
            if wrong:
                raise ValueError(
                    "expected https://HOST, http://HOST, or either with :PORT, and no more"
                )
        return value


def bucket_rule(entry: str) -> BucketRule:
    """An entry of `allowed_buckets`; ValueError where it is none."""
    found = _BUCKET.fullmatch(entry)
    if found is None:
        raise ValueError(
            f"expected s3://BUCKET, gs://BUCKET or az://CONTAINER, perhaps with /PREFIX/ behind it;"
            f" {entry!r} is none"
        )
    scheme: Literal["s3", "gs", "az"] = found["scheme"]  # type: ignore[assignment]  # the pattern's
    return BucketRule(entry, scheme, found["bucket"], found["prefix"] or "")


def host_rule(entry: str) -> HostRule:
    """An entry of `allowed_hosts`; ValueError where it is none."""
    below = entry.startswith("*.")
    found = _HOST.fullmatch(entry.removeprefix("*.").lower())
    host = found["host"] if found else ""
    port = int(found["port"] or 443) if found else 0
    if not (_is_address(host) and not below) and not _is_name(host, below):
        raise ValueError(
            f"expected HOST, *.SUFFIX or HOST:PORT, such as images.example.com; {entry!r} is none"
        )
    if not 0 < port < 65536:
        raise ValueError(f"expected a port from 1 to 65535 in {entry!r}")
    return HostRule(entry, host, port, below)


def looks_like_an_address(host: str) -> bool:
    """Whether some program would take this for an IPv4 address: `127.1`, `2130706433`, `0x7f.1`."""
    return re.fullmatch(r"[0-9]+|0x[0-9a-f]*", host.rpartition(".")[2]) is not None


def _is_address(host: str) -> bool:
    """An address in the one form that is taken: as it would be printed, IPv6 in brackets."""
    bare = host[1:-1] if host.startswith("[") else host
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return False
    return str(address) == bare and (address.version == 6) == host.startswith("[")


def _is_name(host: str, below: bool) -> bool:
    """A name; of a suffix two labels at least, for whoever owns *.com owns nothing."""
    if HOST_NAME.fullmatch(host) is None or looks_like_an_address(host):
        return False
    return "." in host or not below


def _entries(value: str | None) -> Iterator[str]:
    for entry in (value or "").split(","):
        if entry.strip():
            yield entry.strip()
