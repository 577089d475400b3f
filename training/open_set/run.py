"""Trials over folds: each family and each source is unseen once, and chosen on these alone.

The families and sources of the role `held_out` take no part; `latentprint train trial --held-out`
opens them, once the choice is made.
"""

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence

import numpy as np

from training.generators.roles import kind_of
from training.open_set.classes import SIDES
from training.open_set.corpus import Drawings, together
from training.open_set.trial import Found, TrialRecipe, cohort, judge, learnt

FOLDS = 4
FEW = 4
"""Photographs; sources of fewer are one source together, since no rate can be said of them."""


def fold_of(name: str) -> int:
    """Where a family or a source is unseen: from its name alone."""
    return hashlib.sha256(f"fold {name}".encode()).digest()[0] % FOLDS


def leave_out(
    condition: str, known: Sequence[Drawings], recipe: TrialRecipe
) -> Iterator[tuple[int, Found]]:
    """For each fold and side what was found; of the unseen families all that can be registered."""
    for fold in range(FOLDS):
        left = [one for one in known if fold_of(_group(one)) == fold]
        kept = [one for one in known if fold_of(_group(one)) != fold]
        for found in once(condition, kept, left, recipe):
            yield fold, found


def once(
    condition: str, known: Sequence[Drawings], unseen: Sequence[Drawings], recipe: TrialRecipe
) -> Iterator[Found]:
    """Learn from the known, judge the unseen, side by side.

    Simulated generators stand in for others and are never registered.
    """
    real, made = [o for o in known if o.real], [o for o in known if not o.real]
    to_fingerprint, space, calibration = learnt(condition, real, made, recipe)
    photographs = cohort(condition, [one for one in unseen if one.real], to_fingerprint)
    generators = [o for o in unseen if not o.real and kind_of(o.family) != "simulated"]
    for side in SIDES:
        found = judge(
            condition, side, to_fingerprint, space, calibration, photographs, generators, recipe
        )
        if found is not None:
            yield found


def with_few_together(drawings: Sequence[Drawings]) -> list[Drawings]:
    """Sources of fewer than FEW photographs as one; all others, and generators, as they are."""
    few = [o for o in drawings if o.real and len(np.unique(o.photographs)) < FEW]
    others = [one for one in drawings if all(one is not small for small in few)]
    if not few:
        return others
    return [*others, dataclasses.replace(together(few), name="real small sources")]


def _group(one: Drawings) -> str:
    return one.name if one.real else one.family
