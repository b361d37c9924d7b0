"""What a held note would become at another timbre, at once and nearly: the heads' part of the change (ADR 19).

To paint a note's next frames at a new latent takes the net tens of milliseconds a voice, and eight voices wait for each
other. The heads - the generator's spectra and their course in time, without its convolutions - need less than one. So
a stream that is wished elsewhere adds what the heads alone would change to the frames that it has, and goes on with
those until the net's own are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth_app.render.finish import SUSTAIN_START_FRAME, Finisher
from synth_app.render.note import Note
from synth_app.render.ports import Change, Generator, SketchingGenerator, SpectralFrames

SKETCH_FRAMES = 8
"""Frames sketched at a time: a quarter of a second of sound."""
NEVER = 1 << 30
WALK_STEP = 8
"""A walk goes through the sustain in no order: it is moved by what every eighth of its frames would be on average."""


@dataclass(frozen=True, slots=True, eq=False)
class Sketch:
    """The change from one note to another of the same pitch, in physical units.

    Attributes:
        note, wish: from which to which.
        start, stop: the frames it is made for; for a walk any, from ``start`` on.
        log_mel, inst_freq: what to add, float32 ``[stop - start, bins]``, or of one row for all.
    """

    note: Note
    wish: Note
    start: int
    stop: int
    log_mel: NDArray[np.float32]
    inst_freq: NDArray[np.float32]

    def added(
        self, frame: int, log_mel: NDArray[np.float32], inst_freq: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """A frame ``[1, bins]`` of the note, changed; beyond those it is made for as the last of them."""
        return log_mel + self.level(frame), inst_freq + self.inst_freq[self._row(frame)]

    def level(self, frame: int) -> NDArray[np.float32]:
        """What is added to the levels of a frame, ``[bins]``."""
        added: NDArray[np.float32] = self.log_mel[self._row(frame)]
        return added

    def _row(self, frame: int) -> int:
        return min(max(frame - self.start, 0), len(self.log_mel) - 1)


class Sketcher:
    """Makes sketches, where the generator can.

    Args:
        generator: of the notes. finisher: knows their geometry.
    """

    def __init__(self, generator: Generator, finisher: Finisher) -> None:
        self._generator = generator if isinstance(generator, SketchingGenerator) else None
        self._finisher = finisher

    @property
    def able(self) -> bool:
        """Whether the generator can make any, as far as is known."""
        return self._generator is not None

    def sketch(self, note: Note, wish: Note, frame: int, walking: bool, chord: Sequence[int] = ()) -> Sketch | None:
        """The change from ``frame`` on; ``None`` where nothing is rendered to begin from, or by a generator without.

        ``chord`` are the pitches that are wished the same.
        """
        if self._generator is None:
            return None
        join = self._finisher.join_frame
        if walking:
            places = np.arange(SUSTAIN_START_FRAME, join, WALK_STEP)
        else:
            have = note.have[frame : min(frame + SKETCH_FRAMES, join)]
            places = np.arange(frame, frame + (len(have) if have.all() else int(np.argmin(have))))
        if not len(places) or not note.have[places].all():
            return None
        was = SpectralFrames(
            note.log_mel[places].astype(np.float32)[None], note.inst_freq[places].astype(np.float32)[None]
        )
        moved = self._generator.sketch(Change(was, places, note.latent, wish.latent, note.key.pitch, chord))
        if moved is None:
            self._generator = None
            return None
        log_mel, inst_freq = moved.log_mel[0] - was.log_mel[0], moved.inst_freq[0] - was.inst_freq[0]
        if walking:
            log_mel, inst_freq = log_mel.mean(axis=0, keepdims=True), inst_freq.mean(axis=0, keepdims=True)
            return Sketch(note, wish, frame, NEVER, log_mel, inst_freq)
        return Sketch(note, wish, frame, frame + len(places), log_mel, inst_freq)
