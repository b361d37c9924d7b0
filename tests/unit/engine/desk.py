"""A mixing desk for tests: the mixer's memory with buffers, commands by name, and playing in blocks of any size."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from synth_app.engine import protocol
from synth_app.engine.callback import MixerMemory
from synth_app.engine.protocol import COMMAND, FREE, MASTER, look_ahead_frames

RATE_HZ = 48_000
DELAY = look_ahead_frames(RATE_HZ)
"""Frames by which the limiter delays what the desk plays."""

_DEFAULTS = {"rate": 1.0, "sustain": 1.0}


@dataclass
class Buffer:
    """A note as the mixer sees it: samples, and how many of them are there."""

    samples: NDArray[np.float32]
    available: int | None = None
    final: bool = True
    progress: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.samples = np.ascontiguousarray(self.samples, np.float32)
        there = len(self.samples) if self.available is None else self.available
        self.progress = np.array([there, int(self.final)], np.int64)

    def grow(self, available: int, final: bool = False) -> None:
        self.progress[:] = available, int(final)


class Desk:
    """Plays commands at frames. Everything it was lent stays alive as long as it does."""

    def __init__(self, rate_hz: int = RATE_HZ) -> None:
        self.memory = MixerMemory(rate_hz)
        self.lent: list[Buffer] = []
        self._messages: list[tuple[int, int, int, int, float]] = []

    @property
    def state(self) -> np.void:
        return self.memory.state[0]

    @property
    def sounding(self) -> list[int]:
        """Slots in use."""
        return [int(i) for i in np.flatnonzero(self.memory.slots["state"] != FREE)]

    def command(self, kind: int, slot: int = 0, frame: int = 0, voice_id: int | None = None, **fields: float) -> None:
        """Put one command; the voice's id is the slot's number plus 1 unless given."""
        values = dict(_DEFAULTS, kind=kind, slot=slot, due_frame=frame, **fields)
        values["voice_id"] = slot + 1 if voice_id is None else voice_id
        assert COMMAND.names is not None
        assert set(values) <= set(COMMAND.names)
        assert self.memory.commands.put(tuple(values.get(name, 0) for name in COMMAND.names))
        self.memory.commands.commit()

    def start(self, buffer: Buffer, slot: int = 0, frame: int = 0, gain: float = 1.0, **fields: float) -> None:
        self.lent.append(buffer)
        fields = {"gain_left": gain, "gain_right": gain, **fields}
        self.command(
            protocol.START, slot, frame, buffer=buffer.samples.ctypes.data, progress=buffer.progress.ctypes.data,
            **fields,
        )  # fmt: skip

    def release(self, slot: int = 0, frame: int = 0, release_s: float = 0.3) -> None:
        self.command(protocol.RELEASE, slot, frame, release_s=release_s)

    def kill(self, slot: int = 0, frame: int = 0, fade_s: float = 0.005) -> None:
        self.command(protocol.KILL, slot, frame, release_s=fade_s)

    def tune(self, slot: int = 0, frame: int = 0, rate: float = 1.0, vibrato: float = 0.0) -> None:
        self.command(protocol.TUNE, slot, frame, rate=rate, vibrato=vibrato)

    def gain(self, slot: int = 0, frame: int = 0, left: float = 1.0, right: float = 1.0) -> None:
        self.command(protocol.GAIN, slot, frame, gain_left=left, gain_right=right)

    def segment(self, buffer: Buffer, origin: int, switch: int, slot: int = 0, frame: int = 0) -> None:
        self.lent.append(buffer)
        self.command(
            protocol.SEGMENT, slot, frame, buffer=buffer.samples.ctypes.data, progress=buffer.progress.ctypes.data,
            origin=origin, switch=switch,
        )  # fmt: skip

    def master(self, frame: int = 0, gain: float = 1.0, vibrato_hz: float = 5.5) -> None:
        self.command(MASTER, 0, frame, gain_left=gain, vibrato=vibrato_hz)

    def play(self, frames: int, blocks: Sequence[int] = (128,)) -> NDArray[np.float32]:
        """Mix ``frames`` frames in blocks of the given sizes, over and over; float32 ``[frames, 2]``."""
        out = np.full((frames, 2), np.nan, np.float32)
        at = 0
        for block in itertools.cycle(blocks):
            if at >= frames:
                break
            stop = min(frames, at + block)
            self.memory.mix(out[at:stop])
            at = stop
        return out

    def heard(self, frames: int, blocks: Sequence[int] = (128,)) -> NDArray[np.float32]:
        """As :meth:`play`, the limiter's delay taken off (from the start of the mix)."""
        return self.play(frames + DELAY, blocks)[DELAY:]

    def news(self) -> list[tuple[int, int, int, int, float]]:
        """(kind, slot, voice_id, frame, value) of what the mixer reported since last time."""
        return self.memory.done.take_all()

    def news_of(self, kind: int) -> list[tuple[int, int, int, int, float]]:
        """Every message of one kind so far."""
        self._messages += self.news()
        return [message for message in self._messages if message[0] == kind]


def sine(hz: float, seconds: float = 1.0, amplitude: float = 0.25, rate_hz: int = RATE_HZ) -> Buffer:
    """A pure tone that begins at a zero crossing."""
    return Buffer(amplitude * np.sin(2.0 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz))


def ones(samples: int = RATE_HZ, level: float = 0.25) -> Buffer:
    """A constant: what comes out is the gain alone."""
    return Buffer(np.full(samples, level))


def steepest(wave: NDArray[np.float32]) -> float:
    """The largest step between neighbouring samples."""
    return float(np.abs(np.diff(wave.astype(float), axis=0)).max())
