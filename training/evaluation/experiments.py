"""Questions that need registries of their own: size, samples, curves over thresholds."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fingerprint_db.model_fingerprint import ModelFingerprint
from training.evaluation.asked import Asked, ask, events, group_rows, outcome_of, top_1
from training.evaluation.judge import Answer, Judge
from training.evaluation.kept import Kept
from training.evaluation.measures import calibration, open_set_curve, reliability, share_of
from training.evaluation.plan import SHOTS
from training.evaluation.registries import Registry, model_name, register
from training.evaluation.subjects import Subject

SIZES = (1, 10, 100, 1000)
ARRIVALS = ("clean", "jpeg90", "jpeg75")
LEVELS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_DRAWS = {1: 8, 10: 4}
"""Registries of one or ten models are drawn several times: which one it is matters."""
_FEW_SHOTS = 10
_SUBSETS = (5, 15)
_SUBSET_DRAWS = 20


def registry_sizes(
    judge: Judge,
    kept: Kept,
    photographs: Sequence[Subject],
    registry: Registry,
    others: Sequence[ModelFingerprint],
) -> Iterator[dict[str, Any]]:
    """Photographs of one side against registries of 1 to 1,000 models.

    The models of `registry` come first, then `others` (of other sides), then fillers.
    """
    if not registry.models:
        return
    rng = np.random.default_rng(registry.side)
    own = list(registry.models)
    enrolled = [*own, *others]
    fillers = judge.fillers(max(0, max(SIZES) - len(enrolled)), enrolled, registry.side)
    for size in SIZES:
        draws = []
        for _ in range(_DRAWS.get(size, 1)):
            few = [own[i] for i in rng.permutation(len(own))]
            models = [*few, *others, *fillers][:size]
            draws.append(ask(judge, kept, photographs, models, arrivals=ARRIVALS))
        for arrival in dict.fromkeys(str(name) for name in draws[0].arrivals):
            yield {
                "models": size,
                "enrolled": min(size, len(enrolled)),
                "side": registry.side,
                "arrival": arrival,
                "draws": len(draws),
                **_over(draws, arrival),
            }


def _over(draws: Sequence[Asked], arrival: str) -> dict[str, Any]:
    """Rates over all draws: a photograph's vote is its share of views and draws."""
    rows = [one.rows(arrival=arrival) for one in draws]
    answers = [a for one, r in zip(draws, rows, strict=True) for a in one.of(r)]
    owners = np.concatenate([one.owners[r] for one, r in zip(draws, rows, strict=True)])
    sources = np.array(
        [
            one.subjects[i].name
            for one, r in zip(draws, rows, strict=True)
            for i in one.whose[r].tolist()
        ]
    )
    return {"photographs": len(np.unique(owners)), **events(answers, owners, sources)}


def shots_curve(
    judge: Judge, kept: Kept, generators: Sequence[Subject]
) -> Iterator[dict[str, Any]]:
    """Generators of one side and group, registered from 10 to 200 samples each.

    A registry holds this group's alone. Names are given from ten samples on here, so that the curve
    tells what samples are worth and not what the policy asks.
    """
    most = min((len(kept.samples(one).subjects) for one in generators), default=0)
    for shots in SHOTS:
        if shots > most:
            break
        registry = register(generators, shots, judge, kept)
        asked = ask(
            judge, kept, generators, registry.models, arrivals=ARRIVALS, named_from=min(SHOTS)
        )
        label = {"shots": shots, "side": registry.side, "models": len(registry.models)}
        yield from group_rows(asked, None, label)


