"""Registries asked about what was seen: a verdict for each picture, and the rows of the report."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.model_fingerprint import ModelFingerprint
from training.evaluation.gather import together
from training.evaluation.judge import Answer, Judge
from training.evaluation.kept import Kept
from training.evaluation.measures import rate_of, share_of
from training.evaluation.registries import model_name
from training.evaluation.subjects import Subject

OUTCOMES = ("right", "wrong", "unknown", "undetermined", "missed")
"""Of pictures of a registered generator; they add up to all of them. `unknown` says generated,
but not by whom; `missed` is no evidence, or no verdict at all."""


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """Answers of one registry on subjects: a row for each file, N of them."""

    subjects: tuple[Subject, ...]
    whose: NDArray[np.int64]
    arrivals: NDArray[np.str_]
    owners: NDArray[np.int64]
    answers: tuple[Answer, ...]

    def rows(self, subject: int | None = None, arrival: str | None = None) -> NDArray[np.int64]:
        """Positions of the files of a subject that arrived in one way."""
        kept = np.ones(len(self.answers), np.bool_)
        if subject is not None:
            kept &= self.whose == subject
        if arrival is not None:
            kept &= self.arrivals == arrival
        return np.flatnonzero(kept)

    def of(self, rows: NDArray[np.int64]) -> list[Answer]:
        """The answers at these positions."""
        return [self.answers[i] for i in rows]


def ask(
    judge: Judge,
    kept: Kept,
    subjects: Sequence[Subject],
    models: Sequence[ModelFingerprint],
    *,
    arrivals: Sequence[str] | None = None,
    named_from: int | None = None,
) -> Asked:
    """A verdict for every file of the subjects (that arrived in one of these ways)."""
    parts = []
    whose = []
    for number, subject in enumerate(subjects):
        seen = kept.seen(subject)
        if arrivals is not None:
            seen = seen.where(np.isin(seen.arrivals, arrivals))
        if len(seen):
            parts.append(seen)
            whose += [number] * len(seen)
    if not parts:
        none = np.empty(0, np.int64)
        return Asked(tuple(subjects), none, np.empty(0, np.str_), none, ())
    seen = together(parts)
    answers = judge.answers(seen, models, named_from=named_from)
    return Asked(
        tuple(subjects), np.array(whose, np.int64), seen.arrivals, seen.owners, tuple(answers)
    )


def joined(parts: Sequence[Asked]) -> Asked:
    """Several registries' answers as one, each on the pictures that it was asked about."""
    offsets = np.cumsum([0, *(len(one.subjects) for one in parts)])
    return Asked(
        tuple(subject for one in parts for subject in one.subjects),
        np.concatenate([one.whose + at for one, at in zip(parts, offsets, strict=False)]),
        np.concatenate([one.arrivals for one in parts]),
        np.concatenate([one.owners for one in parts]),
        tuple(answer for one in parts for answer in one.answers),
    )


def outcome_of(answer: Answer, subject: Subject) -> str:
    """One of OUTCOMES, for a picture of a registered generator."""
    if answer.outcome == "attributed":
        return "right" if answer.model == model_name(subject) else "wrong"
    if answer.outcome == "unknown_generator":
        return "unknown"
    return "undetermined" if answer.outcome == "undetermined" else "missed"


def wrong_family(answer: Answer, subject: Subject) -> bool:
    """Whether a verdict names a family that the picture is not of."""
    return answer.flagged and answer.family not in (None, subject.family)


def top_1(answer: Answer, subject: Subject) -> bool:
    """Whether the registered model that comes first is the right one."""
    return bool(answer.candidates) and answer.candidates[0].model == model_name(subject)


