"""`latentprint train corpus|trial|bundle`: block statistics drawn once, trials, the bundle."""

import json
import sys
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[
    Path | None, typer.Option(help="Where block statistics lie; else in the cache folder.")
]


def corpus(
    folder: Folder = None,
    part: Annotated[
        str, typer.Option(metavar="I/N", help="Every N-th class, from the I-th on: run N of them.")
    ] = "1/1",
    held_out: Annotated[bool, typer.Option("--held-out", help="Those held out, instead.")] = False,
) -> None:
    """Draw photographs and made pictures, and keep their block statistics.

    What is there already is left alone, so that the command goes on where it was interrupted. Exit
    codes: 0 all is there, 1 the photographs are not, 2 wrong use.
    """
    from itertools import islice

    from training.data.manifest import load_manifest
    from training.histories.conditions import CONDITIONS
    from training.open_set import plan
    from training.open_set.corpus import extract

    first, of = _part(part)
    conditions = {name: CONDITIONS[name] for name in plan.ARRIVALS.values()}
    classes = plan.classes(load_manifest(), "held_out" if held_out else "learn")
    for name in extract(islice(classes, first - 1, None, of), conditions, plan.folder(folder)):
        print(name, file=sys.stderr, flush=True)


def trial(
    folder: Folder = None,
    codec: Annotated[
        list[str] | None, typer.Option(help="lossless, jpeg90, …: one or several; else all.")
    ] = None,
    dimension: Annotated[int, typer.Option(min=2, help="Numbers of a fingerprint.")] = 512,
    shrinkage: Annotated[
        float, typer.Option(min=0, max=1, help="Of each covariance towards its diagonal.")
    ] = 0.1,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Report on what is held out; not for choosing.")
    ] = False,
) -> None:
    """Register unseen families, judge photographs of unseen sources, and print what comes of it.

    By default each family and source of the learning role is unseen once (four folds). A line of
    JSON for each codec, fold, condition and side. Exit codes: 0 measured, 1 the corpus is missing
    or too small, 2 wrong use.
    """
    from dataclasses import replace

    from fingerprint_db.conditions import CODECS, is_shown
    from training.open_set import plan, run
    from training.open_set.fit import FitRecipe
    from training.open_set.spaces import SpaceRecipe
    from training.open_set.trial import TrialRecipe
    from worker.errors import StopError

    shown = [one for one in CODECS if is_shown(one)]
    _among("--codec", codec, shown)
    fit = FitRecipe(dimension=dimension, shrinkage=shrinkage)
    recipe = TrialRecipe(replace(SpaceRecipe(), fit=fit))
    measured = False
    for name in shown:
        if codec and name not in codec:
            continue
        known = run.read(name, "learn", plan.folder(folder))
        found = (
            (
                (0, one)
                for one in run.once(
                    name, known, run.read(name, "held_out", plan.folder(folder)), recipe
                )
            )
            if held_out
            else run.leave_out(name, known, recipe)
        )
        for fold, one in found:
            print(json.dumps({"codec": name, "fold": fold} | asdict(one)), flush=True)
            measured = True
    if not measured:
        raise StopError(
            "nothing was measured: no unseen family that can be registered has pictures of a size"
            " of which there are unseen photographs; draw the rest by `latentprint train corpus`"
        )


def bundle(
    out: Annotated[Path, typer.Argument(help="A new folder for the bundle.")],
    folder: Folder = None,
    maps_of: Annotated[
        Path | None, typer.Option(help="A bundle whose maps are kept; photographs are new.")
    ] = None,
) -> None:
    """Fit every codec's map and space on all that may be learned from, and write the bundle.

    Then the zoo's generators are enrolled in its space, as `latentprint register` does. Nothing of
    the role held_out takes part. Exit codes: 0 written, 1 the corpus is missing or the gate refused
    one of the zoo, 2 wrong use.
    """
    from training.open_set import export, plan
    from training.open_set.spaces import SpaceRecipe
    from worker.errors import StopError

    if out.exists() and any(out.iterdir()):
        raise StopError(f"{out} holds files; give a new folder: nothing was written", exit_code=2)

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    digest = export.write_bundle(out, plan.folder(folder), SpaceRecipe(), say, maps_of)
    for report in export.enrol_zoo(out):
        say(f"enrolled {report.name} from {report.samples} pictures")
    print(digest)


def _part(part: str) -> tuple[int, int]:
    """I and N of I/N, 1 <= I <= N."""
    first, slash, of = part.partition("/")
    if not (slash and first.isdigit() and of.isdigit() and 1 <= int(first) <= int(of)):
        raise typer.BadParameter(
            f"expected I/N with I from 1 to N, such as 1/2, not {part!r}", param_hint="--part"
        )
    return int(first), int(of)


def _among(option: str, given: Collection[str] | None, names: Collection[str]) -> None:
    """Refuse a name that there is not, before anything is read."""
    if unknown := sorted(set(given or ()) - set(names)):
        raise typer.BadParameter(
            f"{', '.join(unknown)}: expected one of {', '.join(names)}", param_hint=option
        )