def few_shots(judge: Judge, kept: Kept, generators: Sequence[Subject]) -> Iterator[dict[str, Any]]:
    """The nearest model of five and of fifteen, each registered from ten samples, on one side.

    Of a picture's generator and four (fourteen) others, drawn twenty times; a generator that was
    refused is never right.
    """
    registry = register(generators, _FEW_SHOTS, judge, kept)
    names = [model_name(one) for one in generators]
    if len(names) < min(_SUBSETS):
        return
    asked = ask(judge, kept, generators, registry.models, arrivals=ARRIVALS)
    rng = np.random.default_rng(_FEW_SHOTS)
    for arrival in dict.fromkeys(str(name) for name in asked.arrivals):
        rows = asked.rows(arrival=arrival)
        families = np.array([asked.subjects[i].family for i in asked.whose[rows]])
        for of in _SUBSETS:
            if len(names) < of:
                continue
            values = []
            for row in rows.tolist():
                truth = names[int(asked.whose[row])]
                others = [name for name in names if name != truth]
                hits = [
                    _first_of(asked.answers[row], {truth, *rng.choice(others, of - 1, False)})
                    == truth
                    for _ in range(_SUBSET_DRAWS)
                ]
                values.append(float(np.mean(hits)))
            yield {
                "shots": _FEW_SHOTS,
                "of": of,
                "side": registry.side,
                "arrival": arrival,
                "generators": len(names),
                "refused": len(registry.refused),
                "top_1": share_of(np.array(values), asked.owners[rows], families).document(),
            }


def _first_of(answer: Answer, among: set[str]) -> str | None:
    return next((one.model for one in answer.candidates if one.model in among), None)


def curves(made: Asked, real: Asked, side: int) -> Iterator[dict[str, Any]]:
    """The open-set curve of one side under each arrival: nearest model right, against flagged."""
    for arrival in ARRIVALS:
        known, photographs = made.rows(arrival=arrival), real.rows(arrival=arrival)
        if not len(known) or not len(photographs):
            continue
        subjects = [made.subjects[i] for i in made.whose[known].tolist()]
        correct = [top_1(a, s) for a, s in zip(made.of(known), subjects, strict=True)]
        outcomes = [outcome_of(a, s) for a, s in zip(made.of(known), subjects, strict=True)]
        points, area = open_set_curve(
            np.array(correct, np.bool_), _scores(made.of(known)), _scores(real.of(photographs))
        )
        yield {
            "side": side,
            "arrival": arrival,
            "area": round(area, 5),
            "decided": {
                "right": round(float(np.mean([one == "right" for one in outcomes])), 5),
                "flagged": round(float(np.mean([a.flagged for a in real.of(photographs)])), 5),
            },
            "points": points,
        }


def _scores(answers: Sequence[Answer]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Of the nearest model, -inf where it does not accept the picture."""
    return np.array(
        [
            a.candidates[0].similarity if a.candidates and a.candidates[0].accepted else -np.inf
            for a in answers
        ]
    )


def kept_promises(real: Asked) -> Iterator[dict[str, Any]]:
    """Photographs at or below each level of the two stated p-values, by arrival; the mean gap."""
    for arrival in dict.fromkeys(str(name) for name in real.arrivals):
        answers = real.of(real.rows(arrival=arrival))
        for test, stated in (
            ("names", [a.p_value for a in answers]),
            ("nothing registered", [a.generic_p_value for a in answers]),
        ):
            values = np.array([value for value in stated if value is not None])
            if len(values):
                levels, error = calibration(values, LEVELS)
                yield {
                    "arrival": arrival,
                    "test": test,
                    "pictures": len(values),
                    "expected_calibration_error": round(error, 5),
                    "levels": levels,
                }


def name_confidence(made: Asked) -> Iterator[dict[str, Any]]:
    """How sure the nearest model is, against how often it is right: the usual calibration error.

    The confidence is what the lead in log-likelihood says of two models, 1 / (1 + exp(-lead)).
    """
    for arrival in ARRIVALS:
        rows = made.rows(arrival=arrival)
        pairs = [
            (a, made.subjects[i])
            for a, i in zip(made.of(rows), made.whose[rows].tolist(), strict=True)
            if a.candidates and a.candidates[0].lead is not None
        ]
        if not pairs:
            continue
        leads = np.array([a.candidates[0].lead for a, _ in pairs], np.float64)
        right = np.array([top_1(*pair) for pair in pairs])
        bins, error = reliability(1 / (1 + np.exp(-np.clip(leads, -50, 50))), right)
        yield {
            "arrival": arrival,
            "pictures": len(pairs),
            "expected_calibration_error": round(error, 5),
            "bins": bins,
        }
