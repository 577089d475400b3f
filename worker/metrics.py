"""Every figure that is shown outside, with its unit, labels and meaning; one list, one place.

`prometheus_client` keeps them, so that whoever scrapes a worker sees what its log says at the end.
Labels take few values: never a sender, a subject or a model.
"""

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)

PREFIX: Final = "latentprint_"
FASTEST_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds of buckets, for what takes milliseconds and must not take seconds."""

WHOLE_WAY_S: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0, 86400.0)
"""Bounds of buckets, from an idle worker to a backlog of a day."""

FILL: Final = (0.125, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """One declared figure; a counter only rises, a gauge is the present value."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def exposed_name(self) -> str:
        """Its name in what Prometheus scrapes; a histogram adds `_bucket`, `_sum`, `_count`."""
        return f"{PREFIX}{self.name}{'_total' if self.kind == 'counter' else ''}"


def _counter(name: str, unit: str, meaning: str, *labels: str) -> Metric:
    return Metric(name, "counter", unit, meaning, labels)


def _gauge(name: str, unit: str, meaning: str, *labels: str) -> Metric:
    return Metric(name, "gauge", unit, meaning, labels)


def _histogram(
    name: str, unit: str, meaning: str, *labels: str, buckets: tuple[float, ...] = FASTEST_S
) -> Metric:
    return Metric(name, "histogram", unit, meaning, labels, buckets)


WORKER: Final = (
    _counter("events_admitted", "events", "read from Kafka and taken on"),
    _counter("events_committed", "events", "whose outcome was committed"),
    _counter("events_discarded", "events", "given up after a commit in doubt, and read again"),
    _counter("records_lost", "records", "deleted by Kafka before they were judged"),
    _counter("verdicts", "events", "committed with a verdict", "outcome", "flagged"),
    _counter(
        "verdict_reasons",
        "verdicts",
        "committed that give this reason; `shadow_match` is counted without its model",
        "reason",
    ),
    _counter("rejects", "events", "committed as dead letters", "code"),
    _histogram("fetch_seconds", "s", "to fetch what one event refers to", "scheme"),
    _counter("fetches", "fetches", "tried of what events refer to", "scheme", "result"),
    _histogram("decode_seconds", "s", "to decode one image, the wait for a decoder included"),
    _counter("sandbox_kills", "children", "that decode and were ended over an image", "cause"),
    _counter(
        "sandbox_refused_calls",
        "calls",
        "that only an intruder makes; each ended its child, and which it was is not known",
    ),
    _gauge("sandbox_required", "0 or 1", "whether a sandbox without gaps is demanded"),
    _gauge("sandbox_complete", "0 or 1", "whether every measure of the sandbox holds"),
    _histogram("batch_fill_ratio", "ratio", "of a batch's places that are taken", buckets=FILL),
    _histogram("extract_seconds", "s", "to extract the fingerprints of one batch"),
    _histogram("match_seconds", "s", "to match one batch with the registry and to decide"),
    _counter("judge_failures", "batches", "that raised and were split"),
    _counter("calibration_drifts", "alarms", "that the stream no longer resembles what calibrates"),
    _gauge(
        "calibration_drifted", "0 or 1", "1 from such an alarm to the next calibration or registry"
    ),
    _histogram("commit_seconds", "s", "to publish and commit one transaction"),
    _histogram(
        "end_to_end_seconds",
        "s",
        "from a record's time in Kafka to the commit of its outcome",
        buckets=WHOLE_WAY_S,
    ),
    _counter("aborted_transactions", "transactions", "begun and not known to be committed"),
    _counter("rebuilds", "rebuilds", "of the producer after an abort or a doubt"),
    _counter("rebalances", "calls", "of the rebalance listener"),
    _counter("revocations_cut", "calls", "of revoke that ran into their deadline"),
    _gauge("partitions_assigned", "partitions", "that this slot reads"),
    _gauge("lag_records", "records", "in the partition and not committed", "topic", "partition"),
    _gauge(
        "lag_seconds", "s", "since the oldest of them was sent; 0 without any", "topic", "partition"
    ),
    _gauge("in_flight_records", "events", "admitted and not yet committed"),
    _gauge("in_flight_bytes", "bytes", "held by events in flight"),
    _counter("quarantines", "senders", "put into quarantine"),
    _gauge("senders_quarantined", "senders", "in quarantine"),
    _gauge("breaker_used_ratio", "ratio", "of the rejects that stop the worker; it stops above 1"),
    _gauge("registry_revision", "revision", "of the snapshot in use; 0 without one"),
    _gauge("registry_age_seconds", "s", "since the snapshot was known current"),
    _gauge("registry_age_limit_seconds", "s", "of that age; above it verdicts are `undetermined`"),
    _gauge("registry_trouble", "0 or 1", "whether the registry cannot be followed now"),
    _gauge("registry_models", "models", "in the snapshot in use", "status"),
    _gauge("ready", "0 or 1", "whether `/readyz` says so"),
    _gauge("ready_check", "0 or 1", "what `/readyz` says of each check", "check"),
    _gauge("loop_age_seconds", "s", "since the loop that polls last came round"),
    _gauge("build_info", "1", "what runs here", "version", "bundle", "policy"),
)
"""Of one worker; each carries the label `slot` besides."""

