"""A worker starts with a registry that it can read, waits for one, or says why it does not."""

import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from fingerprint_db.errors import (
    RegistryCorrupt,
    RegistryError,
    RegistryForbidden,
    RegistryUnavailable,
    WrongSettings,
)
from fingerprint_db.memory_registry import MemoryRegistry
from fingerprint_db.snapshot import Snapshot
from tests.fingerprint_db.photograph_parts import part
from tests.fingerprint_db.samples import OTHER_SPACE, SPACE, model
from worker.errors import StopError
from worker.registry.floor import Floor
from worker.registry.follower import RegistryFollower
from worker.registry.start import await_redis, emptiness, start_following
from worker.settings.redis import RedisSettings

WHO: dict[str, Any] = {"by": "ada", "reason": "test"}


class Failing(MemoryRegistry):
    """Raises what `trouble` says, as long as it says something."""

    def __init__(self, trouble: Callable[[], RegistryError | None]) -> None:
        super().__init__()
        self.trouble = trouble

    def spaces(self) -> tuple[str, ...]:
        if error := self.trouble():
            raise error
        return super().spaces()

    def snapshot(self, space: str) -> Snapshot:
        if error := self.trouble():
            raise error
        return super().snapshot(space)


class Clock:
    """Time passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def ask(registry: Any, settings: RedisSettings, clock: Clock, stop: threading.Event) -> None:
    await_redis(registry, settings, stop, clock=clock, sleep=clock.sleep)


def follow(registry: Any, settings: RedisSettings, clock: Clock, stop: threading.Event) -> None:
    follower = RegistryFollower(registry, SPACE, block_s=0.01, retry_s=0.01)
    try:
        start_following(follower, registry, SPACE, settings, stop, clock=clock, sleep=clock.sleep)
    finally:
        follower.close()


both = pytest.mark.parametrize("start", [ask, follow])


@both
@pytest.mark.parametrize(
    "error",
    [
        RegistryForbidden("Redis refuses: WRONGPASS"),
        WrongSettings("no such database"),
        RegistryCorrupt("a key", seen="x", expected="y"),
    ],
)
def test_what_a_person_must_mend_ends_the_start_at_once(start: Any, error: RegistryError) -> None:
    clock = Clock()
    with pytest.raises(StopError) as caught:
        start(Failing(lambda: error), RedisSettings(), clock, threading.Event())
    assert caught.value.exit_code == 2
    assert str(error) in str(caught.value)
    assert "redis.required=false" in str(caught.value)
    assert clock.now == 0.0


@both
def test_a_redis_out_of_reach_is_waited_for_and_then_given_up(start: Any) -> None:
    clock = Clock()
    registry = Failing(lambda: RegistryUnavailable("connection refused"))
    with structlog.testing.capture_logs() as logs, pytest.raises(StopError) as caught:
        start(registry, RedisSettings(start_wait_s=60), clock, threading.Event())
    assert caught.value.exit_code == 3
    assert "waited 60 s" in str(caught.value)
    assert 60 <= clock.now < 62
    assert [entry["event"] for entry in logs] == ["registry_awaited"]


@both
def test_a_redis_that_comes_late_is_taken(start: Any) -> None:
    clock = Clock()
    registry = Failing(lambda: RegistryUnavailable("loading") if clock.now < 5 else None)
    start(registry, RedisSettings(), clock, threading.Event())
    assert 5 <= clock.now < 7


@both
def test_who_is_asked_to_stop_waits_no_longer(start: Any) -> None:
    clock, stop = Clock(), threading.Event()

    def away() -> RegistryError:
        if clock.now >= 3:
            stop.set()
        return RegistryUnavailable("connection refused")

    start(Failing(away), RedisSettings(), clock, stop)
    assert clock.now < 5


@both
def test_judging_blind_is_a_choice(start: Any) -> None:
    clock = Clock()
    registry = Failing(lambda: RegistryForbidden("WRONGPASS"))
    start(registry, RedisSettings(required=False), clock, threading.Event())
    assert clock.now == 0.0


def test_redis_is_asked_before_torch_is_loaded() -> None:
    """Loading it takes seconds, which a wrong password need not cost at each start."""
    program = "import sys, worker.registry.start; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_registry_below_what_the_group_has_seen_is_refused_at_the_start() -> None:
    registry, clock = MemoryRegistry(), Clock()
    follower = RegistryFollower(registry, SPACE, floor=Floor(0, 2, "0" * 32))
    with pytest.raises(StopError, match="emptied or rolled back since") as caught:
        start_following(
            follower,
            registry,
            SPACE,
            RedisSettings(),
            threading.Event(),
            clock=clock,
            sleep=clock.sleep,
        )
    assert caught.value.exit_code == 2


def test_a_registry_that_holds_nothing_for_the_bundle_is_warned_of_with_what_it_holds() -> None:
    registry = MemoryRegistry()
    assert "it holds nothing at all" in str(emptiness(registry, SPACE, 0))
    registry.register(model("a", space=OTHER_SPACE), **WHO)
    text = str(emptiness(registry, SPACE, 0))
    assert SPACE[:12] in text
    assert OTHER_SPACE[:12] in text
    with structlog.testing.capture_logs() as logs:
        follow(registry, RedisSettings(), Clock(), threading.Event())
    assert "registry_empty" in [entry["event"] for entry in logs]
    registry.store_calibration(SPACE, [part("shop")], seen=0, **WHO)
    text = str(emptiness(registry, SPACE, 0))
    assert "it holds your own photographs for it and the spaces of other bundles" in text
    registry.register(model("a"), **WHO)
    assert emptiness(registry, SPACE, 1) is None
