"""A whole engine on a table: control, streams, worker and mixer stepped by hand on a clock that only tests move.

One step is one block of the sound card. Between blocks the control loop steps, and the worker is given as many slices
as the test allows: so "the render takes 50 ms" is a plain number, and the same run always gives the same samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from synth_app.app.compose import build_core
from synth_app.core.events import Event, NoteOff, NoteOn, PitchBend, SetMorph
from synth_app.core.units import pitch_to_hz
from synth_app.engine.callback import MixerMemory
from synth_app.engine.inbox import Inbox
from synth_app.engine.protocol import FREE, look_ahead_frames
from synth_app.engine.timing import FileClock
from synth_app.engine.voices import EngineVoice
from synth_app.render.note import Note
from synth_app.render.ports import Generator
from synth_app.timbre.anchors import Anchor, Layer
from synth_app.timbre.palette import Palette
from synth_app.timbre.patch import Patch, PatchAnchor
from tests.helpers.sine_generator import SineGenerator

RATE_HZ = 48_000
BLOCK = 128
DELAY = 2 * BLOCK
LOOK_AHEAD = look_ahead_frames(RATE_HZ)

LEVELS_DB = {"Plain": 0.0, "Soft": -12.0, "Loud": 6.0}
"""The sine generator's first latent value is a level, so timbres can be told apart by a meter."""


def anchors() -> tuple[Anchor, ...]:
    def latent(level_db: float) -> NDArray[np.float32]:
        return np.array([level_db, 1.0, 0.5, 0.25], np.float32)

    return tuple(Anchor(name, "Tests", (Layer(100, latent(db)),)) for name, db in LEVELS_DB.items())


def palette(*names: str, **params: float) -> Palette:
    """A palette of the named anchors, the first at full weight; bends of 12 semitones and level by velocity off."""
    chosen = names or ("Plain", "Soft")
    values = {"velocity_range_db": 0.0, "bend_range_semitones": 12.0, "release_ms": 100.0, **params}
    patch = Patch("rig", tuple(PatchAnchor(name, 0.5, 0.5, float(i == 0)) for i, name in enumerate(chosen)))
    for name, value in values.items():
        patch = patch.with_param(name, value)
    return Palette(patch, anchors(), SineGenerator.info)


