"""Scores to answers: the registered generator of the highest score, where that passes a threshold.

The threshold is the quantile of the highest scores of photographs that nothing was fitted on, so
that at most the nominal level of photographs like these is named, whatever is registered.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation.asked import Asked, group_rows, photograph_rows
from training.evaluation.baselines.cell import Cell, Pictures
from training.evaluation.judge import Answer, Candidate
from training.evaluation.registries import model_name
from training.evaluation.subjects import Subject

Floats = NDArray[np.float32]
Score = Callable[[Pictures], Floats]
"""Pictures (N, 3, R, R) uint8 to a score of each generator, (N, S), rising with likeness."""


def threshold_of(scores: Floats, level: float) -> float:
    """What at most `level` of photographs, scores (P, S), pass; their highest where P is small."""
    return float(np.quantile(scores.max(1), 1 - level, method="higher"))


def answers_of(scores: Floats, threshold: float, generators: list[Subject]) -> list[Answer]:
    """The nearest generator of each picture, named where its score is above the threshold."""
    answers = []
    for row in scores:
        nearest = generators[int(row.argmax())]
        best = float(row.max())
        passed = best > threshold
        name, family = model_name(nearest), nearest.family
        answers.append(
            Answer(
                "attributed" if passed else "no_evidence",
                name if passed else None,
                family if passed else None,
                None,
                None,
                (Candidate(name, family, best, passed),),
            )
        )
    return answers


def cell_rows(
    cell: Cell, score: Score, level: float, label: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What a baseline says of a cell: rows of groups of generators, and of photographs."""
    threshold = threshold_of(score(cell.calibrating), level)
    generators = [one for one in cell.subjects if one.what == "generator"]
    answers = answers_of(score(cell.asked), threshold, generators)
    made, real = _part(cell, answers, real=False), _part(cell, answers, real=True)
    return list(group_rows(made, None, label)), list(photograph_rows(real, label))


def _part(cell: Cell, answers: list[Answer], *, real: bool) -> Asked:
    """Answers about photographs, or about generators."""
    is_real = np.array([one.what != "generator" for one in cell.subjects])
    rows = np.flatnonzero(is_real[cell.asked_whose] == real)
    return Asked(
        cell.subjects,
        cell.asked_whose[rows],
        np.full(len(rows), cell.arrival),
        cell.owners[rows],
        tuple(answers[i] for i in rows),
    )
