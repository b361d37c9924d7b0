"""The decoder as an ONNX graph: pictures of whole notes in, their sound out, so that a device can make both.

It says what :mod:`synth_app.spectral.streaming` says, in operators that every execution provider has. Everything that
looks at magnitudes only (who follows whom, and how firmly) is done for all frames at once; what is left is one short
recurrence over the frames, written out one by one, since a loop would keep CUDA from replaying the whole as one graph.
Magenta's convention has no lock, and its phase is one cumulative sum. The inverse Fourier transform is a product with a
matrix into which window, signs and scale are folded, and the overlap-add four shifted sums.

Phases and powers are float64, as in the kernels: a near tie between two peaks must fall the same way in both. The
product with the matrix, which is nearly all the work, is float32.

Inputs ``log_mel`` and ``inst_freq`` float32 ``[B, frames, bins]`` in physical units; outputs ``picture_log_mel`` and
``picture_inst_freq`` float16 of the same shape, which are what a note keeps, and ``samples`` float32 ``[B, samples *
rate_factor]``, decoded from what is kept.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from synth_app.adapters.onnx_writer_graph import FLOAT, Graph
from synth_app.spectral.config import PhaseConvention, SpectralConfig
from synth_app.spectral.inst_freq import centre_signs
from synth_app.spectral.locking import PULL
from synth_app.spectral.mel import mel_table
from synth_app.spectral.stft import hann

DOUBLE, HALF = TensorProto.DOUBLE, TensorProto.FLOAT16
_POWER_FLOOR = 1e-6


def write_decoder(config: SpectralConfig, convention: PhaseConvention, rate_factor: int) -> bytes:
    """The graph for whole notes of this geometry, at ``rate_factor`` times the model's rate."""
    g = Graph()
    shape: list[int | str] = ["batch", config.frames, config.bins]
    kept = [g.node("Cast", g.input(name, FLOAT, shape), to=HALF) for name in ("log_mel", "inst_freq")]
    start = config.pad_frames if convention == "centred" else 0
    log_mel, inst_freq = (g.node("Cast", _from_frame(g, x, start), to=DOUBLE) for x in kept)
    writer = _Writer(g, config, config.frames - start)
    power = writer.power(log_mel)
    if convention == "centred":
        turns, signs = writer.locked_turns(power, inst_freq), centre_signs(config.bins)
    else:
        turns, signs = writer.summed_turns(inst_freq), np.ones(config.bins)
    samples = writer.sound(power, turns, inverse_matrix(config, signs, rate_factor), config.pad_hops - start)
    for value, name in zip(kept, ("picture_log_mel", "picture_inst_freq"), strict=True):
        g.output(value, name, HALF, shape)
    g.output(samples, "samples", FLOAT, ["batch", config.samples * rate_factor])
    return g.serialise("decoder: log_mel, inst_freq -> samples")


def inverse_matrix(config: SpectralConfig, signs: NDArray[np.float64], rate_factor: int) -> NDArray[np.float32]:
    """Real and imaginary parts of ``bins`` Fourier bins to one windowed grain, float32 ``[2 * bins, grain]``."""
    bins, length = config.bins, config.fft_size * rate_factor
    scale = 2.0 * signs[:, None] / length
    scale[-1] *= 0.5  # Nyquist has no mirror image; and where it is Nyquist no more it has one, and shares with it
    angle = 2.0 * np.pi / length * np.arange(length)
    window = hann(length) * (rate_factor / 1.5)
    place = np.outer(np.arange(1, bins + 1, dtype=np.int32), np.arange(length, dtype=np.int32)) % length
    matrix = np.empty((2 * bins, length), np.float32)
    for rows, wave in ((slice(0, bins), np.cos(angle)), (slice(bins, None), -np.sin(angle))):
        matrix[rows] = scale * wave[place] * window
    return matrix


