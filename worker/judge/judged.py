"""What enters and leaves judgement; apart from the stages, so that naming it loads no torch."""

from dataclasses import dataclass

from fingerprint_db.snapshot import Snapshot
from worker.events.records import Alert, FingerprintRecord, Verdict


@dataclass(frozen=True, slots=True)
class RegistryView:
    """What a worker holds of the registry; `age_s` is how long ago it was last known current."""

    snapshot: Snapshot | None
    age_s: float


@dataclass(frozen=True, slots=True)
class Judged:
    """What comes of one image event."""

    verdict: Verdict
    fingerprint: FingerprintRecord | None
    alert: Alert | None
