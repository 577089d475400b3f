"""`latentprint train likelihood`: the generators that are trained without a critic."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.zoo.sizes import Content
from worker.errors import StopError

if TYPE_CHECKING:
    from training.likelihood.models import LikelihoodModel

SAMPLES = 16
"""Pictures in a grid: enough to see what is drawn."""


def likelihood(
    family: Annotated[str, typer.Argument(help="vq_decoder, ddpm or flow.")],
    content: Annotated[Content, typer.Option(help="What it learns from.")] = "faces",
    seed: Annotated[int, typer.Option(help="Of weights, noise and batches.", min=0)] = 0,
    minutes: Annotated[
        float, typer.Option(help="Processor minutes to train in all.", min=0.01)
    ] = 4.0,
    threads: Annotated[int, typer.Option(help="Processor threads to use.", min=1)] = 1,
    output: Annotated[
        Path | None,
        typer.Option(help="Also leave weights and a grid in OUTPUT/weights and OUTPUT/samples."),
    ] = None,
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
    if output is not None:
        deliver(model, weights, output)
    print(json.dumps({"weights": str(weights)}) if as_json else f"{model.name}: {weights}")


def deliver(model: "LikelihoodModel", weights: Path, output: Path) -> None:
    """Leave the weights in 8 bits, and draw what those draw, as JPEG.

    A decoder is given the demo's photographs.
    """
    import numpy as np
    from PIL import Image

    from training.demo.files import photo_paths
    from training.generators.trained import generator_of
    from training.likelihood.eight_bits import keep_in_eight_bits
    from training.likelihood.models import SIDE, load
    from training.zoo.train import save_grid
    from worker.enrol.recompress import from_pil

    target = output / "weights" / f"{model.name}.safetensors"
    keep_in_eight_bits(weights, target)
    photographs = [from_pil(Image.open(path).convert("RGB")) for path in photo_paths()]
    network = load(model, target)
    made = generator_of(model, lambda: network).make(SAMPLES, SIDE, 0, photographs)
    save_grid(output / "samples" / f"{model.name}.jpg", np.stack(made))
