"""A generator that has the notes of a score rendered by a thread of its own, before they are asked for.

Offline the whole score is known, so one core can render what comes next while another decodes and mixes what sounds.
Whoever asks sees a generator that is quick; it waits where the thread has not come so far yet. What it is given does
not depend on how far that is: frames of notes in the list are always the ones that the thread rendered.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from synth_app.render.ports import Generator, GeneratorInfo, SpectralFrames

AHEAD = 24
"""Notes rendered that nobody has asked for yet: a megabyte each."""
KEPT = 64
"""Notes kept that were asked for: what is wanted of them may come in pieces."""


@dataclass(eq=False)
class Ahead:
    """A note of the score, in the order of need.

    Attributes:
        latent, pitch: of the note, float32 ``[latent_size]`` and a MIDI note.
        ranges: of frames, half-open, that will be asked for.
        frames: those ranges, while they are at hand. asked: whether anybody has asked for them.
    """

    latent: NDArray[np.float32]
    pitch: int
    ranges: Sequence[tuple[int, int]]
    frames: list[SpectralFrames] = field(default_factory=list)
    asked: bool = False

    @property
    def key(self) -> tuple[bytes, int]:
        """What a request names it by."""
        return np.ascontiguousarray(self.latent, np.float32).tobytes(), self.pitch

    def covers(self, start: int, stop: int) -> int | None:
        """Which of the ranges holds these frames."""
        return next((i for i, (first, last) in enumerate(self.ranges) if first <= start and stop <= last), None)


class ReadAhead:
    """See the module.

    Args:
        generator: renders; stays open when this is closed. It must have a lane to spare.
        notes: of the score, each once, in the order in which they are needed.
    """

    def __init__(self, generator: Generator, notes: Sequence[Ahead]) -> None:
        self._generator = generator
        self._notes = {note.key: note for note in notes}
        self._kept: OrderedDict[Ahead, None] = OrderedDict()  # asked for, the latest last
        self._changed = threading.Condition()
        self._lead = 0  # notes rendered and not asked for yet
        self._awaited: Ahead | None = None  # whatever lies before it is rendered, too, or both would wait for ever
        self._failure: BaseException | None = None
        self._running = True
        self._thread = threading.Thread(target=self._run, args=(tuple(notes),), name="read ahead", daemon=True)
        self._thread.start()

    @property
    def info(self) -> GeneratorInfo:
        return self._generator.info

    def render(
        self, latents: NDArray[np.float32], pitches: NDArray[np.int64], start_frame: int, stop_frame: int
    ) -> SpectralFrames:
        """See the port."""
        note = self._ask(latents, pitches)
        if note is None:
            return self._generator.render(latents, pitches, start_frame, stop_frame)
        part = note.covers(start_frame, stop_frame)
        if part is None:  # a bend that reads on, say; whole, since parts would depend on what else is being rendered
            whole = self._generator.render(latents, pitches, 0, self.info.frames)
            return _cut(whole, start_frame, stop_frame)
        return _cut(note.frames[part], start_frame - note.ranges[part][0], stop_frame - note.ranges[part][0])

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._running = False
            self._changed.notify_all()
        self._thread.join()

    def _ask(self, latents: NDArray[np.float32], pitches: NDArray[np.int64]) -> Ahead | None:
        """The note of a request, once it is rendered; ``None`` when the score does not name it.

        Raises:
            BaseException: what the thread failed with.
        """
        note = self._notes.get((np.ascontiguousarray(latents, np.float32).tobytes(), int(pitches[0])))
        if note is None:
            return None
        with self._changed:
            if not note.asked:
                note.asked, self._awaited = True, note
                self._changed.notify_all()
                self._changed.wait_for(lambda: note.frames or self._failure is not None)
                self._awaited = None
                if self._failure is not None:
                    raise self._failure
                self._lead -= 1
                self._changed.notify_all()
        if not note.frames:  # asked for long ago, and now again
            note.frames = self._rendered(note)
        self._kept.pop(note, None)
        self._kept[note] = None
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)[0].frames = []
        return note

    def _run(self, notes: Sequence[Ahead]) -> None:
        try:
            for note in notes:
                with self._changed:
                    self._changed.wait_for(lambda: self._lead < AHEAD or self._is_awaited() or not self._running)
                    if not self._running:
                        return
                frames = self._rendered(note)
                with self._changed:
                    note.frames = frames
                    self._lead += 1
                    self._changed.notify_all()
        except BaseException as error:
            with self._changed:
                self._failure = error
                self._changed.notify_all()

    def _is_awaited(self) -> bool:
        """Whether somebody waits still: who waited may not have woken yet."""
        return self._awaited is not None and not self._awaited.frames

    def _rendered(self, note: Ahead) -> list[SpectralFrames]:
        pitches = np.array([note.pitch], np.int64)
        return [self._generator.render(note.latent[None], pitches, *span) for span in note.ranges]


def _cut(frames: SpectralFrames, start: int, stop: int) -> SpectralFrames:
    return SpectralFrames(frames.log_mel[:, start:stop], frames.inst_freq[:, start:stop])
