"""What the gate finds, for people and for programs."""

from dataclasses import dataclass
from typing import Literal

from fingerprint_db.gate.likeness import Likeness

Grade = Literal["family", "model", "sibling"]
"""What so many samples allow to be named: only the family, the model, or one of siblings well."""


@dataclass(frozen=True, slots=True)
class ConditionReport:
    """What to expect under one condition; shares are of the samples, 0..1.

    `recognised` would be named, each left out of the mean in turn; `at_least` and `at_most` bound
    that rate for further images (Clopper and Pearson, 95 %). `spread` is about 1 for the images of
    one generator. `real_inside` is a share of the photographs: they are typical of the model, of
    which few score high. `nearest_confusion` are likelier under `nearest_model`. `limits` says in
    what the condition falls short.
    """

    condition: str
    samples: int
    recognised: float
    at_least: float
    at_most: float
    distance_threshold: float
    spread: float
    real_inside: float
    nearest_model: str | None
    nearest_confusion: float
    limits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Worst:
    """The condition under which a measure of the gate is worst, and its value there."""

    measure: Literal["recognised", "spread", "real_inside", "nearest_confusion"]
    condition: str
    value: float


@dataclass(frozen=True, slots=True)
class NotEnrolled:
    """A condition without an entry, and why."""

    condition: str
    why: str


@dataclass(frozen=True, slots=True)
class EnrolmentReport:
    """The gate's findings; `refusals` is empty where the samples pass.

    `spread`, `real_inside`, `likeness` and the nearest model are those of the condition that holds
    most samples, by which the gate refuses; `worst` names the condition that is worst in each
    measure, and `real_photos` is how many distinct photographs stand behind `real_inside`.
    `set_aside` are samples too far from the others; `warnings` are no reason to refuse.
    """

    name: str
    samples: int
    provisional: bool
    spread: float
    real_inside: float
    nearest_model: str | None
    nearest_confusion: float
    conditions: tuple[ConditionReport, ...]
    refusals: tuple[str, ...]
    worst: tuple[Worst, ...] = ()
    real_photos: int = 0
    grade: Grade = "family"
    set_aside: tuple[str, ...] = ()
    not_enrolled: tuple[NotEnrolled, ...] = ()
    warnings: tuple[str, ...] = ()
    likeness: Likeness | None = None
