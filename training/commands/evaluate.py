"""`latentprint train evaluate`: a bundle on what nothing learned from."""

import json
import sys
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from training.evaluation.plan import Plan

SUITES = ("open-set", "baselines")
_BASELINE_SIZES = (64, 256)


def evaluate(
    suite: Annotated[
        str,
        typer.Option(
            help="What is measured: open-set is the worker, baselines are simpler methods on the"
            " same pictures."
        ),
    ] = SUITES[0],
    output: Annotated[
        Path | None, typer.Option(help="Folder of the pages; default: docs/evaluation.")
    ] = None,
    bundle: Annotated[Path | None, typer.Option(help="Bundle; default: the package's own.")] = None,
    work: Annotated[
        Path | None,
        typer.Option(
            help="Where fingerprints are kept, to go on from, and a baseline's pictures lie while"
            " it runs; else in the cache folder."
        ),
    ] = None,
    sizes: Annotated[
        list[int] | None,
        typer.Option(
            help="64, 128, 256, 512, 1024: one or several; else all, of baselines 64 and 256."
        ),
    ] = None,
    conditions: Annotated[
        list[str] | None,
        typer.Option(
            help="clean, jpeg90, …: one or several; else all, of baselines those of goals."
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Few pictures of few generators, for a first look.")
    ] = False,
    processes: Annotated[
        int, typer.Option(min=1, help="Processes that draw and fingerprint pictures.")
    ] = 2,
    pages_only: Annotated[
        bool, typer.Option("--pages-only", help="Write the pages anew from the suite's json.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
) -> None:
    """Register unseen generators, judge unseen photographs, and write what came of it.

    Everything goes through the worker's own stages. Interrupted, the same command goes on where it
    stopped; the suite of baselines begins anew. Exit codes: 0 measured, 1 pictures are missing, 2
    wrong use.
    """
    from training.evaluation.plan import ARRIVALS, MAIN, SIDES, Plan
    from training.evaluation.plan import quick as in_small

    _among("--suite", [suite], SUITES)
    _among("--sizes", list(map(str, sizes or ())), list(map(str, SIDES)))
    _among("--conditions", conditions or (), ARRIVALS)
    folder = output or Path("docs") / "evaluation"
    if not pages_only:
        of_baselines = suite == "baselines"
        sizes = sizes or list(_BASELINE_SIZES if of_baselines else SIDES)
        arrivals = conditions or (MAIN if of_baselines else ARRIVALS)
        plan = Plan(
            sides=tuple(side for side in SIDES if side in sizes),
            arrivals=tuple(one for one in ARRIVALS if one in arrivals),
        )
        if quick:
            plan = in_small(plan)
        if conditions:
            chosen = tuple(one for one in plan.kind_arrivals if one in conditions)
            plan = replace(plan, kind_arrivals=chosen or plan.arrivals[:1])
        if of_baselines:
            _measure_baselines(plan, folder, work, processes)
        else:
            _measure(plan, folder, bundle, work, processes)
    _write_pages(folder, suite, as_json=as_json)


def _measure(
    plan: "Plan", folder: Path, bundle: Path | None, work: Path | None, processes: int
) -> None:
    from training.data.fetch import cache_folder
    from training.data.manifest import load_manifest
    from training.evaluation.gather import gather_in_processes, subjects
    from training.evaluation.kept import Kept
    from training.evaluation.run import made_by, measure, statement, write
    from training.evaluation.worker_judge import open_judge
    from training.paper.studies.measured import commit

    command = " ".join(["latentprint", *sys.argv[1:]])
    judge = open_judge(bundle)
    kept = Kept(work or cache_folder() / "evaluation", judge.digest)
    head = kept.freeze(statement(judge, plan, made_by(command, commit())))
    _say(f"bundle {head['bundle']}, policy and plan are in {kept.folder}")
    manifest = load_manifest()
    gather_in_processes(bundle, manifest, plan, kept, processes, _say)
    head = statement(judge, plan, made_by(command, commit())) | {"frozen": head["date"]}
    document = measure(judge, kept, subjects(manifest, plan), plan, head, _say)
    write(document, folder)


def _measure_baselines(plan: "Plan", folder: Path, work: Path | None, processes: int) -> None:
    from training.data.fetch import cache_folder
    from training.data.manifest import load_manifest
    from training.evaluation.baselines.run import RESULT, measure
    from training.evaluation.run import made_by, write
    from training.paper.studies.measured import commit
    from worker.judge.policy import load_policy

    head = made_by(" ".join(["latentprint", *sys.argv[1:]]), commit())
    work = work or cache_folder() / "evaluation"
    found = measure(load_manifest(), plan, load_policy().alpha_name, work, processes)
    write({"made_by": head, **found}, folder, RESULT)


def _write_pages(folder: Path, suite: str, *, as_json: bool) -> None:
    from training.evaluation.baselines.run import RESULT as BASELINES
    from training.evaluation.pages.write import write_pages
    from training.evaluation.run import RESULT

    names = {"open-set": RESULT, "baselines": BASELINES}
    found = {one: _result(folder / name, needed=one == suite) for one, name in names.items()}
    pages = write_pages(found["open-set"], folder, found["baselines"])
    goals = (found["open-set"] or {}).get("goals", [])
    if as_json:
        print(json.dumps({"pages": [str(page) for page in pages], "goals": goals}))
        return
    if suite != "open-set":
        print(f"written: {', '.join(str(page) for page in pages)}")
        return
    for goal in goals:
        word = {True: "holds ", False: "MISSED", None: "  -   "}[goal["met"]]
        seen = "not measured" if goal["seen"] is None else f"{goal['seen']:.4f}"
        print(f"{word} {goal['measure']}, {goal['arrival']}: {seen} (goal {goal['goal']})")


def _result(path: Path, *, needed: bool) -> dict[str, Any] | None:
    """What a suite left; None where it is not needed and not there."""
    from worker.errors import StopError

    if not needed and not path.exists():
        return None
    try:
        document: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise StopError(
            f"{path} is no result ({error}); measure first, without --pages-only", exit_code=2
        ) from error
    return document


def _among(option: str, given: Collection[str], names: Collection[str]) -> None:
    """Refuse a name that there is not, before anything is read."""
    if unknown := sorted(set(given) - set(names)):
        raise typer.BadParameter(
            f"{', '.join(unknown)}: expected one of {', '.join(names)}", param_hint=option
        )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
