"""What follows every convolution, in one pass over memory: leaky ReLU, pixel norm, scale and shift.

At the finer resolutions this work is bound by memory, not arithmetic: written as five tensor operations it costs more
than the convolution itself. ``shaped`` therefore has a backward pass of its own that keeps only the convolution's
output and computes the rest again. It is compiled into single loops where a C++ compiler is at hand.
"""

import importlib.util
import os
import shutil
from collections.abc import Callable

import torch
import torch._dynamo
from torch import Tensor

from synth_app.core.processor import multiplies_in_bfloat16

LEAK = 0.2
EPSILON = 1e-8
SHAPES = 128
"""More than there are shapes: two for each of seven resolutions, with and without gradients, for a few batch sizes."""

Shaped = Callable[[Tensor, Tensor | None, Tensor | None], Tensor]


def pixel_norm(x: Tensor) -> Tensor:
    """x / sqrt(mean over channels of x^2 + 1e-8); channels are dimension 1."""
    return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + EPSILON)


def shaped(y: Tensor, scale: Tensor | None, shift: Tensor | None) -> Tensor:
    """pixel_norm(lrelu(y)) * (1 + scale) + shift.

    Args:
        y: [B, C, T, F], best in channels-last order.
        scale: [B, C] or ``None`` for no modulation at all.
        shift: [B, C, F] or [B, C, 1].
    """
    unit = pixel_norm(torch.nn.functional.leaky_relu(y.float(), LEAK))
    if scale is None or shift is None:
        return unit.to(y.dtype)
    return (unit * (1.0 + scale[:, :, None, None]) + shift[:, :, None, :]).to(y.dtype)


def compiled_shaped() -> Shaped:
    """``shaped`` as fused loops, built at the first use of each shape (seconds each)."""
    return torch.compile(shaped, dynamic=False)


def compiler_at_hand(device: str) -> bool:
    """Whether loops can be fused for a device: a C++ compiler for the CPU; Triton and a C compiler for CUDA."""
    if device == "cpu":
        return any(shutil.which(name) for name in (os.environ.get("CXX", "g++"), "c++", "clang++"))
    triton = importlib.util.find_spec("triton") is not None
    return triton and any(shutil.which(name) for name in (os.environ.get("CC", "gcc"), "cc", "clang"))


def convolution_dtype(device: torch.device) -> torch.dtype:
    """What convolutions are computed in: bfloat16, or float32 on processors that have no instructions for it."""
    return torch.bfloat16 if device.type != "cpu" or multiplies_in_bfloat16() else torch.float32


def prepare_thread() -> None:
    """Settings that torch keeps for each thread: no threads within threads, and a compiled form for every shape."""
    torch.set_num_threads(1)
    torch._dynamo.config.recompile_limit = SHAPES
