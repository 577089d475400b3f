"""What a network says of test images, and how often it is right.

The paper's test sets hold equally many images of every source, so that its accuracy is the mean
of the sources' own accuracies; ours have fewer real images and use that mean.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.paper.devices import ALONE, Place
from training.paper.images import LabelledImages, to_float

_BATCH = 100


@dataclass(frozen=True)
class Accuracy:
    """`mean` over the sources of their own shares of right answers, `per_source`; 0 to 1.

    `confusion[i][j]` counts the images of source i taken for source j.
    """

    mean: float
    per_source: dict[str, float]
    confusion: list[list[int]]


def measure(test: LabelledImages, answers: NDArray[np.int64]) -> Accuracy:
    """Compare answers, int64 (N,), with the labels of `test`."""
    size = len(test.sources)
    confusion = np.zeros((size, size), np.int64)
    np.add.at(confusion, (test.labels, answers), 1)
    shares = confusion.diagonal() / confusion.sum(1)
    per_source = dict(zip(test.sources, shares.tolist(), strict=True))
    return Accuracy(float(shares.mean()), per_source, confusion.tolist())


@torch.inference_mode()
def outputs_of(
    network: nn.Module,
    images: NDArray[np.uint8],
    place: Place = ALONE,
    pass_through: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> torch.Tensor:
    """Images uint8 (N,3,R,R) to logits (N,K) in float32, without bfloat16 on any machine.

    Or to what else `pass_through`, a method of the network, gives for a batch.
    """
    forward = pass_through or network
    network.to(place.device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    batches = (images[i : i + _BATCH] for i in range(0, len(images), _BATCH))
    return torch.cat(
        [forward(to_float(torch.from_numpy(batch).to(place.device))).cpu() for batch in batches]
    )


def accuracy_of(network: nn.Module, test: LabelledImages, place: Place = ALONE) -> Accuracy:
    """The accuracy of a network on `test`."""
    return measure(test, outputs_of(network, test.images, place).argmax(1).numpy())
