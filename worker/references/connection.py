"""From a host to a connection: its addresses, each looked at, TLS, and one clock for all of it."""

import io
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from worker.references.addresses import refusal
from worker.references.targets import refused
from worker.settings.references import Network

MOST_ADDRESSES: Final = 4
"""Of one host these many are tried, within the one deadline."""

_MOST_LOOKUPS: Final = 16
"""A lookup cannot be broken off; so many may be left behind before no other is begun."""

Resolve = Callable[[str, int], Sequence[str]]
"""Host and port -> addresses as text; raises OSError."""

Connect = Callable[[tuple[str, int], float], socket.socket]
"""(address, port) and seconds -> a connected socket; raises OSError."""


class Deadline:
    """When everything has to be done; TimeoutError from then on."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def left_s(self) -> float:
        """Seconds left, more than none."""
        left = self._end - self._clock()
        if left <= 0:
            raise TimeoutError("the time for one try is over")
        return left


class Stream(io.RawIOBase):
    """What a connection sends, read within its deadline and up to so many bytes in all."""

    def __init__(self, connection: socket.socket, deadline: Deadline, max_bytes: int) -> None:
        self._connection = connection
        self._deadline = deadline
        self._left = max_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Raises TimeoutError after the deadline, OverflowError beyond the bytes allowed."""
        self._connection.settimeout(self._deadline.left_s())
        count = self._connection.recv_into(buffer)
        self._left -= count
        if self._left < 0:
            raise OverflowError("the answer goes on beyond all that is expected of one")
        return count

    def makefile(self, mode: str) -> io.BufferedReader:
        """What `http.client` asks of a socket."""
        return io.BufferedReader(self)


class Lookups:
    """The machine's resolver with a deadline, which it does not have itself."""

    def __init__(self) -> None:
        self._under_way = threading.BoundedSemaphore(_MOST_LOOKUPS)

    def resolve(self, host: str, port: int, deadline: Deadline) -> Sequence[str]:
        """The addresses of a host; raises OSError, TimeoutError among them."""
        if not self._under_way.acquire(timeout=deadline.left_s()):
            raise TimeoutError("too many names wait for the resolver")
        found: list[Sequence[str] | Exception] = []
        done = threading.Event()

        def look_up() -> None:
            try:
                found.append(system_addresses(host, port))
            except Exception as error:  # told to whoever asked
                found.append(error)
            finally:
                self._under_way.release()
                done.set()

        threading.Thread(target=look_up, name="lookup", daemon=True).start()
        if not done.wait(deadline.left_s()):
            raise TimeoutError("the resolver gave no answer in time")
        if isinstance(found[0], Exception):
            raise found[0]
        return found[0]


def system_addresses(host: str, port: int) -> Sequence[str]:
    """What the machine's resolver says, in its order and without doubles."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(address[4][0]) for address in answers))


def system_connect(address: tuple[str, int], timeout_s: float) -> socket.socket:
    """A connection to an address, which is no name: nothing is looked up a second time."""
    return socket.create_connection(address, timeout_s)


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Names and certificates are verified; the machine's authorities, and one more if given."""
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


@dataclass(frozen=True, slots=True)
class Way:
    """How hosts are reached: what is replaced in a test is a field, and nothing else."""

    tls: ssl.SSLContext
    private: Sequence[Network]
    lookups: Lookups
    resolve: Resolve | None = None
    connect: Connect = system_connect

    def to(
        self, host: str, port: int, deadline: Deadline, *, checked: bool, tls: bool = True
    ) -> socket.socket:
        """A connection to the host, whose certificate bears its name.

        `checked`: every address that the name has must be one that may be reached, or
        RejectError("fetch.refused"); the connection then goes to one of exactly these. Raises
        OSError, ssl.SSLError among them, where there is no connection.
        """
        bare = host.strip("[]")
        addresses = self._addresses(bare, port, deadline)
        if checked:
            for address in addresses:
                why = refusal(address, self.private)
                if why is not None:
                    raise refused(f"the host {bare[:100]} has an address that is refused: {why}")
        connection = self._connected(addresses, port, deadline)
        if not tls:
            return connection
        try:
            connection.settimeout(deadline.left_s())
            return self.tls.wrap_socket(connection, server_hostname=bare)
        except BaseException:
            connection.close()
            raise

    def _addresses(self, host: str, port: int, deadline: Deadline) -> Sequence[str]:
        if self.resolve is not None:
            addresses = self.resolve(host, port)
        else:
            addresses = self.lookups.resolve(host, port, deadline)
        if not addresses:
            raise OSError("the name has no address")
        return addresses

    def _connected(self, addresses: Sequence[str], port: int, deadline: Deadline) -> socket.socket:
        failure: OSError = OSError("no address")
        for number, address in enumerate(addresses[:MOST_ADDRESSES]):
            share = min(len(addresses), MOST_ADDRESSES) - number
            try:
                return self.connect((address, port), deadline.left_s() / share)
            except OSError as error:
                failure = error
        raise failure
