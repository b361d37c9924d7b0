"""The parts of the graph that depend on (latent, pitch) only: first layer, side network, FiLM, harmonic features, head.

They are computed once a note, hold for all its frames, and work in frequency, so slices never meet them.
With f the centre of a mel bin, f0 the pitch, n = f / f0 and w = 1.5 bins::

    g     = exp(-((f - round(max(n, 1)) f0) / w)^2 / 2)                      the bump on the nearest harmonic
    phi_k = g [n >= .5] [round n = k], k = 1..P | cos(pi k q), k < Q | g [n >= .5] cos(pi k q)   q = bin / (bins - 1)
    y_c[t, f] = 1/sqrt(R) sum_r T_cr[t] sum_k W_crk s_k phi_k(pitch, f)

T, W and the FiLM values are linear in h = pixelnorm(lrelu(m2(lrelu(m1(z, one-hot))))).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth_app.adapters.onnx_writer_arrays import Arrays, GeneratorShape, GraphOptions, conv_names
from synth_app.adapters.onnx_writer_graph import Graph
from synth_app.spectral.mel import _band_edges_hz

EPSILON = 1e-8


@dataclass(frozen=True, slots=True)
class NoteValues:
    """Values of one note in the graph; ``None`` where the generator lacks the part.

    Attributes:
        dense: pre-activation of block 1's first layer, without its bias, ``[B, C1*32]``.
        film: all FiLM scales and shifts side by side, ``[B, total]``, in :func:`film_widths` order.
        features: harmonic features per block, ``[B, columns, 16]``.
        curves: the head's spectra with everything but time, ``[B, 2, R, bins]``.
        times: the head's time curves, ``[B, 2, R, frames]``.
    """

    dense: str
    film: str | None
    features: dict[int, str]
    curves: str | None
    times: str | None


def write_note(g: Graph, arrays: Arrays, shape: GeneratorShape, options: GraphOptions, latents: str, index: str,
               dense_weight: NDArray[np.float32]) -> NoteValues:  # fmt: skip
    """Write everything that is computed once a note."""
    dense = _first_layer(g, shape, latents, index, dense_weight)
    if not shape.hidden and "harm.block1.weight" not in arrays:
        return NoteValues(dense, None, {}, None, None)
    h = _side_network(g, arrays, shape, latents, index) if shape.hidden else ""
    film = _film(g, arrays, shape, h) if shape.film_hidden else None
    harmonics = _Harmonics(g, options, shape.bins, index)
    features = harmonics.features(shape) if "harm.block1.weight" in arrays else {}
    curves, times = _head(g, arrays, shape, options, harmonics, h) if shape.rank else (None, None)
    return NoteValues(dense, film, features, curves, times)


def film_widths(shape: GeneratorShape) -> list[int]:
    """Sizes of the pieces of ``NoteValues.film``: scale, shift for every convolution in order."""
    return [shape.channels[b - 1] for b, _ in conv_names(shape.blocks) for _ in ("scale", "shift")]


def _first_layer(g: Graph, shape: GeneratorShape, latents: str, index: str, weight: NDArray[np.float32]) -> str:
    """``pixelnorm(concat(z, one-hot)) @ W``: the one-hot picks a row, and the norm divides the sum."""
    total = weight.shape[0]
    w = g.weight("block1.conv0.weight", weight)
    rows = g.const([0])
    split = g.const([shape.latent_size])
    z_part = g.node("MatMul", latents, g.node("Slice", w, rows, split, rows))
    p_part = g.node("Gather", g.node("Slice", w, split, g.const([total]), rows), index, axis=0)
    square = g.add(g.node("ReduceSumSquare", latents, g.const([1]), keepdims=1), g.const(1.0))
    norm = g.node("Sqrt", g.add(g.mul(square, g.const(1.0 / total)), g.const(EPSILON)))
    return g.node("Div", g.add(z_part, p_part), norm)


def _side_network(g: Graph, arrays: Arrays, shape: GeneratorShape, latents: str, index: str) -> str:
    weight = arrays["side.m1.weight"]
    w = g.weight("side.m1.weight", weight)
    rows, split = g.const([0]), g.const([shape.latent_size])
    z_part = g.node("MatMul", latents, g.node("Slice", w, rows, split, rows))
    p_part = g.node("Gather", g.node("Slice", w, split, g.const([weight.shape[0]]), rows), index, axis=0)
    h = g.lrelu(g.add(g.add(z_part, p_part), g.weight("side.m1.bias", arrays["side.m1.bias"])))
    w2, b2 = (g.weight(f"side.m2.{part}", arrays[f"side.m2.{part}"]) for part in ("weight", "bias"))
    h = g.lrelu(g.add(g.node("MatMul", h, w2), b2))
    mean = g.node("ReduceMean", g.mul(h, h), g.const([1]), keepdims=1)
    return g.node("Div", h, g.node("Sqrt", g.add(mean, g.const(EPSILON))))


def _linear(g: Graph, arrays: Arrays, h: str, name: str) -> str:
    w, b = (g.weight(f"{name}.{part}", arrays[f"{name}.{part}"]) for part in ("weight", "bias"))
    return g.add(g.node("MatMul", h, w), b)


def _film(g: Graph, arrays: Arrays, shape: GeneratorShape, h: str) -> str:
    """Every scale (one added) and shift from one matrix product."""
    names = [f"film.block{b}.conv{i}.{part}" for b, i in conv_names(shape.blocks) for part in ("scale", "shift")]
    short = g.node("Slice", h, g.const([0]), g.const([shape.film_hidden]), g.const([1]))
    weights = [g.weight(f"{n}.weight", arrays[f"{n}.weight"]) for n in names]
    biases = [g.weight(f"{n}.bias", arrays[f"{n}.bias"]) for n in names]
    ones = [np.full(w, float(k % 2 == 0), np.float32) for k, w in enumerate(film_widths(shape))]
    bias = g.add(g.node("Concat", *biases, axis=0), g.const(np.concatenate(ones)))
    return g.add(g.node("MatMul", short, g.node("Concat", *weights, axis=1)), bias)


class _Harmonics:
    """Frequency features of a pitch: n = f / f0, the nearest harmonic and its bump, each ``[B, bins]``."""

    def __init__(self, g: Graph, options: GraphOptions, bins: int, index: str) -> None:
        self.g, self.bins = g, bins
        mel_hz = _band_edges_hz(bins, options.sample_rate_hz / 2)[1:-1]
        pitches = options.lowest_pitch + np.arange(options.pitches)
        f0_table = (440.0 * 2.0 ** ((pitches - 69) / 12.0)).astype(np.float32)[:, None]
        f = g.const(mel_hz.astype(np.float32)[None])
        f0 = g.node("Gather", g.const(f0_table), index, axis=0)
        self.n = g.node("Div", f, f0)
        self.nearest = g.node("Round", g.node("Max", self.n, g.const(1.0)))
        width = 1.5 * options.sample_rate_hz / (2 * bins)
        off = g.mul(g.node("Sub", f, g.mul(self.nearest, f0)), g.const(1.0 / width))
        self.bump = g.node("Exp", g.mul(g.mul(off, off), g.const(-0.5)))
        self.below = g.node("Cast", g.node("Less", self.n, g.const(0.5)), to=1)

    def features(self, shape: GeneratorShape) -> dict[int, str]:
        """The 16 harmonic features, averaged to the columns of every block: block -> ``[B, columns, 16]``."""
        g = self.g
        log2n = g.mul(g.node("Log", g.node("Max", self.n, g.const(0.25))), g.const(float(1.0 / np.log(2.0))))

        def wave(op: str, k: int) -> str:
            return g.node(op, g.mul(log2n, g.const(float(np.pi * k / 8))))

        turn = g.mul(g.node("Sub", self.n, g.node("Round", self.n)), g.const(float(2 * np.pi)))
        half = g.mul(self.n, g.const(0.5))
        half_turn = g.mul(g.node("Sub", half, g.node("Round", half)), g.const(float(2 * np.pi)))
        low = g.node("Cast", g.node("Less", self.n, g.const(24.0)), to=1)
        columns = [g.node("Cos", turn), g.node("Sin", turn), self.bump, self.below, g.mul(log2n, g.const(1 / 6))]
        columns += [wave("Cos", k) for k in (1, 2, 3, 4, 6, 8)] + [wave("Sin", k) for k in (1, 2, 4, 8)]
        columns.append(g.mul(g.node("Cos", half_turn), low))
        axis = g.const([2])
        x = g.node("Concat", *[g.node("Unsqueeze", c, axis) for c in columns], axis=2)
        features = {shape.blocks: x}
        for block in range(shape.blocks - 1, 0, -1):
            x = g.node("ReduceMean", g.reshape(x, [0, -1, 2, 16]), axis, keepdims=0)
            features[block] = x
        return features

    def basis(self, options: GraphOptions) -> str:
        """phi: ``[B, K, bins]``."""
        g, axis = self.g, self.g.const([1])
        q = np.arange(self.bins) / (self.bins - 1)
        cosines = g.const(np.cos(np.pi * np.arange(options.cosines)[:, None] * q).astype(np.float32)[None])
        partials = g.const((1.0 + np.arange(options.partials)).astype(np.float32)[None, :, None])
        audible = g.mul(self.bump, g.node("Sub", g.const(1.0), self.below))
        bump, nearest = (g.node("Unsqueeze", v, axis) for v in (audible, self.nearest))
        peaks = g.mul(g.node("Cast", g.node("Equal", nearest, partials), to=1), bump)
        on_peaks = g.mul(cosines, bump)
        floor = g.node("Expand", cosines, g.node("Shape", on_peaks))
        return g.node("Concat", peaks, floor, on_peaks, axis=1)


def _head(g: Graph, arrays: Arrays, shape: GeneratorShape, options: GraphOptions, harmonics: _Harmonics,
          h: str) -> tuple[str, str]:  # fmt: skip
    """The head's spectra ``[B, 2, R, bins]`` (1/sqrt(R) in them) and time curves ``[B, 2, R, frames]``."""
    basis = options.partials + 2 * options.cosines
    scale = g.mul(g.weight("head.basis_scale", arrays["head.basis_scale"]), g.const(float(1.0 / np.sqrt(shape.rank))))
    weights = g.mul(g.reshape(_linear(g, arrays, h, "head.env"), [0, 2 * shape.rank, basis]), scale)
    curves = g.reshape(g.node("MatMul", weights, harmonics.basis(options)), [0, 2, shape.rank, harmonics.bins])
    times = g.reshape(_linear(g, arrays, h, "head.time"), [0, 2, shape.rank, shape.frames])
    return curves, times


