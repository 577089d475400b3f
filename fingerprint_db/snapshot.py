"""Snapshot: the active models of one space at one revision, and the root that names them."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from fingerprint_db.entry_encoding import content_digest
from fingerprint_db.model_fingerprint import ModelFingerprint, Status


def entry_digest(model_id: str, status: Status, content: str) -> str:
    """SHA-256 of one entry: its id, its status, and the digest of its encoded content."""
    return hashlib.sha256(f"{model_id} {status} {content}\n".encode()).hexdigest()


def root_of(entry_digests: Iterable[str]) -> str:
    """The root: SHA-256 over the sorted entry digests, one a line; empty spaces have one too.

    Only live and shadow models count: the root names what an image was compared with.
    """
    lines = "".join(f"{digest}\n" for digest in sorted(entry_digests))
    return hashlib.sha256(lines.encode()).hexdigest()


EMPTY_ROOT = root_of(())


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The live and shadow models of `space`, all of one `revision`, in order of registration.

    `root` is `root_of` these models. A space that was never filled has revision 0 and no models;
    that is a valid snapshot, because the test against real photos needs no model.
    """

    space: str
    revision: int
    root: str
    models: tuple[ModelFingerprint, ...]

    def __post_init__(self) -> None:
        retired = [model.model_id for model in self.models if model.status == "retired"]
        assert not retired, f"retired models in a snapshot: {retired}"

    @classmethod
    def empty(cls, space: str) -> "Snapshot":
        """The snapshot of a space that was never filled."""
        return cls(space=space, revision=0, root=EMPTY_ROOT, models=())

    def recomputed_root(self) -> str:
        """The root computed anew from the arrays, for audits; reads every byte of every model."""
        return root_of(
            entry_digest(model.model_id, model.status, content_digest(model))
            for model in self.models
        )
