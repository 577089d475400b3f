"""Ask a server, in its own protocol, whether it is ready: a few bytes over a plain socket.

Not by kafka-python's admin client: docs/decisions/dependencies.md says why.
"""

import socket
import struct

from deploy.services.ports import LOOPBACK

_ANSWER_S = 2.0
_FIND_COORDINATOR = 10
_GROUP, _TRANSACTION = 0, 1


def kafka_is_ready(port: int) -> bool:
    """Whether the broker has both coordinators ready: the groups' and the transactions'.

    Asking makes the broker create the two internal topics behind them. Without it the first
    consumer and the first transaction would wait for that, and a group join against a broker that
    had just been started was seen to hang.
    """
    try:
        with socket.create_connection((LOOPBACK, port), timeout=_ANSWER_S) as connection:
            return all(_coordinator_is_ready(connection, kind) for kind in (_GROUP, _TRANSACTION))
    except (OSError, struct.error):
        return False


def redis_process(port: int) -> int | None:
    """The process id of the Redis that answers on the port and has loaded its data; else None."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=_ANSWER_S) as connection:
            connection.sendall(b"PING\r\nINFO server\r\n")
            answers = connection.makefile("rb")
            if answers.readline() != b"+PONG\r\n":  # -LOADING while it reads its data
                return None
            size = int(answers.readline()[1:])
            for line in answers.read(size).splitlines():
                if line.startswith(b"process_id:"):
                    return int(line.partition(b":")[2])
    except (OSError, ValueError):
        pass
    return None


def _coordinator_is_ready(connection: socket.socket, kind: int) -> bool:
    """FindCoordinator version 1: request (key string, kind int8), answer's error code at byte 8."""
    client = b"latentprint"
    key = b"latentprint.ready"
    body = struct.pack(
        f">hhih{len(client)}sh{len(key)}sb",
        _FIND_COORDINATOR, 1, kind, len(client), client, len(key), key, kind,
    )  # fmt: skip
    connection.sendall(struct.pack(">i", len(body)) + body)
    (size,) = struct.unpack(">i", _exactly(connection, 4))
    answer = _exactly(connection, size)
    _correlation, _throttle_ms, error = struct.unpack(">iih", answer[:10])
    return bool(error == 0)


def _exactly(connection: socket.socket, size: int) -> bytes:
    chunks = b""
    while len(chunks) < size:
        chunk = connection.recv(size - len(chunks))
        if not chunk:
            raise ConnectionError("the server closed the connection in the middle of an answer")
        chunks += chunk
    return chunks
