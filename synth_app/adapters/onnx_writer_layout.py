"""Two ways to lay the convolutions out: plain ONNX operators, and ONNX Runtime's blocked CPU layout.

*Plain* is portable: any runtime, any provider, any batch. It goes into the model file.

*Blocked* keeps 16 (or 8) channels of a position side by side in memory, from the first layer to the last, by naming
ONNX Runtime's own blocked convolutions (domain ``com.microsoft.nchwc``), which it otherwise reaches only between
reorders. It is written in memory when a model is loaded on a CPU, checked against the plain graph, one note at a time.
In it a tensor ``[1, C, rows, columns]`` lies as ``[C/n, rows, columns, n]``, so rows are cut, padded and shifted on the
view ``[1, C/n, rows, columns*n]`` in long runs, and

* doubling + 3x3 is one 2x2 convolution with four outputs a channel: the window at (w, v) of the zero-padded low rows
  gives the high positions (2w+1, 2v+1) .. (2w+2, 2v+2), taps ``k0+k1 | k2`` for odd and ``k0 | k1+k2`` for even ones.
  4/9 of the products, the same sums;
* the mean of squares is a 1x1 convolution with n equal outputs, so that it broadcasts in long runs;
* FiLM is a depthwise 1x1 convolution whose weight and bias are the note's own;
* the last pixel norm follows the (linear) 1x1 to two channels instead of preceding it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth_app.adapters.onnx_writer_arrays import FEATURES, START_COLUMNS, START_ROWS, Arrays
from synth_app.adapters.onnx_writer_graph import NCHWC, Graph
from synth_app.adapters.onnx_writer_heads import EPSILON

Floats = NDArray[np.float32]
Film = tuple[str, str]  # the values of scale and shift
_LRELU: dict[str, Any] = {"activation": "LeakyRelu", "activation_params": [0.2]}


class PlainLayout:
    """Standard operators on ``[B, C, rows, columns]``."""

    def __init__(self, g: Graph, arrays: Arrays) -> None:
        self.g, self.arrays = g, arrays
        self._axis = g.const([2])

    def _conv(self, x: str, name: str, pads: list[int]) -> str:
        w, b = (self.g.weight(f"{name}.{part}", self.arrays[f"{name}.{part}"]) for part in ("weight", "bias"))
        return self.g.lrelu(self.g.node("Conv", x, w, b, kernel_shape=[3, 3], pads=pads))

    def first(self, dense: str) -> str:
        """The dense layer's sums as block 1's two rows, with bias and leaky ReLU."""
        bias = self.arrays["block1.conv0.bias"]
        x = self.g.reshape(dense, [-1, len(bias), START_ROWS, START_COLUMNS])
        return self.g.lrelu(self.g.add(x, self.g.reshape(self.g.weight("block1.conv0.bias", bias), [1, -1, 1, 1])))

    def first_conv1(self, x: str) -> str:
        return self._conv(x, "block1.conv1", [1, 1, 1, 1])

    def up_conv(self, x: str, block: int, rows: list[str]) -> str:
        """Double, cut to the rows that are wanted, pad with zero rows at the note's ends, convolve."""
        g = self.g
        x = g.node("Resize", x, "", g.const(np.asarray([1, 1, 2, 2], np.float32)), mode="nearest",
                   coordinate_transformation_mode="asymmetric", nearest_mode="floor")  # fmt: skip
        x = g.node("Slice", x, rows[0], rows[1], self._axis)
        x = g.node("Pad", x, rows[2], "", self._axis)
        return self._conv(x, f"block{block}.conv0", [0, 1, 0, 1])

    def conv(self, x: str, block: int, rows: list[str]) -> str:
        x = self.g.node("Pad", x, rows[3], "", self._axis)
        return self._conv(x, f"block{block}.conv1", [0, 1, 0, 1])

    def pixel_norm(self, x: str, block: int) -> str:
        """Divide by the root of the mean square over channels, written as a 1x1 convolution."""
        g, channels = self.g, len(self.arrays[f"block{block}.conv1.bias"])
        mean = g.const(np.full((1, channels, 1, 1), 1.0 / channels, np.float32))
        square = g.node("Conv", g.mul(x, x), mean, g.const(np.asarray([EPSILON], np.float32)))
        return g.node("Div", x, g.node("Sqrt", square))

    def film(self, x: str, block: int, film: Film) -> str:
        g, (scale, shift) = self.g, film
        return g.add(g.mul(x, g.reshape(scale, [0, -1, 1, 1])), g.reshape(shift, [0, -1, 1, 1]))

    def harmonics(self, features: str, block: int) -> str:
        """A block's frequency features ``[B, columns, 16]`` as rows to add, ``[B, C, 1, columns]``."""
        g, name = self.g, f"harm.block{block}.weight"
        weight = g.node("Transpose", g.weight(name, self.arrays[name]), perm=[1, 0])
        rows = g.node("Transpose", g.node("MatMul", features, weight), perm=[0, 2, 1])
        return g.node("Unsqueeze", rows, self._axis)

    def add_harmonics(self, x: str, block: int, rows: str) -> str:
        return self.g.add(x, rows)

    def to_rgb(self, x: str, block: int, film: Film | None) -> str:
        """The last pixel norm, FiLM, and the 1x1 convolution to two channels ``[B, 2, rows, columns]``."""
        x = self.pixel_norm(x, block)
        x = x if film is None else self.film(x, block, film)
        weight = self.g.weight("rgb.weight", self.arrays["rgb.weight"])
        weight = self.g.reshape(weight, [2, -1, 1, 1])
        return self.g.node("Conv", x, weight, self.g.weight("rgb.bias", self.arrays["rgb.bias"]))


