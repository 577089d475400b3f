"""Goals G20 and G22: whoever can write to Redis changes nothing unseen."""

import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from fingerprint_db.change import Change, broken_link
from fingerprint_db.errors import RegistryCorrupt, RegistryError
from fingerprint_db.memory_registry import MemoryRegistry
from fingerprint_db.redis_store.connection import connect
from fingerprint_db.redis_store.keys import SPACES, SpaceKeys
from fingerprint_db.redis_store.registry import RedisRegistry
from fingerprint_db.signing.keys import SigningKey
from fingerprint_db.space_contents import SpaceContents
from fingerprint_db.trust.audit import disagreement
from fingerprint_db.trust.checkpoint import Checkpoint, checkpoint_of
from tests.fingerprint_db.photograph_parts import part
from tests.fingerprint_db.samples import SPACE, TickingClock, model
from tests.fingerprint_db.trust.lived_in import WHO, lived_in
from tests.scenarios.report import Report
from tests.scenarios.sizes import SEED, size

KEYS = SpaceKeys(SPACE)
DATABASE = 10
Value = bytes | list[bytes] | dict[bytes, bytes]
Stored = dict[bytes, Value]
"""Every key of the space: a string, the history's list, the index's hash."""


@pytest.fixture
def client(redis_url: str) -> Iterator[Any]:
    """A database of its own."""
    client = connect(urlunsplit(urlsplit(redis_url)._replace(path=f"/{DATABASE}")))
    client.flushdb()
    yield client
    client.flushdb()
    client.close()


def test_every_flip_deletion_swap_and_rollback_in_redis_is_found(
    client: Any, report: Report
) -> None:
    rounds, rng = size(100, 10_000), random.Random(SEED)
    key = SigningKey.create()
    connection = client.connection_pool.connection_kwargs
    url = f"redis://{connection['host']}:{connection['port']}/{DATABASE}"
    registry = RedisRegistry(url, clock=TickingClock(), key=key)
    past = _history(registry, client)
    whole = past[-1]
    since = checkpoint_of(
        SPACE, registry.history(SPACE), registry.calibration(SPACE), TickingClock()()
    )
    assert _trouble(url, key, since) is None, "untouched, all agrees"
    kinds: dict[str, Callable[[], None]] = {
        "flips": lambda: _flip(client, rng),
        "deletions": lambda: _delete(client, rng),
        "swaps": lambda: _swap(client, rng),
        "rollbacks": lambda: _roll_back(client, rng, past),
    }
    done, at_load, missed = dict.fromkeys(kinds, 0), 0, []
    for number in range(rounds):
        kind = rng.choice(list(kinds))
        while _dump(client) == whole:  # a swap of equals is none
            kinds[kind]()
        done[kind] += 1
        at_load += _load_fails(url)
        if _trouble(url, key, since) is None:
            missed.append((number, kind))
        _restore(client, whole)
    assert missed == []
    assert min(done.values()) > 0
    registry.close()
    report.keep(
        "G20",
        f"{rounds} changes of bytes, keys and places in Redis under a checkpoint and a key",
        {**done, "missed": 0, "found at load": at_load, "found by verify alone": rounds - at_load},
    )


def test_every_edit_deletion_and_move_of_the_history_is_found(report: Report) -> None:
    entries = 1_000
    registry = lived_in(MemoryRegistry(clock=TickingClock()))
    while registry.revision(SPACE) < entries:
        registry.retire(SPACE, "a", **WHO)
        registry.restore(SPACE, "a", **WHO)
    contents = registry.contents(SPACE)
    history = list(contents.history[:entries])
    contents = replace(contents, history=tuple(history))
    calibration = registry.calibration(SPACE)
    since = checkpoint_of(SPACE, history, calibration, TickingClock()())
    places = random.Random(SEED).sample(range(entries), size(25, entries))
    missed, without = [], 0
    for place in (*places, entries - 1):
        for kind, edited in _edits(history, place).items():
            if disagreement(_with(contents, edited), calibration, (), since) is None:
                missed.append((kind, place))
            without += broken_link(SPACE, edited) is None
    assert missed == []
    # The last change has none after it that names it: a checkpoint or a signature finds it.
    assert without == 2 * (1 + (entries - 1 in places))
    report.keep(
        "G22",
        f"each of {entries} changes edited, deleted, and moved to another place",
        {"tried": 3 * len(places), "missed": 0},
    )


def _edits(history: list[Change], place: int) -> Mapping[str, list[Change]]:
    other = (place + 1) % len(history)
    moved = list(history)
    moved[place], moved[other] = (
        replace(history[other], revision=place + 1),
        replace(history[place], revision=other + 1),
    )
    rest = [replace(change, revision=i) for i, change in enumerate(_without(history, place), 1)]
    edited = [*history[:place], replace(history[place], by="mallory"), *history[place + 1 :]]
    return {"edited": edited, "deleted": rest, "moved": moved}


def _without(history: list[Change], place: int) -> list[Change]:
    return [*history[:place], *history[place + 1 :]]


def _with(contents: SpaceContents, history: list[Change]) -> SpaceContents:
    return replace(contents, history=tuple(history))


