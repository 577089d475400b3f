"""Calibration: a tenant's own photographs in one space, whose scores set the levels of verdicts.

They come in parts that are never changed: a part has one source, and goes as a whole. A photograph
whose file is read in several spaces has a fingerprint in each. Letters: N fingerprints of a part, D
fingerprint size, V numbers of a nuisance vector.

What is written of them, beside the parts, is one document; it names the documents before it by
their SHA-256, and may be signed: SIGNED_CALIBRATION and the space, each a line, and the document's
bytes without its signature.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.change import canonical_json, signature_document, signature_from
from fingerprint_db.errors import CalibrationMoved, WrongSettings
from fingerprint_db.lifecycle import Author
from fingerprint_db.signing.keys import Signature, SigningKey

Origin = Literal["files", "stream"]

MOST_OF_A_PART = 1_000
"""Fingerprints: with 512 numbers of 8 bits a part takes 570 KB."""

MOST_FINGERPRINTS = 100_000
"""Of one space; every worker holds them, with 512 numbers each some 55 MB."""

IDENTITY_BYTES = 16

SIGNED_CALIBRATION = "latentprint-calibration 1"


@dataclass(frozen=True, slots=True, eq=False)
class PhotographPart:
    """Photographs of one `source`, at most MOST_OF_A_PART fingerprints.

    `origin` says where they were met; `trimmed` which share of a stream was left out of what
    calibrates, since it may be synthetic, 0 for files. `identities` (N, 16) uint8 tell photographs
    apart; `codecs` (N,) uint8 are positions in CODECS, `size_classes` (N,) uint8 in SIZE_CLASSES;
    `kinds` (N, V) float16; `vectors` (N, D) int8, to be multiplied by `scales` (N,) float32.
    """

    source: str
    origin: Origin
    trimmed: float
    identities: NDArray[np.uint8]
    codecs: NDArray[np.uint8]
    size_classes: NDArray[np.uint8]
    kinds: NDArray[np.float16]
    vectors: NDArray[np.int8]
    scales: NDArray[np.float32]

    def __post_init__(self) -> None:
        rows = len(self.vectors)
        columns = (self.identities, self.codecs, self.size_classes, self.kinds, self.scales)
        if any(len(column) != rows for column in columns):
            raise ValueError(
                f"a part of {rows} fingerprints comes with {[len(c) for c in columns]} identities,"
                " codecs, size classes, kinds and scales; expected as many of each"
            )
        if not 1 <= rows <= MOST_OF_A_PART:
            raise ValueError(f"a part of {rows} photographs; expected 1 to {MOST_OF_A_PART}")
        if self.identities.shape[1:] != (IDENTITY_BYTES,) or self.vectors.ndim != 2:
            raise ValueError(
                f"identities of shape {self.identities.shape} and fingerprints of"
                f" {self.vectors.shape}; expected (N, {IDENTITY_BYTES}) and (N, D)"
            )
        if not self.source.strip():
            raise ValueError("the source has no name; name the collection of photographs")
        if not 0 <= self.trimmed < 1:
            raise ValueError(f"a share of {self.trimmed:g} was trimmed; expected 0 to below 1")

    def __len__(self) -> int:
        return len(self.vectors)


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """The photographs of one `space`: parts by the SHA-256 of their bytes, in order of storing.

    `revision` counts the writes; 0 and no parts where nobody ever calibrated. `written` is the last
    write, None before the first. `before` are the digests of the documents of the writes before it,
    the newest last; those of versions that kept none are missing at the front.
    """

    space: str
    revision: int
    parts: Mapping[str, PhotographPart]
    written: Author | None = None
    before: tuple[str, ...] = ()
    signature: Signature | None = None

    @classmethod
    def empty(cls, space: str) -> "Calibration":
        """That of a space that nobody calibrated."""
        return cls(space, 0, {})

    @property
    def digest(self) -> str | None:
        """Names these photographs, whatever their order; None where there are none."""
        return digest_of_parts(self.parts)

    @property
    def count(self) -> int:
        """How many fingerprints there are."""
        return sum(len(part) for part in self.parts.values())

    @property
    def photographs(self) -> int:
        """How many photographs there are, each counted once."""
        return len(self.identities())

    @property
    def document_digest(self) -> str | None:
        """SHA-256 of the document of the last write; None before the first."""
        if self.written is None:
            return None
        return hashlib.sha256(encode_document(self)).hexdigest()

    def identities(self) -> set[bytes]:
        """What tells the photographs apart, of each once."""
        return {bytes(row) for part in self.parts.values() for row in part.identities}


def digest_of_parts(digests: Iterable[str]) -> str | None:
    """SHA-256 over the sorted digests of parts, one a line; None where there are none."""
    lines = "".join(f"{digest}\n" for digest in sorted(digests))
    return hashlib.sha256(lines.encode()).hexdigest() if lines else None


def following(
    held: Calibration,
    add: Mapping[str, PhotographPart],
    forget: str | None,
    seen: int,
    author: Author,
) -> Calibration:
    """What `held` becomes: without the parts of the source `forget`, then with those to add.

    Raises CalibrationMoved where `held` is no longer at revision `seen`, and WrongSettings where
    there are more photographs than a space may have.
    """
    if held.revision != seen:
        raise CalibrationMoved(seen, held.revision)
    kept = {digest: part for digest, part in held.parts.items() if part.source != forget}
    last = held.document_digest
    changed = replace(
        held,
        revision=seen + 1,
        parts={**kept, **add},
        written=author,
        before=held.before if last is None else (*held.before, last),
        signature=None,
    )
    if changed.count > MOST_FINGERPRINTS:
        raise WrongSettings(
            f"{changed.count} fingerprints of photographs would calibrate the space,"
            f" {MOST_FINGERPRINTS} may; what was stored before stands. Take a part of the files, or"
            " drop a source with `latentprint registry calibrate --forget NAME`"
        )
    return changed


def joined(held: Calibration, incoming: Calibration, author: Author) -> Calibration:
    """What `held` becomes when the photographs of an export of its space come to it.

    Where nothing was ever stored, exactly the export's, its revision and author too; else the parts
    that are missing here are added, by one write. `held` itself where none is missing. Raises
    WrongSettings as `following` does.
    """
    if held.revision == 0:
        return incoming
    missing = {digest: part for digest, part in incoming.parts.items() if digest not in held.parts}
    return following(held, missing, None, held.revision, author) if missing else held


def signed(calibration: Calibration, key: SigningKey | None) -> Calibration:
    """The same with the signature of `key`, if there is one."""
    if key is None:
        return calibration
    return replace(calibration, signature=key.sign(signed_bytes(calibration)))


def signed_bytes(calibration: Calibration) -> bytes:
    """What is signed of a calibration."""
    unsigned = encode_document(replace(calibration, signature=None))
    return f"{SIGNED_CALIBRATION}\n{calibration.space}\n".encode() + unsigned


def written_document(calibration: Calibration) -> dict[str, Any]:
    """Everything of the last write but the parts, as a JSON object."""
    assert calibration.written is not None
    author = calibration.written
    document: dict[str, Any] = {
        "revision": calibration.revision,
        "at": author.at.isoformat(),
        "by": author.by,
        "reason": author.reason,
    }
    if calibration.before:
        document["before"] = list(calibration.before)
    if author.login is not None or author.no_login is not None:
        document |= {"login": author.login, "no_login": author.no_login}
    if calibration.signature is not None:
        document["signature"] = signature_document(calibration.signature)
    return document


def encode_document(calibration: Calibration) -> bytes:
    """What is kept of a calibration beside its parts; equal ones give equal bytes."""
    document = written_document(calibration)
    document |= {"digest": calibration.digest, "parts": list(calibration.parts)}
    return canonical_json(document).encode("ascii")


def calibration_from(
    space: str, document: Mapping[str, Any], parts: Mapping[str, PhotographPart]
) -> Calibration:
    """The inverse of `written_document`; raises KeyError, TypeError or ValueError on others."""
    author = Author(
        datetime.fromisoformat(document["at"]),
        document["by"],
        document["reason"],
        document.get("login"),
        document.get("no_login"),
    )
    before = tuple(document.get("before", ()))
    if not all(isinstance(digest, str) for digest in before):
        raise ValueError("the writes before it are named by texts")
    signature = signature_from(document.get("signature"))
    return Calibration(space, int(document["revision"]), parts, author, before, signature)
