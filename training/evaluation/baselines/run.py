"""All baselines on all sides and arrivals, in several processes, to baselines.json.

Everything is drawn first, and then measured a cell at a time. What was drawn lies in a folder of
its own and goes with it: some hundred megabytes, of minutes.
"""

import multiprocessing
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from training.data.manifest import Manifest
from training.evaluation.baselines.cell import Cell, Sources, cell_of
from training.evaluation.baselines.files import draw
from training.evaluation.baselines.methods import BASELINES
from training.evaluation.baselines.naming import cell_rows
from training.evaluation.made import made_subjects
from training.evaluation.photographs import photograph_subjects
from training.evaluation.plan import Plan

RESULT = "baselines.json"
Say = Callable[[str], None]
Found = TypeVar("Found")
_Share = tuple[Manifest, Plan, Path, float, int, int]
"""What is asked for at which level, and which of how many processes is asked."""


def sources_of(manifest: Manifest, plan: Plan) -> Sources:
    """The generators and photographs of the evaluation, and photographs to learn from."""
    return Sources(
        tuple(made_subjects(manifest, plan)),
        tuple(photograph_subjects(manifest, plan, "learn")),
        tuple(photograph_subjects(manifest, plan, "held_out")),
    )


def measure(
    manifest: Manifest, plan: Plan, level: float, work: Path, processes: int
) -> dict[str, Any]:
    """The document of all cells at a nominal level of photographs that are named."""
    work.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=work, prefix="baselines-") as folder:
        shares = [(manifest, plan, Path(folder), level, i, processes) for i in range(processes)]
        _each(_draw_share, shares)
        cells = [cell for found in _each(_measure_share, shares) for cell in found]
    return document_of(cells, level, plan)


def document_of(cells: Sequence[dict[str, Any]], level: float, plan: Plan) -> dict[str, Any]:
    """What the cells gave, in the order of sides and arrivals, with the sentences of the page."""
    in_order = sorted(cells, key=lambda c: (c["side"], plan.arrivals.index(c["arrival"])))
    return {
        "level": level,
        "plan": plan.document(),
        "baselines": {
            name: {"title": one.title, "about": one.about, "least_side": one.least_side}
            for name, one in BASELINES.items()
        },
        "cells": [{k: v for k, v in c.items() if k not in _ROWS} for c in in_order],
        **{rows: [row for c in in_order for row in c[rows]] for rows in _ROWS},
    }


_ROWS = ("groups", "photographs")


def measure_cell(cell: Cell, level: float, say: Say) -> dict[str, Any]:
    """Every baseline on one cell: who was there, rows of groups and rows of photographs."""
    found: dict[str, Any] = {
        "side": cell.side,
        "arrival": cell.arrival,
        "read": int(cell.asked.shape[-1]),
        "generators": [one.name for one in cell.subjects if one.what == "generator"],
        "learned": len(cell.learned.photographs),
        "calibrating": len(cell.calibrating),
        "groups": [],
        "photographs": [],
    }
    for name, baseline in BASELINES.items():
        if cell.asked.shape[-1] < baseline.least_side:
            continue
        say(f"{cell.side} pixels, {cell.arrival}: {baseline.title}")
        label = {"baseline": name, "side": cell.side}
        groups, photographs = cell_rows(cell, baseline.learn(cell.learned), level, label)
        found["groups"] += groups
        found["photographs"] += photographs
    return found


def _each(do: Callable[[_Share], Found], shares: Sequence[_Share]) -> list[Found]:
    """Every share in a process of its own; a single one in this."""
    if len(shares) == 1:
        return [do(shares[0])]
    # A fork would inherit threads of torch, which do not survive it.
    with ProcessPoolExecutor(len(shares), multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(do, shares))


def _draw_share(share: _Share) -> None:
    manifest, plan, folder, _, first, step = share
    for subject in sources_of(manifest, plan).all[first::step]:
        _say(f"drawing {subject.title}")
        draw(subject, plan, folder)


def _measure_share(share: _Share) -> list[dict[str, Any]]:
    manifest, plan, folder, level, first, step = share
    sources = sources_of(manifest, plan)
    # The largest sides take longest, and are dealt out first.
    cells = [(side, one) for side in plan.sides[::-1] for one in plan.arrivals_at(side)]
    found = []
    for side, arrival in cells[first::step]:
        cell = cell_of(sources, side, arrival, folder)
        if cell is not None:
            found.append(measure_cell(cell, level, _say))
    return found


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
