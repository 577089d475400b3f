"""One budget of tries an event, no thread held by a wait, no event blamed for its store."""

import threading
from typing import Any

import pytest
from kafka.structs import TopicPartition

from tests.waiting import wait_for
from worker.errors import RejectError, StopError
from worker.metrics import Figures
from worker.references.outages import UnavailableError
from worker.references.room import Room
from worker.references.targets import Rules, Target, target_of
from worker.settings.references import ReferenceSettings
from worker.stream import fetching
from worker.stream.answers import Answer
from worker.stream.entries import InFlight
from worker.stream.fetching import FetchThreads
from worker.stream.in_flight import Ownership

P0 = TopicPartition("images", 0)
LARGEST = 1024 * 1024


class ScriptedFetcher:
    """Gives what a test says for a reference, try after try; the last thing again and again."""

    lanes = 2

    def __init__(self, settings: ReferenceSettings, script: dict[str, list[Any]]) -> None:
        self._rules = Rules.of(settings)
        self._script = script
        self.asked: list[str] = []

    def target(self, reference: str) -> Target:
        return target_of(reference, self._rules)

    def fetch(self, reference: str) -> bytes:
        self.asked.append(reference)
        script = self._script[reference]
        step = script.pop(0) if len(script) > 1 else script[0]
        if callable(step):
            step = step()
        if isinstance(step, Exception):
            raise step
        assert isinstance(step, bytes)
        return step


class Bench:
    def __init__(self, script: dict[str, list[Any]], **settings: Any) -> None:
        values = {"allowed_roots": "/srv", "allowed_buckets": "s3://uploads", **settings}
        self.settings = ReferenceSettings.model_validate(values)
        self.fetcher = ScriptedFetcher(self.settings, script)
        self.ownership: Ownership[Answer] = Ownership(max_records=99, max_bytes=99 * LARGEST)
        self.ownership.assign([P0], "member")
        self.figures = Figures()
        self.failures: list[BaseException] = []
        self.ended: dict[str, Any] = {}
        self._offset = 0
        self.threads = FetchThreads(
            fetcher=self.fetcher,
            ownership=self.ownership,
            settings=self.settings,
            max_image_bytes=LARGEST,
            figures=self.figures,
            fail=self.failures.append,
        )

    def __enter__(self) -> "Bench":
        self.threads.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.threads.close(5.0)

    def put(self, reference: str, sender: str = "/test") -> InFlight[Answer]:
        (entry,) = self.ownership.admit(P0, [(self._offset, 10)])
        self._offset += 1
        entry.sender = sender

        def fetched(data: bytes, place: str) -> None:
            self.ended[reference] = (data, place)

        def rejected(error: RejectError, tries: int) -> None:
            self.ended[reference] = (error.code, tries)

        self.threads.put(entry, reference, fetched, rejected)
        return entry

    def wait(self, reference: str) -> Any:
        def ended() -> Any:
            if self.failures:
                raise self.failures[0]
            return self.ended.get(reference)

        return wait_for(ended, f"{reference} to end")


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(fetching, "PROBE_S", 0.01)
    monkeypatch.setattr("worker.references.outages.PROBE_S", 0.01)


def away(store: str = "s3://uploads") -> UnavailableError:
    return UnavailableError("the store says 503", store)


def test_what_is_fetched_comes_with_its_place_and_counts_in_bytes_until_it_is_answered() -> None:
    with Bench({"s3://uploads/a": [b"image"]}) as bench:
        entry = bench.put("s3://uploads/a")
        assert bench.wait("s3://uploads/a") == (b"image", "s3://uploads/a")
        assert bench.ownership.in_flight == (1, 15)
        assert (entry.size, entry.record_size) == (15, 10)
        assert bench.figures.read()["fetches"] == 1
        assert bench.figures.read()["fetch_seconds_count"] == 1


def test_a_no_is_an_answer_at_once() -> None:
    gone = RejectError("fetch.not_found", "404", stage="fetch")
    with Bench({"s3://uploads/a": [gone]}) as bench:
        bench.put("s3://uploads/a")
        assert bench.wait("s3://uploads/a") == ("fetch.not_found", 1)
        bench.put("https://images.example.com/a")
        assert bench.wait("https://images.example.com/a") == ("fetch.refused", 1)
        assert bench.fetcher.asked == ["s3://uploads/a"]


def test_a_store_that_comes_back_within_the_budget_costs_tries_and_no_letter() -> None:
    with Bench({"s3://uploads/a": [away(), away(), b"image"]}, tries=3) as bench:
        bench.put("s3://uploads/a")
        assert bench.wait("s3://uploads/a") == (b"image", "s3://uploads/a")
        assert len(bench.fetcher.asked) == 3


def test_an_object_that_stays_broken_is_a_letter_where_its_store_answers_others() -> None:
    others = threading.Event()

    def fails_while_another_is_answered() -> UnavailableError:
        others.set()
        bench.put("s3://uploads/good")
        bench.wait("s3://uploads/good")
        bench.ended.pop("s3://uploads/good")
        return away()

    script: dict[str, list[Any]]
    script = {"s3://uploads/bad": [fails_while_another_is_answered], "s3://uploads/good": [b"1"]}
    with Bench(script, tries=3) as bench:
        bench.put("s3://uploads/bad")
        assert bench.wait("s3://uploads/bad") == ("fetch.unavailable", 3)
        assert others.is_set()


