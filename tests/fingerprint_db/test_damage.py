"""Damage in Redis is named, with what was seen and expected; nothing is skipped in silence."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from fingerprint_db.errors import RegistryCorrupt
from fingerprint_db.redis_store.keys import SpaceKeys
from fingerprint_db.redis_store.registry import RedisRegistry
from fingerprint_db.transfer import export
from tests.fingerprint_db.conftest import Database
from tests.fingerprint_db.samples import OTHER_SPACE, SPACE, model

WHO: dict[str, Any] = {"by": "ada", "reason": "test"}
KEYS = SpaceKeys(SPACE)
Damage = Callable[[Any, str, str], object]


def flip_status(client: Any) -> None:
    row = json.loads(client.hget(KEYS.index, "a"))
    row["status"] = "live"
    client.hset(KEYS.index, "a", json.dumps(row))


def swap_contents(client: Any) -> None:
    rows = {name: json.loads(client.hget(KEYS.index, name)) for name in ("a", "b")}
    rows["a"]["content"], rows["b"]["content"] = rows["b"]["content"], rows["a"]["content"]
    for name, row in rows.items():
        client.hset(KEYS.index, name, json.dumps(row))


DAMAGES: dict[str, tuple[Damage, str]] = {
    "a byte of an entry": (lambda c, a, b: c.setrange(KEYS.entry(a), 90, "#"), "entry:"),
    "an entry replaced by another": (
        lambda c, a, b: c.set(KEYS.entry(a), c.get(KEYS.entry(b))),
        "entry:",
    ),
    "an entry lost": (lambda c, a, b: c.delete(KEYS.entry(a)), "entry:"),
    "an index row lost": (lambda c, a, b: c.hdel(KEYS.index, "a"), "index"),
    "an index row that is no JSON": (lambda c, a, b: c.hset(KEYS.index, "a", "{"), "index field"),
    "an index row of another model": (
        lambda c, a, b: c.hset(KEYS.index, "a", c.hget(KEYS.index, "b")),
        "index field",
    ),
    "a status flipped": (lambda c, a, b: flip_status(c), "index"),
    "contents swapped": (lambda c, a, b: swap_contents(c), "index"),
    "the index lost": (lambda c, a, b: c.delete(KEYS.index), "index"),
    "the last change lost": (lambda c, a, b: c.rpop(KEYS.history), "history"),
    "the last change is no JSON": (lambda c, a, b: c.lset(KEYS.history, -1, "?"), "history"),
    "the first change lost": (lambda c, a, b: c.lpop(KEYS.history), "history"),
    "the history lost": (lambda c, a, b: c.delete(KEYS.history), "history"),
    "a key of another type": (
        lambda c, a, b: (c.delete(KEYS.index), c.set(KEYS.index, "x")),
        "registry key",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found_when_a_snapshot_is_taken(
    damage: str, database: Database, stored: RedisRegistry
) -> None:
    stored.register(model("a"), **WHO)
    stored.register(model("b"), **WHO)
    contents = {name: row.content for name, row in stored.contents(SPACE).rows.items()}
    act, place = DAMAGES[damage]
    act(database.client, contents["a"], contents["b"])
    with pytest.raises(RegistryCorrupt) as found:
        stored.snapshot(SPACE)
    assert place in found.value.key
    assert found.value.seen in str(found.value)
    assert found.value.expected in str(found.value)
    with pytest.raises(RegistryCorrupt):
        export(stored, SPACE)
    database.client.flushdb()  # an undeclared type would fail the check of the keys too


def test_a_damaged_registry_takes_no_writes(database: Database, stored: RedisRegistry) -> None:
    stored.register(model("a"), **WHO)
    stored.register(model("b"), **WHO)
    database.client.rpop(KEYS.history)
    with pytest.raises(RegistryCorrupt, match="found 1 changes, expected as many as the stream"):
        stored.promote(SPACE, "a", **WHO)
    assert database.client.llen(KEYS.history) == 1


def test_a_damaged_stream_entry_is_named_when_it_is_followed(
    database: Database, stored: RedisRegistry
) -> None:
    stored.register(model("a"), **WHO)
    database.client.delete(KEYS.changes)
    database.client.xadd(KEYS.changes, {"change": "?"}, id="1-0")
    with pytest.raises(RegistryCorrupt, match="changes entry 1-0"):
        stored.follow(SPACE, 0, block_s=0.0)


def test_a_stream_ahead_of_the_history_is_named_when_it_is_followed(
    database: Database, stored: RedisRegistry
) -> None:
    stored.register(model("a"), **WHO)
    database.client.xadd(KEYS.changes, {"change": "?"}, id="2-0")
    with pytest.raises(RegistryCorrupt, match="found an entry 2-0, expected 1-0 as the last"):
        stored.follow(SPACE, 1, block_s=5.0)


def test_damage_in_one_space_leaves_the_others_usable(
    database: Database, stored: RedisRegistry
) -> None:
    stored.register(model("a"), **WHO)
    stored.register(model("a", space=OTHER_SPACE), **WHO)
    database.client.delete(KEYS.index)
    assert len(stored.snapshot(OTHER_SPACE).models) == 1
    with pytest.raises(RegistryCorrupt):
        stored.snapshot(SPACE)
