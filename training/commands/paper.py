"""`latentprint train reproduce` and `latentprint train visualise`: the paper, run again."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.zoo.sizes import Size

if TYPE_CHECKING:
    from training.paper.pages.reproduce import Study
    from training.paper.studies.lab import Lab

Json = Annotated[bool, typer.Option("--json", help="Print one line of JSON.")]
INTERRUPTED = 130


def reproduce(
    study: Annotated[
        list[str] | None,
        typer.Option(
            help="zoo, attribution, controls, persistence, subsets, realism, attacks or"
            " visualisation; repeat it."
        ),
    ] = None,
    setup: Annotated[
        list[str] | None,
        typer.Option(
            "--set-up",
            help="architectures, seeds, 'architectures, scenes', 'shifted subsets' or 'shifted"
            " subsets, own seeds'; repeat it. Without it all that a study has.",
        ),
    ] = None,
    size: Annotated[
        Size, typer.Option(help="small: 64 pixels, two cores; paper: 128 pixels, a GPU.")
    ] = "small",
    check: Annotated[
        bool, typer.Option("--check", help="Only recompute headlines, within ten minutes.")
    ] = False,
    keep_weights: Annotated[
        bool,
        typer.Option("--keep-weights", help="At last, write the small copy of a network."),
    ] = False,
    threads: Annotated[int, typer.Option(help="Processor threads to use.", min=1)] = 1,
    output: Annotated[
        Path | None,
        typer.Option(help="Folder of pages and results; default: docs/paper, or docs/paper-128."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run or resume the studies of the paper, and write their pages.

    What was measured under the same configuration is not measured again; started twice, the two
    share the work; under torchrun the networks are trained on all devices. Exit codes: 0 done, or
    all headlines agree with the published ones, 1 failed, or one does not agree, 2 wrong use,
    130 interrupted.
    """
    # torch takes seconds to import, which other commands need not pay.
    import torch

    torch.set_num_threads(threads)
    studies, setups = _studies(study or []), _setups(setup or [])
    folder = output or Path("docs") / ("paper" if size == "small" else "paper-128")
    with _lab(size, folder) as lab:
        try:
            if check:
                _check(lab, as_json)
            else:
                _reproduce(lab, studies, setups, keep_weights, as_json)
        except KeyboardInterrupt:
            lab.say("interrupted; the same command goes on where this one stopped")
            raise typer.Exit(INTERRUPTED) from None


def _studies(named: list[str]) -> "list[Study]":
    from training.paper.pages.reproduce import STUDIES

    unknown = [name for name in named if name not in STUDIES]
    if unknown:
        raise typer.BadParameter(
            f"{', '.join(unknown)} is no study; choose of {', '.join(STUDIES)}",
            param_hint="--study",
        )
    return [study for study in STUDIES if study in named or not named]


def _setups(named: list[str]) -> list[str]:
    from training.paper.studies.lab import SETUPS, SHIFTED

    every = [*SETUPS, *SHIFTED]
    unknown = [name for name in named if name not in every]
    if unknown:
        raise typer.BadParameter(
            f"{'; '.join(unknown)} is no set-up; choose of {'; '.join(every)}",
            param_hint="--set-up",
        )
    return named or every


@contextmanager
def _lab(size: Size, folder: Path) -> "Iterator[Lab]":
    from training.data.manifest import load_manifest
    from training.paper.devices import joined
    from training.paper.networks.progress import shown
    from training.paper.studies.lab import Lab

    with shown() as (say, progress), joined() as place:
        yield Lab(load_manifest(), size, folder, say, progress, place)


def _reproduce(
    lab: "Lab", studies: "list[Study]", setups: list[str], keep_weights: bool, as_json: bool
) -> None:
    from training.paper.pages.reproduce import reproduce as run
    from training.paper.pages.summary import goals
    from training.paper.studies.check import keep_weights as keep

    pages = run(lab, studies, setups)
    if not lab.place.first:
        return
    for path in keep(lab) if keep_weights else ():
        lab.say(f"to be committed: {path}")
    if as_json:
        typer.echo(
            json.dumps(
                {"pages": [str(page) for page in pages], "goals": [asdict(g) for g in goals(lab)]}
            )
        )
        return
    for goal in goals(lab):
        typer.echo(f"{goal.what:<44}{goal.wanted:>8}  {goal.seen}")
    typer.echo(f"pages: {', '.join(str(page) for page in pages)}")


def _check(lab: "Lab", as_json: bool) -> None:
    from training.paper.studies.check import check

    checked = check(lab)
    if as_json:
        typer.echo(json.dumps([asdict(one) | {"agrees": one.agrees} for one in checked]))
    for one in checked if not as_json else ():
        verdict = "agrees" if one.agrees else "DOES NOT AGREE"
        typer.echo(
            f"{one.name:<26}{one.how:<13}published {one.published:.2%}"
            f"  recomputed {one.recomputed:.2%}  {verdict}"
        )
    if not all(one.agrees for one in checked):
        raise typer.Exit(1)


def visualise(
    images: Annotated[
        list[Path], typer.Argument(help="JPEG, PNG or WebP files.", exists=False, dir_okay=False)
    ],
    output: Annotated[Path, typer.Option(help="The figure to write: .png or .svg.")] = Path(
        "responses.png"
    ),
    weights: Annotated[
        Path | None, typer.Option(help="A visualisation network; default: the one trained here.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Draw which source's fingerprint each image responds to.

    Sources are those that the network was trained on; an image of none of them is given to the
    nearest all the same. Exit codes: 0 drawn, 1 an image or the network cannot be read, 2 wrong
    use.
    """
    from training.paper.studies.visualise import own_weights, visualise_files

    if output.suffix not in (".png", ".svg"):
        raise typer.BadParameter(
            f"{output} ends in {output.suffix!r}; expected .png or .svg", param_hint="--output"
        )
    if weights is None:
        with _lab("small", Path("docs") / "paper") as lab:
            weights = own_weights(lab)
    answers = visualise_files(images, output, weights)
    if as_json:
        typer.echo(json.dumps({"figure": str(output), "images": [asdict(a) for a in answers]}))
        return
    for answer in answers:
        typer.echo(f"{answer.name}: {answer.source} ({answer.share:.1%} among those known)")
    typer.echo(f"figure in {output}")
