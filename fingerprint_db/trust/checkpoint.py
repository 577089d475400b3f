"""A note of how far a history was, to be kept where whoever can write to Redis cannot.

    latentprint/registry/SPACE
    the revision
    the head of the history at it, in base64
    root ROOT
    photographs REVISION DIGEST        0 none where there are none
    at TIME

    — NAME SIGNATURE                   where it is signed

It is written as C2SP's signed notes are (c2sp.org/signed-note), and reads as a tree's checkpoint
does, so that their tools check the signature. But the head is that of a chain, of no Merkle tree:
what a later history proves by it, it proves to who reads that history whole.
"""

import base64
import binascii
import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from fingerprint_db.calibration import Calibration
from fingerprint_db.change import Change, head_of
from fingerprint_db.errors import WrongSettings
from fingerprint_db.signing.keys import PublicKey, SigningKey, ids
from fingerprint_db.snapshot import EMPTY_ROOT

_ORIGIN = "latentprint/registry/"
_ED25519 = b"\x01"  # the signature type of signed notes
_KEY_HASH_BYTES = 4


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a space held at one moment, in digests; `photographs` is None where there were none."""

    space: str
    revision: int
    head: str
    root: str
    calibrations: int
    photographs: str | None
    at: datetime


def checkpoint_of(
    space: str, history: Sequence[Change], calibration: Calibration, at: datetime
) -> Checkpoint:
    """That of what is there now."""
    return Checkpoint(
        space,
        len(history),
        head_of(space, history),
        history[-1].root if history else EMPTY_ROOT,
        calibration.revision,
        calibration.document_digest,
        at,
    )


def note_of(checkpoint: Checkpoint, key: SigningKey | None) -> str:
    """The note's text, signed where there is a key."""
    text = "\n".join(
        (
            f"{_ORIGIN}{checkpoint.space}",
            str(checkpoint.revision),
            base64.b64encode(bytes.fromhex(checkpoint.head)).decode("ascii"),
            f"root {checkpoint.root}",
            f"photographs {checkpoint.calibrations} {checkpoint.photographs or 'none'}",
            f"at {checkpoint.at.astimezone(UTC).isoformat()}",
            "",
        )
    )
    if key is None:
        return f"{text}\n"
    signature = base64.b64decode(key.sign(text.encode()).value)
    blob = base64.b64encode(_key_hash(key.public) + signature).decode("ascii")
    return f"{text}\n— {_name(key.public)} {blob}\n"


def read_note(note: str, keys: Collection[PublicKey]) -> Checkpoint:
    """The checkpoint of a note; raises WrongSettings where it is none, or not as `keys` want it.

    With `keys` one of them must have signed it; without, its signatures are not looked at.
    """
    text, separator, signatures = note.partition("\n\n")
    text += "\n"
    if keys and not any(_signed_by(key, text, signatures) for key in keys):
        raise WrongSettings(
            f"the checkpoint is not signed by any of the keys {ids(keys)} (trust.registry_keys), or"
            " was changed since; take the one that you kept, or correct the keys"
        )
    try:
        if not separator:
            raise ValueError("no empty line after it")
        origin, revision, head, root, photographs, at = text.removesuffix("\n").split("\n")
        if not origin.startswith(_ORIGIN):
            raise ValueError(f"it begins with {origin!r}")
        calibrations, digest = photographs.removeprefix("photographs ").split(" ")
        return Checkpoint(
            origin.removeprefix(_ORIGIN),
            int(revision),
            base64.b64decode(head, validate=True).hex(),
            root.removeprefix("root "),
            int(calibrations),
            None if digest == "none" else digest,
            datetime.fromisoformat(at.removeprefix("at ")),
        )
    except (ValueError, binascii.Error) as error:
        raise WrongSettings(
            f"not a checkpoint of a registry: {error}; give a file that `latentprint registry"
            " checkpoint` wrote"
        ) from error


def departure(
    since: Checkpoint, space: str, history: Sequence[Change], calibration: Calibration
) -> str | None:
    """How what is there does not lead on from `since`; None where it only grew.

    Whatever was before the checkpoint is there still, letter for letter and in its place.
    """
    if since.space != space:
        return f"the checkpoint is of space {since.space[:12]}…"
    if len(history) < since.revision:
        return (
            f"the history has {len(history)} changes and had {since.revision} at the checkpoint of"
            f" {since.at:%Y-%m-%d %H:%M}: it was rolled back"
        )
    head = head_of(space, history[: since.revision])
    if head != since.head:
        return (
            f"the history up to revision {since.revision} has head {head[:12]}…, at the checkpoint"
            f" it had {since.head[:12]}…: it was edited, or filled anew"
        )
    if calibration.revision < since.calibrations:
        return (
            f"the photographs are at revision {calibration.revision} and were at"
            f" {since.calibrations}: they were rolled back"
        )
    then = [*calibration.before, calibration.document_digest]
    place = since.calibrations - calibration.revision - 1  # from the end
    known = then[place] if -place <= len(then) else None
    if since.calibrations and known != since.photographs:
        return (
            f"the photographs of revision {since.calibrations} are not those of the checkpoint:"
            " they were altered, or stored anew"
        )
    return None


def _signed_by(key: PublicKey, text: str, signatures: str) -> bool:
    for line in signatures.splitlines():
        dash, _, rest = line.partition(" ")
        name, _, blob = rest.partition(" ")
        if dash != "—" or name != _name(key):
            continue
        try:
            raw = base64.b64decode(blob, validate=True)
        except binascii.Error:
            continue
        expected, signature = raw[:_KEY_HASH_BYTES], raw[_KEY_HASH_BYTES:]
        if expected == _key_hash(key) and key.accepts(text.encode(), signature):
            return True
    return False


def _name(key: PublicKey) -> str:
    return f"latentprint-{key.key_id}"


def _key_hash(key: PublicKey) -> bytes:
    named = f"{_name(key)}\n".encode() + _ED25519 + key.raw
    return hashlib.sha256(named).digest()[:_KEY_HASH_BYTES]
