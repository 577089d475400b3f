"""What judgement sees of the registry: a snapshot, the tenant's photographs, and their age."""

from dataclasses import dataclass

from fingerprint_db.calibration import Calibration
from fingerprint_db.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class RegistryView:
    """What a worker holds of the registry; `age_s` is how long ago it was last known current.

    Without a `calibration` levels are set by the bundle's photographs alone. `prepared` is what was
    made of both for whoever judges, before they came into use; None where nobody prepares.
    """

    snapshot: Snapshot | None
    age_s: float
    calibration: Calibration | None = None
    prepared: object = None
