"""What the group has already seen of the registry, kept in the offsets that it commits.

A worker that runs refuses a registry that went back. One that starts holds nothing to compare
with, so that an emptied registry would look like one that was never filled, and everything
synthetic like an unknown generator at best. Therefore every offset is committed with the revision
and root of the snapshot that was in use, in the same transaction as the verdicts. The highest one
of the group is the floor: a worker that starts takes over nothing below it.

`latentprint run --accept-registry` starts a new lineage, in which the registry counts as it is.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from fingerprint_db.snapshot import Snapshot

_ROOT_DIGITS = 32
"""128 bits of a root name a revision well enough, and brokers bound the metadata of an offset."""


@dataclass(frozen=True, slots=True, order=True)
class Floor:
    """The newest state of one fingerprint space that verdicts were committed with."""

    lineage: int
    revision: int
    root: str

    @classmethod
    def of(cls, lineage: int, snapshot: Snapshot) -> "Floor":
        """What to commit while `snapshot` is in use."""
        return cls(lineage, snapshot.revision, snapshot.root[:_ROOT_DIGITS])

    def refuses(self, snapshot: Snapshot) -> str | None:
        """Why `snapshot` must not be taken over; None where it may."""
        if snapshot.revision < self.revision:
            return (
                f"the registry is at revision {snapshot.revision}, but verdicts were committed with"
                f" revision {self.revision}: it was emptied or rolled back since. Restore it with"
                " `latentprint registry import`, or start with --accept-registry if it is right"
            )
        if snapshot.revision == self.revision and not snapshot.root.startswith(self.root):
            return (
                f"revision {snapshot.revision} of the registry has another root than the one that"
                " verdicts were committed with: it was altered. Restore it with `latentprint"
                " registry import`, or start with --accept-registry if it is right"
            )
        return None


def encode_floor(space: str, floor: Floor) -> str:
    """The metadata of a committed offset."""
    return json.dumps({"registry": {"space": space[:_ROOT_DIGITS], **asdict(floor)}})


def decode_floor(space: str, metadata: str) -> Floor | None:
    """The inverse of `encode_floor`; None where it says nothing of `space`."""
    try:
        said = json.loads(metadata)["registry"]
        if said["space"] != space[:_ROOT_DIGITS]:
            return None
        return Floor(int(said["lineage"]), int(said["revision"]), str(said["root"]))
    except (ValueError, KeyError, TypeError):
        return None


def highest(space: str, metadata: Iterable[str]) -> Floor | None:
    """The floor of a group: the newest lineage's highest revision."""
    return max(filter(None, (decode_floor(space, text) for text in metadata)), default=None)
