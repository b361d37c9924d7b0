"""The parts of the graph before the convolutions: first layer, side network, FiLM, harmonic features, head.

They depend on the latent alone, on the pitch alone, or on both, and are written in that order, so that whoever renders
many notes can keep them; only the head's time curves know of frames.
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
from synth_app.spectral.mel import band_centres_hz

EPSILON = 1e-8
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class LatentValues:
    """What a latent alone decides: its share of the two dense layers, and its squared length ``[B, 1]``."""

    dense: str
    square: str
    side: str | None


@dataclass(frozen=True, slots=True)
class PitchValues:
    """What a pitch alone decides; ``None`` or empty where the generator lacks the part.

    Attributes:
        dense, side: its rows of the two dense layers.
        bias: the pitch bias map ``[B, 2, 1, bins]``.
        features: harmonic features per block, ``[B, columns, 16]``.
        basis: phi, ``[B, K, bins]``.
    """

    dense: str
    side: str | None
    bias: str | None
    features: dict[int, str]
    basis: str | None


@dataclass(frozen=True, slots=True)
class NoteValues:
    """What latent and pitch decide together.

    Attributes:
        dense: pre-activation of block 1's first layer, without its bias, ``[B, C1*32]``.
        hidden: h, the side network's output ``[B, H]``.
        film: FiLM's scales of all convolutions in order, then their shifts, ``[B, total]``.
        curves: the head's spectra with everything but time, 1/sqrt(R) included, ``[B, 2, R, bins]``.
    """

    dense: str
    hidden: str | None
    film: str | None
    curves: str | None


def write_latent(g: Graph, arrays: Arrays, shape: GeneratorShape, latents: str, dense: Floats) -> LatentValues:
    """``dense`` is the first layer's weight, in the column order that the layout wants."""
    square = g.node("ReduceSumSquare", latents, g.const([1]), keepdims=1)
    side = None
    if shape.hidden:
        weight = g.weight("side.m1.weight", arrays["side.m1.weight"])
        side = g.node("MatMul", latents, write_rows(g, weight, 0, shape.latent_size))
    weight = g.weight("block1.conv0.weight", dense)
    return LatentValues(g.node("MatMul", latents, write_rows(g, weight, 0, shape.latent_size)), square, side)


def write_pitch(g: Graph, arrays: Arrays, shape: GeneratorShape, options: GraphOptions, index: str,
                dense: Floats) -> PitchValues:  # fmt: skip
    """``index`` is the pitch's row, int64 ``[B]``."""
    first, last = shape.latent_size, shape.latent_size + options.pitches
    weight = g.weight("block1.conv0.weight", dense)
    rows = g.node("Gather", write_rows(g, weight, first, last), index, axis=0)
    side = bias = basis = None
    features: dict[int, str] = {}
    if shape.hidden:
        weight = g.weight("side.m1.weight", arrays["side.m1.weight"])
        side = g.node("Gather", write_rows(g, weight, first, last), index, axis=0)
    if "pitch_bias" in arrays:
        bias = g.node("Gather", g.weight("pitch_bias", arrays["pitch_bias"]), index, axis=0)
        bias = g.node("Unsqueeze", bias, g.const([2]))
    if shape.rank or "harm.block1.weight" in arrays:
        harmonics = _Harmonics(g, options, shape.bins, index)
        wanted = "harm.block1.weight" in arrays or shape.onset is not None
        features = harmonics.features(shape) if wanted else {}
        basis = harmonics.basis(options) if shape.rank else None
    return PitchValues(rows, side, bias, features, basis)


def write_note(g: Graph, arrays: Arrays, shape: GeneratorShape, options: GraphOptions, latent: LatentValues,
               pitch: PitchValues) -> NoteValues:  # fmt: skip
    """The two dense layers' sums, the side network, and what is read from it."""
    # pixelnorm(concat(z, one-hot)) @ W: the one-hot picks a row of W, and the norm divides the sum.
    total = shape.latent_size + options.pitches
    square = g.mul(g.add(latent.square, g.const(1.0)), g.const(1.0 / total))
    norm = g.node("Sqrt", g.add(square, g.const(EPSILON)))
    dense = g.node("Div", g.add(latent.dense, pitch.dense), norm)
    if latent.side is None or pitch.side is None:
        return NoteValues(dense, None, None, None)
    h = write_side_network(g, arrays, g.add(latent.side, pitch.side), "side")
    film = _film(g, arrays, shape, h) if shape.film_hidden else None
    curves = None if pitch.basis is None else write_curves(g, arrays, shape, options, pitch.basis, h)
    return NoteValues(dense, h, film, curves)


def film_widths(shape: GeneratorShape) -> list[int]:
    """Channels of every convolution in order: the sizes of the scales, and again of the shifts, in the FiLM values."""
    return [shape.channels[b - 1] for b, _ in conv_names(shape.blocks)]


def write_rows(g: Graph, weight: str, first: int, last: int) -> str:
    """Some rows of a stored weight; cut when the session loads."""
    return g.node("Slice", weight, g.const([first]), g.const([last]), g.const([0]))


def write_side_network(g: Graph, arrays: Arrays, first: str, name: str) -> str:
    """h, from the sums of the first of two dense layers; ``name`` is that of their arrays."""
    bias = f"{name}.m1.bias"
    h = g.lrelu(g.add(first, g.weight(bias, arrays[bias])))
    h = g.lrelu(write_linear(g, arrays, h, f"{name}.m2"))
    mean = g.node("ReduceMean", g.mul(h, h), g.const([1]), keepdims=1)
    return g.node("Div", h, g.node("Sqrt", g.add(mean, g.const(EPSILON))))