def test_our_own_no_is_no_sign_that_a_store_is_there() -> None:
    refused = RejectError("fetch.refused", "127.0.0.1 is not public", stage="fetch")
    script: dict[str, list[Any]]
    script = {"s3://uploads/a": [away()], "s3://uploads/b": [refused]}
    with Bench(script, tries=1, outage_s=60) as bench:
        bench.put("s3://uploads/a")
        bench.put("s3://uploads/b")
        assert bench.wait("s3://uploads/b") == ("fetch.refused", 1)
        asked = len(bench.fetcher.asked)
        wait_for(lambda: len(bench.fetcher.asked) > asked + 2, "further tries")
        assert "s3://uploads/a" not in bench.ended


def test_a_store_that_answers_nobody_makes_no_letter_and_its_events_go_on_when_it_is_back() -> None:
    up = threading.Event()

    def answer() -> bytes | Exception:
        return b"image" if up.is_set() else away()

    names = [f"s3://uploads/{i}" for i in range(6)]
    script: dict[str, list[Any]] = {name: [answer] for name in names}
    script["file:///srv/a"] = [b"file"]
    with Bench(script, tries=2, outage_s=60) as bench:
        for i, name in enumerate(names):
            bench.put(name, sender=f"/{i}")
        wait_for(lambda: len(bench.fetcher.asked) > 20, "several rounds of tries")
        bench.put("file:///srv/a")
        assert bench.wait("file:///srv/a")[0] == b"file", "another store's events do not wait"
        assert set(bench.ended) == {"file:///srv/a"}
        up.set()
        for name in names:
            assert bench.wait(name)[0] == b"image"


def test_a_store_that_stays_away_for_several_senders_ends_the_worker_with_nothing_answered() -> (
    None
):
    names = [f"s3://uploads/{i}" for i in range(4)]
    with Bench({name: [away()] for name in names}, tries=1, outage_s=0.2) as bench:
        for i, name in enumerate(names):
            bench.put(name, sender=f"/{i}")
        wait_for(lambda: bench.failures, "the worker to be stopped")
        assert isinstance(bench.failures[0], StopError)
        assert bench.failures[0].exit_code == 3
        assert bench.ended == {}


def test_an_event_that_was_given_up_is_fetched_no_more() -> None:
    with Bench({"s3://uploads/a": [away()], "s3://uploads/b": [b"b"]}, tries=9) as bench:
        bench.put("s3://uploads/a")
        wait_for(lambda: bench.fetcher.asked, "its first try")
        bench.ownership.discard()
        bench.ownership.resume([P0], "member")
        bench.put("s3://uploads/b")
        bench.wait("s3://uploads/b")
        asked = bench.fetcher.asked.count("s3://uploads/a")
        assert asked < 9
        assert "s3://uploads/a" not in bench.ended


def test_fetches_wait_until_those_before_them_leave_room() -> None:
    """At 2 MiB and images of 1 MiB at most, two are under way or waiting for their answer."""
    names = [f"s3://uploads/{i}" for i in range(3)]
    script: dict[str, list[Any]] = {name: [bytes(LARGEST)] for name in names}
    with Bench(script, max_fetched_mib=2) as bench:
        entries = {name: bench.put(name) for name in names}
        wait_for(lambda: len(bench.ended) == 2, "two of them")
        third = next(name for name in names if name not in bench.ended)
        assert third not in bench.fetcher.asked
        answered = next(iter(bench.ended))
        letter: Any = "an answer"
        bench.ownership.finish([(entries[answered], letter, 10)])
        assert bench.wait(third)[0] == bytes(LARGEST)


def test_pauses_grow_to_a_bound_however_often_an_event_was_tried() -> None:
    for tries in (1, 2, 10, 2000, 10**6):
        most = min(fetching.LONGEST_PAUSE_S, fetching.FIRST_PAUSE_S * 2 ** min(tries - 1, 20))
        assert most / 2 <= fetching.pause_after(tries) <= most


def test_a_single_fetch_goes_on_though_it_is_larger_than_all_room() -> None:
    room = Room(10)
    hold = room.take(1000, 0.0)
    assert hold is not None
    assert room.take(1, 0.0) is None
    hold.shrink(9)
    assert room.take(1, 0.0) is not None
    hold.release()
    hold.release()
    assert room.take(9, 0.0) is not None
    assert room.take(1, 0.0) is None


def test_bytes_of_an_event_that_is_given_up_are_counted_no_more() -> None:
    ownership: Ownership[Answer] = Ownership(max_records=9, max_bytes=100)
    ownership.assign([P0], "member")
    (entry,) = ownership.admit(P0, [(0, 10)])
    let_go: list[str] = []
    assert ownership.fetched(entry, 500, lambda: let_go.append("it"))
    assert ownership.in_flight == (1, 510)
    assert ownership.full
    ownership.discard()
    assert ownership.in_flight == (0, 0)
    assert let_go == ["it"]
    assert not ownership.fetched(entry, 500, lambda: None)
