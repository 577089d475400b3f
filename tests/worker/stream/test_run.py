"""The loop of the main thread, and the end of a worker."""

import threading
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from typing import Any, cast

import pytest
import structlog
from kafka.errors import FencedInstanceIdError, NotCoordinatorError
from structlog.testing import capture_logs

from worker.errors import StopError
from worker.seen.health import Health
from worker.settings.settings import Settings
from worker.stream import run
from worker.stream.answers import Answer
from worker.stream.in_flight import Ownership
from worker.stream.poller import Poller
from worker.stream.threads import WorkThreads
from worker.watchdog import Watchdog


class FakePoller:
    """Joined from the start; each poll raises what comes next, and after the last one is asked
    to stop."""

    joined = True

    def __init__(self, stop: threading.Event, *errors: Exception | None) -> None:
        self._stop = stop
        self._errors = list(errors)
        self.calls: list[str] = []

    def poll(self, *, admitting: bool) -> list[Any]:
        self.calls.append("poll")
        error = self._errors.pop(0) if self._errors else None
        if not self._errors:
            self._stop.set()
        if error is not None:
            raise error
        return []

    def reopen(self) -> None:
        self.calls.append("reopen")


class FakeThreads:
    def admit(self, events: object) -> None:
        """Nothing is admitted."""


class GuardsSeen(Watchdog):
    """Notes what was guarded."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    @contextmanager
    def guard(self, what: str, deadline_s: float) -> Any:
        self.seen.append(what)
        yield


def loop(
    poller: FakePoller,
    stop: threading.Event,
    watchdog: Watchdog,
    health: Health | None = None,
) -> list[float]:
    """Run the loop to its end, and give the pauses that it made."""
    pauses: list[float] = []
    run._loop(
        poller=cast(Poller, poller),
        threads=cast(WorkThreads, FakeThreads()),
        ownership=Ownership[Answer](max_records=9, max_bytes=9),
        watchdog=watchdog,
        settings=Settings(),
        stop=stop,
        failures=[],
        health=health or Health(),
        on_ready=lambda: None,
        wait=pauses.append,
    )
    return pauses


def test_polls_that_fail_at_once_are_made_with_growing_pauses() -> None:
    stop = threading.Event()
    away = [NotCoordinatorError() for _ in range(6)]
    poller = FakePoller(stop, *away, None, NotCoordinatorError(), None)
    assert loop(poller, stop, GuardsSeen()) == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 0.1]


def test_the_loop_tells_that_it_goes_round_has_started_and_drains() -> None:
    stop, health = threading.Event(), Health()
    assert not health.startup().holds
    loop(FakePoller(stop, None, None), stop, Watchdog(), health)
    assert health.startup().holds
    assert "came round" in health.live().checks[0].seen
    assert [check.name for check in health.ready().checks if not check.holds] == ["stays"]


def test_another_consumer_is_built_under_the_watchdog() -> None:
    stop, watchdog = threading.Event(), GuardsSeen()
    poller = FakePoller(stop, FencedInstanceIdError(), None)
    loop(poller, stop, watchdog)
    assert poller.calls[:2] == ["poll", "reopen"]
    assert watchdog.seen[:2] == ["a poll", "building the consumer"]


def test_what_is_fenced_twice_gives_way() -> None:
    stop = threading.Event()
    poller = FakePoller(stop, FencedInstanceIdError(), FencedInstanceIdError(), None)
    with pytest.raises(StopError, match=r"fenced twice.*--slot"):
        loop(poller, stop, GuardsSeen())


def test_everything_is_closed_although_closing_one_thing_fails() -> None:
    """And what the worker ended with is what is raised, not what failed on the way out."""
    closed: list[str] = []

    def failing() -> None:
        raise RuntimeError("the producer hangs")

    def close_all(body: Callable[[], None]) -> None:
        log = structlog.get_logger("worker")
        with ExitStack() as ending:
            run._close(ending, log, "last", lambda: closed.append("last"))
            run._close(ending, log, "producer", failing)
            run._close(ending, log, "first", lambda: closed.append("first"))
            body()

    def tripped() -> None:
        raise StopError("the breaker")

    with capture_logs() as lines, pytest.raises(StopError, match="the breaker"):
        close_all(tripped)
    assert closed == ["first", "last"]
    assert [(line["event"], line["what"]) for line in lines] == [("close_failed", "producer")]