class Rig:
    """See the module.

    Args:
        slices_a_block: how many slices the worker renders between blocks (0.1: one every tenth block).
        live: render ahead and bridge.
    """

    def __init__(
        self,
        sounds: Palette | None = None,
        *,
        slices_a_block: float = 100.0,
        live: bool = False,
        block: int = BLOCK,
        delay: int = DELAY,
        rate_hz: int = RATE_HZ,
        generator: Generator | None = None,
        settings: Mapping[str, float] | None = None,
        budget_bytes: int | None = None,
    ) -> None:
        self.generator = generator or SineGenerator()
        self.memory = MixerMemory(rate_hz)
        self.inbox = Inbox()
        self.programs: list[tuple[int, int]] = []
        self.palette = sounds or palette()
        self.core = build_core(
            self.generator, self.palette, {"master_db": 0.0, **(settings or {})}, self.memory, FileClock(self.memory),
            self.inbox, delay_frames=delay, live=live, on_program=lambda *chosen: self.programs.append(chosen),
        )  # fmt: skip
        if budget_bytes is not None:
            self.core.control.cache.budget_bytes = budget_bytes
        self.slices_a_block = slices_a_block
        self.block = block
        self.rate_hz = rate_hz
        self._credit = 0.0
        self._played: list[NDArray[np.float32]] = []
        self.after_step: Callable[[], None] = lambda: None

    # -- time ----------------------------------------------------------------------------------------------------

    @property
    def control(self):
        return self.core.control

    @property
    def frame(self) -> int:
        """Frames mixed so far."""
        return int(self.memory.state[0]["frame"])

    @property
    def now_ns(self) -> int:
        return round(self.frame * 1e9 / self.rate_hz)

    # -- hands ---------------------------------------------------------------------------------------------------

    def do(self, *events: Event) -> None:
        """Let events happen now."""
        for event in events:
            self.inbox.post(event)

    def on(self, *pitches: int, velocity: int = 100) -> None:
        self.do(*(NoteOn(self.now_ns, 0, pitch, velocity) for pitch in pitches))

    def off(self, *pitches: int) -> None:
        self.do(*(NoteOff(self.now_ns, 0, pitch) for pitch in pitches))

    def bend(self, semitones: float) -> None:
        self.do(PitchBend(self.now_ns, 0, round(semitones / 12.0 * 8191)))

    def morph(self, *weights: float) -> None:
        self.do(SetMorph(self.now_ns, weights))

    def prepare(self, pitches: Iterable[int], weights: Sequence[float] | None = None, whole: bool = True) -> list[Note]:
        """Have notes in the cache, as if they had been rendered before."""
        finisher = self.control.ensemble.finisher
        notes = []
        for pitch in pitches:
            rendered = self.palette.note(weights or self.palette.patch.weights, 100, pitch)
            note = self.control.cache.want(rendered.note_key, rendered.latent)
            stop = finisher.frames if whole else finisher.first_stop
            while note.next_frame < stop:
                finisher.extend(note, self.generator, finisher.next_stop(note))
            finisher.learn_sustain(note)
            notes.append(note)
        return notes

    # -- running -------------------------------------------------------------------------------------------------

    def step(self) -> NDArray[np.float32]:
        """One block."""
        self.control.step(self.now_ns, self.inbox.take(0.0))
        self._credit = min(self._credit + self.slices_a_block, max(1.0, self.slices_a_block))
        while self._credit >= 1.0 and self.core.worker.step():
            self._credit -= 1.0
            self.control.step(self.now_ns, self.inbox.take(0.0))
        while self.core.streams.step():
            self.control.step(self.now_ns, self.inbox.take(0.0))
        self.after_step()
        out = np.empty((self.block, 2), np.float32)
        self.memory.mix(out)
        self._played.append(out)
        return out

    def run(self, seconds: float) -> NDArray[np.float32]:
        """Play on, and return what was heard meanwhile, left channel, float64."""
        blocks = [self.step() for _ in range(max(1, round(seconds * self.rate_hz / self.block)))]
        return np.concatenate(blocks)[:, 0].astype(float)

    @property
    def played(self) -> NDArray[np.float32]:
        """Everything so far, float32 ``[frames, 2]``, the limiter's delay taken off: index = frame."""
        return np.concatenate([np.empty((0, 2), np.float32), *self._played])[look_ahead_frames(self.rate_hz) :]

    # -- what there is -------------------------------------------------------------------------------------------

    @property
    def voices(self) -> Sequence[EngineVoice]:
        return self.control.voices

    @property
    def sounding(self) -> list[int]:
        """Mixer slots in use."""
        return [int(i) for i in np.flatnonzero(self.memory.slots["state"] != FREE)]

    @property
    def pins(self) -> int:
        return sum(note.pins for note in self.control.cache)

    def assert_clean(self) -> None:
        """Nothing is left of all that was played."""
        assert self.voices == ()
        assert self.control.performer.voices == ()
        assert self.sounding == []
        assert self.control.stage.slots_in_use == 0
        assert self.pins == 0
        assert self.memory.state[0]["refused"] == 0
        assert self.memory.state[0]["lost_messages"] == 0


def tone_db(wave: NDArray[np.floating], pitch: float, rate_hz: int = RATE_HZ) -> float:
    """Level of a pure tone of that pitch in a wave, in dB of full scale (amplitude)."""
    window = np.hanning(len(wave))
    phase = 2.0 * np.pi * pitch_to_hz(pitch) * np.arange(len(wave)) / rate_hz
    amplitude = 2.0 * abs(np.sum(wave * window * np.exp(-1j * phase))) / window.sum()
    return 20.0 * float(np.log10(max(amplitude, 1e-9)))


def level_db(wave: NDArray[np.floating]) -> float:
    """Highest sample in dB."""
    return 20.0 * float(np.log10(max(float(np.abs(wave).max(initial=0.0)), 1e-9)))


def onset(wave: NDArray[np.floating], threshold: float = 1e-4) -> int:
    """Index of the first sample that is not silence; -1 when there is none."""
    above = np.flatnonzero(np.abs(wave) > threshold)
    return int(above[0]) if len(above) else -1
