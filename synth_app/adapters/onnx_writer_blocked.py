"""The CPU form of the generator: small graphs in ONNX Runtime's blocked layout, one note at a time.

* ``latent``: what a latent alone decides (its share of the dense layers; ten megabytes of weights are read for it).
* ``pitch``: what a pitch alone decides (bias map, harmonic features, basis).
* ``trunk``: both together, through the low resolutions, for the rows that some frames need.
* ``top``: the tall resolutions, for a tile of frames.

And beside them, where the generator has what they are made of, ``onset``: the frames that need neither of the last two;
and ``drawn`` and ``sketch``: frames of one latent's note as they would be at another, if only the heads changed (ADR
19).

Whoever runs them keeps the first two's outputs by latent and by pitch, and a trunk's for the frames that follow. The
outputs of one are inputs of the next under the same names; each graph asks only for what it needs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth_app.adapters.onnx_writer_arrays import Arrays, GeneratorShape, GraphOptions, check_arrays, conv_names
from synth_app.adapters.onnx_writer_blocks import write_block, write_first_block
from synth_app.adapters.onnx_writer_graph import FLOAT, INT64, Graph
from synth_app.adapters.onnx_writer_heads import (
    LatentValues,
    PitchValues,
    film_widths,
    write_curves,
    write_input,
    write_latent,
    write_note,
    write_output,
    write_picture,
    write_pitch,
    write_side_network,
)
from synth_app.adapters.onnx_writer_layout import BlockedLayout, Film, blocked_dense, pad_channels
from synth_app.adapters.onnx_writer_onset import OnsetPitch, write_onset, write_onset_pitch
from synth_app.adapters.onnx_writer_rows import BlockRows

PAINTED = 0.999
"""What a tanh gave is not undone beyond this."""


@dataclass(frozen=True, slots=True)
class BlockedStages:
    """The graphs, as bytes.

    ``latent``: ``latents [1, L]``. ``pitch``: ``pitches [1]``. ``trunk``: their outputs and ``rows``. ``top``: the
    trunk's and the pitch's outputs, ``frames [2]`` and ``rows``; gives ``log_mel`` and ``inst_freq [1, rows, bins]``.
    ``rows`` is :func:`row_table` of the stage's blocks; ``split`` is the trunk's last block. ``onset``: ``latents`` and
    the pitch's outputs; gives ``log_mel`` and ``inst_freq [1, T, bins]``. ``drawn``: the latent's and the pitch's
    outputs; gives ``hidden`` and ``curves``. ``sketch``: those of two latents, ``from_`` and ``to_``, frames
    ``was_log_mel`` and ``was_inst_freq`` and their numbers ``places [T]``; gives ``log_mel`` and ``inst_freq``.
    """

    latent: bytes
    pitch: bytes
    trunk: bytes
    top: bytes
    split: int
    onset: bytes | None = None
    drawn: bytes | None = None
    sketch: bytes | None = None


def write_blocked_stages(arrays: Arrays, options: GraphOptions | None = None, block_size: int = 16,
                         split: int = 0) -> BlockedStages:  # fmt: skip
    """Write the graphs; ``split`` is the last block of the trunk (0: all but the last two, at least two).

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
    writer = _StageWriter(padded, check_arrays(padded, options), options, block_size, split, true.channels)
    onset = writer.onset() if true.onset is not None else None
    drawn, sketch = (writer.drawn(), writer.sketch()) if true.rank else (None, None)
    return BlockedStages(writer.latent(), writer.pitch(), writer.trunk(), writer.top(), split, onset, drawn, sketch)


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


