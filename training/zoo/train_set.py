"""Train the models of a set that are still missing, one after the other.

Each run is locked while it lasts, so that the same command may be started once for each processor
core or device, by hand or by `torchrun`: each takes a model that no other is at. The processes
speak to each other by these locks and by finished weights alone, so that one may stop or be started
again without the others.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from training.data.faces import faces_of_side
from training.data.lock import locked
from training.data.manifest import Manifest, Split
from training.data.scenes import scenes_of_side
from training.data.subsets import shifted
from training.zoo.sets import ZooModel
from training.zoo.sizes import SIDES, Content
from training.zoo.step import CPU
from training.zoo.train import Run, train


def lock_of(model: ZooModel) -> Path:
    """The file that the process training a model keeps locked."""
    return model.folder / "lock"


def pictures(manifest: Manifest, content: Content, side: int, split: Split) -> NDArray[np.uint8]:
    """The real pictures of a split: uint8 (N,3,side,side)."""
    if content == "faces":
        return faces_of_side(manifest.faces(split), side)
    return scenes_of_side(manifest.photos(split), side)


def train_missing(
    models: tuple[ZooModel, ...],
    manifest: Manifest,
    report: Callable[[str], None],
    device: torch.device = CPU,
) -> list[ZooModel]:
    """Train those without weights that nobody else is training; returns the ones it trained.

    One pass over `models`: a model whose other process fails later is not come back to.
    """
    trained = []
    for model in models:
        if model.weights.is_file():
            continue
        with locked(lock_of(model)) as free:
            if not free:
                report(f"{model.name}: another process is training it")
                continue
            if model.weights.is_file():  # finished while this process was at another
                continue
            limit = f"up to iteration {model.iterations}"
            report(f"{model.name}: {limit}, on {device}, in {model.folder}")
            images = pictures(manifest, model.content, SIDES[model.size], "train")
            if model.shift is not None:
                images = shifted(images, model.shift)
            run = Run(seed=model.seed, minutes=float("inf"), iterations=model.iterations)
            train(model.recipe(), run, images, model.folder, device)
            trained.append(model)
    return trained


def deliver(model: ZooModel, output: Path) -> None:
    """Copy weights and grid to `output`/weights and `output`/samples, each in one step.

    Several processes may deliver the same model.
    """
    for source, folder in ((model.weights, "weights"), (model.grid, "samples")):
        target = output / folder / f"{model.name}{source.suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or not target.samefile(source):
            draft = target.with_name(f"{target.name}.{os.getpid()}.part")
            shutil.copyfile(source, draft)
            os.replace(draft, target)
