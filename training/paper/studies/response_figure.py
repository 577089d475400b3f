"""Draw what a visualisation network sees: the paper's grid of fingerprints and their responses.

Columns: an image, its fingerprint, and its response to each source's fingerprint; these stand in
the top row. Fingerprints are faint, so that each kind is drawn in a unit of its own: the root mean
square of all values of that kind in the figure. One unit serves all panels of a kind, so that they
can be compared. Fingerprints go from -3 units (black) over zero (grey) to 3 (white), responses from
-5 to 5 with pixels that have a negative channel set to zero (see `response_picture`); the latter in
both variants, since a learned factor or a model fingerprint's size would not change the figure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from training.paper.images import REAL, LabelledImages, to_float
from training.paper.networks.visualisation_network import (
    VisualisationNetwork,
    response_picture,
    signed_picture,
)

FINGERPRINT_RANGE = 3.0
"""Root mean squares at which a fingerprint is black or white."""

_PANEL_IN = 0.96
_LABEL_IN = 1.15
_TITLE_IN = 0.35
_CAPTION_IN = 0.4
_DPI = 200
_BATCH = 50
_FRAME = "#d62728"


@dataclass(frozen=True)
class Answer:
    """What a network says of an image: the likeliest source with its share, and all logits."""

    name: str
    source: str
    share: float
    logits: dict[str, float]


@torch.inference_mode()
def draw_grid(network: VisualisationNetwork, images: LabelledImages, path: Path) -> None:
    """Draw one image of each generator, the first, with the cell of its true source framed.

    The row of the real photographs shows averages over all of them: the picture, the fingerprint
    and so the response; faces must not be reproduced. `path` ends in .svg or .png. The diagonal
    should respond most.
    """
    pictures, fingerprints, labels = [], [], []
    for label, source in enumerate(images.sources):
        own = images.of(label)
        shown = own if source == REAL else own[:1]
        prints = [
            network.image_fingerprints(_floats(network, shown[i : i + _BATCH]))
            for i in range(0, len(shown), _BATCH)
        ]
        pictures.append(shown.mean(0).round().astype(np.uint8))
        fingerprints.append(torch.cat(prints).mean(0))
        labels.append(source if len(shown) == 1 else f"{source}\nmean of {len(shown)}")
    framed = list(range(len(labels)))
    ours = torch.stack(fingerprints)  # (K, 3, R, R)
    _draw(network, np.stack(pictures), ours, labels, framed, images.sources, path)


@torch.inference_mode()
def draw_responses(
    network: VisualisationNetwork,
    pictures: NDArray[np.uint8],
    names: Sequence[str],
    sources: Sequence[str],
    path: Path,
) -> list[Answer]:
    """Draw any pictures, uint8 (N, 3, R, R), with the cell of their likeliest source framed.

    `names` has one entry for each picture, `sources` one for each of the network's classes. The
    shares are the softmax of the logits: of the sources known, not of all the world's.
    """
    logits = network(_floats(network, pictures)).cpu()  # (N, K)
    shares = logits.softmax(1)
    chosen = shares.argmax(1).tolist()
    answers = [
        Answer(
            name,
            sources[best],
            float(shares[row, best]),
            dict(zip(sources, logits[row].tolist(), strict=True)),
        )
        for row, (name, best) in enumerate(zip(names, chosen, strict=True))
    ]
    # A note on the size stands on lines of its own: the margin is narrow.
    names = [
        answer.name.replace(" (", "\n").replace(", resized)", "\nresized") for answer in answers
    ]
    labels = [
        f"{name}\nnearest: {answer.source}\n{answer.share:.1%} of those known"
        for name, answer in zip(names, answers, strict=True)
    ]
    ours = network.image_fingerprints(_floats(network, pictures))  # (N, 3, R, R)
    _draw(network, pictures, ours, labels, chosen, sources, path)
    return answers


def _draw(
    network: VisualisationNetwork,
    pictures: NDArray[np.uint8],
    ours: Tensor,
    labels: Sequence[str],
    framed: Sequence[int],
    sources: Sequence[str],
    path: Path,
) -> None:
    """`ours` are the image fingerprints, (N, 3, R, R), of the pictures."""
    theirs = network.model_fingerprints  # (K, 3, R, R)
    responses = network.response(ours, theirs)  # (N, K, 3, R, R)
    unit = _rms(responses)
    rows, columns = 1 + len(pictures), 2 + len(sources)
    width = _LABEL_IN + columns * _PANEL_IN
    height = _TITLE_IN + rows * _PANEL_IN + _CAPTION_IN
    with rc_context({"svg.hashsalt": "latentprint", "font.size": 7}):
        figure = Figure(figsize=(width, height))
        panels: list[list[Axes]] = figure.subplots(
            rows,
            columns,
            gridspec_kw={
                "left": _LABEL_IN / width,
                "right": 0.995,
                "top": 1 - _TITLE_IN / height,
                "bottom": _CAPTION_IN / height,
                "wspace": 0.06,
                "hspace": 0.06,
            },
        ).tolist()
        for panel in figure.axes:
            panel.set_axis_off()
        for column, title in enumerate(("image", "image fingerprint")):
            _caption(panels[0][column], title, x=0.5, y=0.02, vertical="bottom")
        for column, (source, fingerprint) in enumerate(zip(sources, theirs, strict=True), 2):
            _show(panels[0][column], signed_picture(fingerprint, FINGERPRINT_RANGE * _rms(theirs)))
            panels[0][column].set_title(source, fontsize=7, pad=3)
        _caption(panels[0][0], "model fingerprints", x=-0.06, y=0.5, horizontal="right")
        for row, label in enumerate(labels):
            cells = panels[row + 1]
            _caption(cells[0], label, x=-0.06, y=0.5, horizontal="right")
            _show(cells[0], np.moveaxis(pictures[row], 0, -1))
            _show(cells[1], signed_picture(ours[row], FINGERPRINT_RANGE * _rms(ours)))
            for column, response in enumerate(responses[row]):
                framing = column == framed[row]
                _show(cells[column + 2], response_picture(response, unit), framed=framing)
        figure.text(
            0.5,
            0.3 * _CAPTION_IN / height,
            f"Fingerprints: -{FINGERPRINT_RANGE:g} to {FINGERPRINT_RANGE:g} root mean squares"
            f" (images {_rms(ours):.2g}, models {_rms(theirs):.2g})."
            f" Responses: -5 to 5 root mean squares ({unit:.2g}).",
            ha="center",
            fontsize=6,
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        dated = {"Date": None} if path.suffix == ".svg" else {}
        figure.savefig(path, dpi=_DPI, metadata=dated)


def _show(panel: Axes, picture: NDArray[np.uint8], *, framed: bool = False) -> None:
    """A picture (R, R, 3) without interpolation, in a red frame or none."""
    panel.imshow(picture, interpolation="nearest")
    if framed:
        panel.set_axis_on()
        panel.set(xticks=[], yticks=[])
        panel.spines[:].set(color=_FRAME, linewidth=2)


def _caption(
    panel: Axes,
    text: str,
    *,
    x: float,
    y: float,
    horizontal: str = "center",
    vertical: str = "center",
) -> None:
    """Text at a place in units of the panel, which may lie outside of it."""
    panel.text(x, y, text, transform=panel.transAxes, ha=horizontal, va=vertical)


def _floats(network: VisualisationNetwork, pictures: NDArray[np.uint8]) -> Tensor:
    return to_float(torch.from_numpy(pictures).to(network.weight.device))


def _rms(values: Tensor) -> float:
    """Root mean square; a tiny number for values that are all zero, which then are drawn grey."""
    return max(float(values.square().mean().sqrt()), 1e-12)