def write_output(g: Graph, arrays: Arrays, shape: GeneratorShape, options: GraphOptions, rgb: str, index: str,
                 start: str, stop: str, curves: str | None, times: str | None) -> tuple[str, str]:  # fmt: skip
    """Sum of everything before tanh, then physical units: log-mel and inst_freq, each ``[B, rows, bins]``.

    ``rgb`` is the last convolution's output ``[B, 2, rows, bins]`` with its bias.
    """
    y = rgb
    if "pitch_bias" in arrays:
        bias = g.node("Gather", g.weight("pitch_bias", arrays["pitch_bias"]), index, axis=0)
        y = g.add(y, g.node("Unsqueeze", bias, g.const([2])))
    if curves is not None and times is not None:
        rows = g.node("Slice", times, start, stop, g.const([3]))
        y = g.add(y, g.node("MatMul", g.node("Transpose", rows, perm=[0, 1, 3, 2]), curves))
    channels = g.nodes("Split", 2, g.node("Tanh", y), axis=1, num_outputs=2)
    scales = ((options.mag_scale, options.mag_offset), (options.if_scale, options.if_offset))
    physical = []
    for channel, (scale, offset) in zip(channels, scales, strict=True):
        flat = g.node("Squeeze", channel, g.const([1]))
        physical.append(g.mul(g.node("Sub", flat, g.const(offset)), g.const(1.0 / scale)))
    return physical[0], physical[1]