class BlockedLayout:
    """ONNX Runtime's blocked layout, one note at a time; ``n`` is the machine's block size.

    The arrays must be padded to whole blocks (:func:`pad_channels`); ``true_channels`` are the widths before that.
    """

    def __init__(self, g: Graph, arrays: Arrays, n: int, true_channels: tuple[int, ...]) -> None:
        self.g, self.arrays, self.n, self.true_channels = g, arrays, n, true_channels
        self._axis, self._axes = g.const([2]), g.const([2, 3])

    def _channels(self, block: int) -> int:
        return len(self.arrays[f"block{block}.conv1.bias"])

    def _view(self, x: str, block: int) -> str:
        """``[1, C/n, rows, columns*n]``: the memory as it is."""
        return self.g.reshape(x, [1, self._channels(block) // self.n, -1, _columns(block) * self.n])

    def _back(self, x: str, block: int) -> str:
        return self.g.reshape(x, [1, self._channels(block), -1, _columns(block)])

    def _conv(self, x: str, kernel: Floats, bias: Floats, pads: list[int]) -> str:
        weight = self.g.const(blocked_kernel(kernel, self.n))
        return self.g.node("Conv", x, weight, self.g.const(bias), domain=NCHWC,
                           kernel_shape=list(kernel.shape[2:]), pads=pads, **_LRELU)  # fmt: skip

    def first(self, dense: str) -> str:
        """The columns of the dense weight are already in block order (:func:`blocked_dense`)."""
        g, n, bias = self.g, self.n, self.arrays["block1.conv0.bias"]
        x = g.reshape(dense, [len(bias) // n, START_ROWS * START_COLUMNS, n])
        return self._back(g.lrelu(g.add(x, g.const(bias.reshape(-1, 1, n)))), 1)

    def first_conv1(self, x: str) -> str:
        return self._conv(x, self.arrays["block1.conv1.weight"], self.arrays["block1.conv1.bias"], [1, 1, 1, 1])

    def up_conv(self, x: str, block: int, rows: list[str]) -> str:
        """The folded doubling and 3x3, interleaved, cut to the rows and columns inside the note."""
        g, n, (out, low) = self.g, self.n, (self._channels(block), _columns(block - 1))
        x = self._back(g.node("Pad", self._view(x, block - 1), rows[0], "", self._axis), block - 1)
        kernel, bias = (self.arrays[f"block{block}.conv0.{part}"] for part in ("weight", "bias"))
        x = self._conv(x, fold_kernel(kernel), np.tile(bias, 4), [0, 1, 0, 1])
        x = g.reshape(x, [2, 2, out // n, -1, low + 1, n])
        x = g.node("Transpose", x, perm=[2, 3, 0, 4, 1, 5])
        x = g.reshape(x, [1, out // n, -1, (2 * low + 2) * n])
        return self._back(g.node("Slice", x, rows[1], rows[2], self._axes), block)

    def conv(self, x: str, block: int, rows: list[str]) -> str:
        x = self._back(self.g.node("Pad", self._view(x, block), rows[3], "", self._axis), block)
        name = f"block{block}.conv1"
        return self._conv(x, self.arrays[f"{name}.weight"], self.arrays[f"{name}.bias"], [0, 1, 0, 1])

    def _norm(self, x: str, block: int) -> str:
        """``sqrt(mean square + eps)``, the same in all n channels of its one block."""
        mean = np.full((self.n, self._channels(block), 1, 1), 1.0 / self.true_channels[block - 1], np.float32)
        bias = np.full(self.n, EPSILON, np.float32)
        square = self.g.mul(x, x)
        return self.g.node("Sqrt", self.g.node("Conv", square, self.g.const(mean), self.g.const(bias), domain=NCHWC))

    def pixel_norm(self, x: str, block: int) -> str:
        g = self.g
        norm = g.reshape(self._norm(x, block), [1, 1, -1, _columns(block) * self.n])
        return self._back(g.node("Div", self._view(x, block), norm), block)

    def film(self, x: str, block: int, film: Film) -> str:
        """A depthwise 1x1 convolution, whose kernel lies the same in either layout: ``[C, 1, 1, 1]`` and ``[C]``."""
        channels = self._channels(block)
        return self.g.node("Conv", x, film[0], film[1], domain=NCHWC, group=channels)

    def harmonics(self, features: str, block: int) -> str:
        """A block's frequency features ``[1, columns, 16]`` as a row to add, ``[1, C/n, 1, columns*n]``."""
        weight = self.arrays[f"harm.block{block}.weight"].reshape(-1, self.n, FEATURES).transpose(0, 2, 1)
        rows = self.g.node("MatMul", features, self.g.const(weight))
        return self.g.reshape(rows, [1, self._channels(block) // self.n, 1, _columns(block) * self.n])

    def add_harmonics(self, x: str, block: int, rows: str) -> str:
        return self._back(self.g.add(self._view(x, block), rows), block)

    def to_rgb(self, x: str, block: int, film: Film | None) -> str:
        """``rgb(x / norm * scale + shift) = rgb_scaled(x) / norm + rgb(shift)``: only n channels meet the norm."""
        g, n, channels = self.g, self.n, self._channels(block)
        rgb = np.zeros((channels, n), np.float32)
        rgb[:, :2] = self.arrays["rgb.weight"].T
        weight, bias = g.const(rgb), g.const(self.arrays["rgb.bias"])
        if film is not None:
            shifted = g.node("MatMul", g.reshape(film[1], [1, channels]), g.const(rgb[:, :2]))
            bias = g.add(g.reshape(shifted, [2]), bias)
            weight = g.mul(weight, g.reshape(film[0], [channels, 1]))
        y = g.node("Conv", x, g.reshape(weight, [n, channels, 1, 1]), domain=NCHWC)
        y = g.node("Div", y, self._norm(x, block))
        y = g.node("ReorderOutput", y, domain=NCHWC, channels=2)
        return g.add(y, g.reshape(bias, [1, 2, 1, 1]))


def _columns(block: int) -> int:
    return START_COLUMNS * int(2 ** (block - 1))


def fold_kernel(kernel: Floats) -> Floats:
    """Nearest doubling and a 3x3 ``[O, I, 3, 3]`` as one 2x2 ``[4 O, I, 2, 2]``.

    Outputs in the order (odd, even) rows x (odd, even) columns x O. Sums are made in float64 and rounded once.
    """
    k = kernel.astype(np.float64)
    odd_rows = np.stack([k[:, :, 0] + k[:, :, 1], k[:, :, 2]], axis=2)
    even_rows = np.stack([k[:, :, 0], k[:, :, 1] + k[:, :, 2]], axis=2)
    phases = []
    for rows in (odd_rows, even_rows):
        phases.append(np.stack([rows[..., 0] + rows[..., 1], rows[..., 2]], axis=3))
        phases.append(np.stack([rows[..., 0], rows[..., 1] + rows[..., 2]], axis=3))
    return np.concatenate(phases).astype(np.float32)


def blocked_kernel(kernel: Floats, n: int) -> Floats:
    """``[O, I, kh, kw]`` in the memory order ``[O/n, I/n, kh, kw, n inputs, n outputs]``, shape unchanged."""
    out, inputs, height, width = kernel.shape
    k = kernel.reshape(out // n, n, inputs // n, n, height, width).transpose(0, 2, 4, 5, 3, 1)
    return np.ascontiguousarray(k).reshape(kernel.shape)


def blocked_dense(weight: Floats, channels: int, n: int) -> Floats:
    """The first layer's columns, channel-row-column, in block order."""
    w = weight.reshape(len(weight), channels // n, n, START_ROWS * START_COLUMNS)
    return np.ascontiguousarray(w.transpose(0, 1, 3, 2)).reshape(weight.shape)


def pad_channels(arrays: Arrays, n: int) -> dict[str, Floats]:
    """Zero channels up to whole blocks; they stay zero through every layer and change nothing."""
    padded = {}
    for name, array in arrays.items():
        axes: tuple[int, ...] = ()
        if name == "block1.conv0.weight":
            w = array.reshape(len(array), -1, START_ROWS * START_COLUMNS)
            padded[name] = _pad(w, (1,), n).reshape(len(array), -1)
            continue
        if name.startswith("block"):
            axes = (0, 1) if name.endswith("weight") else (0,)
        elif name.startswith("film"):
            axes = (array.ndim - 1,)
        elif name.startswith("harm"):
            axes = (0,)
        elif name == "rgb.weight":
            axes = (1,)
        padded[name] = _pad(array, axes, n)
    return padded


def _pad(array: Floats, axes: tuple[int, ...], n: int) -> Floats:
    return np.pad(array, [(0, -size % n if axis in axes else 0) for axis, size in enumerate(array.shape)])
