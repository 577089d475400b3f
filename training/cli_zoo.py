"""`latentprint train data` and `latentprint train zoo`: the photographs, and the GANs."""

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from training.data import fetch_all, load_manifest
from training.faces import faces_of_side
from training.fetch import cache_folder

Json = Annotated[bool, typer.Option("--json", help="Print one line of JSON.")]


def data(as_json: Json = False) -> None:
    """Fetch the photographs and the ready-made generators, and print the counts per split.

    About 400 MB are fetched into $LATENTPRINT_CACHE (or ~/.cache/latentprint) and checked against
    pinned digests. Exit codes: 0 all there, 1 not what was pinned, 3 an index cannot be reached.
    """
    manifest = fetch_all()
    counts = manifest.counts()
    if as_json:
        typer.echo(json.dumps({"folder": str(manifest.root), "counts": counts}))
        return
    typer.echo(f"{'package':<28}{'train':>8}{'validation':>12}{'test':>8}")
    for package, by_split in counts.items():
        train, validation, test = by_split["train"], by_split["validation"], by_split["test"]
        typer.echo(f"{package:<28}{train:>8}{validation:>12}{test:>8}")
    typer.echo(f"in {manifest.root}")


def zoo(
    name: Annotated[
        str, typer.Argument(help="The GAN to train; without it, the committed ones are listed.")
    ] = "",
    minutes: Annotated[float, typer.Option(help="Processor minutes to train.", min=0.01)] = 26.0,
    resolution: Annotated[int, typer.Option(help="Pixels a side: 64 or 128.")] = 64,
    seed: Annotated[int, typer.Option(help="Of weights, latents and batches.", min=0)] = 0,
    threads: Annotated[int, typer.Option(help="Processor threads to use.", min=1)] = 1,
    output: Annotated[
        Path | None, typer.Option(help="Also put NAME.safetensors and NAME.png into this folder.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train one GAN of the zoo on the training faces, or go on where its training stopped.

    Exit codes: 0 trained, 1 failed (no photographs, diverged), 2 no such GAN.
    """
    # torch takes seconds to import, which other commands need not pay.
    import torch

    from training.zoo.catalog import CATALOG, recipe_named
    from training.zoo.train import Run, train

    if not name:
        listed = [
            asdict(entry) | {"trained": entry.weights.is_file()} for entry in CATALOG.values()
        ]
        lines = [f"{e['name']:<12}{e['family']:<12}{e['data']}" for e in listed]
        typer.echo(json.dumps(listed) if as_json else "\n".join(lines))
        return
    recipe = recipe_named(name)
    recipe = replace(recipe, network=replace(recipe.network, resolution=resolution))
    torch.set_num_threads(threads)
    faces = faces_of_side(load_manifest().faces("train"), resolution)
    folder = cache_folder() / "zoo" / run_name(name, resolution, seed)
    result = train(recipe, Run(seed=seed, minutes=minutes), faces, folder)
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(result.weights, output / f"{name}.safetensors")
        shutil.copyfile(result.grid, output / f"{name}.png")
    typer.echo(
        json.dumps({"weights": str(result.weights), "iterations": result.iterations})
        if as_json
        else f"{name}: {result.iterations} iterations, weights in {result.weights}"
    )


def run_name(name: str, resolution: int, seed: int) -> str:
    """The folder of a run: the plain name for the zoo's own, and what differs for the others."""
    size = "" if resolution == 64 else f"-{resolution}"
    return f"{name}{size}" if seed == 0 else f"{name}{size}-seed{seed}"
