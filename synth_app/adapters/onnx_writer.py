"""Writes the generator as ONNX, from named numpy arrays, without torch.

Three forms of the same sums:

* :func:`write_graph`: the model file. Standard operators, any batch, any frame range, weights in half precision under
  their own names, so that the file is also the weights' container (``onnx_writer_arrays.read_arrays``).
* :func:`write_blocked_stages`: made in memory when a model is loaded on a CPU: the same generator in ONNX Runtime's
  blocked layout, cut in two stages (the low resolutions, and the tall ones in tiles that fit the cache).
* :func:`write_reference_graph`: the plain whole-note export, one obvious operator for each line of the paper, kept as
  the yardstick of tests and benchmarks.

Inputs ``latents`` float32 ``[B, latent]``, ``pitches`` int64 ``[B]`` (MIDI notes), ``frames`` int64 ``[2]`` (start and
stop, half-open); outputs ``log_mel`` and ``inst_freq`` float32 ``[B, stop - start, bins]`` in physical units.
Order in a block: convolution, bias, leaky ReLU (0.2), pixel norm, FiLM, and after the first one the harmonic features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from synth_app.adapters.onnx_writer_arrays import (
    Arrays,
    GeneratorShape,
    GraphOptions,
    check_arrays,
    conv_names,
    read_arrays,
)
from synth_app.adapters.onnx_writer_graph import Graph, Precision
from synth_app.adapters.onnx_writer_heads import EPSILON, film_widths, write_note, write_output
from synth_app.adapters.onnx_writer_layout import (
    BlockedLayout,
    Film,
    PlainLayout,
    blocked_dense,
    pad_channels,
)
from synth_app.adapters.onnx_writer_rows import BlockRows

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

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


class _Layout(Protocol):
    """What a block needs from a layout."""

    def up_conv(self, x: str, block: int, rows: list[str]) -> str: ...
    def conv(self, x: str, block: int, rows: list[str]) -> str: ...
    def pixel_norm(self, x: str, block: int) -> str: ...
    def film(self, x: str, block: int, film: Film) -> str: ...
    def add_harmonics(self, x: str, block: int, rows: str) -> str: ...


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
    index = g.node("Sub", pitches, g.const(np.asarray(options.lowest_pitch, np.int64)))
    note = write_note(g, arrays, shape, options, latents, index, arrays["block1.conv0.weight"])
    layout = PlainLayout(g, arrays)
    films = _split_film(g, shape, note.film)
    harmonics = {b: layout.harmonics(f, b) for b, f in note.features.items()}
    x = _first_block(layout, layout.first(note.dense), films, harmonics, shape.blocks == 1)
    rows = _rows_in_graph(g, start, stop, shape.blocks)
    for block in range(2, shape.blocks + 1):
        x = _block(layout, x, block, rows[block], films, harmonics, block == shape.blocks)
    rgb = layout.to_rgb(x, shape.blocks, films.get((shape.blocks, 1)))
    out = write_output(g, arrays, shape, options, rgb, index, start, stop, note.curves, note.times)
    for value, name in zip(out, ("log_mel", "inst_freq"), strict=True):
        g.output(value, name, FLOAT, ["batch", "rows", shape.bins])
    return g.serialise("GANSynth generator: latents, pitches, frames -> log_mel, inst_freq")


def _split_film(g: Graph, shape: GeneratorShape, film: str | None) -> dict[tuple[int, int], Film]:
    if film is None:
        return {}
    widths = film_widths(shape)
    parts = g.nodes("Split", len(widths), film, g.const(widths), axis=1)
    return {name: (parts[2 * k], parts[2 * k + 1]) for k, name in enumerate(conv_names(shape.blocks))}


def _after(layout: _Layout, x: str, block: int, film: Film | None, harmonics: str | None) -> str:
    """Pixel norm, FiLM, harmonic features."""
    x = layout.pixel_norm(x, block)
    x = x if film is None else layout.film(x, block, film)
    return x if harmonics is None else layout.add_harmonics(x, block, harmonics)


def _first_block(layout: PlainLayout | BlockedLayout, x: str, films: dict[tuple[int, int], Film],
                 harmonics: dict[int, str], last: bool) -> str:  # fmt: skip
    x = layout.first_conv1(_after(layout, x, 1, films.get((1, 0)), harmonics.get(1)))
    return x if last else _after(layout, x, 1, films.get((1, 1)), None)


def _block(layout: _Layout, x: str, block: int, rows: list[str], films: dict[tuple[int, int], Film],
           harmonics: dict[int, str], last: bool) -> str:  # fmt: skip
    """One block; the last one stops before its pixel norm, which ``to_rgb`` makes."""
    x = _after(layout, layout.up_conv(x, block, rows), block, films.get((block, 0)), harmonics.get(block))
    x = layout.conv(x, block, rows)
    return x if last else _after(layout, x, block, films.get((block, 1)), None)


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


@dataclass(frozen=True, slots=True)
class BlockedStages:
    """Two graphs in ONNX Runtime's blocked layout.

    ``trunk``: ``latents [1, L], pitches [1], rows`` -> ``x`` (output of block ``split``) and the note's ``values``.
    ``top``: ``x``, the values, ``pitches``, ``frames`` and ``rows`` -> ``log_mel``, ``inst_freq``.
    ``rows`` is :func:`row_table` of the stage's blocks.
    """

    trunk: bytes
    top: bytes
    split: int
    values: tuple[str, ...]


def write_blocked_stages(arrays: Arrays, options: GraphOptions | None = None, block_size: int = 16,
                         split: int = 0) -> BlockedStages:  # fmt: skip
    """The two CPU stages; ``split`` is the last block of the first one (0: all but the last two, at least two).

    Raises:
        ModelError: the arrays do not chain.
        ValueError: the generator has too few blocks for two stages.
    """
    options = options or GraphOptions()
    true = check_arrays(arrays, options)
    split = split or max(2, true.blocks - 2)
    if not 2 <= split < true.blocks:
        raise ValueError(f"cannot split {true.blocks} blocks after block {split}")
    padded = pad_channels(arrays, block_size)
    shape = check_arrays(padded, options)
    trunk, values = _write_trunk(padded, shape, options, block_size, split, true.channels)
    top = _write_top(padded, shape, options, block_size, split, true.channels, values)
    return BlockedStages(trunk, top, split, tuple(values))


def _write_trunk(arrays: Arrays, shape: GeneratorShape, options: GraphOptions, n: int, split: int,
                 true_channels: tuple[int, ...]) -> tuple[bytes, list[str]]:  # fmt: skip
    g = Graph()
    latents, pitches = g.input("latents", FLOAT, [1, shape.latent_size]), g.input("pitches", INT64, [1])
    index = g.node("Sub", pitches, g.const(np.asarray(options.lowest_pitch, np.int64)))
    dense = blocked_dense(arrays["block1.conv0.weight"], shape.channels[0], n)
    note = write_note(g, arrays, shape, options, latents, index, dense)
    layout = BlockedLayout(g, arrays, n, true_channels)
    films = _split_film(g, shape, note.film)
    harmonics = {b: layout.harmonics(f, b) for b, f in note.features.items()}
    x = _first_block(layout, layout.first(note.dense), films, harmonics, False)
    rows = _rows_from_table(g, 2, split)
    for block in range(2, split + 1):
        x = _block(layout, x, block, rows[block], films, harmonics, False)
    g.output(x, "x", FLOAT, [1, shape.channels[split - 1], None, None])
    values = {"film": note.film, "curves": note.curves, "times": note.times}
    values |= {f"harmonics{b}": harmonics.get(b) for b in range(split + 1, shape.blocks + 1)}
    names = [name for name, value in values.items() if value is not None]
    for name in names:
        g.output(str(values[name]), name, FLOAT, None)
    return g.serialise("GANSynth generator, blocked, low resolutions"), names


def _write_top(arrays: Arrays, shape: GeneratorShape, options: GraphOptions, n: int, split: int,
               true_channels: tuple[int, ...], values: list[str]) -> bytes:  # fmt: skip
    g = Graph()
    x = g.input("x", FLOAT, [1, shape.channels[split - 1], "low", 16 * 2 ** (split - 1)])
    pitches, frames = g.input("pitches", INT64, [1]), g.input("frames", INT64, [2])
    given = {name: g.input(name, FLOAT, None) for name in values}
    index = g.node("Sub", pitches, g.const(np.asarray(options.lowest_pitch, np.int64)))
    start, stop = g.nodes("Split", 2, frames, axis=0, num_outputs=2)
    layout = BlockedLayout(g, arrays, n, true_channels)
    films = _split_film(g, shape, given.get("film"))
    harmonics = {b: given[f"harmonics{b}"] for b in range(split + 1, shape.blocks + 1) if f"harmonics{b}" in given}
    rows = _rows_from_table(g, split + 1, shape.blocks)
    for block in range(split + 1, shape.blocks + 1):
        x = _block(layout, x, block, rows[block], films, harmonics, block == shape.blocks)
    rgb = layout.to_rgb(x, shape.blocks, films.get((shape.blocks, 1)))
    out = write_output(g, arrays, shape, options, rgb, index, start, stop, given.get("curves"), given.get("times"))
    for value, name in zip(out, ("log_mel", "inst_freq"), strict=True):
        g.output(value, name, FLOAT, [1, "rows", shape.bins])
    return g.serialise("GANSynth generator, blocked, high resolutions")


def _rows_from_table(g: Graph, first_block: int, last_block: int) -> dict[int, list[str]]:
    """Pairs of int64 fed by :func:`row_table`, four a block."""
    count = 4 * (last_block - first_block + 1)
    rows = g.input("rows", INT64, [2 * count])
    parts = g.nodes("Split", count, rows, axis=0, num_outputs=count)
    return {b: parts[4 * k : 4 * k + 4] for k, b in enumerate(range(first_block, last_block + 1))}


def row_table(plan: list[BlockRows], have: tuple[int, int], block_size: int) -> NDArray[np.int64]:
    """What a blocked stage cuts and pads, for each block: input pads, cut from, cut to, pads before conv1.

    Args:
        plan: of the stage's blocks (:func:`onnx_writer_rows.plan_rows`).
        have: the rows that the stage's input holds.
    """
    table: list[int] = []
    for rows in plan:
        columns = 2 ** (rows.block + 3)
        first = 2 * rows.win0 + 1
        table += [have[0] - rows.win0, rows.win1 + 1 - have[1]]
        table += [rows.mid0 - first, block_size, rows.mid1 - first, (columns + 1) * block_size]
        table += [rows.mid0 - rows.out0 + 1, rows.out1 + 1 - rows.mid1]
        have = (rows.out0, rows.out1)
    return np.asarray(table, np.int64)


def write_reference_graph(arrays: Arrays, options: GraphOptions | None = None) -> bytes:
    """The plain whole-note export: float32, one obvious operator a step, inputs ``latents`` and ``pitches`` only."""
    options = options or GraphOptions()
    shape = check_arrays(arrays, options)
    g = Graph()
    latents, pitches = g.input("latents", FLOAT, ["batch", shape.latent_size]), g.input("pitches", INT64, ["batch"])
    index = g.node("Sub", pitches, g.const(np.asarray(options.lowest_pitch, np.int64)))
    note = write_note(g, arrays, shape, options, latents, index, arrays["block1.conv0.weight"])
    layout = _ReferenceLayout(g, arrays)
    films = _split_film(g, shape, note.film)
    harmonics = {b: layout.harmonics(f, b) for b, f in note.features.items()}
    x = _first_block(layout, layout.first(note.dense), films, harmonics, False)
    for block in range(2, shape.blocks + 1):
        x = _block(layout, x, block, [], films, harmonics, block == shape.blocks)
    rgb = layout.to_rgb(x, shape.blocks, films.get((shape.blocks, 1)))
    whole = g.const([0]), g.const([shape.frames])
    out = write_output(g, arrays, shape, options, rgb, index, *whole, note.curves, note.times)
    for value, name in zip(out, ("log_mel", "inst_freq"), strict=True):
        g.output(value, name, FLOAT, ["batch", shape.frames, shape.bins])
    return g.serialise("GANSynth generator, reference export")


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
