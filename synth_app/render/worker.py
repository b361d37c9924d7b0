"""The render threads' work: slices of notes, most needed first.

A slice at a time, so that a key struck while the keyboard is being warmed waits for one slice, not for one note. The
worker knows notes and demands; that voices exist it does not know. As many threads may step it at a time as the
generator has lanes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from synth_app.render.board import Demand, DemandBoard
from synth_app.render.finish import Finisher
from synth_app.render.ports import Generator

FRAMES_SLICE = 12
"""Frames rendered at a time for a stream: a third of a second of sound."""


class RenderWorker:
    """Takes demands from the board and meets them, a slice a step.

    Args:
        on_news: called after every slice (wakes the control thread).
    """

    def __init__(
        self,
        generator: Generator,
        finisher: Finisher,
        board: DemandBoard,
        on_news: Callable[[], None],
    ) -> None:
        self._generator = generator
        self._finisher = finisher
        self._board = board
        self._on_news = on_news

    def step(self, helper: bool = False) -> bool:
        """Render one slice of what is needed most; False when nothing is wanted (see :meth:`DemandBoard.take`)."""
        demand = self._board.take(helper)
        if demand is None:
            return False
        try:
            self._meet(demand)
        except BaseException:
            self._board.give_back(demand, failed=True)
            raise
        self._board.give_back(demand)
        self._on_news()
        return True

    def _meet(self, demand: Demand) -> None:
        """A slice of it."""
        if demand.audio:
            self._extend(demand)
            return
        lacking = np.flatnonzero(~demand.note.have[demand.start : demand.stop])
        if len(lacking):
            first = demand.start + int(lacking[0])
            self._finisher.fetch(demand.note, self._generator, first, min(first + FRAMES_SLICE, demand.stop))
        if demand.release:
            self._finisher.learn_release(demand.note)
        if demand.sustain:
            self._finisher.learn_sustain(demand.note)

    def _extend(self, demand: Demand) -> None:
        """A slice more of its audio; all of it, where a device makes a whole note as soon as a slice."""
        more_than_first = demand.stop > self._finisher.first_stop
        if not (more_than_first and self._finisher.finish_at_once(demand.note, self._generator)):
            stop = min(self._finisher.next_stop(demand.note), demand.stop)
            self._finisher.extend(demand.note, self._generator, stop)
