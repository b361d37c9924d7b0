"""The layers that every network here is made of; equalised learning rates as in Karras et al., ICLR 2018."""

import torch
from torch import Tensor, nn
from torch.nn import functional

LEAK = 0.2
COLOURS = 2
"""Of a picture: log-mel power and instantaneous frequency."""


class EqualisedLinear(nn.Module):
    """y = x W c + b with W of shape [inputs, outputs]; c = sqrt(gain / inputs) keeps Adam's steps alike everywhere."""

    def __init__(self, inputs: int, outputs: int, *, gain: float = 2.0, zero: bool = False, fan_in: int = 0) -> None:
        super().__init__()
        self.scale = (gain / (fan_in or inputs)) ** 0.5
        self.weight = nn.Parameter(torch.zeros(inputs, outputs) if zero else torch.randn(inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x @ (self.weight * self.scale) + self.bias
        return y


class EqualisedConv(nn.Module):
    """A SAME convolution with run-time He scaling; ``gain`` is 2 before a leaky ReLU and 1 before nothing.

    It looks along time and frequency, or, ``flat``, along frequency alone, where it may skip bins (``dilation``).
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 3, *, gain: float = 2.0, flat: bool = False, dilation: int = 1
    ) -> None:
        super().__init__()
        height = 1 if flat else kernel
        self.scale = (gain / (inputs * height * kernel)) ** 0.5
        self.weight = nn.Parameter(torch.randn(outputs, inputs, height, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.padding, self.dilation = (height // 2, dilation * (kernel // 2)), (1, dilation)

    def forward(self, x: Tensor) -> Tensor:
        weight = (self.weight * self.scale).to(x.dtype)
        return functional.conv2d(x, weight, self.bias.to(x.dtype), padding=self.padding, dilation=self.dilation)
