"""Snapshot: the active models of one space at one revision, and the root that names them."""

import hashlib
from collections.abc import Iterable, Sequence
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

_LINE = 65  # bytes of a digest in hexadecimal, and the end of its line
_FEW = 100  # digests that come; more are sorted together


@dataclass(frozen=True, slots=True, eq=False)
class RootLines:
    """What a root is the SHA-256 of, so that one entry may come or go without sorting all anew."""

    text: bytes

    @classmethod
    def of(cls, entry_digests: Iterable[str]) -> Self:
        """The lines of these, in any order."""
        return cls("".join(f"{digest}\n" for digest in sorted(entry_digests)).encode())

    def root(self) -> str:
        """`root_of` the entries."""
        return hashlib.sha256(self.text).hexdigest()

    def changed(self, gone: Iterable[str], come: Sequence[str]) -> Self:
        """Without some that are there, and with others; ValueError where one is not there."""
        text = self.text
        for digest in gone:
            at = _place(text, digest)
            if text[at : at + _LINE] != f"{digest}\n".encode():
                raise ValueError(f"no entry has digest {digest}")
            text = text[:at] + text[at + _LINE :]
        if len(come) > _FEW:
            return self.of([*text.decode().splitlines(), *come])
        for digest in come:
            at = _place(text, digest)
            text = b"".join((text[:at], f"{digest}\n".encode(), text[at:]))
        return type(self)(text)


def _place(text: bytes, digest: str) -> int:
    """Where the first line begins that is not before this digest's."""
    line = f"{digest}\n".encode()
    low, high = 0, len(text) // _LINE
    while low < high:
        middle = (low + high) // 2
        if text[middle * _LINE : (middle + 1) * _LINE] < line:
            low = middle + 1
        else:
            high = middle
    return low * _LINE


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
    """What lies between models `before` and `after`: of those `before`, `gone` gave way to `come`.

    The first of `gone` was at `start`; before and behind them the same models stand in the same
    order.
    """

    before: tuple[ModelFingerprint, ...]
    after: tuple[ModelFingerprint, ...]
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
        gone, come = before[start : len(before) - end], after[start : len(after) - end]
        return cls(before, after, start, gone, come)


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
