"""Layers at an equalised learning rate: of ProGAN, and of the paper's networks that stand on it."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class EqualisedConv2d(nn.Module):
    """A convolution, or a dense layer as one of side 1 or of the whole map, at an equalised rate.

    Weights are drawn from N(0,1) and scaled in every pass by gain / sqrt(fan-in), so that Adam
    moves all layers alike (Karras et al. 2018, arXiv 1710.10196, section 4.1). Kernels of side 3
    keep the map's size: borders are zeros, or reflected with `reflect`.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        side: int,
        gain: float = math.sqrt(2),
        *,
        reflect: bool = False,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, side, side))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.scale = gain / math.sqrt(inputs * side * side)
        self.reflect = reflect
        self.padding = 1 if side == 3 else 0

    def forward(self, x: Tensor) -> Tensor:
        padding = self.padding
        if self.reflect and padding:
            with torch.autocast(x.device.type, enabled=False):  # it would make the maps float32
                x, padding = functional.pad(x, (1, 1, 1, 1), mode="reflect"), 0
        return functional.conv2d(x, self.weight * self.scale, self.bias, padding=padding)

    def dense(self, x: Tensor) -> Tensor:
        """The same over whole maps, flattened in the order of channel, row, column.

        (B, inputs * side * side) to (B, outputs). The rows are scaled instead of the weights, of
        which there are more.
        """
        return functional.linear(x * self.scale, self.weight.flatten(1), self.bias)
