"""The onset in the graph: a note's first frames from a small net that runs along frequency (ADR 18).

    h     = pixelnorm(lrelu(m2(lrelu(m1(z, one-hot)))))
    drawn = pitch bias + env(h) phi                        2 T channels of bins: every frame has its own envelopes
    x     = enter([phi16 | drawn]);  x += conv1(film(lrelu(conv0(x)), h))  for each block
    onset = tanh(drawn + colour(x))

Frames are channels here; nothing looks from one to another but through them. In the note, frame t is
``w_t onset + (1 - w_t) net`` (``onnx_writer_arrays.onset_weights``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth_app.adapters.onnx_writer_arrays import (
    FEATURES,
    ONSET_DILATIONS,
    Arrays,
    GeneratorShape,
    OnsetShape,
    onset_weights,
)
from synth_app.adapters.onnx_writer_graph import Graph
from synth_app.adapters.onnx_writer_heads import PitchValues, write_linear, write_rows, write_side_network


@dataclass(frozen=True, slots=True)
class OnsetPitch:
    """What a pitch alone decides of an onset: its row of the first dense layer, and ``[B, 16, 1, bins]`` features."""

    side: str
    features: str


def write_onset_pitch(g: Graph, arrays: Arrays, shape: GeneratorShape, index: str, pitch: PitchValues) -> OnsetPitch:
    """``index`` is the pitch's row, int64 ``[B]``."""
    weight = g.weight("onset.m1.weight", arrays["onset.m1.weight"])
    rows = write_rows(g, weight, shape.latent_size, len(arrays["onset.m1.weight"]))
    features = g.node("Transpose", pitch.features[shape.blocks], perm=[0, 2, 1])
    return OnsetPitch(g.node("Gather", rows, index, axis=0), g.reshape(features, [0, FEATURES, 1, shape.bins]))


def write_onset(g: Graph, arrays: Arrays, shape: GeneratorShape, latents: str, onset_pitch: OnsetPitch, bias: str,
                basis: str) -> str:  # fmt: skip
    """The frames of the onset, normalised, ``[B, 2, T, bins]``; bias and basis are the pitch's."""
    onset = _sizes(shape)
    weight = g.weight("onset.m1.weight", arrays["onset.m1.weight"])
    side = g.node("MatMul", latents, write_rows(g, weight, 0, shape.latent_size))
    h = write_side_network(g, arrays, g.add(side, onset_pitch.side), "onset")
    env = g.reshape(write_linear(g, arrays, h, "onset.env"), [0, 2 * onset.frames, -1])
    env = g.mul(env, g.weight("head.basis_scale", arrays["head.basis_scale"]))
    drawn = g.reshape(g.node("MatMul", env, basis), [0, 2, onset.frames, shape.bins])
    drawn = g.reshape(g.add(drawn, bias), [0, 2 * onset.frames, 1, shape.bins])
    x = _conv(g, arrays, g.node("Concat", onset_pitch.features, drawn, axis=1), "onset.enter", 0)
    for block, (reach0, reach1) in enumerate(ONSET_DILATIONS, start=1):
        name = f"onset.block{block}"
        found = g.lrelu(_conv(g, arrays, x, f"{name}.conv0", reach0))
        scale, shift = (g.reshape(write_linear(g, arrays, h, f"{name}.{part}"), [0, -1, 1, 1])
                        for part in ("scale", "shift"))  # fmt: skip
        found = g.add(g.mul(found, g.add(scale, g.const(1.0))), shift)
        x = g.add(x, _conv(g, arrays, found, f"{name}.conv1", reach1))
    picture = g.add(drawn, _conv(g, arrays, x, "onset.colour", 0))
    return g.node("Tanh", g.reshape(picture, [0, 2, onset.frames, shape.bins]))


def write_over(g: Graph, shape: GeneratorShape, onset: str, net: str, frames: tuple[str, str]) -> str:
    """Some frames of the net's picture, ``[B, 2, rows, bins]``, with those of the onset over them."""
    count = _sizes(shape).frames
    missing = shape.frames - count
    share = np.pad(onset_weights(count), (0, missing)).reshape(1, 1, -1, 1)
    whole = g.node("Pad", onset, g.const([0, 0, 0, 0, 0, 0, missing, 0]))
    onset, weight = (g.node("Slice", part, *frames, g.const([2])) for part in (whole, g.const(share)))
    return g.add(net, g.mul(weight, g.node("Sub", onset, net)))


def _sizes(shape: GeneratorShape) -> OnsetShape:
    assert shape.onset is not None
    return shape.onset


def _conv(g: Graph, arrays: Arrays, x: str, name: str, reach: int) -> str:
    """A convolution along frequency that looks at every bin and at one on each side, so far away (0: at the bin)."""
    w, b = (g.weight(f"{name}.{part}", arrays[f"{name}.{part}"]) for part in ("weight", "bias"))
    width = arrays[f"{name}.weight"].shape[3]
    return g.node("Conv", x, w, b, kernel_shape=[1, width], pads=[0, reach, 0, reach], dilations=[1, max(1, reach)])
