"""A rendered note: a picture and audio that grow, safe to play while they grow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synth_app.core.keys import NoteKey
from synth_app.dsp.release import Release
from synth_app.dsp.sustain import Sustain
from synth_app.spectral.streaming import StreamingDecoder

AVAILABLE, FINAL = 0, 1

SILENT_LOG_MEL = -13.8
"""Floor of the picture: log of 1e-6."""


class Note:
    """One note's frames and audio, written by the render thread; the mixer reads the audio, streams read the frames.

    The mixer may read ``audio[: available]``; the render thread only ever writes behind that edge and then moves it, so
    the two never touch the same sample. Frames may arrive in any order and are read only where ``have`` says so. They
    are kept as float16, and the audio is decoded from what is kept, so whoever goes on from a frame goes on exactly.

    The memory of a note never moves: what it has is only ever added to. To keep less of it, or to go on from less, is
    to make another note of it (:meth:`shortened`, :meth:`lengthened`); whoever holds the former keeps it as it was.

    Attributes:
        key, latent: what it is.
        audio: float32 ``[samples of the whole note]`` at the decoding rate.
        progress: int64 ``[2]``: samples available, and 1 once no more will come. Read by the mixer at every block.
        log_mel, inst_freq: float16 ``[frames, bins]``.
        have: bool ``[frames]``; kept: how many of them.
        next_frame: the first spectral frame whose audio is not decoded yet.
        decoder: carries phase and overlap from one slice to the next; ``None`` before the first and after the last.
        pins: how many mixer slots hold it (control thread).
        release, sustain: what it says of its end, and of how it goes on, once someone wanted to know (any thread,
            always the same).
        wanted: when it was last wanted, in planning rounds (control thread).
    """

    __slots__ = (
        "_sizes",
        "audio",
        "decoder",
        "have",
        "inst_freq",
        "kept",
        "key",
        "latent",
        "log_mel",
        "next_frame",
        "pins",
        "progress",
        "release",
        "sustain",
        "wanted",
    )

    def __init__(
        self, key: NoteKey, latent: NDArray[np.float32], samples: int, first_frame: int, picture: tuple[int, int]
    ) -> None:
        self.key = key
        self.latent = latent
        self.progress: NDArray[np.int64] = np.zeros(2, np.int64)
        self.audio: NDArray[np.float32] = np.empty(0, np.float32)
        self.log_mel: NDArray[np.float16] = np.empty((0, 0), np.float16)
        self.inst_freq: NDArray[np.float16] = np.empty((0, 0), np.float16)
        self.have: NDArray[np.bool_] = np.zeros(picture[0], np.bool_)
        self.kept: int = 0
        self.next_frame = first_frame
        self.decoder: StreamingDecoder | None = None
        self.release: Release | None = None
        self.sustain: Sustain | None = None
        self.pins = 0
        self.wanted = 0
        self._sizes = samples, first_frame, picture

    def shortened(self, stop_frame: int, samples: int) -> Note:
        """A copy of the first frames and samples alone, in no more memory than they take; they must be there."""
        note = Note(self.key, self.latent, *self._sizes)
        note.audio = self.audio[:samples].copy()
        note.log_mel, note.inst_freq = self.log_mel[:stop_frame].copy(), self.inst_freq[:stop_frame].copy()
        note._begun(stop_frame, samples, self.wanted)
        return note

    def lengthened(self) -> Note:
        """A copy of a shortened note with room for all of it."""
        note = Note(self.key, self.latent, *self._sizes)
        note.prepare()
        stop, samples = self.next_frame, self.available
        note.audio[:samples] = self.audio
        note.log_mel[:stop], note.inst_freq[:stop] = self.log_mel, self.inst_freq
        note._begun(stop, samples, self.wanted)
        return note

    def _begun(self, stop_frame: int, samples: int, wanted: int) -> None:
        first_frame = self._sizes[1]
        self.have[first_frame:stop_frame] = True
        self.kept = stop_frame - first_frame
        self.next_frame, self.wanted = stop_frame, wanted
        self.progress[AVAILABLE] = samples

    @property
    def is_short(self) -> bool:
        """Whether its memory ends where its rendered part does."""
        return 0 < len(self.audio) < self._sizes[0]

    def prepare(self) -> None:
        """Take the memory, when something is about to be rendered (render thread): many notes are only ever wished."""
        if len(self.audio):
            return
        samples, first_frame, picture = self._sizes
        self.log_mel = np.empty(picture, np.float16)
        self.inst_freq = np.empty(picture, np.float16)
        self.log_mel[:first_frame] = SILENT_LOG_MEL
        self.inst_freq[:first_frame] = 0.0
        self.audio = np.empty(samples, np.float32)

    @property
    def available(self) -> int:
        """Samples that may be played."""
        return int(self.progress[AVAILABLE])

    @property
    def complete(self) -> bool:
        """Whether every sample is there."""
        return bool(self.progress[FINAL])

    def has(self, start: int, stop: int) -> bool:
        """Whether these frames are there."""
        return bool(self.have[start:stop].all())

    def picture(self, start: int, stop: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Frames as float32 ``[stop - start, bins]``; they must be there."""
        return self.log_mel[start:stop].astype(np.float32), self.inst_freq[start:stop].astype(np.float32)

    @property
    def used_bytes(self) -> int:
        """Memory its rendered part takes (pages that were never written cost nothing)."""
        picture = 2 * self.kept * self.log_mel.shape[1] * self.log_mel.itemsize
        learnt = sum(known.used_bytes for known in (self.release, self.sustain) if known is not None)
        return int(self.available * self.audio.itemsize + picture + learnt)
