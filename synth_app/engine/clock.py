"""From the monotonic clock to output frames: a delay-locked loop over the callback's stamps.

The callback stamps the start of every block, but it is woken early and late. A second-order loop (F. Adriaensen, "Using
a DLL to filter time", Linux Audio Conference 2005) follows the mean and smooths the rest, so that two notes a
millisecond apart land 48 frames apart at 48 kHz whatever the wake-ups did. A single wake-up far off says nothing of the
clock and is passed over; several in a row mean that blocks were lost, and the loop starts anew from there.
"""

from __future__ import annotations

import math

from synth_app.core.shared import read_shared
from synth_app.engine.callback import MixerMemory
from synth_app.engine.protocol import STAMP_FRAME, STAMP_NS, STAMP_SEQUENCE

BANDWIDTH_HZ = 0.5
SETTLING_BLOCKS = 30
FAR_OFF_NS = 2_000_000
FAR_OFF_BLOCKS = 1.5
LOST_AFTER = 5
"""So many stamps in a row that are far off are believed."""


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
        self._passed_over = 0
        self._block_ns = math.inf
        self.ns_per_frame = self._nominal

    def update(self, frame: int, time_ns: int) -> None:
        """Take in that the block at ``frame`` began at ``time_ns``."""
        elapsed = frame - self._frame
        if self._updates and elapsed <= 0:
            return
        predicted = self._ns + elapsed * self.ns_per_frame
        error = time_ns - predicted
        if self._updates:
            self._block_ns = min(self._block_ns, elapsed * self._nominal)
        far_off = abs(error) > max(FAR_OFF_NS, FAR_OFF_BLOCKS * self._block_ns)
        self._passed_over = self._passed_over + 1 if far_off else 0
        if not self._updates or self._passed_over >= LOST_AFTER:
            self._frame, self._ns, self._updates, self._passed_over = frame, float(time_ns), 1, 0
            self.ns_per_frame = self._nominal
            return
        if far_off:
            return
        bandwidth = BANDWIDTH_HZ * max(1.0, 8.0 * (1.0 - self._updates / SETTLING_BLOCKS))
        omega = min(0.5, 2.0 * math.pi * bandwidth * elapsed * self._nominal * 1e-9)
        self._ns = predicted + math.sqrt(2.0) * omega * error
        self.ns_per_frame += omega * omega * error / elapsed
        self.ns_per_frame = min(max(self.ns_per_frame, 0.99 * self._nominal), 1.01 * self._nominal)
        self._frame = frame
        self._updates += 1

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
