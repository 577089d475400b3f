"""Every figure that the worker counts, with its unit and meaning; one list, one place.

`prometheus_client` keeps them, so that whoever scrapes a worker sees what its log says at the end.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from worker.errors import StopError

PREFIX: Final = "latentprint_"


@dataclass(frozen=True, slots=True)
class Metric:
    """One declared figure; a counter only rises, a gauge is the present value."""

    name: str
    kind: Literal["counter", "gauge"]
    unit: str
    meaning: str

    @property
    def exposed_name(self) -> str:
        """Its name in what Prometheus scrapes."""
        return f"{PREFIX}{self.name}{'_total' if self.kind == 'counter' else ''}"


METRICS = (
    Metric("events_admitted", "counter", "events", "read from Kafka and taken on"),
    Metric("events_committed", "counter", "events", "whose outcome was committed"),
    Metric(
        "events_discarded",
        "counter",
        "events",
        "given up after a commit in doubt",
    ),
    Metric("records_lost", "counter", "records", "deleted by Kafka before they were judged"),
    Metric("verdicts", "counter", "events", "committed with a verdict"),
    Metric("flagged", "counter", "events", "committed with a flagged verdict"),
    Metric("dead_letters", "counter", "events", "committed as dead letters"),
    Metric("events_quarantined", "counter", "events", "of senders in quarantine"),
    Metric("batches", "counter", "batches", "judged by the inference thread"),
    Metric("judge_seconds", "counter", "s", "spent in inference and decision"),
    Metric(
        "calibration_drifts",
        "counter",
        "alarms",
        "that the stream no longer resembles what calibrates",
    ),
    Metric("judge_failures", "counter", "batches", "that raised and were split"),
    Metric("transactions", "counter", "transactions", "committed"),
    Metric("commit_seconds", "counter", "s", "spent in transactions that were committed"),
    Metric("rebuilds", "counter", "rebuilds", "of the producer after an abort or a doubt"),
    Metric("rebalances", "counter", "calls", "of the rebalance listener"),
    Metric("revocations_cut", "counter", "calls", "of revoke that ran into their deadline"),
    Metric("in_flight_records", "gauge", "events", "admitted and not yet committed"),
    Metric("in_flight_bytes", "gauge", "bytes", "held by events in flight"),
    Metric("senders_quarantined", "gauge", "senders", "in quarantine"),
    Metric("registry_revision", "gauge", "revision", "of the snapshot in use"),
    Metric("registry_age_seconds", "gauge", "s", "since the snapshot was known current"),
)


class Figures:
    """The declared figures of one process; may be used from any thread."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        for metric in METRICS:
            name, about = PREFIX + metric.name, f"{metric.meaning} ({metric.unit})"
            if metric.kind == "counter":
                self._counters[metric.name] = Counter(name, about, registry=self._registry)
            else:
                self._gauges[metric.name] = Gauge(name, about, registry=self._registry)

    def add(self, name: str, amount: float = 1) -> None:
        """Raise a counter; KeyError where no counter of that name is declared."""
        self._counters[name].inc(amount)

    def set(self, name: str, value: float) -> None:
        """Set a gauge; KeyError where no gauge of that name is declared."""
        self._gauges[name].set(value)

    def read(self) -> Mapping[str, float]:
        """All figures now, by their declared names; whole numbers stay whole."""
        values = {
            metric.name: self._registry.get_sample_value(metric.exposed_name) or 0.0
            for metric in METRICS
        }
        return {n: int(v) if v == int(v) else round(v, 3) for n, v in values.items()}

    def listen(self, address: str, slot: int) -> None:
        """Serve the figures over HTTP at `address` (HOST:PORT), `slot` ports above it.

        They are served until the process ends. StopError where the address cannot be had.
        """
        host, _, port = address.rpartition(":")
        try:
            start_http_server(int(port) + slot, host.strip("[]"), registry=self._registry)
        except OSError as error:
            raise StopError(
                f"slot {slot} cannot serve its figures at {host}:{int(port) + slot}"
                f" ({error.strerror or error}); free the port, or change"
                " LATENTPRINT_METRICS__LISTEN",
                exit_code=2,
            ) from error
