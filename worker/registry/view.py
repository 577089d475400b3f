"""What judgement sees of the registry: a snapshot and its age."""

from dataclasses import dataclass

from fingerprint_db.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class RegistryView:
    """What a worker holds of the registry; `age_s` is how long ago it was last known current."""

    snapshot: Snapshot | None
    age_s: float
