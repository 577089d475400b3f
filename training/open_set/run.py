"""Trials over folds: each family and each source is unseen once, and chosen on these alone.

The families and sources of the role `held_out` take no part; `latentprint train trial --held-out`
opens them, once the choice is made.
"""

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from fingerprint_db.background import Background, CodecSpace
from fingerprint_db.conditions import Codec, conditions_of, readings_of
from training.data.roles import Role
from training.generators.roles import kind_of
from training.open_set.cohorts import cohorts
from training.open_set.corpus import Drawings, of_blocks, read_all, together
from training.open_set.plan import ARRIVALS
from training.open_set.spaces import (
    BLOCKS_OF,
    CodecPictures,
    Learning,
    basis_of,
    learn,
    synthesis_weights,
)
from training.open_set.trial import Found, Spaces, TrialRecipe, judge
from worker.extractor.document import group_of

FOLDS = 4
FEW = 4
"""Photographs; sources of fewer are one source together, since no rate can be said of them."""


def fold_of(name: str) -> int:
    """Where a family or a source is unseen: from its name alone."""
    return hashlib.sha256(f"fold {name}".encode()).digest()[0] % FOLDS


def read(codec: Codec, role: Role, folder: Path) -> list[Drawings]:
    """The corpus of a role under the conditions of all spaces that files of a codec are read in."""
    conditions = [c for reading in readings_of(codec) for c in conditions_of(reading)]
    arrivals = [ARRIVALS[condition.name] for condition in conditions]
    drawings = of_blocks(read_all(folder, role, arrivals), BLOCKS_OF[group_of(codec)])
    return with_few_together(list(drawings))


def leave_out(
    codec: Codec, known: Sequence[Drawings], recipe: TrialRecipe
) -> Iterator[tuple[int, Found]]:
    """For each fold, condition and side what was found of unseen families and sources."""
    for fold in range(FOLDS):
        left = [one for one in known if fold_of(_group(one)) == fold]
        kept = [one for one in known if fold_of(_group(one)) != fold]
        for found in once(codec, kept, left, recipe):
            yield fold, found


def once(
    codec: Codec, known: Sequence[Drawings], unseen: Sequence[Drawings], recipe: TrialRecipe
) -> Iterator[Found]:
    """Learn from the known, judge the unseen.

    Simulated generators stand in for others and are never registered.
    """
    generators = [o for o in unseen if not o.real and kind_of(o.family) != "simulated"]
    photographs = [one for one in unseen if one.real]
    if generators and photographs:
        readings = readings_of(codec)
        yield from judge(
            _spaces(codec, known, recipe),
            {one: CodecPictures.of(one, photographs) for one in readings},
            {one: CodecPictures.of(one, generators) for one in readings},
            recipe,
        )


def _spaces(codec: Codec, known: Sequence[Drawings], recipe: TrialRecipe) -> Spaces:
    learning = {one: Learning.of(one, known, recipe.spaces) for one in readings_of(codec)}
    basis = basis_of(learning.values(), recipe.spaces)
    learned = {name: learn(one, basis, recipe.spaces) for name, one in learning.items()}
    maps = {name: one.to_fingerprint for name, one in learned.items()}
    held = cohorts(learning, maps)
    codecs = {
        name: CodecSpace(
            one.real_variance,
            one.generators,
            synthesis_weights(learning[name], maps[name], recipe.spaces),
            held[name],
        )
        for name, one in learned.items()
    }
    return Spaces(codec, maps, Background("0" * 64, codecs, recipe.constants))


def with_few_together(drawings: Sequence[Drawings]) -> list[Drawings]:
    """Sources of fewer than FEW photographs as one; all others, and generators, as they are."""
    few = [o for o in drawings if o.real and len(np.unique(o.photographs)) < FEW]
    others = [one for one in drawings if all(one is not small for small in few)]
    if not few:
        return others
    return [*others, dataclasses.replace(together(few), name="real small sources")]


def _group(one: Drawings) -> str:
    return one.name if one.real else one.family
