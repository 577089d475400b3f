"""The history is a chain: what is edited, dropped or moved shows, also where versions met."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from fingerprint_db.change import (
    Change,
    broken_link,
    change_document,
    decode_change,
    encode_change,
    head_of,
)
from fingerprint_db.memory_registry import MemoryRegistry
from fingerprint_db.redis_store.keys import SpaceKeys
from fingerprint_db.redis_store.registry import RedisRegistry
from fingerprint_db.registry import Registry
from fingerprint_db.signing.keys import SigningKey
from fingerprint_db.space_contents import contradiction
from fingerprint_db.trust.audit import disagreement
from fingerprint_db.trust.signatures import wrong_signature
from tests.fingerprint_db.conftest import Database
from tests.fingerprint_db.samples import OTHER_SPACE, SPACE, model
from tests.fingerprint_db.trust.lived_in import WHO, lived_in

Edit = Callable[[list[Change]], Sequence[Change]]
EDITS: dict[str, Edit] = {
    "a reason edited": lambda h: [h[0], replace(h[1], reason="another"), *h[2:]],
    "an author edited": lambda h: [replace(h[0], by="eve"), *h[1:]],
    "a login edited": lambda h: [replace(h[0], login="eve"), *h[1:]],
    "a time edited": lambda h: [replace(h[0], at=h[1].at), *h[1:]],
    "two moved": lambda h: [replace(h[1], revision=1), replace(h[0], revision=2), *h[2:]],
    "one dropped": lambda h: [h[0], *(replace(c, revision=c.revision - 1) for c in h[2:])],
    "a link dropped": lambda h: [*h[:-1], replace(h[-1], previous=None)],
}


def test_every_registry_links_each_change_to_all_before_it(registry: Registry) -> None:
    history = lived_in(registry).history(SPACE)
    assert [c.previous for c in history] == [head_of(SPACE, history[:i]) for i in range(9)]
    assert broken_link(SPACE, history) is None
    assert contradiction(registry.contents(SPACE)) is None


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_breaks_the_chain(edit: str) -> None:
    history = list(lived_in(MemoryRegistry()).history(SPACE))
    assert broken_link(SPACE, EDITS[edit](history)) is not None


def test_a_history_of_one_space_is_none_of_another() -> None:
    assert broken_link(OTHER_SPACE, lived_in(MemoryRegistry()).history(SPACE)) is not None


def test_the_first_linked_change_covers_those_of_versions_before(database: Database) -> None:
    registry = RedisRegistry(database.url)
    for name in ("a", "b"):
        registry.register(model(name), **WHO)
    former = [_before_the_chain(change) for change in registry.history(SPACE)]
    _store(database, former)
    assert broken_link(SPACE, registry.history(SPACE)) is None
    linked = registry.promote(SPACE, "a", **WHO)
    assert linked.previous == head_of(SPACE, former)
    assert contradiction(registry.contents(SPACE)) is None
    _store(database, [replace(former[0], reason="another"), former[1], linked])
    assert "something before it was edited" in str(contradiction(registry.contents(SPACE)))
    registry.close()


def test_a_change_means_the_same_in_one_writing_alone() -> None:
    change = lived_in(MemoryRegistry()).history(SPACE)[0]
    data = encode_change(change)
    assert decode_change(data) == change
    for other in (data.replace(b"T00:", b" 00:", 1), data.replace(b",", b", ", 1), data + b" "):
        if other != data:
            with pytest.raises(ValueError, match="not written as this program"):
                decode_change(other)


def test_changes_of_versions_before_keep_their_bytes() -> None:
    former = _before_the_chain(lived_in(MemoryRegistry()).history(SPACE)[0])
    assert set(change_document(former)) == {
        *("revision", "action", "model_id", "at", "by", "reason", "status", "root")
    }
    assert decode_change(encode_change(former)) == former


def test_a_change_says_who_redis_saw_and_why_it_does_not_know(database: Database) -> None:
    allowed = ("~*", "+@all", "-acl", "-monitor")
    database.client.execute_command("ACL", "SETUSER", "mute", "on", ">pw", *allowed)
    database.client.execute_command("ACL", "SETUSER", "clerk", "on", ">pw", "~*", "+@all")
    try:
        seen = {}
        for user in ("mute", "clerk"):
            own = RedisRegistry(database.url.replace("redis://", f"redis://{user}:pw@"))
            seen[user] = own.register(model(user), by="somebody", reason="test")
            own.close()
    finally:
        database.client.execute_command("ACL", "DELUSER", "mute", "clerk")
    assert (seen["clerk"].by, seen["clerk"].login) == ("somebody", "clerk")
    assert seen["mute"].login is None
    assert "Redis does not say: " in str(seen["mute"].no_login)
    assert change_document(seen["mute"])["login"] is None


def test_with_a_key_every_registry_signs_what_it_writes(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = SigningKey.create()
    monkeypatch.setattr(registry, "_key", key)
    history = lived_in(registry).history(SPACE)
    assert {c.signature.key for c in history if c.signature} == {key.public.text}
    assert all(c.signature for c in history)
    assert wrong_signature(SPACE, history) is None
    contents, calibration = registry.contents(SPACE), registry.calibration(SPACE)
    assert disagreement(contents, calibration, [key.public]) is None


def test_an_endorsement_vouches_and_changes_nothing(registry: Registry) -> None:
    before = lived_in(registry).snapshot(SPACE)
    for model_id in ("a", "b"):
        change = registry.endorse(SPACE, model_id, by="eve", reason="looked at it")
        assert (change.action, change.root) == ("endorse", before.root)
    assert [m.status for m in registry.list(SPACE)] == ["live", "retired", "shadow", "shadow"]
    assert registry.restore(SPACE, "b", **WHO).status == "live"
    assert contradiction(registry.contents(SPACE)) is None


def _before_the_chain(change: Change) -> Change:
    return replace(change, row=None, previous=None, login=None, no_login=None)


def _store(database: Database, history: Sequence[Change]) -> None:
    keys: Any = SpaceKeys(SPACE)
    database.client.delete(keys.history, keys.changes)
    for change in history:
        database.client.rpush(keys.history, encode_change(change))
        fields = {"change": encode_change(change)}
        database.client.xadd(keys.changes, fields, id=f"{change.revision}-0")
