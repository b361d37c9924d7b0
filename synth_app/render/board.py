"""The board between the control thread, which writes what it wants, and the render thread, which takes what is next.

The newest board is the only one: publishing replaces everything that was there, so nothing that is no longer wanted is
ever rendered. Order on the board is the order of need.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from synth_app.render.note import Note


@dataclass(frozen=True, slots=True, eq=False)
class Demand:
    """Render ``note`` up to (not including) ``until_frame``.

    Attributes:
        started_frame: for a sounding voice, the output frame at which the note's first sample played (and
            ``rate``, its samples an output frame); ``None`` for a note that nobody hears yet.
    """

    note: Note
    until_frame: int
    started_frame: float | None = None
    rate: float = 1.0

    @property
    def met(self) -> bool:
        """Whether nothing is left to do."""
        return self.note.complete or self.note.next_frame >= self.until_frame


class DemandBoard:
    """Urgent demands (voices that sound or wait to), then those for the future."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._urgent: Sequence[Demand] = ()
        self._ahead: Sequence[Demand] = ()
        self._closed = False

    def publish(self, urgent: Sequence[Demand], ahead: Sequence[Demand] | None = None) -> None:
        """Replace the urgent demands, and those for the future unless ``None`` (control thread)."""
        with self._changed:
            self._urgent = urgent
            if ahead is not None:
                self._ahead = ahead
            self._changed.notify()

    def next(self, now_frame: int) -> Demand | None:
        """What to work on next: silent waiting voices, then the voice that runs out first, then the future."""
        with self._changed:
            urgent = [d for d in self._urgent if not d.met]
            waiting = next((d for d in urgent if d.started_frame is None), None)
            if waiting is not None:
                return waiting
            if urgent:
                return min(urgent, key=lambda d: _slack_frames(d, now_frame))
            return next((d for d in self._ahead if not d.met), None)

    def wait(self, timeout_s: float) -> None:
        """Sleep until something is published (render thread)."""
        with self._changed:
            self._changed.wait(timeout_s)

    def queue_length(self) -> int:
        """Demands not met yet."""
        with self._changed:
            return sum(not d.met for d in self._urgent) + sum(not d.met for d in self._ahead)


def _slack_frames(demand: Demand, now_frame: int) -> float:
    """Output frames until a sounding voice runs out of rendered samples."""
    assert demand.started_frame is not None
    return demand.started_frame + demand.note.available / demand.rate - now_frame