@dataclass(frozen=True, slots=True)
class _StageWriter:
    """The arrays (padded to whole blocks) and what all graphs share."""

    arrays: Arrays
    shape: GeneratorShape
    options: GraphOptions
    n: int
    split: int
    true_channels: tuple[int, ...]

    @property
    def _dense(self) -> NDArray[np.float32]:
        return blocked_dense(self.arrays["block1.conv0.weight"], self.shape.channels[0], self.n)

    def _layout(self, g: Graph) -> BlockedLayout:
        return BlockedLayout(g, self.arrays, self.n, self.true_channels)

    def _given(self, g: Graph, name: str, there: bool) -> str | None:
        return g.input(name, FLOAT, None) if there else None

    def latent(self) -> bytes:
        g = Graph()
        values = write_latent(
            g, self.arrays, self.shape, g.input("latents", FLOAT, [1, self.shape.latent_size]), self._dense
        )
        outputs = {"latent_dense": values.dense, "latent_square": values.square, "latent_side": values.side}
        return _finish(g, outputs, "what a latent decides")

    def pitch(self) -> bytes:
        g = Graph()
        pitches = g.input("pitches", INT64, [1])
        index = g.node("Sub", pitches, g.const(np.asarray(self.options.lowest_pitch, np.int64)))
        values = write_pitch(g, self.arrays, self.shape, self.options, index, self._dense)
        layout = self._layout(g)
        outputs = {"pitch_dense": values.dense, "pitch_side": values.side, "bias": values.bias, "basis": values.basis}
        if "harm.block1.weight" in self.arrays:
            outputs |= {f"harmonics{b}": layout.harmonics(f, b) for b, f in values.features.items()}
        if self.shape.onset is not None:
            onset = write_onset_pitch(g, self.arrays, self.shape, index, values)
            outputs |= {"onset_side": onset.side, "onset_features": onset.features}
        return _finish(g, outputs, "what a pitch decides")

    def trunk(self) -> bytes:
        g = Graph()
        side, rank = self.shape.hidden > 0, self.shape.rank > 0
        dense, square = g.input("latent_dense", FLOAT, None), g.input("latent_square", FLOAT, None)
        latent = LatentValues(dense, square, self._given(g, "latent_side", side))
        pitch = PitchValues(
            g.input("pitch_dense", FLOAT, None), self._given(g, "pitch_side", side), None, {},
            self._given(g, "basis", rank),
        )  # fmt: skip
        note = write_note(g, self.arrays, self.shape, self.options, latent, pitch)
        layout, films = self._layout(g), self._films(g, note.film)
        harmonics = self._harmonics(g, 1, self.split)
        x = write_first_block(layout, layout.first(note.dense), films, harmonics)
        rows = _rows_from_table(g, 2, self.split)
        for block in range(2, self.split + 1):
            x = write_block(layout, x, block, rows[block], films, harmonics, False)
        outputs = {"x": x, "film": note.film, "curves": note.curves, "hidden": note.hidden if rank else None}
        return _finish(g, outputs, "low resolutions")

    def top(self) -> bytes:
        g, shape = Graph(), self.shape
        x = g.input("x", FLOAT, [1, shape.channels[self.split - 1], "low", 2 ** (self.split + 3)])
        start, stop = g.nodes("Split", 2, g.input("frames", INT64, [2]), axis=0, num_outputs=2)
        layout, films = self._layout(g), self._films(g, self._given(g, "film", shape.film_hidden > 0))
        harmonics = self._harmonics(g, self.split + 1, shape.blocks)
        rows = _rows_from_table(g, self.split + 1, shape.blocks)
        for block in range(self.split + 1, shape.blocks + 1):
            x = write_block(layout, x, block, rows[block], films, harmonics, block == shape.blocks)
        rgb = layout.to_rgb(x, shape.blocks, films.get((shape.blocks, 1)))
        bias = self._given(g, "bias", "pitch_bias" in self.arrays)
        times = None
        if shape.rank:
            times = self._times(
                g, g.input("hidden", FLOAT, None), lambda part: g.node("Slice", part, start, stop, g.const([0]))
            )
        picture = write_picture(g, rgb, bias, times, self._given(g, "curves", shape.rank > 0))
        return self._finish_picture(g, picture, "high resolutions")

    def onset(self) -> bytes:
        g, latent_size = Graph(), self.shape.latent_size
        onset_side, features, bias, basis = (
            g.input(name, FLOAT, None) for name in ("onset_side", "onset_features", "bias", "basis")
        )
        latents, by_pitch = g.input("latents", FLOAT, [1, latent_size]), OnsetPitch(onset_side, features)
        picture = write_onset(g, self.arrays, self.shape, latents, by_pitch, bias, basis)
        return self._finish_picture(g, picture, "onset")

    def drawn(self) -> bytes:
        g = Graph()
        latent_side, pitch_side, basis = (g.input(name, FLOAT, None) for name in ("latent_side", "pitch_side", "basis"))
        hidden = write_side_network(g, self.arrays, g.add(latent_side, pitch_side), "side")
        curves = write_curves(g, self.arrays, self.shape, self.options, basis, hidden)
        return _finish(g, {"hidden": hidden, "curves": curves}, "what the heads draw with")

    def sketch(self) -> bytes:
        g = Graph()
        places = g.input("places", INT64, ["frames"])
        drawn = []
        for note in ("from", "to"):
            times = self._times(
                g, g.input(f"{note}_hidden", FLOAT, None), lambda part: g.node("Gather", part, places, axis=0)
            )
            drawn.append(g.node("MatMul", times, g.input(f"{note}_curves", FLOAT, None)))
        was = write_input(g, self.options, *(g.input(name, FLOAT, None) for name in ("was_log_mel", "was_inst_freq")))
        was = g.node("Clip", was, g.const(-PAINTED), g.const(PAINTED))
        one = g.const(1.0)
        ratio = g.node("Div", g.add(one, was), g.node("Sub", one, was))  # artanh is half its logarithm
        moved = g.add(g.mul(g.node("Log", ratio), g.const(0.5)), g.node("Sub", drawn[1], drawn[0]))
        return self._finish_picture(g, g.node("Tanh", moved), "what the heads alone would change")

    def _finish_picture(self, g: Graph, picture: str, doc: str) -> bytes:
        out = write_output(g, self.options, picture)
        return _finish(g, dict(zip(("log_mel", "inst_freq"), out, strict=True)), doc)

    def _films(self, g: Graph, film: str | None) -> dict[tuple[int, int], Film]:
        """Pieces in the shapes that a depthwise convolution takes."""
        if film is None:
            return {}
        widths = film_widths(self.shape)
        scales, shifts = g.nodes("Split", 2, g.reshape(film, [-1]), axis=0, num_outputs=2)
        scales = g.reshape(scales, [-1, 1, 1, 1])
        pieces = [g.nodes("Split", len(widths), part, g.const(widths), axis=0) for part in (scales, shifts)]
        return dict(zip(conv_names(self.shape.blocks), zip(*pieces, strict=True), strict=True))

    def _harmonics(self, g: Graph, first: int, last: int) -> dict[int, str]:
        there = "harm.block1.weight" in self.arrays
        return {b: g.input(f"harmonics{b}", FLOAT, None) for b in range(first, last + 1)} if there else {}

    def _times(self, g: Graph, hidden: str, some: Callable[[str], str]) -> str:
        """The head's time curves of some frames only, ``[1, 2, rows, R]``: the weights lie frame by frame."""
        frames, rank = self.shape.frames, self.shape.rank
        weight = self.arrays["head.time.weight"].reshape(-1, 2 * rank, frames).transpose(2, 0, 1)
        bias = self.arrays["head.time.bias"].reshape(2 * rank, frames).T[:, None]
        rows, offsets = (some(g.const(part)) for part in (weight, bias))
        times = g.add(g.node("MatMul", g.reshape(hidden, [1, 1, -1]), rows), offsets)
        return g.node("Transpose", g.reshape(times, [1, -1, 2, rank]), perm=[0, 2, 1, 3])


def _finish(g: Graph, outputs: dict[str, str | None], doc: str) -> bytes:
    for name, value in outputs.items():
        if value is not None:
            g.output(value, name, FLOAT, None)
    return g.serialise(f"GANSynth generator, blocked: {doc}")


def _rows_from_table(g: Graph, first_block: int, last_block: int) -> dict[int, list[str]]:
    """Pairs of int64 fed by :func:`row_table`, four a block."""
    count = 4 * (last_block - first_block + 1)
    parts = g.nodes("Split", count, g.input("rows", INT64, [2 * count]), axis=0, num_outputs=count)
    return {b: parts[4 * k : 4 * k + 4] for k, b in enumerate(range(first_block, last_block + 1))}
