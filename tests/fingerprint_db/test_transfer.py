"""Export and import: the same bit for bit, whatever keeps it; all or nothing; twice is once."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fingerprint_db.calibration import Calibration
from fingerprint_db.calibration_encoding import encode_part
from fingerprint_db.entry_encoding import digest_of
from fingerprint_db.errors import ImportConflict, NameTaken, RegistryCorrupt, WrongSettings
from fingerprint_db.memory_registry import MemoryRegistry
from fingerprint_db.redis_store.registry import RedisRegistry
from fingerprint_db.registry import Registry
from fingerprint_db.space_contents import contradiction
from fingerprint_db.transfer import decode_export, encode_export, export, import_
from tests.fingerprint_db.conftest import Database
from tests.fingerprint_db.photograph_parts import part
from tests.fingerprint_db.samples import OTHER_SPACE, SPACE, TickingClock, model

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


def calibrated(registry: Registry) -> Registry:
    """With photographs of two sources beside the models."""
    registry.store_calibration(SPACE, [part("shop", 5)], seen=0, **WHO)
    registry.store_calibration(SPACE, [part("news", 3)], seen=1, by="eve", reason="more of them")
    return registry


def essence(calibration: Calibration) -> tuple[object, ...]:
    return calibration.revision, list(calibration.parts), calibration.written


def test_the_way_through_every_registry_leaves_each_byte_as_it_was(
    redis_62_database: Database, valkey_9_database: Database
) -> None:
    first = export(calibrated(lived_in(MemoryRegistry(clock=TickingClock()))), SPACE)
    for onward in (
        RedisRegistry(redis_62_database.url),
        RedisRegistry(valkey_9_database.url),
        MemoryRegistry(),
    ):
        report = import_(onward, first, **WHO)
        assert report.restored
        assert report.added == ("zeta", "b", "c", "d")
        assert report.photographs == 8
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


def test_photographs_are_restored_with_their_revision_and_their_author(registry: Registry) -> None:
    source = calibrated(lived_in(MemoryRegistry(clock=TickingClock())))
    import_(registry, export(source, SPACE), by="dan", reason="after the loss")
    found = registry.calibration(SPACE)
    assert essence(found) == essence(source.calibration(SPACE))
    assert found.written is not None
    assert (found.revision, found.written.by) == (2, "eve")
    grown = registry.store_calibration(SPACE, [part("mine", 2)], seen=2, **WHO)
    assert grown.photographs == 10


def test_importing_photographs_adds_those_that_are_missing_by_one_write(
    registry: Registry,
) -> None:
    data = export(calibrated(lived_in(MemoryRegistry())), SPACE)
    registry.store_calibration(SPACE, [part("mine", 4), part("shop", 5)], seen=0, **WHO)
    report = import_(registry, data, by="dan", reason="both")
    found = registry.calibration(SPACE)
    assert report.photographs == 3
    assert [one.source for one in found.parts.values()] == ["mine", "shop", "news"]
    assert found.written is not None
    assert (found.revision, found.written.by) == (2, "dan")
    again = import_(registry, data, by="dan", reason="twice")
    assert again.photographs == 0
    assert essence(registry.calibration(SPACE)) == essence(found)


def test_an_export_without_photographs_is_of_the_first_kind_and_changes_none_here(
    registry: Registry,
) -> None:
    plain = export(lived_in(MemoryRegistry()), SPACE)
    assert plain.startswith(b"latentprint-registry-export 1\n")
    assert EXPORT.startswith(b"latentprint-registry-export 2\n"), "which older versions refuse"
    calibrated(registry)
    before = essence(registry.calibration(SPACE))
    assert import_(registry, plain, **WHO).photographs == 0
    assert essence(registry.calibration(SPACE)) == before


def test_too_many_photographs_are_refused_and_nothing_is_imported(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = export(calibrated(lived_in(MemoryRegistry())), SPACE)
    registry.store_calibration(SPACE, [part("mine", 4)], seen=0, **WHO)
    monkeypatch.setattr("fingerprint_db.calibration.MOST_FINGERPRINTS", 11)
    with pytest.raises(WrongSettings, match=r"12 fingerprints of photographs would .*, 11 may"):
        import_(registry, data, **WHO)
    assert registry.revision(SPACE) == 0
    assert registry.calibration(SPACE).count == 4


def test_photographs_of_another_space_are_refused_by_name() -> None:
    """What is in their parts is of one fingerprint space alone."""
    given = decode_export(EXPORT)
    other = MemoryRegistry()
    other.store_calibration(OTHER_SPACE, [part("shop", 5)], seen=0, **WHO)
    first, _, body = EXPORT.split(b"\n", 2)
    (theirs,) = (
        encode_part(OTHER_SPACE, one) for one in other.calibration(OTHER_SPACE).parts.values()
    )
    ours, *_ = (encode_part(SPACE, one) for one in given.calibration.parts.values())
    assert len(theirs) == len(ours)
    forged = body.replace(ours, theirs).replace(
        digest_of(ours).encode(), digest_of(theirs).encode()
    )
    with pytest.raises(RegistryCorrupt, match=f"photographs are of space {OTHER_SPACE}, expected"):
        decode_export(first + b"\n" + _digest(forged) + b"\n" + forged)


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


EXPORT = export(calibrated(lived_in(MemoryRegistry(clock=TickingClock()))), SPACE)


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
        decode_export(EXPORT[:length])
    with pytest.raises(RegistryCorrupt):
        decode_export(EXPORT + b"more")


def test_any_file_that_is_no_export_is_named_as_such() -> None:
    with pytest.raises(WrongSettings, match="not a registry export: it starts with b'PK"):
        decode_export(b"PK\x03\x04 and so on")


FORGERIES: dict[str, Callable[[bytes], bytes]] = {
    "a status": lambda body: body.replace(
        b'"registered_revision":2,"status":"live"', b'"registered_revision":2,"status":"shadow"', 1
    ),
    "an action": lambda body: body.replace(b'"action":"promote"', b'"action":"register"', 1),
    "an order": lambda body: body.replace(
        b'"registered_revision":2', b'"registered_revision":9', 1
    ),
    "a former status": lambda body: body.replace(b'"former":"live"', b'"former":"shadow"', 1),
    "an entry": lambda body: body.replace(b"latentprint-entry", b"latentprint-intry", 1),
    "a photograph": lambda body: body[:-1] + bytes([body[-1] ^ 1]),
    "a revision": lambda body: body.replace(b'"revision":2', b'"revision":0', 1),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_document_that_contradicts_itself_is_refused_even_with_the_right_digest(
    forgery: str,
) -> None:
    given = decode_export(EXPORT)
    assert encode_export(given) == EXPORT
    first, _, body = EXPORT.split(b"\n", 2)
    forged = FORGERIES[forgery](body)
    assert forged != body
    with pytest.raises(RegistryCorrupt):
        decode_export(first + b"\n" + _digest(forged) + b"\n" + forged)


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()
