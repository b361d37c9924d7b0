"""Sixty-four voices to mix, for the compiled callback and for the same mixing written in numpy.

:class:`NumpyMixer` is as good as a Python callback gets: all voices at once, no loop over voices or samples, no
allocation that numpy can avoid in plain code. It leaves out what cannot be written without such a loop (the limiter's
recovery, voices that start or end within a block), so the comparison flatters it.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth_app.core.keys import NoteKey
from synth_app.core.shared import write_shared
from synth_app.core.units import db_to_gain
from synth_app.engine.callback import CEILING_DB, MixerMemory
from synth_app.engine.protocol import look_ahead_frames
from synth_app.engine.stage import AT_ONCE, Sounding, Stage
from synth_app.performer.actions import EnvelopeTimes
from synth_app.render.note import AVAILABLE, FINAL, Note

VOICES = 64
RATE_HZ = 48_000
NOTE_S = 4.0
VIBRATO_HZ = 5.5
_OPEN = EnvelopeTimes(0.0, 500.0, 1.0, 300.0)

PythonCallback = ctypes.CFUNCTYPE(
    ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_void_p
)
"""PortAudio's stream callback as Python is called from C: taking the GIL on entry."""


@dataclass(frozen=True, slots=True)
class Chord:
    """Voices to mix, one row each.

    Attributes:
        audio: float32 ``[voices, samples]``. rate: samples a frame. vibrato: depth as a ratio.
        gain: ``[voices, 2]``, left and right.
    """

    audio: NDArray[np.float32]
    rate: NDArray[np.float64]
    vibrato: NDArray[np.float64]
    gain: NDArray[np.float64]

    @property
    def frames(self) -> int:
        """Frames for which every voice sounds."""
        return int((self.audio.shape[1] - 4) / (self.rate * (1.0 + self.vibrato)).max())


def make_chord(rng: np.random.Generator, voices: int = VOICES, seconds: float = NOTE_S) -> Chord:
    """Voices of noise, each bent a little and with vibrato: every sample is interpolated, as when the wheel is up."""
    audio = rng.standard_normal((voices, round(seconds * RATE_HZ))).astype(np.float32)
    return Chord(
        audio,
        rng.uniform(0.94, 1.06, voices),
        rng.uniform(0.001, 0.01, voices),
        rng.uniform(0.001, 0.004, (voices, 2)),
    )


class CompiledMixer:
    """The instrument's mixer with a chord on its slots."""

    def __init__(self, chord: Chord) -> None:
        self.memory = MixerMemory(RATE_HZ)
        self.memory.state[0]["vibrato_hz"] = VIBRATO_HZ
        self._chord = chord
        self._stage = Stage(self.memory)
        self._notes = [_note(i, row) for i, row in enumerate(chord.audio)]
        self._strikes = 0

    def strike(self) -> None:
        """Start every voice at the next block."""
        self._stage.collect()
        c = self._chord
        for i, note in enumerate(self._notes):
            sounding = Sounding(c.rate[i], c.vibrato[i], c.gain[i, 0], c.gain[i, 1], _OPEN)
            if self._stage.start(self._strikes * VOICES + i, note, AT_ONCE, sounding) is None:
                raise AssertionError("the voices of the last strike have not ended")
        self._strikes += 1
        self._stage.commit()

    @property
    def sounding(self) -> int:
        """Voices that the mixer holds."""
        self._stage.collect()
        return self._stage.slots_in_use


def _note(number: int, audio: NDArray[np.float32]) -> Note:
    note = Note(NoteKey("bench", b"", number), np.zeros(1, np.float32), len(audio), 0, (1, 1))
    note.prepare()
    note.audio[:] = audio
    write_shared(note.progress, AVAILABLE, len(audio))
    write_shared(note.progress, FINAL, 1)
    return note


class NumpyMixer:
    """The same sums in numpy: interpolation, vibrato, gains, and a limiter without its recovery."""

    def __init__(self, chord: Chord) -> None:
        self._chord = chord
        self._rows = np.arange(len(chord.rate))[:, None]
        size = look_ahead_frames(RATE_HZ)
        self._ceiling = db_to_gain(CEILING_DB)
        self._delay = np.zeros((size, 2))
        self._needs = np.ones(size)
        self._lowest = np.ones(size)
        self._lfo_frame = 0
        self.strike()

    def strike(self) -> None:
        """Start every voice from its beginning."""
        self._position = np.zeros(len(self._chord.rate))

    @property
    def ended(self) -> bool:
        """Whether some voice has come to its end (they wait there)."""
        return bool(self._position.max() >= self._chord.audio.shape[1] - 4)

    def mix(self, out: NDArray[np.float32]) -> None:
        """Mix into ``out``, float32 ``[frames, 2]``."""
        frames, c = len(out), self._chord
        turns = np.arange(self._lfo_frame, self._lfo_frame + frames) * (2.0 * np.pi * VIBRATO_HZ / RATE_HZ)
        self._lfo_frame += frames
        step = c.rate[:, None] * (1.0 + c.vibrato[:, None] * np.sin(turns))
        ends = np.cumsum(step, axis=1) + self._position[:, None]
        position = ends - step
        self._position = ends[:, -1]
        whole = position.astype(np.int64)
        np.minimum(whole, c.audio.shape[1] - 3, out=whole)
        fraction = position - whole
        here, after, later = (c.audio[self._rows, whole + i] for i in (0, 1, 2))
        before = c.audio[self._rows, np.maximum(whole - 1, 0)]
        c1 = 0.5 * (after - before)
        c2 = before - 2.5 * here + 2.0 * after - 0.5 * later
        c3 = 0.5 * (later - before) + 1.5 * (here - after)
        value = ((c3 * fraction + c2) * fraction + c1) * fraction + here
        out[:] = self._limit(value.T @ c.gain)

    def _limit(self, mixed: NDArray[np.float64]) -> NDArray[np.float64]:
        size, frames = len(self._delay), len(mixed)
        peak = np.maximum(np.abs(mixed).max(axis=1), 1e-9)
        needs = np.concatenate([self._needs, np.minimum(1.0, self._ceiling / peak)])
        lowest = np.lib.stride_tricks.sliding_window_view(needs, size + 1).min(axis=1)
        held = np.concatenate([self._lowest, lowest])
        box = np.concatenate([[0.0], np.cumsum(held)])
        gain = (box[size + 1 :] - box[1:-size]) / size
        line = np.concatenate([self._delay, mixed])
        self._needs, self._lowest, self._delay = needs[frames:], held[frames:], line[frames:]
        return np.asarray(line[:frames] * gain[:, None])

    def as_callback(self, memory: MixerMemory) -> Any:
        """A C callback that mixes with this and counts its calls in ``memory``, as a stream expects.

        Keep it alive for as long as it may be called.
        """

        def callback(_source: int, out: int, frames: int, _time: int, _flags: int, _user: int) -> int:
            samples = np.ctypeslib.as_array((ctypes.c_float * (2 * frames)).from_address(out))
            self.mix(samples.reshape(frames, 2))
            memory.state[0]["callbacks"] += 1
            return 0

        return PythonCallback(callback)
