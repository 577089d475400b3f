"""Servers on loopback that answer as the registry's Redis may: refusing, loading, or no Redis."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

Answer = Callable[[socket.socket], None]


@contextlib.contextmanager
def server(answer: Answer) -> Iterator[int]:
    """A port where `answer` is called with each connection, in a thread of its own."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            answer(connection)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def always(line: bytes) -> Answer:
    """Says one line to every command; each begins with an asterisk."""

    def answer(connection: socket.socket) -> None:
        while request := connection.recv(65536):
            connection.sendall((line + b"\r\n") * request.count(b"*"))

    return answer


def closes(connection: socket.socket) -> None:
    """Reads a little and hangs up, as a proxy does before a server that is away."""
    connection.recv(64)


def kafka(connection: socket.socket) -> None:
    """Hangs up on what is no request of Kafka's, and answers the one that asks for versions."""
    request = connection.recv(64)
    if request[4:6] == b"\x00\x12":
        connection.sendall(b"\x00\x00\x00\x0a" + request[8:12] + bytes(6))


def behind_tls(context: ssl.SSLContext, port: int) -> Answer:
    """Hands on to a plain `port` what comes over TLS."""

    def answer(connection: socket.socket) -> None:
        with (
            context.wrap_socket(connection, server_side=True) as outer,
            socket.create_connection(("127.0.0.1", port)) as inner,
        ):

            def back() -> None:
                with contextlib.suppress(OSError):
                    while data := inner.recv(65536):
                        outer.sendall(data)

            thread = threading.Thread(target=back, daemon=True)
            thread.start()
            while data := outer.recv(65536):
                inner.sendall(data)
            inner.shutdown(socket.SHUT_RDWR)
            thread.join(5)

    return answer
