"""One request with one time limit; nothing of the environment, no redirect, TLS that is checked."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import trustme

from tests.worker.notify.receiving import receiving
from worker.notify.http_post import MOST_ANSWER_BYTES, Answer, NoAnswer, post
from worker.notify.receivers import parse_address


@contextmanager
def answering(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does `talk` with the first that connects."""
    listener = socket.create_server(("127.0.0.1", 0))

    def body() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            try:
                talk(connection)
            except OSError:
                return  # the client went away, as it should

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        listener.close()
        thread.join(10)
    assert not thread.is_alive(), "the client holds its connection"


def sent(url: str, *, timeout_s: float = 1.0, tls: ssl.SSLContext | None = None) -> Answer:
    return post(parse_address(url), {"a": "b"}, b"{}", timeout_s=timeout_s, tls=tls)


def drip(connection: socket.socket) -> None:
    for byte in b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 1000:
        connection.sendall(bytes([byte]))
        threading.Event().wait(0.02)


def endless(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"x: y\r\n" * 1000)


def silent(connection: socket.socket) -> None:
    connection.recv(1)


@pytest.mark.parametrize(
    ("talk", "cause"),
    [
        (drip, "timeout"),
        (silent, "timeout"),
        (endless, "protocol"),
        (lambda c: c.sendall(b"SSH-2.0-x\r\n\r\n"), "protocol"),
        (lambda c: c.sendall(b"HTTP/1.1 200"), "connection"),
        (lambda c: None, "connection"),
    ],
)
def test_no_answer_ends_in_time_and_says_why(
    talk: Callable[[socket.socket], None], cause: str
) -> None:
    with answering(talk) as url:
        began = time.monotonic()
        with pytest.raises(NoAnswer) as none:
            sent(url, timeout_s=0.5)
        assert time.monotonic() - began < 5
    assert none.value.cause == cause
    assert MOST_ANSWER_BYTES < 1024 * 1024


def test_interim_answers_are_passed_over_and_bodies_are_cut() -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 429 No\r\n")
        connection.sendall(b"Retry-After: 7\r\n\r\n" + b"words " * 10_000)

    with answering(talk) as url:
        answer = sent(url)
    assert (answer.status, answer.retry_after) == (429, "7")
    assert answer.excerpt.startswith("words words")
    assert len(answer.excerpt) <= 300


def test_nobody_who_listens_is_a_connection_that_failed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(NoAnswer) as none:
        sent(f"http://127.0.0.1:{port}/")
    assert none.value.cause == "connection"


def test_a_certificate_is_checked_for_its_authority_and_its_name() -> None:
    ours, foreign = trustme.CA(), trustme.CA()
    trusting, doubting = ssl.create_default_context(), ssl.create_default_context()
    ours.configure_trust(trusting)
    foreign.configure_trust(doubting)

    def serving(name: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ours.issue_cert(name).configure_cert(context)
        return context

    with receiving(tls=serving("127.0.0.1")) as right, receiving(tls=serving("other")) as other:
        assert sent(right.url, tls=trusting).status == 200
        with pytest.raises(NoAnswer, match="certificate") as unknown:
            sent(right.url, tls=doubting)
        with pytest.raises(NoAnswer, match="certificate") as misnamed:
            sent(other.url, tls=trusting)
    assert (unknown.value.cause, misnamed.value.cause) == ("tls", "tls")
    assert len(right.requests) == 1
    assert other.requests == []


def test_proxies_of_the_environment_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1/")
    with receiving() as receiver:
        assert sent(receiver.url).status == 200
    assert receiver.requests[0].path == "/hook?token=a"
