"""The whole suite: freeze, draw, register, ask, and write open-set.json.

The order is the protocol: (1) the digests of bundle and policy are written down, (2) test sources
are opened and fingerprinted, (3) generators are registered, (4) everything is asked, (5) rows are
compared with the goals. Whatever comes out is written.
"""

import json
import platform
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from training.evaluation import experiments
from training.evaluation.asked import (
    Asked,
    ask,
    generator_rows,
    group_rows,
    joined,
    photograph_rows,
)
from training.evaluation.goals import goals
from training.evaluation.judge import Judge
from training.evaluation.kept import Kept
from training.evaluation.plan import Plan
from training.evaluation.registries import Registry, all_of, register
from training.evaluation.subjects import Subject
from worker.settings.cores import usable_cores

RESULT = "open-set.json"
_POOLS: dict[str, Callable[[int], bool]] = {
    "64": lambda side: side == 64,
    "128-511": lambda side: 128 <= side < 512,
    "512": lambda side: side == 512,
    "128+": lambda side: side >= 128,
}
"""Sides that goals are stated for."""
_CURVE_SIDES = {"noise": 64, "simulated": 128, "photographs": 256}
_SIZE_SIDES = (256, 512)


def statement(judge: Judge, plan: Plan, made_by: dict[str, str]) -> dict[str, Any]:
    """What is frozen before anything held out is opened, and stands at the head of the result."""
    return {
        "bundle": judge.digest,
        "policy": dict(judge.policy),
        "plan": plan.document(),
        **made_by,
    }


def made_by(command: str, commit: str) -> dict[str, str]:
    """How a result came about."""
    return {
        "command": command,
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit,
        "machine": f"{usable_cores()} cores, {platform.machine()}, Python"
        f" {platform.python_version()}",
    }


def measure(
    judge: Judge,
    kept: Kept,
    subjects: Sequence[Subject],
    plan: Plan,
    head: dict[str, Any],
    say: Callable[[str], None],
) -> dict[str, Any]:
    """The document of everything that was kept; see the rooms' modules for its rows."""
    began = time.monotonic()
    made = [one for one in subjects if one.what == "generator"]
    real = [one for one in subjects if one.what == "photographs"]
    document: dict[str, Any] = {"made_by": head}
    sides = sorted({one.side for one in (*made, *real)})
    registries = {}
    for side in sides:
        say(f"registering the generators of {side} pixels from {plan.samples} samples")
        registries[side] = register(_at(made, side), plan.samples, judge, kept)
    document["registered"] = [
        {"side": one.side, "models": len(one.models), "shots": one.shots}
        for one in registries.values()
    ]
    document["refused"] = list(all_of(list(registries.values())).refused)
    asked_made, found_made, asked_real, found_real = _main(
        judge, kept, made, real, registries, document, say
    )
    document["groups"] = [
        row
        for pool, holds in _POOLS.items()
        if (own := [side for side in asked_made if holds(side)])
        for row in group_rows(
            joined([asked_made[side] for side in own]),
            joined([found_made[side] for side in own]),
            {"sides": pool},
        )
    ]
    document["photographs"] = [
        row
        for label, by_side in (("all", asked_real), ("none", found_real))
        for row in _photographs(label, by_side)
    ]
    document["kinds"] = _kinds(judge, kept, subjects, registries, say)
    document["registry_sizes"] = _sizes(judge, kept, real, registries, say)
    document["shots"], document["few_shots"] = _shots(judge, kept, made, sides, say)
    document["curves"] = [
        row
        for side, one in asked_made.items()
        if side in asked_real
        for row in experiments.curves(one, asked_real[side], side)
    ]
    document["promises"] = list(experiments.kept_promises(joined(list(asked_real.values()))))
    document["confidence"] = list(experiments.name_confidence(joined(list(asked_made.values()))))
    document["goals"] = [goal.document() for goal in goals(document)]
    document["made_by"]["seconds_of_asking"] = round(time.monotonic() - began, 1)
    return document


