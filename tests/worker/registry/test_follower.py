"""The follower serves the newest verified snapshot, knows its age, and takes over nothing worse."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fingerprint_db.entry_encoding import content_digest
from fingerprint_db.errors import RegistryCorrupt, RegistryUnavailable
from fingerprint_db.memory_registry import MemoryRegistry
from fingerprint_db.model_fingerprint import ModelFingerprint
from fingerprint_db.snapshot import Snapshot
from tests.fingerprint_db.photograph_parts import part
from tests.fingerprint_db.samples import OTHER_SPACE, SPACE, model
from tests.waiting import wait_for
from worker.registry.floor import Floor, decode_floor, encode_floor, highest
from worker.registry.follower import RegistryFollower


class Unreliable:
    """A registry that can be made to fail, or to show something else."""

    def __init__(self, registry: Any) -> None:
        self.registry = registry
        self.away = False
        self.show: Callable[[Snapshot], Snapshot] = lambda snapshot: snapshot

    def snapshot(self, space: str) -> Snapshot:
        if self.away:
            raise RegistryUnavailable("connection refused")
        return self.show(self.registry.snapshot(space))

    def follow(self, space: str, revision: int, **arguments: Any) -> Any:
        if self.away:
            raise RegistryUnavailable("connection refused")
        return self.registry.follow(space, revision, **arguments)

    def calibration(self, space: str) -> Any:
        return self.registry.calibration(space)

    def change(self, space: str, revision: int) -> Any:
        if self.away:
            raise RegistryUnavailable("connection refused")
        return self.registry.change(space, revision)


class Bench:
    """A follower on a clock that only moves when told."""

    def __init__(self, floor: Floor | None = None, *, accept: bool = False) -> None:
        self.now = 100.0
        self.memory = MemoryRegistry()
        self.registry = Unreliable(self.memory)
        self.follower = RegistryFollower(
            self.registry,  # type: ignore[arg-type]
            SPACE,
            block_s=0.0,
            floor=floor,
            accept=accept,
            clock=lambda: self.now,
        )

    def register(self, model_id: str) -> None:
        self.memory.register(model(model_id), by="ada", reason="seen")

    def names(self) -> list[str]:
        snapshot = self.follower.view().snapshot
        assert snapshot is not None
        return [entry.model_id for entry in snapshot.models]


def test_before_the_first_load_there_is_no_snapshot_and_the_age_is_endless() -> None:
    view = Bench().follower.view()
    assert view.snapshot is None
    assert view.age_s == float("inf")


def test_a_registry_that_was_never_filled_is_valid() -> None:
    bench = Bench()
    assert bench.follower.step()
    view = bench.follower.view()
    assert view.snapshot == Snapshot.empty(SPACE)
    assert view.age_s == 0.0


def test_a_change_is_taken_over_as_a_whole_snapshot() -> None:
    bench = Bench()
    bench.follower.step()
    bench.register("one")
    bench.register("two")
    bench.follower.step()
    assert bench.names() == ["one", "two"]
    bench.memory.retire(SPACE, "one", by="ada", reason="false alarm")
    bench.follower.step()
    assert bench.names() == ["two"]


def test_the_tenants_photographs_are_taken_over_without_a_change_of_models() -> None:
    bench = Bench()
    bench.follower.step()
    first = bench.follower.view().calibration
    assert first is not None
    assert first.digest is None
    stored = bench.memory.store_calibration(
        SPACE, [part("shop", 5)], seen=0, by="ada", reason="a test"
    )
    bench.follower.step()
    view = bench.follower.view()
    assert view.calibration is stored
    bench.register("one")
    bench.follower.step()
    assert (bench.names(), bench.follower.view().calibration) == (["one"], stored)
    bench.memory.store_calibration(SPACE, forget="shop", seen=1, by="ada", reason="a test")
    bench.follower.step()
    assert bench.follower.view().calibration == bench.memory.calibration(SPACE)


def test_damaged_photographs_are_trouble_and_the_last_ones_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench()
    stored = bench.memory.store_calibration(
        SPACE, [part("shop", 5)], seen=0, by="ada", reason="a test"
    )
    bench.follower.step()

    def damaged(space: str) -> Any:
        raise RegistryCorrupt("photographs", seen="nothing", expected="a part")

    monkeypatch.setattr(bench.registry, "calibration", damaged)
    bench.now += 9
    assert not bench.follower.step()
    view = bench.follower.view()
    assert (view.calibration, view.age_s) == (stored, 9)


def test_the_age_grows_while_redis_is_away_and_the_snapshot_stays() -> None:
    bench = Bench()
    bench.register("one")
    bench.follower.step()
    bench.registry.away = True
    bench.now += 40
    assert not bench.follower.step()
    assert bench.names() == ["one"]
    assert bench.follower.view().age_s == 40
    bench.registry.away = False
    bench.follower.step()
    assert bench.follower.view().age_s == 0


def test_the_age_counts_from_before_the_answer_was_asked_for() -> None:
    bench = Bench()
    bench.follower.step()

    def slow(snapshot: Snapshot) -> Snapshot:
        bench.now += 7
        return snapshot

    bench.registry.show = slow
    bench.register("one")
    bench.follower.step()
    assert bench.follower.view().age_s == 7


def test_an_emptied_registry_is_not_taken_over() -> None:
    bench = Bench()
    bench.register("one")
    bench.follower.step()
    bench.registry.registry = MemoryRegistry()
    bench.now += 5
    assert not bench.follower.step()
    assert not bench.follower.step(), "nor at the next try"
    assert bench.names() == ["one"]
    assert bench.follower.view().age_s == 5


def test_a_registry_that_was_emptied_and_filled_past_what_was_seen_is_not_taken_over() -> None:
    bench, other = Bench(), MemoryRegistry()
    bench.register("one")
    bench.follower.step()
    for name in ("two", "three"):
        other.register(model(name), by="ada", reason="seen")
    bench.registry.registry = other
    bench.now += 5
    assert not bench.follower.step(), "model one would be gone, and its images look clean"
    assert not bench.follower.step(), "nor at the next try"
    assert bench.names() == ["one"]
    assert bench.follower.view().age_s == 5
    starting = Bench(floor=state_of(bench))
    starting.registry.registry = other
    assert not starting.follower.step()
    assert starting.follower.view().snapshot is None


def test_a_worker_that_starts_takes_over_what_its_group_has_seen_and_what_came_after() -> None:
    before = Bench()
    before.register("one")
    before.follower.step()
    before.register("two")
    after = Bench(floor=state_of(before))
    after.registry.registry = before.memory
    assert after.follower.step()
    assert after.names() == ["one", "two"]


def test_a_registry_restored_after_it_was_emptied_is_taken_over() -> None:
    bench = Bench()
    bench.register("one")
    bench.follower.step()
    bench.registry.registry = MemoryRegistry()
    bench.follower.step()
    bench.registry.registry = bench.memory
    bench.register("two")
    assert bench.follower.step()
    assert bench.names() == ["one", "two"]


def test_a_snapshot_whose_content_does_not_give_its_root_is_not_taken_over() -> None:
    bench = Bench()
    bench.follower.step()
    bench.register("one")

    def altered(snapshot: Snapshot) -> Snapshot:
        other = model("one", seed=9)
        assert not np.array_equal(other.statistics[0].mean, snapshot.models[0].statistics[0].mean)
        return Snapshot(snapshot.space, snapshot.revision, snapshot.root, (other,))

    bench.registry.show = altered
    assert not bench.follower.step()
    assert bench.names() == []


def test_a_snapshot_of_another_space_is_not_taken_over() -> None:
    bench = Bench()
    bench.registry.show = lambda _: Snapshot.empty(OTHER_SPACE)
    assert not bench.follower.step()
    assert bench.follower.view().snapshot is None


def test_a_change_digests_what_comes_and_goes_and_reads_one_change_of_the_history(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`Unreliable` has no `history`: the whole of it is never asked for."""
    bench = Bench()
    kept: dict[str, Any] = {}

    def same_objects(snapshot: Snapshot) -> Snapshot:  # as RedisRegistry gives them
        models = tuple(kept.setdefault(model.model_id, model) for model in snapshot.models)
        return Snapshot(snapshot.space, snapshot.revision, snapshot.root, models)

    bench.registry.show = same_objects
    digested: list[str] = []

    def counting(model: ModelFingerprint) -> str:
        digested.append(model.model_id)
        return content_digest(model)

    monkeypatch.setattr("worker.registry.follower.content_digest", counting)
    for name in ("one", "two"):
        bench.register(name)
        assert bench.follower.step()
    bench.memory.retire(SPACE, "one", by="ada", reason="false alarm")
    assert bench.follower.step()
    assert bench.names() == ["two"]
    assert digested == ["one", "two", "one"]
    bench.register("three")
    assert bench.follower.step()
    bench.memory.retire(SPACE, "two", by="ada", reason="false alarm")
    bench.register("four")
    assert bench.follower.step()
    assert bench.names() == ["three", "four"]
    assert digested == ["one", "two", "one", "three", "two", "four"], "what stays is not read"


