"""From the monotonic clock to output frames: a delay-locked loop over the callback's stamps.

The callback stamps the start of every block, but it is woken early and late. A second-order loop (F. Adriaensen, "Using
a DLL to filter time", Linux Audio Conference 2005) follows the mean and smooths the rest, so that two notes a
millisecond apart land 48 frames apart at 48 kHz whatever the wake-ups did. Wake-ups have a long tail, so an error
counts for no more than a few usual ones (Huber's clipping); and where several stamps in a row are all off to one side,
blocks were lost, and the loop goes on from there at once instead of drifting over for half a second.
"""

from __future__ import annotations

import math
from collections import deque

from synth_app.core.shared import read_shared
from synth_app.engine.callback import MixerMemory
from synth_app.engine.protocol import STAMP_FRAME, STAMP_NS, STAMP_SEQUENCE

BANDWIDTH_HZ = 0.5
SETTLING_BLOCKS = 30
AGREEING = 5
"""So many stamps in a row that are off to one side are believed."""
SHIFT_NS = 150_000
CLIP = 3.0
"""Times the usual error: what a single stamp may count for, and by how much stamps that agree must be off."""
USUAL_AT_FIRST_NS = 1_000_000.0
USUAL_FOLLOWS = 0.02


class DelayLockedLoop:
    """Maps times to frames from (frame, time) observations.

    Attributes:
        ns_per_frame: present estimate of the frame period.
    """

    def __init__(self, rate_hz: float) -> None:
        self._nominal = 1e9 / rate_hz
        self._frame = 0
        self._ns = 0.0
        self._updates = 0
        self._usual_ns = USUAL_AT_FIRST_NS
        self._errors: deque[float] = deque(maxlen=AGREEING)
        self.ns_per_frame = self._nominal

    def update(self, frame: int, time_ns: int) -> None:
        """Take in that the block at ``frame`` began at ``time_ns``."""
        elapsed = frame - self._frame
        if self._updates and elapsed <= 0:
            return
        if not self._updates:
            self._frame, self._ns, self._updates = frame, float(time_ns), 1
            return
        predicted = self._ns + elapsed * self.ns_per_frame
        self._errors.append(time_ns - predicted)
        predicted += self._shift()
        limit = CLIP * self._usual_ns
        error = min(limit, max(-limit, time_ns - predicted))
        self._usual_ns += USUAL_FOLLOWS * (abs(error) - self._usual_ns)
        bandwidth = BANDWIDTH_HZ * max(1.0, 8.0 * (1.0 - self._updates / SETTLING_BLOCKS))
        omega = min(0.5, 2.0 * math.pi * bandwidth * elapsed * self._nominal * 1e-9)
        self._ns = predicted + math.sqrt(2.0) * omega * error
        self.ns_per_frame += omega * omega * error / elapsed
        self.ns_per_frame = min(max(self.ns_per_frame, 0.99 * self._nominal), 1.01 * self._nominal)
        self._frame = frame
        self._updates += 1

    def _shift(self) -> float:
        """How far the clock has jumped, in ns: what the last stamps agree on, or nothing."""
        least = max(SHIFT_NS, CLIP * self._usual_ns)
        if len(self._errors) < AGREEING or (min(self._errors) < least and max(self._errors) > -least):
            return 0.0
        jump = min(self._errors, key=abs)
        self._errors.clear()
        return jump

    @property
    def locked(self) -> bool:
        """Whether any block has been seen."""
        return self._updates > 0

    def frame_at(self, time_ns: int) -> int:
        """The output frame that is mixed at a time."""
        return self._frame + round((time_ns - self._ns) / self.ns_per_frame)

    def time_at(self, frame: int) -> int:
        """The time at which a frame is mixed."""
        return round(self._ns + (frame - self._frame) * self.ns_per_frame)


def read_stamp(memory: MixerMemory) -> tuple[int, int] | None:
    """The callback's latest (frame, monotonic ns), or ``None`` while it is writing one or has not run."""
    before = read_shared(memory.stamps, STAMP_SEQUENCE)
    frame = read_shared(memory.stamps, STAMP_FRAME)
    time_ns = read_shared(memory.stamps, STAMP_NS)
    if before == 0 or before & 1 or read_shared(memory.stamps, STAMP_SEQUENCE) != before:
        return None
    return frame, time_ns
