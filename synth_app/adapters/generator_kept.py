"""A generator that remembers, from one start to the next, the first slices of the timbres it was told to keep.

Behind the same port as the generator it stands before: whoever asks does not see whether frames were rendered now or
some other day. Only first slices are kept, and only of the timbres of presets: they are what makes a key sound at once,
and a slider's every position on disk would be no use to anyone.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from synth_app.adapters.frame_store import FrameAddress, FrameStore
from synth_app.render.ports import (
    Change,
    DecodingGenerator,
    Generator,
    GeneratorInfo,
    SketchingGenerator,
    Sound,
    SpectralFrames,
)

REMEMBERED_TIMBRES = 64


class KeptGenerator:
    """See the module.

    Args:
        generator: renders what is not kept.
        store: where frames are kept; closed with the generator.
    """

    def __init__(self, generator: Generator, store: FrameStore) -> None:
        self._generator = generator
        self._store = store
        self._keep: tuple[bytes, ...] = ()

    @property
    def info(self) -> GeneratorInfo:
        return self._generator.info

    def keep(self, latents: Iterable[NDArray[np.float32]]) -> None:
        """From now on keep these timbres as well, those of the last few presets (any thread)."""
        fresh = tuple(np.ascontiguousarray(latent, np.float32).tobytes() for latent in latents)
        former = tuple(latent for latent in self._keep if latent not in fresh)
        self._keep = (fresh + former)[:REMEMBERED_TIMBRES]

    def render(
        self, latents: NDArray[np.float32], pitches: NDArray[np.int64], start_frame: int, stop_frame: int
    ) -> SpectralFrames:
        """See the port."""
        info = self._generator.info
        first_slice = stop_frame <= info.first_stop
        latent = np.ascontiguousarray(latents, np.float32).tobytes() if first_slice and len(pitches) == 1 else b""
        if not latent or latent not in self._keep:
            return self._generator.render(latents, pitches, start_frame, stop_frame)
        address = FrameAddress(info.model_id, latent, int(pitches[0]), start_frame, stop_frame)
        kept = self._store.read(address)
        if kept is not None and kept.log_mel.shape[2] == info.bins:
            return kept
        frames = self._generator.render(latents, pitches, start_frame, stop_frame)
        self._store.write(address, frames)
        return frames

    def sound(self, latents: NDArray[np.float32], pitches: NDArray[np.int64], rate_factor: int) -> Sound | None:
        """See the port; a device is quicker than a disk."""
        inner = self._generator
        return inner.sound(latents, pitches, rate_factor) if isinstance(inner, DecodingGenerator) else None

    def sketch(self, change: Change) -> SpectralFrames | None:
        """See the port."""
        inner = self._generator
        if not isinstance(inner, SketchingGenerator):
            return None
        return inner.sketch(change)

    def close(self) -> None:
        """Write what waits, and free the session."""
        self._store.close()
        self._generator.close()