def test_what_fails_once_while_a_change_is_digested_is_trouble_for_that_load_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench()
    bench.register("one")
    assert bench.follower.step()
    failing = [True]

    def digest(model: ModelFingerprint) -> str:
        if failing.pop() if failing else False:
            raise MemoryError
        return content_digest(model)

    monkeypatch.setattr("worker.registry.follower.content_digest", digest)
    bench.memory.retire(SPACE, "one", by="ada", reason="false alarm")
    bench.register("two")
    assert not bench.follower.step()
    assert bench.names() == ["one"]
    assert bench.follower.step()
    assert bench.names() == ["two"]


def test_a_model_that_is_told_twice_is_trouble_only_while_it_is() -> None:
    bench = Bench()
    bench.register("one")
    assert bench.follower.step()
    bench.register("two")

    def twice(snapshot: Snapshot) -> Snapshot:
        models = (*snapshot.models, snapshot.models[-1].with_status("live"))
        return Snapshot(snapshot.space, snapshot.revision, snapshot.root, models)

    bench.registry.show = twice
    assert not bench.follower.step()
    bench.registry.show = lambda snapshot: snapshot
    assert bench.follower.step()
    assert bench.names() == ["one", "two"]


def test_a_long_read_is_cut_so_that_who_is_asked_to_stop_does_so_soon() -> None:
    asked: list[float] = []

    class Recording(Unreliable):
        def follow(self, space: str, revision: int, **arguments: Any) -> Any:
            asked.append(arguments["block_s"])
            return ()

    registry = Recording(MemoryRegistry())
    follower = RegistryFollower(registry, SPACE, block_s=600.0)  # type: ignore[arg-type]
    assert follower.step()
    assert follower.step()
    assert asked == [1.0]


