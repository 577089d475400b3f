"""A snapshot of what has changed is that of everything, or everything is read."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from redis.commands.core import HashCommands

from fingerprint_db.change import canonical_json
from fingerprint_db.entry_encoding import content_digest
from fingerprint_db.errors import RegistryCorrupt
from fingerprint_db.lifecycle import encode_row, row_from_document, rows_root
from fingerprint_db.memory_registry import MemoryRegistry
from fingerprint_db.redis_store.keys import READER_COMMANDS, SpaceKeys
from fingerprint_db.redis_store.registry import RedisRegistry
from fingerprint_db.snapshot import EMPTY_ROOT, RootLines, Snapshot, root_of
from tests.fingerprint_db.conftest import Database
from tests.fingerprint_db.samples import SPACE, model

KEYS = SpaceKeys(SPACE)
WHO: dict[str, Any] = {"by": "ada", "reason": "a test"}


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How often the whole index was read, and how often some rows of it."""
    counts = {"hgetall": 0, "hmget": 0}
    for name in counts:
        plainly = getattr(HashCommands, name)

        def counting(self: Any, *args: Any, plainly: Any = plainly, name: str = name) -> Any:
            counts[name] += 1
            return plainly(self, *args)

        monkeypatch.setattr(HashCommands, name, counting)
    return counts


def told(snapshot: Snapshot) -> tuple[object, ...]:
    models = [(m.model_id, m.status, content_digest(m)) for m in snapshot.models]
    return snapshot.revision, snapshot.root, models


def whole(database: Database) -> tuple[object, ...]:
    """What somebody reads who holds nothing."""
    registry = RedisRegistry(database.url)
    found = told(registry.snapshot(SPACE))
    registry.close()
    return found


def test_after_any_changes_it_is_what_a_whole_read_gives(
    database: Database, counted: dict[str, int]
) -> None:
    reader, writer = RedisRegistry(database.url), RedisRegistry(database.url)
    rng = np.random.default_rng(4)
    source = MemoryRegistry()
    for number in range(30, 34):
        source.register(model(f"m{number}", status="live"), **WHO)
    states: dict[int, str] = {}
    assert told(reader.snapshot(SPACE)) == whole(database)
    for step in range(25):
        for number in rng.integers(0, 12, rng.integers(1, 4)).tolist():
            name, state = f"m{number}", states.get(number)
            if state is None:
                writer.register(model(name, seed=number, status="shadow"), **WHO)
            elif state == "shadow" and rng.uniform() < 0.5:
                writer.promote(SPACE, name, **WHO)
            elif state == "retired":
                writer.restore(SPACE, name, **WHO)
            else:
                writer.retire(SPACE, name, **WHO)
            states[number] = writer.get(SPACE, name).status
        if step == 12:
            writer.absorb(source.contents(SPACE), **WHO)
        counted["hgetall"] = 0
        found = told(reader.snapshot(SPACE))
        assert counted == {"hgetall": 0, "hmget": step + 1}, "the index was read for a few changes"
        assert found == whole(database)
    reader.close()
    writer.close()


def _forged_root(client: Any) -> None:
    """A model is slipped into the index beside the change that is read."""
    data = client.hget(KEYS.index, "a").replace(b'"model_id":"a"', b'"model_id":"z"')
    client.hset(KEYS.index, "z", data)
    last = client.lindex(KEYS.history, -1).replace(b'"model_id":"c"', b'"model_id":"z"')
    client.lset(KEYS.history, -1, last)
    client.delete(KEYS.changes)


