"""A generator that can be asked what it was asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from synth_app.render.ports import Change, GeneratorInfo, SpectralFrames
from synth_app.spectral.config import PhaseConvention
from tests.helpers.sine_generator import SINE_INFO, SineGenerator


class Recording:
    """A sine generator that writes down what it was asked for, in either phase convention."""

    def __init__(self, convention: PhaseConvention = "centred") -> None:
        self.info: GeneratorInfo = replace(SINE_INFO, phase_convention=convention)
        self.asked: list[tuple[int, int, int]] = []
        self._inner = SineGenerator()

    def render(
        self, latents: NDArray[np.float32], pitches: NDArray[np.int64], start_frame: int, stop_frame: int
    ) -> SpectralFrames:
        self.asked.append((int(pitches[0]), start_frame, stop_frame))
        return self._inner.render(latents, pitches, start_frame, stop_frame)

    def close(self) -> None:
        self._inner.close()


class Sketching(Recording):
    """One that knows at once what another latent does: its first number is a level in dB."""

    def sketch(self, change: Change) -> SpectralFrames | None:
        frames = change.frames
        assert frames.log_mel.shape[:2] == (1, len(change.places)) and change.pitch in change.chord
        louder = (change.to_latent[0] - change.from_latent[0]) * np.log(10.0) / 10.0
        return SpectralFrames(frames.log_mel + np.float32(louder), frames.inst_freq)