def test_the_thread_follows_and_starts_although_the_registry_is_away() -> None:
    memory = MemoryRegistry()
    registry = Unreliable(memory)
    registry.away = True
    follower = RegistryFollower(registry, SPACE, block_s=0.05, retry_s=0.01)  # type: ignore[arg-type]
    follower.start()
    try:
        assert follower.view().snapshot is None
        registry.away = False
        wait_for(lambda: follower.view().snapshot is not None, "the first load")
        memory.register(model("one"), by="ada", reason="seen")
        wait_for(lambda: follower.view().snapshot.revision == 1, "the change")  # type: ignore[union-attr]
    finally:
        follower.close()
    assert follower.view().snapshot is not None


def state_of(bench: Bench) -> Floor:
    """What the follower would commit."""
    state = decode_floor(SPACE, bench.follower.metadata())
    assert state is not None
    return state


def test_a_worker_that_starts_on_an_emptied_registry_takes_nothing_over_and_forgets_nothing() -> (
    None
):
    before = Bench()
    before.register("one")
    before.register("two")
    before.follower.step()
    after = Bench(floor=state_of(before))
    assert not after.follower.step()
    assert after.follower.view().snapshot is None
    assert state_of(after) == state_of(before)
    after.registry.registry = before.memory  # restored
    assert after.follower.step()
    assert after.names() == ["one", "two"]


def test_a_registry_of_the_same_revision_with_other_content_is_not_taken_over() -> None:
    before, after_loss = Bench(), Bench()
    before.register("one")
    before.follower.step()
    after_loss.register("another")
    after = Bench(floor=state_of(before))
    after.registry.registry = after_loss.memory
    assert not after.follower.step()
    assert after.follower.view().snapshot is None


def test_accepting_starts_a_lineage_that_outweighs_higher_revisions() -> None:
    before = Bench()
    before.register("one")
    before.follower.step()
    old = before.follower.metadata()
    after = Bench(floor=highest(SPACE, [old]), accept=True)
    assert after.follower.step()
    assert after.names() == []
    new = after.follower.metadata()
    floor = highest(SPACE, [old, new, old, "", "{}", "not json"])
    assert floor == Floor(1, 0, Snapshot.empty(SPACE).root[:32])
    assert Bench(floor=floor).follower.step(), "whoever starts later needs no flag"


def test_the_floor_of_another_fingerprint_space_says_nothing() -> None:
    assert highest(SPACE, [encode_floor("f" * 64, Floor(3, 9, "0" * 32))]) is None