DAMAGES: dict[str, Callable[[Any], object]] = {
    "another row": lambda c: c.hset(KEYS.index, "c", c.hget(KEYS.index, "b")),
    "no row": lambda c: c.hdel(KEYS.index, "c"),
    "another status": lambda c: c.hset(
        KEYS.index, "c", c.hget(KEYS.index, "c").replace(b"shadow", b"live")
    ),
    "a row in other words": lambda c: c.hset(KEYS.index, "c", c.hget(KEYS.index, "c") + b" "),
    "a model slipped in": _forged_root,
    "a change that the stream tells differently": lambda c: c.lset(
        KEYS.history, -1, c.lindex(KEYS.history, -1).replace(b"a test", b"a lie!")
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_of_what_changed_is_found(damage: str, database: Database) -> None:
    registry = RedisRegistry(database.url)
    registry.register(model("a"), **WHO)
    registry.register(model("b"), **WHO)
    held = registry.snapshot(SPACE)
    registry.register(model("c"), **WHO)
    DAMAGES[damage](database.client)
    with pytest.raises(RegistryCorrupt):
        registry.snapshot(SPACE)
    assert [m.model_id for m in held.models] == ["a", "b"]
    registry.close()
    database.client.flushdb()


def _pointing(client: Any, **contents: str) -> None:
    """Rows of these models with the content of others, under the root that they give."""
    for name, content in contents.items():
        known = client.hget(KEYS.index, name) or client.hget(KEYS.index, "a")
        row = row_from_document({**json.loads(known), "model_id": name, "content": content})
        client.hset(KEYS.index, name, encode_row(row))
    rows = [row_from_document(json.loads(data)) for data in client.hgetall(KEYS.index).values()]
    last = json.loads(client.lindex(KEYS.history, -1)) | {"root": rows_root(rows)}
    client.lset(KEYS.history, -1, canonical_json(last))
    client.delete(KEYS.changes)


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("forged", [{"z": "a"}, {"a": "b", "b": "a"}])
def test_a_row_that_points_at_anothers_entry_is_found_and_after_repair_all_is_as_before(
    forged: dict[str, str], held: bool, database: Database
) -> None:
    registry = RedisRegistry(database.url)
    for name in "ab":
        registry.register(model(name), **WHO)
    expected = whole(database)
    if held:
        registry.snapshot(SPACE)
    contents = {name: content_digest(model(name)) for name in "ab"}
    before = {key: database.client.dump(key) for key in database.client.scan_iter()}
    _pointing(database.client, **{name: contents[other] for name, other in forged.items()})
    for _ in range(2):
        with pytest.raises(RegistryCorrupt, match="its own entry"):
            registry.snapshot(SPACE)
    database.client.flushdb()
    for key, data in before.items():
        database.client.restore(key, 0, data)
    assert told(registry.snapshot(SPACE)) == expected
    registry.close()


def test_a_registry_that_was_emptied_and_filled_again_is_read_anew(
    database: Database, counted: dict[str, int]
) -> None:
    registry = RedisRegistry(database.url)
    registry.register(model("a"), **WHO)
    registry.snapshot(SPACE)
    database.client.flushdb()
    for name in "xyz":
        registry.register(model(name), **WHO)
    counted["hgetall"] = 0
    assert told(registry.snapshot(SPACE)) == whole(database)
    assert counted == {"hgetall": 2, "hmget": 0}
    registry.close()


def test_a_change_that_comes_between_the_two_reads_is_not_mixed_in(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = RedisRegistry(database.url), RedisRegistry(database.url)
    writer.register(model("a"), **WHO)
    reader.snapshot(SPACE)
    writer.register(model("b"), **WHO)
    plainly, pending = HashCommands.hmget, ["c"]

    def hmget(self: Any, *args: Any) -> Any:
        if pending:
            writer.register(model(pending.pop()), **WHO)
        return plainly(self, *args)

    monkeypatch.setattr(HashCommands, "hmget", hmget)
    assert told(reader.snapshot(SPACE)) == whole(database)
    assert not pending
    reader.close()
    writer.close()


def test_who_may_not_read_single_rows_reads_the_whole_index_as_before(database: Database) -> None:
    writer = RedisRegistry(database.url)
    writer.register(model("a"), **WHO)
    allowed = [f"+{name.lower()}" for name in READER_COMMANDS if name != "HMGET"]
    database.client.execute_command(
        "ACL", "SETUSER", "former", "on", ">secret", "~latentprint:*", "-@all", *allowed
    )
    try:
        host = urlsplit(database.url)
        reader = RedisRegistry(f"redis://former:secret@{host.netloc}{host.path}")
        reader.snapshot(SPACE)
        writer.register(model("b"), **WHO)
        assert told(reader.snapshot(SPACE)) == whole(database)
        reader.close()
    finally:
        database.client.execute_command("ACL", "DELUSER", "former")
    writer.close()


def test_lines_of_a_root_come_and_go_one_by_one() -> None:
    rng = np.random.default_rng(2)
    digests = [rng.bytes(32).hex() for _ in range(40)]
    lines, held = RootLines.of(()), set[str]()
    assert lines.root() == EMPTY_ROOT
    for which in rng.integers(0, 40, 300):
        digest = digests[which]
        there = digest in held
        lines = lines.changed([digest] if there else [], [] if there else [digest])
        held ^= {digest}
        assert lines.root() == root_of(held)
    with pytest.raises(ValueError, match="no entry has digest"):
        lines.changed(["f" * 64], [])
    many = [rng.bytes(32).hex() for _ in range(200)]
    assert lines.changed(sorted(held)[:3], many).root() == root_of([*sorted(held)[3:], *many])
