"""`latentprint train likelihood`: the generators that are trained without a critic."""

import json
import os
from typing import Annotated

import typer

from training.zoo.sizes import Content
from worker.errors import StopError


def likelihood(
    family: Annotated[str, typer.Argument(help="vq_decoder, ddpm or flow.")],
    content: Annotated[Content, typer.Option(help="What it learns from.")] = "faces",
    seed: Annotated[int, typer.Option(help="Of weights, noise and batches.", min=0)] = 0,
    minutes: Annotated[
        float, typer.Option(help="Processor minutes to train in all.", min=0.01)
    ] = 60.0,
    threads: Annotated[int, typer.Option(help="Processor threads to use.", min=1)] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
) -> None:
    """Train a small autoencoder, diffusion model or flow, or go on where a training stopped.

    A GPU is used where there is one. Exit codes: 0 trained, 1 failed (no photographs, diverged,
    another process is training it), 2 no such family.
    """
    # torch takes seconds to import, which other commands need not pay.
    import torch

    from training.data.lock import locked
    from training.data.manifest import load_manifest
    from training.likelihood.learn import learn
    from training.likelihood.models import FAMILIES, SIDE, LikelihoodModel
    from training.zoo.devices import device_of
    from training.zoo.train_set import pictures

    if family not in FAMILIES:
        raise StopError(f"{family!r} is none of {', '.join(FAMILIES)}", exit_code=2)
    torch.set_num_threads(threads)
    model = LikelihoodModel(family, seed, content)
    images = pictures(load_manifest(), content, SIDE, "train")
    with locked(model.folder / "lock") as free:
        if not free:
            raise StopError(f"another process is training {model.name} in {model.folder}")
        weights = learn(model, images, model.folder, minutes, device_of(os.environ))
    print(json.dumps({"weights": str(weights)}) if as_json else f"{model.name}: {weights}")
