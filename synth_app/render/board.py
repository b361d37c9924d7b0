"""The board between the control thread, which writes what it wants, and the render thread, which takes what is next.

The newest board is the only one: publishing replaces everything that was there, so nothing that is no longer wanted is
ever rendered. Order on the board is the order of need.

Several threads may take from it, one of them first, the others as its helpers. A note is given to one of them at a
time, and while something urgent is being rendered nothing is taken that only the future needs: what is urgent has the
processor to itself.
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
        release, sustain: and of those frames what the note says of its end, and of how it goes on.
        enough: says whether less will do by now.
        deadline_frame: the output frame at which a voice will miss them; ``None`` for what nobody hears yet. A voice
            that is silent until then has a deadline in the past.
    """

    note: Note
    start: int
    stop: int
    audio: bool = True
    deadline_frame: Callable[[], float] | None = None
    release: bool = False
    sustain: bool = False
    enough: Callable[[], bool] | None = None

    @property
    def met(self) -> bool:
        """Whether nothing is left to do."""
        note = self.note
        if self.audio:
            return note.next_frame >= self.stop
        if self.enough is not None and self.enough():
            return True
        unlearnt = (self.release and note.release is None) or (self.sustain and note.sustain is None)
        return note.has(self.start, self.stop) and not unlearnt


class DemandBoard:
    """Urgent demands (voices that sound or wait to), then those for the future."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._urgent: Sequence[Demand] = ()
        self._ahead: Sequence[Demand] = ()
        self._failed: list[Demand] = []
        self._taken: dict[int, bool] = {}  # notes that are being worked on, by identity: whether for something urgent
        self._changes = 0

    def publish(self, urgent: Sequence[Demand], ahead: Sequence[Demand] | None = None) -> None:
        """Replace the urgent demands, and those for the future unless ``None`` (control thread)."""
        with self._changed:
            self._urgent, self._failed = urgent, []
            if ahead is not None:
                self._ahead = ahead
            self._note_change()

    def next(self) -> Demand | None:
        """What to work on next: the voice that misses something first, then the future in its order."""
        with self._changed:
            return self._next()[0]

    def take(self, helper: bool = False) -> Demand | None:
        """What to work on next, whose note nobody else is given until :meth:`give_back` (render threads).

        A helper is given something only beside others.
        """
        with self._changed:
            if helper and not self._taken:
                return None
            demand, urgent = self._next()
            if demand is not None:
                self._taken[id(demand.note)] = urgent
                self._note_change()
            return demand

    def give_back(self, demand: Demand, failed: bool = False) -> None:
        """Worked on it, met or not (render threads). One that failed comes last until demands are published anew."""
        with self._changed:
            del self._taken[id(demand.note)]
            if failed:
                self._failed.append(demand)
            self._note_change()

    def _next(self) -> tuple[Demand | None, bool]:
        """The next demand, and whether it is urgent."""
        urgent = [d for d in self._urgent if self._is_open(d)]
        if urgent:
            return min(urgent, key=_deadline), True
        if any(self._taken.values()):
            return None, False
        ahead = next((d for d in self._ahead if self._is_open(d)), None)
        if ahead is None and self._failed:
            again = self._failed.pop(0)
            return (again, False) if self._is_open(again) else (None, False)
        return ahead, False

    def _is_open(self, demand: Demand) -> bool:
        return id(demand.note) not in self._taken and demand not in self._failed and not demand.met

    @property
    def changes(self) -> int:
        """A count that grows with every change."""
        return self._changes

    def wait(self, timeout_s: float, seen: int) -> None:
        """Sleep until something has changed since ``changes`` was ``seen`` (render threads)."""
        with self._changed:
            self._changed.wait_for(lambda: self._changes != seen, timeout_s)

    def _note_change(self) -> None:
        self._changes += 1
        self._changed.notify_all()

    def queue_length(self) -> int:
        """Demands not met yet."""
        with self._changed:
            return sum(not d.met for d in self._urgent) + sum(not d.met for d in self._ahead)


def _deadline(demand: Demand) -> float:
    return demand.deadline_frame() if demand.deadline_frame is not None else math.inf
