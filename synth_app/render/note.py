"""A rendered note: audio that grows from the front, safe to play while it grows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synth_app.core.keys import NoteKey
from synth_app.spectral.streaming import StreamingDecoder

AVAILABLE, FINAL = 0, 1


class Note:
    """One note's audio, written by the render thread and read by the mixer.

    The mixer may read ``audio[: available]``; the render thread only ever writes behind that edge and then moves it, so
    the two never touch the same sample. The control thread pins a note while the mixer holds its address.

    Attributes:
        key, latent: what it is.
        audio: float32 ``[samples of the whole note]`` at the decoding rate.
        progress: int64 ``[2]``: samples available, and 1 once no more will come. Read by the mixer at every block.
        next_frame: the first spectral frame not rendered yet.
        decoder: carries phase and overlap from one slice to the next; ``None`` before the first and after the last.
        pins: how many mixer slots hold it (control thread).
        wanted: when it was last wanted, in planning rounds (control thread).
    """

    __slots__ = ("audio", "decoder", "key", "latent", "next_frame", "pins", "progress", "wanted")

    def __init__(self, key: NoteKey, latent: NDArray[np.float32], samples: int, first_frame: int) -> None:
        self.key = key
        self.latent = latent
        self.audio: NDArray[np.float32] = np.empty(samples, np.float32)
        self.progress: NDArray[np.int64] = np.zeros(2, np.int64)
        self.next_frame = first_frame
        self.decoder: StreamingDecoder | None = None
        self.pins = 0
        self.wanted = 0

    @property
    def available(self) -> int:
        """Samples that may be played."""
        return int(self.progress[AVAILABLE])

    @property
    def complete(self) -> bool:
        """Whether every sample is there."""
        return bool(self.progress[FINAL])

    @property
    def used_bytes(self) -> int:
        """Memory its rendered part takes (pages that were never written cost nothing)."""
        return self.available * self.audio.itemsize
