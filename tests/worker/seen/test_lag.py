"""Lag in records and in seconds, by partition, from what is known without asking."""

from typing import Any

from worker.metrics import Figures
from worker.seen.lag import Lag

P0, P1 = ("images", 0), ("images", 1)


class Bench:
    def __init__(self) -> None:
        self.now = 1000.0
        self.lag = Lag(lambda: self.now)
        self.figures = Figures()

    def note(self, **ends: tuple[int, int]) -> None:
        """A second later, the position and the end of partitions `p0` and `p1`."""
        self.now += 1.0
        named = {("images", int(name[1:])): both for name, both in ends.items()}
        self.lag.note(lambda: named)

    def shown(self, **waiting: tuple[int, int | None]) -> dict[str, tuple[float, float]]:
        """Records and seconds by partition's number."""
        named = {("images", int(name[1:])): both for name, both in waiting.items()}
        self.lag.show(self.figures, named)
        found: dict[str, list[Any]] = {}
        for name in ("lag_records", "lag_seconds"):
            for family in self.figures.registry.collect():
                if family.name == f"latentprint_{name}":
                    for sample in family.samples:
                        found.setdefault(sample.labels["partition"], []).append(sample.value)
        return {number: (records, seconds) for number, (records, seconds) in found.items()}


def test_a_partition_that_was_read_to_its_end_and_committed_has_no_lag() -> None:
    bench = Bench()
    bench.note(p0=(7, 7), p1=(0, 0))
    bench.now += 500.0
    assert bench.shown(p0=(0, None), p1=(0, None)) == {"0": (0, 0), "1": (0, 0)}


def test_what_is_in_flight_lags_since_the_oldest_of_it_was_sent() -> None:
    bench = Bench()
    bench.note(p0=(7, 10))
    assert bench.shown(p0=(4, 990_000)) == {"0": (7, bench.now - 990.0)}


def test_what_nobody_has_read_was_sent_after_what_was_read_last() -> None:
    bench = Bench()
    bench.lag.read_up_to(P0, 940_000)
    bench.note(p0=(7, 10))
    assert bench.shown(p0=(0, None)) == {"0": (3, bench.now - 940.0)}


def test_a_record_after_an_idle_day_is_not_a_day_late() -> None:
    bench = Bench()
    bench.lag.read_up_to(P0, 940_000)
    bench.now += 86_400
    bench.note(p0=(10, 10))
    bench.now += 2.0
    bench.note(p0=(10, 11))
    assert bench.shown(p0=(0, None)) == {"0": (1, 3.0)}


def test_clocks_that_differ_and_records_without_a_time_give_no_negative_lag() -> None:
    bench = Bench()
    bench.lag.read_up_to(P0, 90_000_000)
    bench.lag.read_up_to(P1, -1)
    bench.note(p0=(7, 9), p1=(7, 9))
    shown = bench.shown(p0=(1, 90_000_000), p1=(1, None))
    assert {records for records, _ in shown.values()} == {3}
    assert all(0 <= seconds < 2 for _, seconds in shown.values())


def test_a_partition_that_went_to_another_worker_is_no_longer_shown() -> None:
    bench = Bench()
    bench.note(p0=(1, 9), p1=(1, 9))
    assert set(bench.shown()) == {"0", "1"}
    bench.note(p1=(1, 9))
    assert set(bench.shown()) == {"1"}


def test_the_consumer_is_looked_at_once_a_second_at_most() -> None:
    bench, looked_at = Bench(), list[float]()

    def ends() -> dict[tuple[str, int], tuple[int, int]]:
        looked_at.append(bench.now)
        return {}

    for _ in range(10):
        bench.now += 0.25
        bench.lag.note(ends)
    assert looked_at == [1000.25, 1001.25, 1002.25]
