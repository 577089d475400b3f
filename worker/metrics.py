"""Every figure that the worker counts, with its unit and meaning; one list, one place."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Metric:
    """One declared figure; a counter only rises, a gauge is the present value."""

    name: str
    kind: Literal["counter", "gauge"]
    unit: str
    meaning: str


METRICS = (
    Metric("events_admitted", "counter", "events", "read from Kafka and taken on"),
    Metric("events_committed", "counter", "events", "whose outcome was committed"),
    Metric("events_discarded", "counter", "events", "given up after a rewind or revocation"),
    Metric("records_lost", "counter", "records", "deleted by Kafka before they were judged"),
    Metric("verdicts", "counter", "events", "committed with a verdict"),
    Metric("flagged", "counter", "events", "committed with a flagged verdict"),
    Metric("dead_letters", "counter", "events", "committed as dead letters"),
    Metric("batches", "counter", "batches", "judged by the inference thread"),
    Metric("judge_seconds", "counter", "s", "spent in inference and decision"),
    Metric("judge_failures", "counter", "batches", "that raised and were split"),
    Metric("transactions", "counter", "transactions", "committed"),
    Metric("commit_seconds", "counter", "s", "spent in transactions that were committed"),
    Metric("rebuilds", "counter", "rebuilds", "of the producer after an abort or a doubt"),
    Metric("rebalances", "counter", "calls", "of the rebalance listener"),
    Metric("revocations_cut", "counter", "calls", "of revoke that ran into their deadline"),
    Metric("in_flight_records", "gauge", "events", "admitted and not yet committed"),
    Metric("in_flight_bytes", "gauge", "bytes", "held by events in flight"),
    Metric("registry_revision", "gauge", "revision", "of the snapshot in use"),
    Metric("registry_age_seconds", "gauge", "s", "since the snapshot was known current"),
)

_KINDS = {metric.name: metric.kind for metric in METRICS}


class Figures:
    """The declared figures of one process; may be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values = {metric.name: 0.0 for metric in METRICS}

    def add(self, name: str, amount: float = 1) -> None:
        """Raise a counter."""
        assert _KINDS[name] == "counter", f"{name} is no counter"
        with self._lock:
            self._values[name] += amount

    def set(self, name: str, value: float) -> None:
        """Set a gauge."""
        assert _KINDS[name] == "gauge", f"{name} is no gauge"
        with self._lock:
            self._values[name] = value

    def read(self) -> Mapping[str, float]:
        """All figures now; whole numbers stay whole."""
        with self._lock:
            return {n: int(v) if v == int(v) else round(v, 3) for n, v in self._values.items()}
