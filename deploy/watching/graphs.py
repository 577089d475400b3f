"""What the dashboard shows: graphs by the question that they answer."""

from dataclasses import dataclass
from typing import Final

_SLOT: Final = 'slot=~"$slot"'
_WINDOW: Final = "$__rate_interval"
"""Grafana puts the slots that were chosen, and a window that fits the range, in these places."""


@dataclass(frozen=True, slots=True)
class Graph:
    """One panel: what it asks, how each line is named, and in what unit."""

    title: str
    about: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    """Pairs of a query and the name of its lines; `{{label}}` stands for a label's value."""

    stacked: bool = False
    ceiling: float | None = None


def rate(figure: str, by: str) -> str:
    """How much of a counter a second, by some of its labels."""
    return f"sum by ({by}) (rate(latentprint_{figure}_total{{{_SLOT}}}[{_WINDOW}]))"


def quantile(q: float, figure: str) -> str:
    """A quantile of a histogram, over the slots that are shown."""
    rates = f"rate(latentprint_{figure}_bucket{{{_SLOT}}}[{_WINDOW}])"
    return f"histogram_quantile({q}, sum by (le) ({rates}))"


def highest(figure: str, by: str) -> str:
    """The highest value of a gauge, by some of its labels."""
    return f"max by ({by}) (latentprint_{figure}{{{_SLOT}}})"


def total(figure: str, by: str) -> str:
    """The sum of a gauge, by some of its labels."""
    return f"sum by ({by}) (latentprint_{figure}{{{_SLOT}}})"


def share(**asked: str) -> str:
    """Which share of the verdicts is of this kind."""
    kind = ", ".join([_SLOT, *(f'{name}="{value}"' for name, value in asked.items())])
    of_kind, of_all = (
        f"sum(rate(latentprint_verdicts_total{{{asked_of}}}[{_WINDOW}]))"
        for asked_of in (kind, _SLOT)
    )
    return f"{of_kind} / {of_all}"


AT_A_GLANCE: Final = (
    Graph(
        "Alarms",
        "That fire now: latentprint services alarms, or Alertmanager.",
        "none",
        (('count(ALERTS{alertstate="firing"}) or vector(0)', ""),),
    ),
    Graph(
        "Slots that answer",
        "Of those that are scraped.",
        "none",
        (('sum(up{job="latentprint"})', ""),),
    ),
    Graph(
        "Oldest event",
        "Without a committed outcome.",
        "s",
        ((f"max(latentprint_lag_seconds{{{_SLOT}}})", ""),),
    ),
    Graph(
        "Events waiting",
        "And not committed.",
        "none",
        ((f"sum(latentprint_lag_records{{{_SLOT}}})", ""),),
    ),
    Graph(
        "Events a second",
        "With a committed outcome.",
        "none",
        ((f"sum(rate(latentprint_events_committed_total{{{_SLOT}}}[{_WINDOW}]))", ""),),
    ),
    Graph(
        "Registry age",
        "Of the slot that is furthest behind.",
        "s",
        ((f"max(latentprint_registry_age_seconds{{{_SLOT}}})", ""),),
    ),
)
"""Numbers on top."""

