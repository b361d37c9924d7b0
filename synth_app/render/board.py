"""The board between the control thread, which writes what it wants, and the render thread, which takes what is next.

The newest board is the only one: publishing replaces everything that was there, so nothing that is no longer wanted is
ever rendered. Order on the board is the order of need.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from synth_app.render.note import Note


@dataclass(frozen=True, slots=True, eq=False)
class Demand:
    """Something to render of ``note``.

    Attributes:
        start, stop: with ``audio``, decode up to ``stop`` (``start`` is ignored: audio grows from where it is);
            otherwise have the frames ``start..stop`` at hand, for a stream.
        deadline_frame: the output frame at which a voice will miss them; ``None`` for what nobody hears yet. A voice
            that is silent until then has a deadline in the past.
    """

    note: Note
    start: int
    stop: int
    audio: bool = True
    deadline_frame: Callable[[], float] | None = None

    @property
    def met(self) -> bool:
        """Whether nothing is left to do."""
        if self.audio:
            return self.note.next_frame >= self.stop
        return self.note.has(self.start, self.stop)


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

    def next(self) -> Demand | None:
        """What to work on next: the voice that misses something first, then the future in its order."""
        with self._changed:
            urgent = [d for d in self._urgent if not d.met]
            if urgent:
                return min(urgent, key=_deadline)
            return next((d for d in self._ahead if not d.met), None)

    def wait(self, timeout_s: float) -> None:
        """Sleep until something is published (render thread)."""
        with self._changed:
            self._changed.wait(timeout_s)

    def queue_length(self) -> int:
        """Demands not met yet."""
        with self._changed:
            return sum(not d.met for d in self._urgent) + sum(not d.met for d in self._ahead)


def _deadline(demand: Demand) -> float:
    return demand.deadline_frame() if demand.deadline_frame is not None else math.inf
