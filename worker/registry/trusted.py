"""Whether trusted keys vouch for all that was read of the registry."""

from collections.abc import Collection

from fingerprint_db.calibration import Calibration
from fingerprint_db.entry_encoding import content_digest
from fingerprint_db.registry import Registry
from fingerprint_db.signing.keys import PublicKey
from fingerprint_db.snapshot import Snapshot
from fingerprint_db.trust.signatures import rows_in_use, untrusted_entry, untrusted_photographs


def distrust(
    registry: Registry,
    snapshot: Snapshot,
    calibration: Calibration,
    keys: Collection[PublicKey],
) -> str | None:
    """The first thing that no key of `keys` vouches for; None where all is, or no key is named.

    Reads the whole history: a retirement that was cut out, or slipped in, is in no snapshot.
    """
    if not keys:
        return None
    history = registry.history(snapshot.space)[: snapshot.revision]
    contents = {model.model_id: content_digest(model) for model in snapshot.models}
    rows = rows_in_use(snapshot, contents, history)
    problem = untrusted_entry(snapshot.space, history, rows, keys)
    return problem or untrusted_photographs(calibration, keys)
