"""Generators registered from N samples of what was kept, through the judge's own gate."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fingerprint_db.model_fingerprint import ModelFingerprint
from training.evaluation.judge import Judge
from training.evaluation.kept import Kept, first_samples
from training.evaluation.subjects import Subject


@dataclass(frozen=True, slots=True, eq=False)
class Registry:
    """Generators of one side (or of all, 0) from `shots` samples each; `refused` says why not."""

    side: int
    shots: int
    models: tuple[ModelFingerprint, ...]
    refused: tuple[dict[str, Any], ...]


def model_name(subject: Subject) -> str:
    """What verdicts call a generator: at each side it is a model of its own."""
    return f"{subject.name} {subject.side}"


def register(generators: Sequence[Subject], shots: int, judge: Judge, kept: Kept) -> Registry:
    """One after another; each is judged beside those before.

    From so many distinct samples, or from all where there are fewer: the gate says what they allow.
    """
    models: list[ModelFingerprint] = []
    refused = []
    for subject in generators:
        samples = first_samples(kept.samples(subject), shots)
        enrolled = judge.enrol(samples, model_name(subject), subject.family, models)
        if enrolled.model is None:
            refused.append(
                {
                    "generator": subject.name,
                    "side": subject.side,
                    "shots": shots,
                    "why": list(enrolled.refusals),
                }
            )
        else:
            models.append(enrolled.model)
    sides = {subject.side for subject in generators}
    return Registry(sides.pop() if len(sides) == 1 else 0, shots, tuple(models), tuple(refused))


def all_of(registries: Sequence[Registry]) -> Registry:
    """Every model of several registries in one."""
    shots = {one.shots for one in registries}
    return Registry(
        0,
        shots.pop() if len(shots) == 1 else 0,
        tuple(model for one in registries for model in one.models),
        tuple(why for one in registries for why in one.refused),
    )