class _Writer:
    """Writes the parts of the decoder for ``frames`` frames of ``[B, frames, bins]``."""

    def __init__(self, g: Graph, config: SpectralConfig, frames: int) -> None:
        self._g, self._config, self._frames = g, config, frames
        self._table = mel_table(config)

    def _double(self, value: float | NDArray[np.float64]) -> str:
        return self._g.const(np.asarray(value, np.float64))

    def _bins(self, x: str, indices: NDArray[np.int32]) -> str:
        return self._g.node("Gather", x, self._g.const(indices.astype(np.int64)), axis=2)

    def _to_linear(self, mel: str) -> str:
        """Through the inverse mel table."""
        g, table = self._g, self._table
        parts = [g.mul(self._bins(mel, table.band[:, i]), self._double(table.inverse[:, i])) for i in (0, 1)]
        return g.add(*parts)

    def power(self, log_mel: str) -> str:
        return self._g.add(self._to_linear(self._g.node("Exp", log_mel)), self._double(_POWER_FLOOR))

    def _unturned(self, turns: str) -> str:
        """Without whole turns."""
        return self._g.node("Sub", turns, self._g.node("Round", turns))

    def summed_turns(self, inst_freq: str) -> str:
        """Magenta's phase: every bin by itself, padding and all."""
        g = self._g
        half_turns = g.node("CumSum", self._to_linear(inst_freq), g.const(np.asarray(1, np.int64)))
        return self._unturned(g.mul(half_turns, self._double(0.5)))

    def locked_turns(self, power: str, inst_freq: str) -> str:
        """Phase pulled towards the peaks; see :mod:`synth_app.spectral.locking`."""
        g = self._g
        leader, share = self._plan(power)
        step = g.mul(self._bins(inst_freq, self._table.nearest), self._double(0.5))
        ones = g.const([1] * self._frames)
        steps, leaders, shares = (g.nodes("Split", self._frames, x, ones, axis=1) for x in (step, leader, share))
        turns, last = [], ""
        for frame in range(self._frames):
            turned = self._unturned(g.add(last, steps[frame]) if last else steps[frame])
            ahead = g.node("GatherElements", turned, leaders[frame], axis=2)
            distance = self._unturned(g.node("Sub", ahead, turned))
            last = g.add(turned, g.mul(shares[frame], distance))
            turns.append(last)
        return g.node("Concat", *turns, axis=1)

    def _plan(self, power: str) -> tuple[str, str]:
        """Which bin each follows (int64) and which share of its distance it gives up, ``[B, frames, bins]``."""
        g, bins = self._g, self._config.bins
        padded = g.node("Pad", power, g.const([0, 0, 3, 0, 0, 3]))
        at = {o: self._shifted(padded, 3 + o, bins) for o in range(-3, 4)}

        def greater(a: int, b: int) -> str:
            return g.node("Greater", at[a], at[b])

        def both(a: str, b: str) -> str:
            return g.node("And", a, b)

        def peak(o: int) -> str:
            return both(greater(o, o - 1), g.node("GreaterOrEqual", at[o], at[o + 1]))

        none, no_peak = self._double(0.0), self._double(-1.0)
        sides = []
        for one, two in ((1, 2), (-1, -2)):
            near = both(greater(one, 0), peak(one))
            far = both(both(greater(one, 0), greater(two, one)), peak(two))
            offset = g.node("Where", near, self._double(one), g.node("Where", far, self._double(two), none))
            height = g.node("Where", near, at[one], g.node("Where", far, at[two], no_peak))
            sides.append((offset, height))
        (right, right_height), (left, left_height) = sides
        follows = g.node("Where", g.node("GreaterOrEqual", left_height, right_height), left, right)
        leader = g.add(g.const(np.arange(bins, dtype=np.int64)), g.node("Cast", follows, to=TensorProto.INT64))
        steadiness = g.node("GatherElements", self._steadiness(at), leader, axis=2)
        alone = g.node("Equal", follows, none)
        return leader, g.node("Where", alone, none, g.mul(steadiness, self._double(PULL)))

    def _steadiness(self, at: dict[int, str]) -> str:
        """Energy of each bin and its neighbours, in this frame and the one before: the lesser over the greater."""
        g = self._g
        now = g.add(g.add(at[0], at[-1]), at[1])
        silence_before = g.node("Pad", now, g.const([0, 1, 0, 0, 0, 0]))
        then = g.node("Slice", silence_before, g.const([0]), g.const([self._frames]), g.const([1]))
        return g.node("Div", g.node("Min", now, then), g.node("Max", now, then))

    def _shifted(self, padded: str, first: int, bins: int) -> str:
        g = self._g
        return g.node("Slice", padded, g.const([first]), g.const([first + bins]), g.const([2]))

    def sound(self, power: str, turns: str, matrix: NDArray[np.float32], pad_hops: int) -> str:
        """Inverse transform and overlap-add, without the first ``pad_hops`` hops: ``[B, samples]``."""
        g = self._g
        size = g.node("Cast", g.node("Sqrt", power), to=FLOAT)
        angle = g.node("Cast", g.mul(turns, self._double(2.0 * np.pi)), to=FLOAT)
        parts = [g.mul(size, g.node(function, angle)) for function in ("Cos", "Sin")]
        grains = g.node("MatMul", g.node("Concat", *parts, axis=2), g.const(matrix))
        hop = matrix.shape[1] // 4
        quarters = g.nodes("Split", 4, grains, g.const([hop] * 4), axis=2)
        shifted = [g.node("Pad", q, g.const([0, i, 0, 0, 3 - i, 0])) for i, q in enumerate(quarters)]
        hops = shifted[0]
        for more in shifted[1:]:
            hops = g.add(hops, more)
        return g.reshape(_from_frame(g, hops, pad_hops), [0, -1])


def _from_frame(g: Graph, x: str, start: int) -> str:
    """``x[:, start:]``."""
    if start == 0:
        return x
    return g.node("Slice", x, g.const([start]), g.const([np.iinfo(np.int64).max]), g.const([1]))
