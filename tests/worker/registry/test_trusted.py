"""A follower that is given keys takes over only what one of them vouches for."""

import pytest

from fingerprint_db.memory_registry import MemoryRegistry
from fingerprint_db.signing.keys import SigningKey
from tests.fingerprint_db.photograph_parts import part
from tests.fingerprint_db.samples import SPACE, model
from tests.fingerprint_db.trust.lived_in import WHO, lived_in
from worker.registry.follower import RegistryFollower, SnapshotRefused

OURS, THEIRS = SigningKey.create(), SigningKey.create()


def follower(registry: MemoryRegistry) -> RegistryFollower:
    return RegistryFollower(registry, SPACE, block_s=0.0, keys=[OURS.public])


def revision(held: RegistryFollower) -> int | None:
    snapshot = held.view().snapshot
    return snapshot.revision if snapshot else None


def test_what_our_key_signed_is_taken_over_as_it_grows() -> None:
    registry = lived_in(MemoryRegistry(key=OURS))
    held = follower(registry)
    assert held.step(block=False)
    assert revision(held) == 9
    registry.retire(SPACE, "a", **WHO)
    registry.register(model("e"), **WHO)
    assert held.step()
    assert revision(held) == 11


def test_a_space_that_was_never_filled_needs_no_signature() -> None:
    held = follower(MemoryRegistry())
    assert held.step(block=False)
    assert revision(held) == 0


@pytest.mark.parametrize("key", [None, THEIRS])
def test_an_entry_that_is_slipped_in_is_refused_and_named_and_the_last_snapshot_stays(
    key: SigningKey | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = lived_in(MemoryRegistry(key=OURS))
    held = follower(registry)
    held.step(block=False)
    monkeypatch.setattr(registry, "_key", key)
    registry.register(model("slipped-in"), by="mallory", reason="test")
    assert not held.step()
    assert revision(held) == 9
    with pytest.raises(SnapshotRefused, match="the entry 'slipped-in', last changed by"):
        held.load()
    monkeypatch.setattr(registry, "_key", OURS)
    registry.promote(SPACE, "d", **WHO)  # a signature that comes after vouches for its own entry
    assert not held.step()
    registry.endorse(SPACE, "slipped-in", **WHO)
    assert held.step()
    assert revision(held) == 12


def test_photographs_that_nobody_vouches_for_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = lived_in(MemoryRegistry(key=OURS))
    held = follower(registry)
    held.step(block=False)
    before = held.view().calibration
    monkeypatch.setattr(registry, "_key", None)
    registry.store_calibration(SPACE, [part("forged", 2)], seen=2, **WHO)
    assert not held.step()
    assert held.view().calibration is before
    with pytest.raises(SnapshotRefused, match="the photographs, stored by 'ada': it is not signed"):
        held.load()