ROWS: Final[dict[str, tuple[Graph, ...]]] = {
    "Is it in time?": (
        Graph(
            "Age of the oldest event",
            "By topic: what your users wait for. The alarm is LatentprintLag.",
            "s",
            ((highest("lag_seconds", "topic"), "{{topic}}"),),
        ),
        Graph(
            "Waiting, by partition",
            "In the partitions and not committed.",
            "none",
            ((total("lag_records", "topic, partition"), "{{topic}} {{partition}}"),),
            stacked=True,
        ),
        Graph(
            "From Kafka to the commit",
            "Time from the record in Kafka to the commit of its outcome.",
            "s",
            (
                (quantile(0.5, "end_to_end_seconds"), "half"),
                (quantile(0.95, "end_to_end_seconds"), "95 %"),
                (quantile(0.99, "end_to_end_seconds"), "99 %"),
            ),
        ),
        Graph(
            "In and out",
            "Events admitted and committed a second; where they part, a backlog grows or shrinks.",
            "none",
            (
                (rate("events_admitted", "job"), "admitted"),
                (rate("events_committed", "job"), "committed"),
            ),
        ),
        Graph(
            "Committed by slot",
            "One that lies at nothing has no partition, or is stuck.",
            "none",
            ((rate("events_committed", "slot"), "slot {{slot}}"),),
            stacked=True,
        ),
        Graph(
            "In flight",
            "Admitted and not yet committed; at its limit the partitions pause.",
            "none",
            ((total("in_flight_records", "slot"), "slot {{slot}}"),),
        ),
    ),
    "Where does the time go?": (
        Graph(
            "Stages, 95 %",
            "Decode and fetch: an image; extract and match: a batch; commit: a transaction.",
            "s",
            tuple(
                (quantile(0.95, f"{stage}_seconds"), stage)
                for stage in ("fetch", "decode", "extract", "match", "commit")
            ),
        ),
        Graph(
            "Stages, share of the time",
            "Seconds a second; the stage at its number of workers is the slowest.",
            "none",
            tuple(
                (
                    f"sum(rate(latentprint_{stage}_seconds_sum{{{_SLOT}}}[{_WINDOW}]))",
                    stage,
                )
                for stage in ("fetch", "decode", "extract", "match", "commit")
            ),
        ),
        Graph(
            "How full batches are",
            "Half of them are at most so full; an idle worker has small ones.",
            "percentunit",
            ((quantile(0.5, "batch_fill_ratio"), "half"),),
            ceiling=1,
        ),
    ),
    "What is decided?": (
        Graph(
            "Verdicts a second",
            "By outcome.",
            "none",
            ((rate("verdicts", "outcome"), "{{outcome}}"),),
            stacked=True,
        ),
        Graph(
            "Shares",
            "Flagged and undetermined, of all verdicts.",
            "percentunit",
            (
                (share(flagged="true"), "flagged"),
                (share(outcome="undetermined"), "undetermined"),
            ),
        ),
        Graph(
            "Reasons a second",
            "registry_stale and registry_never_loaded mean that it judges blind.",
            "none",
            ((rate("verdict_reasons", "reason"), "{{reason}}"),),
        ),
        Graph(
            "Rejects a second",
            "Dead letters by their reason.",
            "none",
            ((rate("rejects", "code"), "{{code}}"),),
            stacked=True,
        ),
        Graph(
            "Drift from the calibration",
            "1 from an alarm to the next calibration or registry.",
            "none",
            ((highest("calibration_drifted", "slot"), "slot {{slot}}"),),
            ceiling=1,
        ),
    ),
    "Registry, senders, sandbox": (
        Graph(
            "Age of the registry",
            "Above the limit verdicts are undetermined.",
            "s",
            (
                (highest("registry_age_seconds", "slot"), "slot {{slot}}"),
                (f"min(latentprint_registry_age_limit_seconds{{{_SLOT}}})", "limit"),
            ),
        ),
        Graph(
            "Revision of the registry",
            "Slots that part do not see the same registry.",
            "none",
            ((highest("registry_revision", "slot"), "slot {{slot}}"),),
        ),
        Graph(
            "Breaker",
            "How much is used of what stops the worker, and how many senders are held back.",
            "none",
            (
                (highest("breaker_used_ratio", "slot"), "used, slot {{slot}}"),
                (highest("senders_quarantined", "slot"), "quarantined, slot {{slot}}"),
            ),
        ),
        Graph(
            "Sandbox",
            "Decoder children ended over an image, and calls that were refused, a second.",
            "none",
            (
                (rate("sandbox_kills", "cause"), "ended: {{cause}}"),
                (rate("sandbox_refused_calls", "slot"), "calls of intruders, slot {{slot}}"),
            ),
        ),
        Graph(
            "Fetches a second",
            "Of images that events refer to, by scheme and result.",
            "none",
            ((rate("fetches", "scheme, result"), "{{scheme}} {{result}}"),),
        ),
    ),
    "Kafka and processes": (
        Graph(
            "Doubts a second",
            "Commits in doubt, aborted transactions, and calls of the rebalance listener.",
            "none",
            (
                (rate("rebuilds", "job"), "rebuilds"),
                (rate("aborted_transactions", "job"), "aborted"),
                (rate("rebalances", "job"), "rebalances"),
            ),
        ),
        Graph(
            "Records lost",
            "Deleted by Kafka before they were judged, since each process began.",
            "none",
            ((f"sum by (slot) (latentprint_records_lost_total{{{_SLOT}}})", "slot {{slot}}"),),
        ),
        Graph(
            "Ready",
            "Each check of readiness; 0 is why a slot is not.",
            "none",
            (
                (
                    f"min by (slot, check) (latentprint_ready_check{{{_SLOT}}})",
                    "{{slot}} {{check}}",
                ),
            ),
            ceiling=1,
        ),
        Graph(
            "Slots and restarts",
            "What a supervisor wants, what runs, and restarts a second by exit code.",
            "none",
            (
                ("sum(latentprint_slots_wanted)", "wanted"),
                ("sum(latentprint_slots_up)", "up"),
                (
                    f"sum by (code) (rate(latentprint_slot_restarts_total[{_WINDOW}]))",
                    "restarts, {{code}}",
                ),
            ),
        ),
        Graph(
            "Loop",
            "Since the loop that polls last came round; a watchdog ends it after a minute.",
            "s",
            ((highest("loop_age_seconds", "slot"), "slot {{slot}}"),),
        ),
    ),
    "Who is told?": (
        Graph(
            "Messages a second",
            "Accepted by a webhook, digests among them, and tries that failed, by cause.",
            "none",
            (
                (f"sum(rate(latentprint_notify_delivered_total[{_WINDOW}]))", "delivered"),
                (f"sum(rate(latentprint_notify_digests_total[{_WINDOW}]))", "digests"),
                (
                    f"sum by (cause) (rate(latentprint_notify_failures_total[{_WINDOW}]))",
                    "failed: {{cause}}",
                ),
            ),
        ),
        Graph(
            "Alerts waiting",
            "Not yet committed, and given up since the process began.",
            "none",
            (
                ("sum(latentprint_notify_lag_records)", "waiting"),
                ("sum(latentprint_notify_dead_letters_total)", "given up"),
            ),
        ),
    ),
}
"""Graphs by the question that they answer; those of the alarms come first."""
