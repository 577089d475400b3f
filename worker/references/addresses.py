"""Which addresses may be reached: public ones, and networks that the settings name.

`ipaddress` alone would not do: it calls 100.64.0.1 neither private nor global, and takes
`::ffff:100.64.0.1`, `64:ff9b::7f00:1` and `2002:7f00:1::`, which hide 100.64.0.1 and 127.0.0.1, for
global. So what an address hides is looked at too, and a list of our own stands beside it.
"""

import ipaddress
from collections.abc import Iterator, Sequence
from typing import Final

from worker.settings.references import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


METADATA: Final = _networks(
    "169.254.0.0/16",  # AWS, Google, Azure and all that followed; link-local as a whole
    "100.100.100.200/32",  # Alibaba
    "168.63.129.16/32",  # Azure's host, at a public address
    "192.0.0.192/32",  # Oracle
    "fe80::/10",
    "fd00:ec2::/32",  # AWS
    "fd20:ce::254/128",  # Google
)
"""Where a machine learns who it is, with its credentials: no setting allows them."""

DENIED: Final = _networks(
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/96",  # unspecified, loopback, and IPv4 in the oldest form
    "64:ff9b:1::/48",  # a network's own NAT64
    "100::/64",
    "2001::/23",  # Teredo, ORCHID, benchmarks
    "2001:db8::/32",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fec0::/10",
    "ff00::/8",
)
"""From IANA's special-purpose registries (2026-11) with site-local and multicast."""

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


def refusal(text: str, private: Sequence[Network]) -> str | None:
    """Why this address may not be reached; None where it may."""
    written: Address = ipaddress.ip_address(text.partition("%")[0])
    address = _unwrapped(written)
    seen = (address, *_hidden(address))
    if any(one in network for one in seen for network in METADATA):
        return f"{text} is where a machine keeps its own metadata"
    if any(address in network for network in private):
        return None
    for one in seen:
        if any(one in network for network in DENIED) or not _is_public(one):
            hides = "" if one == written else f" hides {one}, which"
            return (
                f"{text}{hides} is not public; a network that may be reached all the same is named"
                " in references.private_networks"
            )
    return None


def _is_public(address: Address) -> bool:
    site_local = isinstance(address, ipaddress.IPv6Address) and address.is_site_local
    kinds = (address.is_multicast, address.is_reserved, address.is_loopback, site_local)
    return address.is_global and not any(kinds)


def _unwrapped(address: Address) -> Address:
    """The IPv4 address that is meant by one of IPv6 that only writes or translates it."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address


def _hidden(address: Address) -> Iterator[Address]:
    """The IPv4 addresses that an IPv6 address tunnels to: 6to4, Teredo."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.sixtofour:
            yield address.sixtofour
        if address.teredo:
            yield from address.teredo
