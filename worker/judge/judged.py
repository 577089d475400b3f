"""What leaves judgement; apart from the stages, so that naming it loads no stage."""

from dataclasses import dataclass

from worker.events.records import Alert, FingerprintRecord, Verdict


@dataclass(frozen=True, slots=True)
class Judged:
    """What comes of one image event."""

    verdict: Verdict
    fingerprint: FingerprintRecord | None
    alert: Alert | None
