"""Watching the hand-over to the mixer: when each START was posted, and at which frame it came to sound."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth_app.app import compose
from synth_app.app.compose import Core
from synth_app.engine.callback import MixerMemory
from synth_app.engine.clock import read_stamp
from synth_app.engine.control import ControlLoop
from synth_app.engine.protocol import look_ahead_frames
from synth_app.engine.stage import AT_ONCE, News, Sounding, Stage, Started
from synth_app.render.note import Note

_NEAR_NS = 500_000_000


@dataclass(slots=True)
class Struck:
    """One voice on its way.

    Attributes:
        stamp_ns: the event's time, as RtMidi stamped it.
        posted_ns: when its START was visible to the mixer.
        due_frame: where it was meant to start (0: it was too late to say). started_frame: where it did.
    """

    stamp_ns: int
    posted_ns: int = 0
    due_frame: int = 0
    started_frame: int = -1


class WatchedStage(Stage):
    """The control thread's stage, with a notebook.

    Attributes:
        control: whose stage it is; known once the engine is built.
        struck: every voice started, in order.
        on_start: called with each note that starts.
    """

    def __init__(self, memory: MixerMemory) -> None:
        super().__init__(memory)
        self.control: ControlLoop | None = None
        self.struck: list[Struck] = []
        self.on_start: Callable[[Note], None] = lambda note: None
        self._by_slot: dict[int, Struck] = {}
        self._unposted: list[Struck] = []

    def start(self, voice_id: int, note: Note, due_frame: int, sounding: Sounding) -> int | None:
        slot = super().start(voice_id, note, due_frame, sounding)
        voices = self.control.voices if self.control is not None else ()
        stamps = [voice.action.time_ns for voice in voices if voice.voice_id == voice_id]
        if slot is not None and stamps:
            struck = Struck(stamps[0], due_frame=due_frame)
            self.struck.append(struck)
            self._unposted.append(struck)
            self._by_slot[slot] = struck
            self.on_start(note)
        return slot

    def commit(self) -> None:
        super().commit()
        now_ns = time.monotonic_ns()
        for struck in self._unposted:
            struck.posted_ns = now_ns
        self._unposted.clear()

    def collect(self) -> Sequence[News]:
        news = super().collect()
        for item in news:
            if isinstance(item, Started) and item.slot in self._by_slot:
                self._by_slot.pop(item.slot).started_frame = item.frame
        return news


def build_watched_core(*arguments: Any, **options: Any) -> tuple[Core, WatchedStage]:
    """What :func:`synth_app.app.compose.build_core` builds, with a watched stage in it from the beginning."""
    stages: list[WatchedStage] = []

    def make_stage(memory: MixerMemory) -> WatchedStage:
        stages.append(WatchedStage(memory))
        return stages[-1]

    vars(compose)["Stage"] = make_stage
    try:
        core = compose.build_core(*arguments, **options)
    finally:
        vars(compose)["Stage"] = Stage
    stages[-1].control = core.control
    return core, stages[-1]


class StampLog:
    """Callback stamps over a run: the audio clock as it really went."""

    def __init__(self, memory: MixerMemory) -> None:
        self._memory = memory
        self._stamps: dict[int, int] = {}

    def note(self) -> None:
        """Take down the latest stamp."""
        stamp = read_stamp(self._memory)
        if stamp is not None:
            self._stamps[stamp[0]] = stamp[1]

    def frames_at(self, times_ns: NDArray[np.int64]) -> NDArray[np.float64]:
        """The frame (with fractions) being mixed at each time, float64.

        Each answer is the median of what the stamps of the second around that time say, at the nominal rate: a block
        that was woken late moves it little, and a driver that lost some blocks is followed.

        Raises:
            ValueError: no stamp was taken near a time.
        """
        frames = np.array(list(self._stamps), np.int64)
        stamps = np.array(list(self._stamps.values()), np.int64)
        answers = []
        for time_ns in times_ns:
            near = slice(*np.searchsorted(stamps, (time_ns - _NEAR_NS, time_ns + _NEAR_NS)))
            if near.start == near.stop:
                raise ValueError("the callback left no stamp near an event")
            answers.append(np.median(frames[near] + (time_ns - stamps[near]) * (1e-9 * self._memory.rate_hz)))
        return np.array(answers, np.float64)


def delays_ms(struck: Sequence[Struck], log: StampLog, rate_hz: int) -> NDArray[np.float64]:
    """From each stamp to its first sample's place in the mix, the limiter's delay included, milliseconds."""
    began = [s for s in struck if s.started_frame >= 0]
    stamps = np.array([s.stamp_ns for s in began], np.int64)
    frames = np.array([s.started_frame for s in began]) + look_ahead_frames(rate_hz)
    return (frames - log.frames_at(stamps)) * 1e3 / rate_hz if began else np.zeros(0)


def errors_frames(struck: Sequence[Struck]) -> NDArray[np.int64]:
    """How far each voice that had a due frame started behind it."""
    errors = [s.started_frame - s.due_frame for s in struck if s.started_frame >= 0 and s.due_frame != AT_ONCE]
    return np.array(errors, np.int64)
