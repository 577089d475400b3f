"""Response maps of image files: what `latentprint train visualise` draws."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from training.paper.networks.visualisation_file import load_visualisation, names_of
from training.paper.studies.lab import Lab
from training.paper.studies.response_figure import Answer, draw_responses
from training.paper.studies.visualisation import SETUP, SHOWN, kept_weights
from worker.errors import StopError


def own_weights(lab: Lab) -> Path:
    """The network that was trained on this machine; StopError where there is none."""
    path = kept_weights(lab, lab.setup_named(SETUP), SHOWN)
    if not path.is_file():
        raise StopError(
            f"there is no visualisation network at {path}, and none comes with the project;"
            " `latentprint train reproduce --study visualisation` trains it (half an hour on two"
            " cores), or name one with --weights",
            exit_code=2,
        )
    return path


def visualise_files(paths: Sequence[Path], output: Path, weights: Path) -> list[Answer]:
    """Draw the responses of images to the sources of the network in `weights`.

    An image of another size is reduced to the network's by a square crop in its middle and a box
    filter where it is a multiple, else bicubic; what was done to it stands behind its name,
    since resizing hides fingerprints. StopError for a file that is no image.
    """
    network, names = load_visualisation(weights), names_of(weights)
    fitted = [_fitted(path, network.side) for path in paths]
    pictures = np.stack([picture for picture, _ in fitted])
    labels = [f"{path.name}{note}" for path, (_, note) in zip(paths, fitted, strict=True)]
    return draw_responses(network, pictures, labels, names, output)


def _fitted(path: Path, side: int) -> tuple[NDArray[np.uint8], str]:
    """The middle of an image as uint8 (3,side,side), and a note where it was not of that size."""
    try:
        with Image.open(path, formats=["JPEG", "PNG", "WEBP"]) as file:
            image = ImageOps.exif_transpose(file).convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise StopError(
            f"{path} cannot be read as an image ({error}); expected JPEG, PNG or WebP"
        ) from error
    note = "" if image.size == (side, side) else f" ({image.width}x{image.height}, resized)"
    shorter = min(image.size)
    left, top = (image.width - shorter) // 2, (image.height - shorter) // 2
    square = image.crop((left, top, left + shorter, top + shorter))
    if shorter > side and shorter % side == 0:
        square = square.reduce(shorter // side)
    elif shorter != side:
        square = square.resize((side, side), Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.asarray(square, np.uint8).transpose(2, 0, 1)), note
