"""Writes the generator as ONNX, from named numpy arrays, without torch.

Three forms of the same sums:

* :func:`write_graph`: the model file. Standard operators, any batch, any frame range, weights in half precision under
  their own names, so that the file is also the weights' container (``onnx_writer_arrays.read_arrays``).
* :func:`write_blocked_stages`: made in memory when a model is loaded on a CPU, see ``onnx_writer_blocked``.
* :func:`write_reference_graph`: the plain whole-note export, one obvious operator for each line of the paper, kept as
  the yardstick of tests and benchmarks.

Inputs ``latents`` float32 ``[B, latent]``, ``pitches`` int64 ``[B]`` (MIDI notes), ``frames`` int64 ``[2]`` (start and
stop, half-open); outputs ``log_mel`` and ``inst_freq`` float32 ``[B, stop - start, bins]`` in physical units.
"""

from __future__ import annotations

import numpy as np

from synth_app.adapters.onnx_writer_arrays import (
    Arrays,
    GeneratorShape,
    GraphOptions,
    check_arrays,
    conv_names,
    read_arrays,
)
from synth_app.adapters.onnx_writer_blocked import BlockedStages, row_table, write_blocked_stages
from synth_app.adapters.onnx_writer_blocks import write_block, write_first_block
from synth_app.adapters.onnx_writer_graph import FLOAT, INT64, Graph, Precision
from synth_app.adapters.onnx_writer_heads import (
    EPSILON,
    film_widths,
    write_latent,
    write_note,
    write_output,
    write_picture,
    write_pitch,
    write_times,
)
from synth_app.adapters.onnx_writer_layout import Film, PlainLayout
from synth_app.adapters.onnx_writer_onset import write_onset, write_onset_pitch, write_over

__all__ = [
    "Arrays",
    "BlockedStages",
    "GeneratorShape",
    "GraphOptions",
    "check_arrays",
    "read_arrays",
    "row_table",
    "write_blocked_stages",
    "write_graph",
    "write_reference_graph",
]


def write_graph(arrays: Arrays, options: GraphOptions | None = None, precision: Precision = "fp16") -> bytes:
    """The model file: plain operators, any batch and frame range.

    Raises:
        ModelError: the arrays do not chain.
    """
    options = options or GraphOptions()
    shape = check_arrays(arrays, options)
    g = Graph(precision)
    latents, pitches = g.input("latents", FLOAT, ["batch", shape.latent_size]), g.input("pitches", INT64, ["batch"])
    frames = g.input("frames", INT64, [2])
    start = g.node("Slice", frames, g.const([0]), g.const([1]), g.const([0]))
    stop = g.node("Slice", frames, g.const([1]), g.const([2]), g.const([0]))
    rows = _rows_in_graph(g, start, stop, shape.blocks)
    out = _write_plain(g, PlainLayout(g, arrays), arrays, shape, options, (latents, pitches), rows, (start, stop))
    for value, name in zip(out, ("log_mel", "inst_freq"), strict=True):
        g.output(value, name, FLOAT, ["batch", "rows", shape.bins])
    return g.serialise("GANSynth generator: latents, pitches, frames -> log_mel, inst_freq")


def write_reference_graph(arrays: Arrays, options: GraphOptions | None = None) -> bytes:
    """The plain whole-note export: float32, one obvious operator a step, inputs ``latents`` and ``pitches`` only."""
    options = options or GraphOptions()
    shape = check_arrays(arrays, options)
    g = Graph()
    latents, pitches = g.input("latents", FLOAT, ["batch", shape.latent_size]), g.input("pitches", INT64, ["batch"])
    rows: dict[int, list[str]] = {b: [] for b in range(2, shape.blocks + 1)}
    whole = g.const([0]), g.const([shape.frames])
    out = _write_plain(g, _ReferenceLayout(g, arrays), arrays, shape, options, (latents, pitches), rows, whole)
    for value, name in zip(out, ("log_mel", "inst_freq"), strict=True):
        g.output(value, name, FLOAT, ["batch", shape.frames, shape.bins])
    return g.serialise("GANSynth generator, reference export")


