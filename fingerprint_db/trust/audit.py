"""Everything that can be held against a space at once: what `registry verify` asks."""

from collections.abc import Collection

from fingerprint_db.calibration import Calibration
from fingerprint_db.lifecycle import row_digest
from fingerprint_db.signing.keys import PublicKey
from fingerprint_db.space_contents import SpaceContents, contradiction
from fingerprint_db.trust.checkpoint import Checkpoint, departure
from fingerprint_db.trust.signatures import (
    untrusted_entry,
    untrusted_photographs,
    wrong_photographs,
    wrong_signature,
)


def disagreement(
    contents: SpaceContents,
    calibration: Calibration,
    keys: Collection[PublicKey] = (),
    since: Checkpoint | None = None,
) -> str | None:
    """The first thing that contradicts another; None where all agrees.

    Digests, chain, roots, rows and signatures; with `since` that all leads on from there; with
    `keys` that one of them vouches for every entry and for the photographs. A space in which
    nothing was ever written contradicts whoever asks for it.
    """
    space, history = contents.space, contents.history
    if since is not None and (left := departure(since, space, history, calibration)):
        return left
    if not history and not calibration.revision:
        return "no history"
    problem = (
        contradiction(contents) or wrong_signature(space, history) or wrong_photographs(calibration)
    )
    if problem is not None or not keys:
        return problem
    rows = {model_id: row_digest(row) for model_id, row in contents.rows.items()}
    return untrusted_entry(space, history, rows, keys) or untrusted_photographs(calibration, keys)
