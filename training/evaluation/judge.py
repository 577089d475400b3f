"""What the evaluation asks of a judge, and what it answers: `worker_judge` is the one that counts.

Letters: N files, D fingerprint size, V numbers of a nuisance vector.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.gate.enrolment import Samples
from fingerprint_db.model_fingerprint import ModelFingerprint
from training.evaluation.subjects import Shown


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """N files as the worker read them, one row each: what is kept of them.

    `arrivals` (N,) and `owners` (N,) are those of `Shown`. `facts` (N,) are the decoder's, as
    JSON; `problems` (N,) why no verdict can be had, `rejected` (N,) the code of what was no
    picture, else "". `vectors` (N, D) are in the space that the file shows, zero where there is no
    fingerprint (`codecs` is "" there), `kinds` (N, V); `earlier` (N,) is a quality, 0 for none.
    `further` (N, R, D) are in the other spaces that the file is read in, zero where there are none.
    """

    arrivals: NDArray[np.str_]
    owners: NDArray[np.int64]
    facts: NDArray[np.str_]
    problems: NDArray[np.str_]
    rejected: NDArray[np.str_]
    codecs: NDArray[np.str_]
    vectors: NDArray[np.float32]
    scores: NDArray[np.float32]
    kinds: NDArray[np.float32]
    pixels_read: NDArray[np.int64]
    earlier: NDArray[np.int64]
    regions: NDArray[np.int64]
    further: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.owners)

    def where(self, rows: NDArray[np.bool_]) -> Self:
        """Some of the files, (N,) bool."""
        return type(self)(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def arrived(self, name: str) -> Self:
        """Those that arrived in one way."""
        return self.where(self.arrivals == name)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A registered model beside a verdict, likeliest first.

    `similarity` rises; `lead` in nats ahead of the best other, None where there is no other.
    """

    model: str
    family: str
    similarity: float
    accepted: bool
    lead: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One verdict: `outcome` is the worker's, or "rejected" for a dead letter.

    `p_value` is that of the test of names, `generic_p_value` of the test with nothing registered;
    None where none was computed.
    """

    outcome: str
    model: str | None
    family: str | None
    p_value: float | None
    generic_p_value: float | None
    candidates: tuple[Candidate, ...]
    reasons: tuple[str, ...] = ()

    @property
    def flagged(self) -> bool:
        """Whether it says that the picture was generated."""
        return self.outcome in ("attributed", "unknown_generator")


@dataclass(frozen=True, slots=True, eq=False)
class Enrolled:
    """What became of samples: a model, or why none."""

    model: ModelFingerprint | None
    refusals: tuple[str, ...]


class Judge(Protocol):
    """A frozen bundle and policy; the same files get the same answers."""

    @property
    def digest(self) -> str:
        """Of the bundle."""
        ...

    @property
    def policy(self) -> Mapping[str, object]:
        """The policy's levels, as JSON."""
        ...

    def see(self, files: Sequence[Shown]) -> Seen:
        """Decode and fingerprint; what is no picture is a row as well."""
        ...

    def samples(self, files: Iterable[bytes]) -> Samples:
        """Fingerprints of samples under every condition of enrolment."""
        ...

    def enrol(
        self, samples: Samples, name: str, family: str, registered: Sequence[ModelFingerprint]
    ) -> Enrolled:
        """Through the gate, beside the models that are registered already."""
        ...

    def answers(
        self,
        seen: Seen,
        models: Sequence[ModelFingerprint],
        *,
        named_from: int | None = None,
    ) -> list[Answer]:
        """A verdict for each file against a registry of these models.

        `named_from` samples a model may be named; the policy's number unless given.
        """
        ...

    def fillers(
        self, count: int, like: Sequence[ModelFingerprint], seed: int
    ) -> list[ModelFingerprint]:
        """Models that nobody made pictures with, to fill a registry."""
        ...
