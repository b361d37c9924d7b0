"""A generator, a finisher for it, and notes.

What needs numba is imported inside: this file is read before the tests' own cache of compiled code is chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from synth_app.render.finish import Finisher
    from synth_app.render.note import Note
    from tests.unit.render.recording import Recording


@pytest.fixture
def generator() -> Recording:
    from tests.unit.render.recording import Recording

    return Recording()


@pytest.fixture
def finisher(generator: Recording) -> Finisher:
    from synth_app.render.finish import Finisher

    return Finisher(generator.info, 48_000)


@pytest.fixture
def new_note(finisher: Finisher) -> Callable[..., Note]:
    from synth_app.core.keys import NoteKey

    def make(pitch: int = 60, level_db: float = 0.0) -> Note:
        latent = np.array([level_db, 0.0, 0.0, 0.0], np.float32)
        return finisher.new_note(NoteKey("sines", latent.tobytes(), pitch), latent)

    return make
