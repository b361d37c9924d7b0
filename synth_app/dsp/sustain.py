"""Interim: holds the last sustain frame. To be replaced by the walk over the sustain frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class SustainWalk:
    """Continues a note past its sustain."""

    def __init__(
        self,
        log_mel: NDArray[np.float32],
        inst_freq: NDArray[np.float32],
        first_frame: int,
        last_frame: int,
        rng: np.random.Generator,
    ) -> None:
        self._frame = log_mel[last_frame - 1 : last_frame], inst_freq[last_frame - 1 : last_frame]

    def next(self, count: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """``count`` frames, float32 ``[count, bins]`` each."""
        return np.repeat(self._frame[0], count, axis=0), np.repeat(self._frame[1], count, axis=0)