def generator_rows(asked: Asked, found: Asked, shots: int, models: int) -> Iterator[dict[str, Any]]:
    """A row for each generator, side and arrival; `found` is the same with nothing registered."""
    for number, subject in enumerate(asked.subjects):
        for arrival in _in_order(asked.arrivals[asked.whose == number]):
            rows = asked.rows(number, arrival)
            answers = asked.of(rows)
            owners = asked.owners[rows]
            outcomes = np.array([outcome_of(one, subject) for one in answers])
            yield {
                "generator": subject.name,
                "family": subject.family,
                "group": subject.group,
                "side": subject.side,
                "arrival": arrival,
                "shots": shots,
                "models": models,
                "pictures": len(rows),
                **{name: round(float((outcomes == name).mean()), 5) for name in OUTCOMES},
                "right_interval": share_of(outcomes == "right", owners).document(),
                "wrong_family": _mean(wrong_family(one, subject) for one in answers),
                "top_1": _mean(top_1(one, subject) for one in answers),
                "found_unregistered": _mean(one.flagged for one in found.of(rows)),
            }


def group_rows(
    asked: Asked, found: Asked | None, label: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """The same over all generators of a group: the mean over pictures, bootstrapped by family."""
    for group in dict.fromkeys(subject.group for subject in asked.subjects):
        own = [i for i, subject in enumerate(asked.subjects) if subject.group == group]
        of_group = np.isin(asked.whose, own)
        for arrival in _in_order(asked.arrivals[of_group]):
            rows = np.flatnonzero(of_group & (asked.arrivals == arrival))
            pairs = [(asked.answers[i], asked.subjects[int(asked.whose[i])]) for i in rows.tolist()]
            families = np.array([subject.family for _, subject in pairs])
            outcomes = np.array([outcome_of(*pair) for pair in pairs])
            values = {name: outcomes == name for name in OUTCOMES} | {
                "wrong_family": np.array([wrong_family(*pair) for pair in pairs]),
                "top_1": np.array([top_1(*pair) for pair in pairs]),
            }
            if found is not None:
                values["found_unregistered"] = np.array([one.flagged for one in found.of(rows)])
            yield {
                **label,
                "group": group,
                "arrival": arrival,
                "generators": len({subject.name for _, subject in pairs}),
                "families": len(np.unique(families)),
                "pictures": len(rows),
                **{
                    name: share_of(each, asked.owners[rows], families).document()
                    for name, each in values.items()
                },
            }


def photograph_rows(
    asked: Asked, label: Mapping[str, Any], *, pooled: bool = True
) -> Iterator[dict[str, Any]]:
    """What becomes of photographs, by arrival; `pooled` over all subjects, or one row each."""
    groups = [list(range(len(asked.subjects)))]
    if not pooled:
        groups = [[number] for number in groups[0]]
    for own in groups:
        of_group = np.isin(asked.whose, own)
        for arrival in _in_order(asked.arrivals[of_group]):
            rows = np.flatnonzero(of_group & (asked.arrivals == arrival))
            answers = asked.of(rows)
            sources = np.array([asked.subjects[i].name for i in asked.whose[rows]])
            owners = asked.owners[rows]
            about = {} if pooled else {"name": asked.subjects[own[0]].name}
            if not pooled and asked.subjects[own[0]].family:
                about["group"] = asked.subjects[own[0]].family
            yield {
                **label,
                **about,
                "arrival": arrival,
                "pictures": len(rows),
                "photographs": len(np.unique(owners)),
                **events(answers, owners, sources),
            }


def events(
    answers: Sequence[Answer], owners: NDArray[np.int64], sources: NDArray[np.str_]
) -> dict[str, Any]:
    """Rates of photographs flagged, named and undetermined; and why the last."""
    reasons: dict[str, int] = {}
    for one in answers:
        if one.outcome == "undetermined":
            for reason in one.reasons:
                reasons[reason] = reasons.get(reason, 0) + 1

    def rate(what: Sequence[bool]) -> dict[str, Any]:
        return rate_of(np.array(what, np.bool_), owners, sources).document()

    return {
        "flagged": rate([one.flagged for one in answers]),
        "named": rate([one.outcome == "attributed" for one in answers]),
        "undetermined": rate([one.outcome == "undetermined" for one in answers]),
        "rejected": _mean(one.outcome == "rejected" for one in answers),
        "reasons": dict(sorted(reasons.items())),
    }


def _mean(values: Iterator[bool]) -> float:
    return round(float(np.mean(list(values))), 5)


def _in_order(names: NDArray[np.str_]) -> list[str]:
    """Each once, as they first come."""
    return list(dict.fromkeys(str(name) for name in names))
