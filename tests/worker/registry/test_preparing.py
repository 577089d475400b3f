"""What is judged with is made ready on the follower's thread, before a snapshot comes into use."""

from dataclasses import replace
from typing import Any

import pytest

from fingerprint_db.memory_registry import MemoryRegistry
from fingerprint_db.snapshot import Snapshot
from tests.fingerprint_db.photograph_parts import part
from tests.fingerprint_db.samples import SPACE, model
from worker.registry.follower import RegistryFollower


def register(memory: MemoryRegistry, model_id: str) -> None:
    memory.register(model(model_id), by="ada", reason="seen")


def test_a_snapshot_comes_into_use_once_it_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = MemoryRegistry()
    in_use: list[int | None] = []

    def prepare(snapshot: Snapshot, calibration: Any) -> tuple[int, Any]:
        held = follower.view().snapshot
        in_use.append(None if held is None else held.revision)
        return snapshot.revision, calibration.digest

    follower = RegistryFollower(memory, SPACE, block_s=0.0, prepare=prepare)
    register(memory, "one")
    follower.step()
    register(memory, "two")
    follower.step()
    assert in_use == [None, 1], "the snapshot before stays in use until the next one is ready"
    assert follower.view().prepared == (2, None)
    follower.step()
    assert in_use == [None, 1], "nothing changed, and nothing is made ready anew"
    stored = memory.store_calibration(SPACE, [part("shop", 5)], seen=0, by="ada", reason="a test")
    follower.step()
    assert follower.view().prepared == (2, stored.digest)
    register(memory, "three")
    damaged = replace(memory.snapshot(SPACE), root="0" * 64)
    monkeypatch.setattr(memory, "snapshot", lambda space: damaged)
    assert not follower.step()
    assert in_use == [None, 1, 2], "what is refused is not made ready"


def test_what_cannot_be_made_ready_is_trouble_and_the_last_snapshot_stays_and_ages() -> None:
    memory, now = MemoryRegistry(), [100.0]

    def prepare(snapshot: Snapshot, calibration: Any) -> int:
        if snapshot.revision > 1:
            raise MemoryError
        return snapshot.revision

    follower = RegistryFollower(memory, SPACE, block_s=0.0, prepare=prepare, clock=lambda: now[0])
    register(memory, "one")
    follower.step()
    now[0] += 7
    register(memory, "two")
    assert not follower.step()
    view = follower.view()
    assert view.snapshot is not None
    assert (view.snapshot.revision, view.prepared, view.age_s) == (1, 1, 7)
    assert "MemoryError" in str(follower.trouble)


def test_changes_that_came_meanwhile_are_made_ready_together() -> None:
    memory, ready = MemoryRegistry(), list[int]()
    follower = RegistryFollower(
        memory, SPACE, block_s=0.0, prepare=lambda snapshot, _: ready.append(snapshot.revision)
    )
    follower.step()
    for name in ("one", "two", "three"):
        register(memory, name)
    memory.retire(SPACE, "two", by="ada", reason="gone")
    follower.step()
    assert ready == [0, 4]
