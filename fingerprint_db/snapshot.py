"""Snapshot: the active models of one space at one revision, and the root that names them."""

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

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
_PARTS = 256  # by two digits
_FEW = 100  # digests that come or go one by one; more are sorted together


@dataclass(frozen=True, slots=True, eq=False)
class RootLines:
    """What a root is the SHA-256 of, so that one entry may come or go without sorting all anew.

    `parts` (_PARTS,) are the lines by the first two digits, and `states` (_PARTS + 1,) what was
    hashed before each and after all: a change hashes what stands behind it, on average half.
    """

    parts: tuple[bytes, ...]
    states: tuple[Any, ...]

    @classmethod
    def of(cls, entry_digests: Iterable[str]) -> Self:
        """The lines of these, in any order."""
        ordered = sorted(entry_digests)
        starts = [bisect_left(ordered, f"{number:02x}") for number in range(_PARTS)]
        parts = [
            "".join(f"{digest}\n" for digest in ordered[start:end]).encode()
            for start, end in pairwise([*starts, len(ordered)])
        ]
        return cls(tuple(parts), _hashed((hashlib.sha256(),), parts))

    def root(self) -> str:
        """`root_of` the entries."""
        found: str = self.states[-1].hexdigest()
        return found

    def changed(self, gone: Sequence[str], come: Sequence[str]) -> Self:
        """Without some that are there, and with others; ValueError where one is not there."""
        if max(len(gone), len(come)) > _FEW:
            lines, out = b"".join(self.parts).decode().splitlines(), set(gone)
            kept = [digest for digest in lines if digest not in out]
            if len(kept) != len(lines) - len(gone):
                raise ValueError("no entry has one of the digests")
            return self.of([*kept, *come])
        parts, first = list(self.parts), _PARTS
        for digest in gone:
            number = int(digest[:2], 16)
            text, at = parts[number], _place(parts[number], digest)
            if text[at : at + _LINE] != f"{digest}\n".encode():
                raise ValueError(f"no entry has digest {digest}")
            parts[number], first = text[:at] + text[at + _LINE :], min(first, number)
        for digest in come:
            number = int(digest[:2], 16)
            text, at = parts[number], _place(parts[number], digest)
            parts[number] = b"".join((text[:at], f"{digest}\n".encode(), text[at:]))
            first = min(first, number)
        return type(self)(tuple(parts), _hashed(self.states[: first + 1], parts[first:]))


def _hashed(states: tuple[Any, ...], parts: Sequence[bytes]) -> tuple[Any, ...]:
    """What was hashed before, and after each further part."""
    found = list(states)
    for part in parts:
        state = found[-1].copy()
        state.update(part)
        found.append(state)
    return tuple(found)


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
    """What lies between models `before` and `after`, of which the same object stands for the same
    model: those that are `gone`, which stood at `left`, and those that `come`, at `places`.

    All lie between the first `start` models and the last `behind`, which stay; so do others between
    them, in the same order.
    """

    before: tuple[ModelFingerprint, ...]
    after: tuple[ModelFingerprint, ...]
    start: int
    behind: int
    gone: tuple[ModelFingerprint, ...]
    come: tuple[ModelFingerprint, ...]
    left: NDArray[np.int64]
    places: NDArray[np.int64]

    @classmethod
    def between(
        cls, before: tuple[ModelFingerprint, ...], after: tuple[ModelFingerprint, ...]
    ) -> Self:
        """The fewest models to replace, unless some changed places: then all between the first and
        the last of these."""
        start = _shared(before, after)
        behind = _shared(before[start:][::-1], after[start:][::-1])
        was, now = before[start : len(before) - behind], after[start : len(after) - behind]
        stay = set(map(id, was)) & set(map(id, now))
        if [id(m) for m in was if id(m) in stay] != [id(m) for m in now if id(m) in stay]:
            stay = set()
        gone = tuple(model for model in was if id(model) not in stay)
        come = tuple(model for model in now if id(model) not in stay)
        left, places = start + _positions(was, gone), start + _positions(now, come)
        return cls(before, after, start, behind, gone, come, left, places)

    def among(
        self,
        before: tuple[ModelFingerprint, ...],
        belongs: Callable[[ModelFingerprint], bool],
    ) -> "Difference":
        """The same among those alone that belong to some; `before` are those that did before."""
        gone, come = tuple(filter(belongs, self.gone)), tuple(filter(belongs, self.come))
        if len(before) == len(self.before) and len(come) == len(self.come):
            return self
        end = len(self.before) - self.behind
        many = sum(map(belongs, self.before[self.start : end]))
        at_end = len(before) - many  # most changes are at the end: no need to look at all before
        start = sum(map(belongs, self.before[: self.start])) if self.behind else at_end
        was = before[start : start + many]
        now = tuple(filter(belongs, self.after[self.start : len(self.after) - self.behind]))
        after = before[:start] + now + before[start + many :]
        if len(after) == len(self.after):
            after = self.after  # all belong: one list is enough
        left, places = start + _positions(was, gone), start + _positions(now, come)
        return Difference(before, after, start, at_end - start, gone, come, left, places)


def _positions(
    among: tuple[ModelFingerprint, ...], some: tuple[ModelFingerprint, ...]
) -> NDArray[np.int64]:
    """Where these stand, in order."""
    if len(some) == len(among):
        return np.arange(len(some))
    wanted = set(map(id, some))
    return np.array([i for i, model in enumerate(among) if id(model) in wanted], np.int64)


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