SUPERVISOR: Final = (
    _gauge("slots_wanted", "processes", "that `run --slots` keeps alive"),
    _gauge("slots_up", "processes", "of them that run now"),
    _counter("slot_restarts", "processes", "started again, by the exit code before", "code"),
)

NOTIFY: Final = (
    _counter("notify_delivered", "messages", "that a webhook accepted", "receiver"),
    _counter("notify_failures", "tries", "to deliver that failed", "receiver", "cause"),
    _counter("notify_dead_letters", "alerts", "given up and kept as dead letters", "reason"),
    _counter("notify_digests", "messages", "sent for many alerts at once"),
    _gauge("notify_receivers_gone", "receivers", "that answered 410 and are asked no more"),
    _gauge("notify_lag_records", "records", "of the alerts not yet committed"),
)

METRICS: Final = (*WORKER, *SUPERVISOR, *NOTIFY)


class Figures:
    """The figures that one process counts; may be used from any thread."""

    def __init__(self, declared: Sequence[Metric] = WORKER, *, slot: int | None = 0) -> None:
        """With a `slot` each figure carries it as a label; None for what runs beside the workers.

        A figure with labels shows nothing until its first value; one without begins at 0.
        """
        # Else each counter would come with the time of its making, which nobody asks for.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._declared = {metric.name: metric for metric in declared}
        self._own = {} if slot is None else {"slot": str(slot)}
        self._metrics = {metric.name: self._made(metric) for metric in declared}
        self._children: dict[tuple[str, ...], Counter | Gauge | Histogram] = {}
        self._before_reading: list[Callable[[], None]] = []
        self._reading = threading.Lock()
        for metric in declared:
            if not metric.labels:
                self._child(metric.kind, metric.name, {})

    def add(self, name: str, amount: float = 1, **labels: str) -> None:
        """Raise a counter; KeyError where no counter of that name and labels is declared."""
        child = self._child("counter", name, labels)
        assert isinstance(child, Counter)
        child.inc(amount)

    def set(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge; KeyError where no gauge of that name and labels is declared."""
        child = self._child("gauge", name, labels)
        assert isinstance(child, Gauge)
        child.set(value)

    def set_all(self, name: str, values: Mapping[tuple[str, ...], float]) -> None:
        """Set a gauge for these values of its labels, in their order, and for no others."""
        labels = self._declared[name].labels
        gone = [k for k in list(self._children) if k[0] == name and k[1:] not in values]
        for key in gone:
            del self._children[key]
            self._metrics[name].remove(*self._own.values(), *key[1:])
        for key, value in values.items():
            self.set(name, value, **dict(zip(labels, key, strict=True)))

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Add to a histogram; KeyError where none of that name and labels is declared.

        What is below nothing counts as nothing: clocks of two machines differ.
        """
        child = self._child("histogram", name, labels)
        assert isinstance(child, Histogram)
        child.observe(max(0.0, value))

    def before_reading(self, refresh: Callable[[], None]) -> None:
        """Have `refresh` set what only matters to who looks: it is called before each reading.

        It runs on the reader's thread, must not wait, and costs the events nothing.
        """
        self._before_reading.append(refresh)

    def refresh(self) -> None:
        """Bring up to date what is set at a reading alone."""
        with self._reading:
            for refresh in self._before_reading:
                refresh()

    def read(self) -> Mapping[str, float]:
        """All figures now, by their declared names; whole numbers stay whole.

        Values of labels are added up, of lag in seconds the largest is told; of a histogram the sum
        under its name and the count under `NAME_count`.
        """
        self.refresh()
        values: dict[str, float] = dict.fromkeys(self._declared, 0.0)
        for family in self.registry.collect():
            name = family.name.removeprefix(PREFIX)
            for sample in family.samples:
                if sample.name.endswith("_bucket"):
                    continue
                key = name + "_count" if sample.name.endswith("_count") else name
                before = values.get(key, 0.0)
                whole = max if name == "lag_seconds" else _sum
                values[key] = whole(before, sample.value)
        return {
            name: int(value) if math.isfinite(value) and value == int(value) else round(value, 3)
            for name, value in values.items()
        }

    def _made(self, metric: Metric) -> Counter | Gauge | Histogram:
        name, about = PREFIX + metric.name, f"{metric.meaning} ({metric.unit})"
        labels = (*self._own, *metric.labels)
        if metric.kind == "counter":
            return Counter(name, about, labels, registry=self.registry)
        if metric.kind == "gauge":
            return Gauge(name, about, labels, registry=self.registry)
        return Histogram(name, about, labels, registry=self.registry, buckets=metric.buckets)

    def _child(
        self, kind: str, name: str, labels: Mapping[str, str]
    ) -> Counter | Gauge | Histogram:
        metric = self._declared[name]
        values = tuple(labels[label] for label in metric.labels)
        key = (name, *values)
        child = self._children.get(key)
        if child is None or len(labels) != len(values) or metric.kind != kind:
            if metric.kind != kind or len(labels) != len(values):
                raise KeyError(f"no {kind} {name} with labels {', '.join(labels)} is declared")
            whole = self._metrics[name]
            every = (*self._own.values(), *values)
            child = self._children[key] = whole.labels(*every) if every else whole
        return child


def _sum(one: float, other: float) -> float:
    return one + other