def write_linear(g: Graph, arrays: Arrays, h: str, name: str) -> str:
    """A dense layer, by the name of its arrays."""
    w, b = (g.weight(f"{name}.{part}", arrays[f"{name}.{part}"]) for part in ("weight", "bias"))
    return g.add(g.node("MatMul", h, w), b)


def _film(g: Graph, arrays: Arrays, shape: GeneratorShape, h: str) -> str:
    """Every scale (one added) and shift from one matrix product."""
    names = [f"film.block{b}.conv{i}.{part}" for part in ("scale", "shift") for b, i in conv_names(shape.blocks)]
    short = g.node("Slice", h, g.const([0]), g.const([shape.film_hidden]), g.const([1]))
    weights = [g.weight(f"{n}.weight", arrays[f"{n}.weight"]) for n in names]
    biases = [g.weight(f"{n}.bias", arrays[f"{n}.bias"]) for n in names]
    total = sum(film_widths(shape))
    bias = g.add(g.node("Concat", *biases, axis=0), g.const((np.arange(2 * total) < total).astype(np.float32)))
    return g.add(g.node("MatMul", short, g.node("Concat", *weights, axis=1)), bias)


class _Harmonics:
    """Frequency features of a pitch: n = f / f0, the nearest harmonic and its bump, each ``[B, bins]``."""

    def __init__(self, g: Graph, options: GraphOptions, bins: int, index: str) -> None:
        self.g, self.bins = g, bins
        mel_hz = band_centres_hz(bins, options.sample_rate_hz / 2)
        pitches = options.lowest_pitch + np.arange(options.pitches)
        f0_table = (440.0 * 2.0 ** ((pitches - 69) / 12.0)).astype(np.float32)[:, None]
        f = g.const(mel_hz.astype(np.float32)[None])
        f0 = g.node("Gather", g.const(f0_table), index, axis=0)
        self.n = g.node("Div", f, f0)
        self.nearest = g.node("Round", g.node("Max", self.n, g.const(1.0)))
        width = 1.5 * options.sample_rate_hz / (2 * bins)
        off = g.mul(g.node("Sub", f, g.mul(self.nearest, f0)), g.const(1.0 / width))
        # Not below exp(-60): numbers so small that processors stumble over them are of no use either.
        self.bump = g.node("Exp", g.node("Max", g.mul(g.mul(off, off), g.const(-0.5)), g.const(-60.0)))
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


def write_curves(g: Graph, arrays: Arrays, shape: GeneratorShape, options: GraphOptions, basis: str, h: str) -> str:
    """The head's spectra with everything but time, ``[B, 2, R, bins]``, of a side network's output."""
    size = options.partials + 2 * options.cosines
    scale = g.mul(g.weight("head.basis_scale", arrays["head.basis_scale"]), g.const(float(shape.rank**-0.5)))
    weights = g.mul(g.reshape(write_linear(g, arrays, h, "head.env"), [0, 2 * shape.rank, size]), scale)
    return g.reshape(g.node("MatMul", weights, basis), [0, 2, shape.rank, shape.bins])


def write_times(g: Graph, arrays: Arrays, shape: GeneratorShape, h: str, start: str, stop: str) -> str:
    """The head's time curves for some frames, ``[B, 2, rows, R]``."""
    times = g.reshape(write_linear(g, arrays, h, "head.time"), [0, 2, shape.rank, shape.frames])
    return g.node("Transpose", g.node("Slice", times, start, stop, g.const([3])), perm=[0, 1, 3, 2])


def write_picture(g: Graph, rgb: str, bias: str | None, times: str | None, curves: str | None) -> str:
    """Sum of everything that paints, then tanh, ``[B, 2, rows, bins]``.

    ``rgb`` is the last convolution's output ``[B, 2, rows, bins]`` with its bias.
    """
    y = rgb if bias is None else g.add(rgb, bias)
    if curves is not None and times is not None:
        y = g.add(y, g.node("MatMul", times, curves))
    return g.node("Tanh", y)


def write_input(g: Graph, options: GraphOptions, log_mel: str, inst_freq: str) -> str:
    """The reverse of :func:`write_output`."""
    scales = ((options.mag_scale, options.mag_offset), (options.if_scale, options.if_offset))
    channels = [
        g.node("Unsqueeze", g.add(g.mul(value, g.const(scale)), g.const(offset)), g.const([1]))
        for value, (scale, offset) in zip((log_mel, inst_freq), scales, strict=True)
    ]
    return g.node("Concat", *channels, axis=1)


def write_output(g: Graph, options: GraphOptions, picture: str) -> tuple[str, str]:
    """A picture ``[B, 2, rows, bins]`` in physical units: log-mel and inst_freq, each ``[B, rows, bins]``."""
    channels = g.nodes("Split", 2, picture, axis=1, num_outputs=2)
    scales = ((options.mag_scale, options.mag_offset), (options.if_scale, options.if_offset))
    physical = []
    for channel, (scale, offset) in zip(channels, scales, strict=True):
        flat = g.node("Squeeze", channel, g.const([1]))
        physical.append(g.mul(g.node("Sub", flat, g.const(offset)), g.const(1.0 / scale)))
    return physical[0], physical[1]
