"""Snapshot: the active models of one space at one revision, and the root that names them."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

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


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """What lies between two lists of models: of those `before`, `gone` gave way to `come`.

    The first of `gone` was at `start`; before and behind them the same models stand in the same
    order.
    """

    before: tuple[ModelFingerprint, ...]
    start: int
    gone: tuple[ModelFingerprint, ...]
    come: tuple[ModelFingerprint, ...]

    @classmethod
    def between(
        cls, before: tuple[ModelFingerprint, ...], after: tuple[ModelFingerprint, ...]
    ) -> Self:
        """The least run of models to replace; the same object stands for the same model."""
        start = _shared(before, after)
        end = _shared(before[start:][::-1], after[start:][::-1])
        return cls(
            before, start, before[start : len(before) - end], after[start : len(after) - end]
        )


def _shared(one: tuple[ModelFingerprint, ...], other: tuple[ModelFingerprint, ...]) -> int:
    """How many models both begin with; most are compared some thousand at once."""
    start, step = 0, 4096
    while step:
        mine = one[start : start + step]
        if len(mine) == step and mine == other[start : start + step]:
            start += step
        else:
            step //= 2
    return start
