"""Measurements: computed once, found again, made anew when what fixes them changes."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from training.data.lock import locked, locked_when_free
from training.paper.devices import ALONE
from training.paper.studies.measured import Measurement, Result, Results, digest_of, measure_missing
from worker.errors import StopError


def counted(calls: list[str], name: str = "a/b", steps: int = 1) -> Measurement:
    """A measurement that notes that it was computed."""

    def compute() -> Result:
        calls.append(name)
        return {"accuracy": 0.5}

    return Measurement(name, {"steps": steps}, compute)


@pytest.fixture
def run(tmp_path: Path) -> Callable[[list[Measurement]], Results]:
    """Measure what is missing in a folder of its own."""

    def measure(measurements: list[Measurement]) -> Results:
        results = Results(tmp_path / "results")
        measure_missing(measurements, results, tmp_path / "locks", lambda line: None, ALONE)
        return results

    return measure


def test_a_measurement_is_computed_once_for_a_configuration(
    run: Callable[[list[Measurement]], Results],
) -> None:
    calls: list[str] = []
    run([counted(calls)])
    results = run([counted(calls)])
    assert calls == ["a/b"]
    run([counted(calls, steps=2)])
    assert calls == ["a/b"] * 2
    found = results.find("a/b")
    assert found is not None
    assert found.config == {"steps": 2}
    assert found.result == {"accuracy": 0.5}
    assert found.commit
    assert found.machine


def test_an_interrupted_list_goes_on_where_it_stopped(
    run: Callable[[list[Measurement]], Results],
) -> None:
    calls: list[str] = []

    def interrupted() -> Result:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run([counted(calls, "first"), Measurement("second", {}, interrupted)])
    run([counted(calls, "first"), counted(calls, "second")])
    assert calls == ["first", "second"]


def test_what_another_process_is_at_is_left_to_it_and_waited_for(tmp_path: Path) -> None:
    results, calls, order = Results(tmp_path / "results"), list[str](), list[str]()
    taken = counted(calls, "taken")
    ready, release = threading.Event(), threading.Event()

    def other_process() -> None:
        with locked(tmp_path / "locks" / "taken"):
            ready.set()
            release.wait(60)
            results.keep(taken, {"accuracy": 1.0}, 0.0)

    def free() -> Result:
        order.append("free")
        release.set()
        return {}

    other = threading.Thread(target=other_process)
    other.start()
    assert ready.wait(60)
    measurements = [taken, Measurement("free", {}, free)]
    measure_missing(measurements, results, tmp_path / "locks", lambda line: None, ALONE)
    other.join(60)
    kept = results.find("taken")
    assert kept is not None
    assert kept.result == {"accuracy": 1.0}
    assert (calls, order) == ([], ["free"])


def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.path("a/b").parent.mkdir()
    results.path("a/b").write_text('{"name": "a/b"}')
    with pytest.raises(StopError, match=r"b\.json is not a measurement .* remove it"):
        results.find("a/b")


def test_a_digest_does_not_depend_on_the_order_of_a_configuration() -> None:
    assert digest_of({"a": 1, "b": {"c": 2, "d": 3}}) == digest_of({"b": {"d": 3, "c": 2}, "a": 1})
    assert digest_of({"a": 1}) != digest_of({"a": 2})


def test_a_lock_is_held_by_one_and_free_again_afterwards(tmp_path: Path) -> None:
    with locked(tmp_path / "lock") as first, locked(tmp_path / "lock") as second:
        assert (first, second) == (True, False)
    with locked_when_free(tmp_path / "lock") as ours:
        assert ours
