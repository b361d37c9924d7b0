"""A generator of pictures that can be checked, and finishers for every rate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from synth_app.core.keys import NoteKey
from synth_app.render.finish import Finisher
from synth_app.render.note import Note
from synth_app.render.ports import GeneratorInfo, SpectralFrames
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


@pytest.fixture
def generator() -> Recording:
    return Recording()


@pytest.fixture
def finisher(generator: Recording) -> Finisher:
    return Finisher(generator.info, 48_000)


@pytest.fixture
def new_note(finisher: Finisher) -> Callable[..., Note]:
    def make(pitch: int = 60, level_db: float = 0.0) -> Note:
        latent = np.array([level_db, 0.0, 0.0, 0.0], np.float32)
        return finisher.new_note(NoteKey(SINE_INFO.model_id, latent.tobytes(), pitch), latent)

    return make