def write(document: dict[str, Any], folder: Path, name: str = RESULT) -> Path:
    """A suite's document as the file of this name, in one step."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps(document, indent=1) + "\n")
    draft.replace(path)
    return path


_BySide = dict[int, Asked]


def _main(
    judge: Judge,
    kept: Kept,
    made: Sequence[Subject],
    real: Sequence[Subject],
    registries: dict[int, Registry],
    document: dict[str, Any],
    say: Callable[[str], None],
) -> tuple[_BySide, _BySide, _BySide, _BySide]:
    """Generators and photographs by side, asked of its registry and with nothing registered."""
    made_with: _BySide = {}
    made_without: _BySide = {}
    real_with: _BySide = {}
    real_without: _BySide = {}
    document["generators"] = []
    for side, registry in registries.items():
        say(f"asking about {side} pixels: {len(registry.models)} models")
        if generators := _at(made, side):
            made_with[side] = ask(judge, kept, generators, registry.models)
            made_without[side] = ask(judge, kept, generators, ())
            document["generators"] += generator_rows(
                made_with[side], made_without[side], registry.shots, len(registry.models)
            )
        if photographs := _at(real, side):
            real_with[side] = ask(judge, kept, photographs, registry.models)
            real_without[side] = ask(judge, kept, photographs, ())
    return made_with, made_without, real_with, real_without


def _photographs(label: str, by_side: _BySide) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for side, one in by_side.items():
        rows += photograph_rows(one, {"registered": label, "side": side})
    for pool in ("64", "128+"):
        own = [one for side, one in by_side.items() if _POOLS[pool](side)]
        if own:
            # The goals speak of a registry that is filled.
            key = "sides" if label == "all" else "sides_unregistered"
            rows += photograph_rows(joined(own), {"registered": label, key: pool})
    return rows


def _kinds(
    judge: Judge,
    kept: Kept,
    subjects: Sequence[Subject],
    registries: dict[int, Registry],
    say: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Kinds, whole files and what is no photograph, against all models of all sides."""
    models = all_of(list(registries.values())).models
    rows: list[dict[str, Any]] = []
    for what in ("whole", "kind", "other"):
        own = [one for one in subjects if one.what == what]
        if own:
            say(f"asking about {len(own)} of {what}: {len(models)} models")
            asked = ask(judge, kept, own, models)
            label = {"what": what, "models": len(models)}
            if what == "whole":
                rows += photograph_rows(asked, {**label, "name": "files as they came"})
            else:
                rows += photograph_rows(asked, label, pooled=False)
    return rows


def _sizes(
    judge: Judge,
    kept: Kept,
    real: Sequence[Subject],
    registries: dict[int, Registry],
    say: Callable[[str], None],
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for side in (side for side in _SIZE_SIDES if side in registries):
        say(f"registries of 1 to 1,000 models: {side} pixels")
        others = [m for s, one in registries.items() if s != side for m in one.models]
        rows += experiments.registry_sizes(judge, kept, _at(real, side), registries[side], others)
    return rows


def _shots(
    judge: Judge,
    kept: Kept,
    made: Sequence[Subject],
    sides: Sequence[int],
    say: Callable[[str], None],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    curve: list[dict[str, Any]] = []
    for group, side in _CURVE_SIDES.items():
        own = [one for one in _at(made, side) if one.group == group]
        if own:
            say(f"registering {group} of {side} pixels from 10 to 200 samples")
            curve += experiments.shots_curve(judge, kept, own)
    few: list[dict[str, Any]] = []
    for side in sides:
        say(f"ten samples: {side} pixels")
        few += experiments.few_shots(judge, kept, _at(made, side))
    return curve, few


def _at(subjects: Sequence[Subject], side: int) -> list[Subject]:
    return [one for one in subjects if one.side == side]
