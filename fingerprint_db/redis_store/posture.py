"""How a Redis stands: its clock, its memory, its role, what its user may do; nothing is set."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from redis.exceptions import NoPermissionError

from fingerprint_db.redis_store.address import RedisAddress
from fingerprint_db.redis_store.connection import connect, reaching
from fingerprint_db.redis_store.keys import SPACES, SpaceKeys


@dataclass(frozen=True, slots=True)
class RedisPosture:
    """What one look at a Redis showed; None where this user may not ask."""

    user: str | None
    ahead_s: float | None
    """How far its clock is ahead of ours."""

    info: Mapping[str, Any] | None
    """The answer to INFO, as redis-py reads it."""

    denied: tuple[str, ...]
    """The commands of a reader that this user may not run on the registry's keys."""


def look(
    address: RedisAddress, space: str, *, clock: Callable[[], float] = time.time
) -> RedisPosture:
    """Ask Redis as whom we are there and how it stands; raises the registry's errors by name.

    `space` names the keys on which the reader's commands are tried; `clock` is our own.
    """
    with reaching(address):
        client = connect(address)
        try:
            denied = tuple(name for name, ask in _readings(client, space) if _is_denied(ask))
            return RedisPosture(
                user=_allowed(lambda: _text(client.acl_whoami())),
                ahead_s=_allowed(lambda: _ahead_s(client, clock)),
                info=_allowed(client.info),
                denied=denied,
            )
        finally:
            client.close()


def _readings(client: Any, space: str) -> list[tuple[str, Callable[[], object]]]:
    """Every command that a worker reads with, each on a key of its kind, with a small answer."""
    keys = SpaceKeys(space)

    def in_a_transaction() -> object:
        with client.pipeline(transaction=True) as pipe:
            pipe.llen(keys.history)
            return pipe.execute()

    return [
        ("LLEN", lambda: client.llen(keys.history)),
        ("MULTI and EXEC", in_a_transaction),
        ("LINDEX", lambda: client.lindex(keys.history, 0)),
        ("LRANGE", lambda: client.lrange(keys.history, 0, 0)),
        ("MGET", lambda: client.mget(keys.entry("0" * 64))),
        ("HGETALL", lambda: client.hgetall(keys.index)),
        ("HMGET", lambda: client.hmget(keys.index, ["none"])),
        ("SMEMBERS", lambda: client.smembers(SPACES)),
        ("XRANGE", lambda: client.xrange(keys.changes, count=1)),
        ("XREAD", lambda: client.xread({keys.changes: "0-0"}, count=1)),
        ("XREVRANGE", lambda: client.xrevrange(keys.changes, count=1)),
    ]


def _is_denied(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except NoPermissionError:
        return True
    return False


def _allowed(ask: Callable[[], Any]) -> Any:
    with suppress(NoPermissionError):
        return ask()
    return None


def _ahead_s(client: Any, clock: Callable[[], float]) -> float:
    """How far Redis's clock is ahead, taken at the middle of the question."""
    before = clock()
    seconds, microseconds = client.time()
    return float(seconds + microseconds / 1e6 - (before + clock()) / 2)


def _text(name: object) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)
