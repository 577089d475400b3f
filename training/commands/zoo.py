"""`latentprint train data` and `latentprint train zoo`: the photographs, and the GANs."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, get_args

import typer

from training.data.fill import fetch_all
from training.data.manifest import Split, load_manifest
from training.zoo.sizes import SIDES, Content, SetName, Size
from worker.errors import StopError

Json = Annotated[bool, typer.Option("--json", help="Print one line of JSON.")]


def data(as_json: Json = False) -> None:
    """Fetch the pictures and the ready-made generators; print counts per split and per source.

    About 1,330 MB are fetched into $LATENTPRINT_CACHE (or ~/.cache/latentprint) and checked against
    pinned digests; a call that was cut short or met an index out of reach is made good by the next.
    Exit codes: 0 all there, 1 not what was pinned, 3 an index cannot be reached.
    """
    manifest = fetch_all()
    counts, by_source = manifest.counts(), manifest.counts_by_source()
    if as_json:
        sources = [
            {"source": source, "kind": kind, "role": role, "count": count}
            for (source, kind, role), count in by_source.items()
        ]
        typer.echo(json.dumps({"folder": str(manifest.root), "counts": counts, "sources": sources}))
        return
    splits = get_args(Split)
    typer.echo(f"{'package':<28}" + "".join(f"{split:>12}" for split in splits))
    for package, by_split in counts.items():
        typer.echo(f"{package:<28}" + "".join(f"{by_split[split]:>12}" for split in splits))
    typer.echo(f"\n{'source':<28}{'kind':>12}{'role':>12}{'files':>12}")
    for (source, kind, role), count in by_source.items():
        typer.echo(f"{source:<28}{kind:>12}{role:>12}{count:>12}")
    typer.echo(f"in {manifest.root}")


def zoo(
    name: Annotated[
        str, typer.Argument(help="The GAN to train; without it, the committed ones are listed.")
    ] = "",
    which: Annotated[
        SetName | None,
        typer.Option("--set", help="Train what is missing of a set of sources."),
    ] = None,
    size: Annotated[
        Size, typer.Option(help="small: 64 pixels, two cores; paper: 128 pixels, a GPU.")
    ] = "small",
    content: Annotated[Content, typer.Option(help="What it learns to draw.")] = "faces",
    minutes: Annotated[
        float, typer.Option(help="Processor minutes to train NAME.", min=0.01)
    ] = 26.0,
    seed: Annotated[int, typer.Option(help="Of NAME's weights, latents and batches.", min=0)] = 0,
    threads: Annotated[int, typer.Option(help="Processor threads to use.", min=1)] = 1,
    output: Annotated[
        Path | None,
        typer.Option(help="Also copy weights and grids to OUTPUT/weights and OUTPUT/samples."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Train one GAN of the zoo, or a set of them, or go on where a training stopped.

    A GPU is used where there is one. With --set, each model is trained for its own number of
    iterations, and those that are there already are left alone; started twice, the two share the
    work. Exit codes: 0 trained, 1 failed (no photographs, diverged, another process is training
    it), 2 no such GAN or set.
    """
    # torch takes seconds to import, which other commands need not pay.
    import torch

    torch.set_num_threads(threads)
    if which is not None:
        _train_set(which, size, content, output, as_json)
    elif name:
        _train_one(name, size, content, seed, minutes, output, as_json)
    else:
        _list(as_json)


def _train_set(
    which: SetName, size: Size, content: Content, output: Path | None, as_json: bool
) -> None:
    from training.zoo.devices import device_of
    from training.zoo.sets import zoo_set
    from training.zoo.train_set import deliver, train_missing

    models, device = zoo_set(which, size, content), device_of(os.environ)
    missing = [model.architecture for model in models if not model.weights.is_file()]
    _warn_without_gpu(missing, size, device.type)
    train_missing(models, load_manifest(), lambda line: typer.echo(line, err=True), device)
    finished = [model for model in models if model.weights.is_file()]
    for model in finished if output is not None else ():
        assert output is not None
        deliver(model, output)
    facts = [asdict(model) | {"weights": str(model.weights)} for model in finished]
    lines = [f"{model.name:<24}{model.weights}" for model in finished]
    typer.echo(json.dumps(facts) if as_json else "\n".join(lines))


def _train_one(
    name: str,
    size: Size,
    content: Content,
    seed: int,
    minutes: float,
    output: Path | None,
    as_json: bool,
) -> None:
    from training.data.lock import locked
    from training.zoo.devices import device_of
    from training.zoo.sets import ZooModel
    from training.zoo.train import Run, train
    from training.zoo.train_set import deliver, lock_of, pictures

    model, device = ZooModel(name, seed, content, size, iterations=0), device_of(os.environ)
    recipe, run = model.recipe(), Run(seed=seed, minutes=minutes)
    _warn_without_gpu([name], size, device.type)
    images = pictures(load_manifest(), content, SIDES[size], "train")
    with locked(lock_of(model)) as free:
        if not free:
            raise StopError(
                f"another process is training {model.name} in {model.folder}; wait for it, or"
                " train another seed: two would overwrite each other's checkpoints"
            )
        result = train(recipe, run, images, model.folder, device)
    if output is not None:
        deliver(model, output)
    typer.echo(
        json.dumps({"weights": str(result.weights), "iterations": result.iterations})
        if as_json
        else f"{model.name}: {result.iterations} iterations, weights in {result.weights}"
    )


def _warn_without_gpu(architectures: list[str], size: Size, device_type: str) -> None:
    """Say how long size `paper` takes on a processor; it is allowed, and goes on where it stops."""
    if size != "paper" or device_type != "cpu" or not architectures:
        return
    from training.zoo.sets import PAPER_CORE_S, paper_core_days

    pace = ", ".join(f"{name} {PAPER_CORE_S[name]:.0f} s" for name in dict.fromkeys(architectures))
    days = sum(paper_core_days(name) for name in architectures)
    typer.echo(
        f"warning: torch finds no GPU, and size paper is made for one; on one processor core the"
        f" paper's iterations of {len(architectures)} models take up to {days:,.0f} days ({pace} an"
        " iteration, measured once on one server core; yours may need half or twice that). It goes"
        " on all the same, and what it has trained is kept; --size small takes hours",
        err=True,
    )


def _list(as_json: bool) -> None:
    from training.zoo.catalog import CATALOG

    listed = [asdict(entry) | {"trained": entry.weights.is_file()} for entry in CATALOG.values()]
    lines = [f"{e['name']:<20}{e['family']:<12}{e['data']}" for e in listed]
    typer.echo(json.dumps(listed) if as_json else "\n".join(lines))