def _history(registry: RedisRegistry, client: Any) -> list[Stored]:
    """Fills the registry; what Redis held after each of some steps."""
    lived_in(registry)
    past = [_dump(client)]
    for number in range(4):
        registry.register(model(f"later-{number}", seed=99 + number), **WHO)
        past.append(_dump(client))
    registry.promote(SPACE, "later-1", **WHO)
    registry.retire(SPACE, "later-2", **WHO)
    past.append(_dump(client))
    registry.store_calibration(SPACE, [part("late", 2)], forget="shop", seen=2, **WHO)
    return [*past, _dump(client)]


def _dump(client: Any) -> Stored:
    names = [name for name in client.keys("*") if name != SPACES.encode()]
    names = [name for name in names if name != KEYS.changes.encode()]  # only wakes who follows
    read: dict[bytes, Callable[[bytes], Value]] = {
        b"string": client.get,
        b"list": lambda name: list(client.lrange(name, 0, -1)),
        b"hash": client.hgetall,
    }
    return {name: read[client.type(name)](name) for name in sorted(names)}


def _restore(client: Any, stored: Stored) -> None:
    """Writes what is not as it was."""
    now = _dump(client)
    for name in now.keys() - stored.keys():
        client.delete(name)
    for name, value in stored.items():
        if now.get(name) != value:
            _put(client, name, value)


def _put(client: Any, name: bytes, value: Value) -> None:
    client.delete(name)
    if isinstance(value, bytes):
        client.set(name, value)
    elif isinstance(value, list):
        client.rpush(name, *value)
    else:
        client.hset(name, mapping=value)


def _load_fails(url: str) -> bool:
    """Whether a worker that starts would refuse it, without keys or a floor."""
    fresh = RedisRegistry(url)
    try:
        fresh.snapshot(SPACE)
        fresh.calibration(SPACE)
    except RegistryCorrupt:
        return True
    finally:
        fresh.close()
    return False


def _trouble(url: str, key: SigningKey, since: Checkpoint) -> str | None:
    """What `registry verify --since` says."""
    fresh = RedisRegistry(url)
    try:
        contents, calibration = fresh.contents(SPACE), fresh.calibration(SPACE)
    except RegistryError as error:
        return str(error)
    finally:
        fresh.close()
    return disagreement(contents, calibration, [key.public], since)


def _places(client: Any) -> list[tuple[str, bytes]]:
    """Every value of the space: ("key", NAME), ("change", NUMBER) or ("row", MODEL)."""
    found = [("change", b"%d" % i) for i in range(client.llen(KEYS.history))]
    found += [("row", name) for name in client.hkeys(KEYS.index)]
    stored = [name for name in _dump(client) if client.type(name) == b"string"]
    return found + [("key", name) for name in stored]


def _read(client: Any, place: tuple[str, bytes]) -> bytes:
    kind, name = place
    if kind == "change":
        return bytes(client.lindex(KEYS.history, int(name)))
    return bytes(client.hget(KEYS.index, name) if kind == "row" else client.get(name))


def _write(client: Any, place: tuple[str, bytes], value: bytes) -> None:
    kind, name = place
    if kind == "change":
        client.lset(KEYS.history, int(name), value)
    elif kind == "row":
        client.hset(KEYS.index, name, value)
    else:
        client.set(name, value)


def _flip(client: Any, rng: random.Random) -> None:
    place = rng.choice(_places(client))
    value = bytearray(_read(client, place))
    value[rng.randrange(len(value))] ^= rng.randrange(1, 256)
    _write(client, place, bytes(value))


def _delete(client: Any, rng: random.Random) -> None:
    kind, name = rng.choice([*_places(client), ("key", KEYS.index.encode())])
    if kind == "change":
        client.lset(KEYS.history, int(name), b"gone")
        client.lrem(KEYS.history, 1, b"gone")
    elif kind == "row":
        client.hdel(KEYS.index, name)
    else:
        client.delete(name)


def _swap(client: Any, rng: random.Random) -> None:
    kind = rng.choice(["change", "row", "key"])
    first, second = rng.sample([place for place in _places(client) if place[0] == kind], 2)
    values = _read(client, first), _read(client, second)
    if kind != "key" and rng.random() < 0.5:  # as a careful forger would: each in its new place
        values = _in_place(kind, *values)
    _write(client, first, values[1])
    _write(client, second, values[0])


def _in_place(kind: str, first: bytes, second: bytes) -> tuple[bytes, bytes]:
    field = "revision" if kind == "change" else "model_id"
    one, other = json.loads(first), json.loads(second)
    one[field], other[field] = other[field], one[field]
    dumped = [json.dumps(d, sort_keys=True, separators=(",", ":")).encode() for d in (one, other)]
    return dumped[0], dumped[1]


def _roll_back(client: Any, rng: random.Random, past: list[Stored]) -> None:
    """Everything, or the keys of one kind, as they were once."""
    then = rng.choice(past[:-1])
    kind = rng.choice([b"", b":history", b":index", b":calibration", b":registry:"])
    names = [name for name in {*then, *_dump(client)} if kind in name]
    for name in names:
        if name in then:
            _put(client, name, then[name])
        elif kind != b":calibration":
            client.delete(name)
