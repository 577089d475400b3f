"""Registries to test: in memory, in Redis 6.2, in Valkey 9; each Redis test checks its keys."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

import pytest

from fingerprint_db.memory_registry import MemoryRegistry
from fingerprint_db.redis_store.connection import connect
from fingerprint_db.redis_store.keys import declaration
from fingerprint_db.redis_store.registry import RedisRegistry
from fingerprint_db.registry import Registry
from tests.fingerprint_db.samples import TickingClock

DATABASE = 9  # not 0, so that flushing it harms no other test


class Server(Protocol):
    """What the service fixtures give."""

    url: str


@dataclass(frozen=True)
class Database:
    """An empty database of a running server, and a client to look at it or to damage it."""

    url: str
    client: Any

    def undeclared(self) -> list[str]:
        """The keys that keys.py does not declare with this type and this time to live."""
        found = []
        for key in map(bytes.decode, self.client.scan_iter(count=1000)):
            kind = declaration(key)
            remaining_s = self.client.ttl(key)
            if kind is None:
                found.append(f"{key}: not declared")
            elif self.client.type(key).decode() != kind.redis_type:
                found.append(f"{key}: is a {self.client.type(key).decode()}")
            elif (kind.lifetime_s is None) != (remaining_s == -1):
                found.append(f"{key}: lives {remaining_s} s, declared {kind.lifetime_s}")
        return found


def opened(server: Server) -> Iterator[Database]:
    """Database 9 of `server`, empty before and after; fails on keys that are not declared."""
    url = urlunsplit(urlsplit(server.url)._replace(path=f"/{DATABASE}"))
    client = connect(url)  # the registry's own kind: it sends nothing else either
    client.flushdb()
    database = Database(url, client)
    yield database
    leaked = database.undeclared()
    client.flushdb()
    client.close()
    assert not leaked, f"keys without a declaration in keys.py: {leaked}"


@pytest.fixture
def redis_62_database(redis_62: Server) -> Iterator[Database]:
    """An empty database in Redis 6.2, our floor."""
    yield from opened(redis_62)


@pytest.fixture
def valkey_9_database(valkey_9: Server) -> Iterator[Database]:
    """An empty database in Valkey 9, what many platforms run."""
    yield from opened(valkey_9)


@pytest.fixture(params=["redis_62", "valkey_9"])
def database(request: pytest.FixtureRequest) -> Database:
    """An empty database, once in Redis 6.2 and once in Valkey 9."""
    found: Database = request.getfixturevalue(f"{request.param}_database")
    return found


@pytest.fixture
def stored(database: Database) -> Iterator[RedisRegistry]:
    """A registry in `database`."""
    registry = RedisRegistry(database.url, clock=TickingClock())
    yield registry
    registry.close()


@pytest.fixture(params=["memory", "redis_62", "valkey_9"])
def registry(request: pytest.FixtureRequest) -> Iterator[Registry]:
    """An empty registry of each kind: what is claimed with it holds for all."""
    if request.param == "memory":
        yield MemoryRegistry(clock=TickingClock())
        return
    found: Database = request.getfixturevalue(f"{request.param}_database")
    registry = RedisRegistry(found.url, clock=TickingClock())
    yield registry
    registry.close()
