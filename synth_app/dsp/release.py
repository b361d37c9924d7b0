"""Interim: the model's release relative to the level now. To be replaced by the release that decays on to silence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class ReleaseTail:
    """Ends a note from any level."""

    def __init__(
        self,
        level: NDArray[np.float32],
        log_mel: NDArray[np.float32],
        inst_freq: NDArray[np.float32],
        release_frame: int,
    ) -> None:
        self._level, self._log_mel, self._inst_freq = level, log_mel, inst_freq
        self._release_frame = release_frame
        self._count = 0

    def next(self, count: int) -> tuple[NDArray[np.float32], NDArray[np.float32], bool]:
        """``count`` frames, float32 ``[count, bins]`` each, and whether the note has ended."""
        rows, last = [], len(self._log_mel) - 1
        for _ in range(count):
            self._count += 1
            at = self._release_frame + self._count
            fall = np.minimum(self._log_mel[min(at, last)] - self._log_mel[self._release_frame - 2], 0.0)
            rows.append((self._level + fall - max(0, at - last), self._inst_freq[min(at, last)]))
        log_mel = np.array([row[0] for row in rows], np.float32)
        inst_freq = np.array([row[1] for row in rows], np.float32)
        return log_mel, inst_freq, bool(log_mel[-1].max() < -10.0)
