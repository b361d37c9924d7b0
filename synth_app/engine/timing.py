"""Clocks that give output frames, and the statistics of how well the designed delay is kept."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Protocol

from synth_app.engine.callback import MixerMemory
from synth_app.engine.clock import DelayLockedLoop, read_stamp

_REMEMBERED = 512


class FrameClock(Protocol):
    """Times to output frames."""

    def frame_at(self, time_ns: int) -> int:
        """The frame mixed at a time."""
        ...

    def frame_now(self) -> int:
        """The first frame not mixed yet."""
        ...


class LiveClock:
    """Follows the callback's stamps."""

    def __init__(self, memory: MixerMemory, now_ns: Callable[[], int]) -> None:
        self._memory = memory
        self._now_ns = now_ns
        self._loop = DelayLockedLoop(memory.rate_hz)

    def update(self) -> None:
        """Take in the latest stamp (control thread, at every step)."""
        stamp = read_stamp(self._memory)
        if stamp is not None:
            self._loop.update(*stamp)

    def frame_at(self, time_ns: int) -> int:
        self.update()
        return self._loop.frame_at(time_ns) if self._loop.locked else 0

    def frame_now(self) -> int:
        return int(self._memory.state[0]["frame"])


class FileClock:
    """Time 0 is frame 0, and time passes as frames are mixed."""

    def __init__(self, memory: MixerMemory) -> None:
        self._memory = memory

    def frame_at(self, time_ns: int) -> int:
        return round(time_ns * self._memory.rate_hz / 1_000_000_000)

    def frame_now(self) -> int:
        return int(self._memory.state[0]["frame"])


class DelayStatistics:
    """How far voices started from their designed frame, over the last notes."""

    def __init__(self) -> None:
        self._errors: deque[int] = deque(maxlen=_REMEMBERED)

    def add(self, error_frames: int) -> None:
        """A voice started so many frames after its due frame."""
        self._errors.append(error_frames)

    @property
    def errors_frames(self) -> tuple[int, ...]:
        """The last errors, oldest first."""
        return tuple(self._errors)

    def jitter_ms(self, rate_hz: int) -> float:
        """Standard deviation of the delay."""
        if len(self._errors) < 2:
            return 0.0
        mean = sum(self._errors) / len(self._errors)
        return math.sqrt(sum((e - mean) ** 2 for e in self._errors) / len(self._errors)) * 1e3 / rate_hz