def _write_plain(
    g: Graph, layout: PlainLayout, arrays: Arrays, shape: GeneratorShape, options: GraphOptions,
    inputs: tuple[str, str], rows: dict[int, list[str]], frames: tuple[str, str],
) -> tuple[str, str]:  # fmt: skip
    """Everything, in standard operators; ``inputs`` are latents and pitches, ``frames`` start and stop."""
    index = g.node("Sub", inputs[1], g.const(np.asarray(options.lowest_pitch, np.int64)))
    dense = arrays["block1.conv0.weight"]
    pitch = write_pitch(g, arrays, shape, options, index, dense)
    note = write_note(g, arrays, shape, options, write_latent(g, arrays, shape, inputs[0], dense), pitch)
    films: dict[tuple[int, int], Film] = {}
    if note.film is not None:
        parts = g.nodes("Split", 4 * shape.blocks, note.film, g.const(2 * film_widths(shape)), axis=1)
        pairs = zip(parts[: 2 * shape.blocks], parts[2 * shape.blocks :], strict=True)
        films = dict(zip(conv_names(shape.blocks), pairs, strict=True))
    harmonics = {b: layout.harmonics(f, b) for b, f in pitch.features.items()}
    x = write_first_block(layout, layout.first(note.dense), films, harmonics)
    for block in range(2, shape.blocks + 1):
        x = write_block(layout, x, block, rows[block], films, harmonics, block == shape.blocks)
    rgb = layout.to_rgb(x, shape.blocks, films.get((shape.blocks, 1)))
    times = write_times(g, arrays, shape, note.hidden, *frames) if note.hidden and note.curves else None
    picture = write_picture(g, rgb, pitch.bias, times, note.curves)
    if shape.onset is not None and pitch.bias is not None and pitch.basis is not None:
        by_pitch = write_onset_pitch(g, arrays, shape, index, pitch)
        onset = write_onset(g, arrays, shape, inputs[0], by_pitch, pitch.bias, pitch.basis)
        picture = write_over(g, shape, onset, picture, frames)
    return write_output(g, options, picture)


def _rows_in_graph(g: Graph, start: str, stop: str, blocks: int) -> dict[int, list[str]]:
    """The ranges of :mod:`onnx_writer_rows` in closed form, all blocks at once, as int64 values for the plain layout.

    With k blocks above, ``out0 = max(0, floor((start - 2^(k+1) + 2) / 2^k))`` and the like for ``out1``.
    """
    up = 2 ** np.arange(blocks - 2, -1, -1)
    heights = (2**blocks) // up
    zero, one, two, height = g.const([0]), g.const([1]), g.const([2]), g.const(heights)
    reach = g.const(2 * up - 2)
    out0 = g.node("Div", g.node("Max", g.node("Sub", start, reach), zero), g.const(up))
    out1 = g.node("Div", g.add(g.add(stop, reach), g.const(up - 1)), g.const(up))
    out1 = g.node("Min", out1, height)
    mid0 = g.node("Max", g.node("Sub", out0, one), zero)
    mid1 = g.node("Min", g.add(out1, one), height)
    in0 = g.const([0])
    if blocks > 2:  # block 1 is always whole
        in0 = g.node("Concat", in0, g.node("Slice", out0, zero, g.const([blocks - 2]), zero), axis=0)
    offset = g.mul(in0, two)
    columns = [
        g.node("Sub", g.node("Max", g.node("Sub", mid0, one), zero), offset),
        g.node("Sub", g.node("Min", g.add(mid1, one), height), offset),
        g.node("Max", g.node("Sub", one, mid0), zero),
        g.node("Max", g.node("Sub", g.add(mid1, one), height), zero),
        g.node("Max", g.node("Sub", one, out0), zero),
        g.node("Max", g.node("Sub", g.add(out1, one), height), zero),
    ]
    table = g.node("Concat", *[g.node("Unsqueeze", c, one) for c in columns], axis=1)
    sizes = [1, 1, 2, 2] * (blocks - 1)
    parts = g.nodes("Split", len(sizes), g.reshape(table, [-1]), g.const(sizes), axis=0)
    return {b: parts[4 * (b - 2) : 4 * (b - 1)] for b in range(2, blocks + 1)}


class _ReferenceLayout(PlainLayout):
    """SAME convolutions on whole notes; pixel norm as the formula reads."""

    def up_conv(self, x: str, block: int, rows: list[str]) -> str:
        x = self.g.node("Resize", x, "", self.g.const(np.asarray([1, 1, 2, 2], np.float32)), mode="nearest",
                        coordinate_transformation_mode="asymmetric", nearest_mode="floor")  # fmt: skip
        return self._conv(x, f"block{block}.conv0", [1, 1, 1, 1])

    def conv(self, x: str, block: int, rows: list[str]) -> str:
        return self._conv(x, f"block{block}.conv1", [1, 1, 1, 1])

    def pixel_norm(self, x: str, block: int) -> str:
        g = self.g
        mean = g.node("ReduceMean", g.mul(x, x), g.const([1]), keepdims=1)
        return g.node("Div", x, g.node("Sqrt", g.add(mean, g.const(EPSILON))))
