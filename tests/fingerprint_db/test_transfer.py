"""Export and import: the same bit for bit, whatever keeps it; all or nothing; twice is once."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fingerprint_db.errors import ImportConflict, NameTaken, RegistryCorrupt, WrongSettings
from fingerprint_db.memory_registry import MemoryRegistry
from fingerprint_db.redis_store.registry import RedisRegistry
from fingerprint_db.registry import Registry
from fingerprint_db.space_contents import contradiction
from fingerprint_db.transfer import decode_contents, encode_contents, export, import_
from tests.fingerprint_db.conftest import Database
from tests.fingerprint_db.samples import SPACE, TickingClock, model

WHO: dict[str, Any] = {"by": "ada", "reason": "test"}


def lived_in(registry: Registry) -> Registry:
    """Fills `registry` with models of every status, and with a history."""
    for name in ("zeta", "b", "c", "d"):
        registry.register(model(name, seed=ord(name[0])), **WHO)
    registry.promote(SPACE, "b", **WHO)
    registry.promote(SPACE, "c", **WHO)
    registry.retire(SPACE, "c", by="eve", reason="no longer seen")
    registry.retire(SPACE, "d", **WHO)
    registry.restore(SPACE, "d", **WHO)
    return registry


def test_the_way_through_every_registry_leaves_each_byte_as_it_was(
    redis_62_database: Database, valkey_9_database: Database
) -> None:
    first = export(lived_in(MemoryRegistry(clock=TickingClock())), SPACE)
    for onward in (
        RedisRegistry(redis_62_database.url),
        RedisRegistry(valkey_9_database.url),
        MemoryRegistry(),
    ):
        report = import_(onward, first, **WHO)
        assert report.restored
        assert report.added == ("zeta", "b", "c", "d")
        assert export(onward, SPACE) == first


def test_a_restored_registry_goes_on_where_the_lost_one_stopped(registry: Registry) -> None:
    source = lived_in(MemoryRegistry(clock=TickingClock()))
    held = source.snapshot(SPACE)
    import_(registry, export(source, SPACE), **WHO)
    assert registry.history(SPACE) == source.history(SPACE)
    assert registry.snapshot(SPACE).root == held.root
    assert registry.follow(SPACE, held.revision, block_s=0.0, root=held.root) == ()
    change = registry.restore(SPACE, "c", **WHO)
    assert (change.status, change.revision) == ("live", held.revision + 1)
    assert registry.follow(SPACE, held.revision, block_s=1.0, root=held.root) == (change,)


def test_importing_twice_changes_nothing(registry: Registry) -> None:
    data = export(lived_in(MemoryRegistry()), SPACE)
    import_(registry, data, **WHO)
    before = export(registry, SPACE)
    report = import_(registry, data, **WHO)
    assert (report.restored, report.added) == (False, ())
    assert report.unchanged == ("zeta", "b", "c", "d")
    assert export(registry, SPACE) == before == data


def test_importing_into_a_filled_space_adds_what_is_missing_one_change_each(
    registry: Registry,
) -> None:
    registry.register(model("own"), **WHO)
    source = lived_in(MemoryRegistry())
    report = import_(registry, export(source, SPACE), by="eve", reason="merge")
    assert (report.restored, report.added) == (False, ("zeta", "b", "c", "d"))
    assert report.revision == registry.revision(SPACE) == 5
    assert [(c.action, c.model_id, c.by) for c in registry.history(SPACE)[1:]] == [
        ("import", name, "eve") for name in ("zeta", "b", "c", "d")
    ]
    listed = {entry.model_id: entry.status for entry in registry.list(SPACE)}
    assert listed["c"] == "retired"
    assert listed["b"] == "live"
    assert registry.restore(SPACE, "c", **WHO).status == "live"
    assert contradiction(registry.contents(SPACE)) is None


def test_the_status_here_stands_when_the_export_says_otherwise(registry: Registry) -> None:
    source = lived_in(MemoryRegistry())
    data = export(source, SPACE)
    import_(registry, data, **WHO)
    registry.retire(SPACE, "b", **WHO)
    report = import_(registry, data, **WHO)
    assert report.kept_status == ("b",)
    assert registry.get(SPACE, "b").status == "retired"


def test_other_content_under_the_same_id_is_refused_and_nothing_is_imported(
    registry: Registry,
) -> None:
    source = MemoryRegistry()
    source.register(model("new"), **WHO)
    source.register(model("a", seed=5), **WHO)
    registry.register(model("a", seed=6), **WHO)
    before = export(registry, SPACE)
    with pytest.raises(ImportConflict, match="model 'a' is already registered with other content"):
        import_(registry, export(source, SPACE), **WHO)
    assert export(registry, SPACE) == before


def test_a_name_that_is_taken_under_another_id_is_refused_and_nothing_is_imported(
    registry: Registry,
) -> None:
    source = MemoryRegistry()
    source.register(model("new"), **WHO)
    source.register(model("b", name="ProGAN"), **WHO)
    registry.register(model("a", name="ProGAN"), **WHO)
    with pytest.raises(NameTaken, match="the name 'ProGAN' belongs to model 'a'"):
        import_(registry, export(source, SPACE), **WHO)
    assert [entry.model_id for entry in registry.list(SPACE)] == ["a"]


EXPORT = export(lived_in(MemoryRegistry(clock=TickingClock())), SPACE)


@settings(max_examples=60)
@given(position=st.integers(0, len(EXPORT) - 1), bit=st.integers(0, 7))
def test_an_export_with_one_bit_flipped_is_refused(position: int, bit: int) -> None:
    damaged = bytearray(EXPORT)
    damaged[position] ^= 1 << bit
    registry = MemoryRegistry()
    with pytest.raises((RegistryCorrupt, WrongSettings), match="nothing was imported"):
        import_(registry, bytes(damaged), **WHO)
    assert registry.spaces() == ()


@given(length=st.integers(0, len(EXPORT) - 1))
def test_an_export_cut_short_is_refused(length: int) -> None:
    with pytest.raises((RegistryCorrupt, WrongSettings)):
        decode_contents(EXPORT[:length])
    with pytest.raises(RegistryCorrupt):
        decode_contents(EXPORT + b"more")


def test_any_file_that_is_no_export_is_named_as_such() -> None:
    with pytest.raises(WrongSettings, match="not a registry export: it starts with b'PK"):
        decode_contents(b"PK\x03\x04 and so on")


FORGERIES: dict[str, Callable[[bytes], bytes]] = {
    "a status": lambda body: body.replace(
        b'"registered_revision":2,"status":"live"', b'"registered_revision":2,"status":"shadow"', 1
    ),
    "an action": lambda body: body.replace(b'"action":"promote"', b'"action":"register"', 1),
    "an order": lambda body: body.replace(
        b'"registered_revision":2', b'"registered_revision":9', 1
    ),
    "a former status": lambda body: body.replace(b'"former":"live"', b'"former":"shadow"', 1),
    "an entry": lambda body: body[:-1] + bytes([body[-1] ^ 1]),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_document_that_contradicts_itself_is_refused_even_with_the_right_digest(
    forgery: str,
) -> None:
    contents = decode_contents(EXPORT)
    assert encode_contents(contents) == EXPORT
    first, _, body = EXPORT.split(b"\n", 2)
    forged = FORGERIES[forgery](body)
    assert forged != body
    with pytest.raises(RegistryCorrupt):
        decode_contents(first + b"\n" + _digest(forged) + b"\n" + forged)


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()
