"""Free ports on the loopback address."""

import random
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"
_LOWEST_PORT = 10_240
_LINUX_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_DEFAULT_EPHEMERAL_FROM = 32_768  # Linux' default; macOS begins higher, at 49,152


def port_is_free(port: int) -> bool:
    """Whether a server could bind 127.0.0.1:`port` now.

    SO_REUSEADDR is set because Kafka and Redis set it too: connections in TIME_WAIT do not count.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port that was free a moment ago; somebody may still be faster, so callers try again.

    It lies below the range from which the system numbers outgoing connections. While a server is
    down for a restart, its clients keep dialling; were its port in that range, one of their own
    sockets could be given the very port (and even connect to itself), and the restart would fail.
    """
    highest = _ephemeral_from() - 1
    if highest > _LOWEST_PORT:
        for _ in range(200):
            port = random.randint(_LOWEST_PORT, highest)
            if port_is_free(port):
                return port
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        chosen: int = probe.getsockname()[1]
        return chosen


def _ephemeral_from() -> int:
    try:
        return int(_LINUX_EPHEMERAL.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return _DEFAULT_EPHEMERAL_FROM
