"""Who starts hears soon that no broker is there, and waits for one that is."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from kafka import KafkaAdminClient

from worker.broker import admin as broker_admin
from worker.broker.admin import admin
from worker.errors import StopError

CLOSED = "127.0.0.1:1"


def address_of(server: socket.socket) -> str:
    return f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def silent() -> Iterator[str]:
    """An address that takes connections and says nothing, as a broker does that starts."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield address_of(server)


@pytest.fixture
def swallowing() -> Iterator[str]:
    """An address that answers no greeting, as behind a firewall: its queue is full."""
    with ExitStack() as held:
        server = held.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            client = held.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield address_of(server)


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Milliseconds of every try to connect, which are short here."""
    seen: list[int] = []
    build = broker_admin._Admin

    def counted(**arguments: Any) -> KafkaAdminClient:
        seen.append(arguments["bootstrap_timeout_ms"])
        return build(**arguments)

    monkeypatch.setattr(broker_admin, "_Admin", counted)
    monkeypatch.setattr(broker_admin, "TRIES_S", (0.2, 0.3))
    monkeypatch.setattr(broker_admin, "REACH_S", 0.2)
    return seen


def away(brokers: str) -> int:
    """The exit code of a command that wants these brokers."""
    with pytest.raises(StopError, match="gave no answer") as caught, admin(brokers, timeout_s=0.9):
        pass
    return caught.value.exit_code


def test_where_nobody_listens_the_first_try_is_the_last(tries: list[int]) -> None:
    assert away(f"{CLOSED},127.0.0.1:2") == 3
    assert tries == [200]


def test_where_packets_are_swallowed_the_first_try_is_the_last(
    tries: list[int], swallowing: str
) -> None:
    assert away(swallowing) == 3
    assert tries == [200]


def test_one_broker_that_takes_connections_is_waited_for(tries: list[int], silent: str) -> None:
    assert away(f"{CLOSED},{silent}") == 3
    assert tries == [200, 300, 400]
