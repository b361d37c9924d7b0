"""Which bands of a spectrum belong to a peak, and which are only between peaks.

A peak stands out: going down from it on either side, the level falls by a given amount before anything louder comes.
Its lobe is what is passed on the way. The rule knows no band widths, so it holds on a mel grid whose bands are a fifth
of a Fourier bin at the bottom and three bins wide at the top.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from synth_app.dsp.trend import NEPERS_PER_DB

PROMINENCE_DB = 9.0
"""How far the level must fall on both sides of a peak. Noise, evened out over a few frames, seldom does that."""

_REACH = 24  # bands on either side; half a main lobe at the bottom of the grid has 9
_EVEN_FRAMES = 2  # frames on either side that are averaged before looking


def _compiled(function: Any) -> Any:
    return numba.njit(cache=True, nogil=True, error_model="numpy")(function)


def peak_lobes(log_mel: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Mark the bands that belong to a peak.

    Args:
        log_mel: natural log of power, ``[frames, bins]``; neighbouring frames of one sound, averaged in fives so that
            a single frame's noise does not pass for peaks.

    Returns:
        ``[frames, bins]``.
    """
    frames = len(log_mel)
    total = np.concatenate([np.zeros((1, log_mel.shape[1])), np.cumsum(log_mel, axis=0, dtype=np.float64)])
    start = np.maximum(np.arange(frames) - _EVEN_FRAMES, 0)
    stop = np.minimum(np.arange(frames) + _EVEN_FRAMES + 1, frames)
    even = (total[stop] - total[start]) / (stop - start)[:, None]
    lobes = np.zeros(log_mel.shape, np.bool_)
    _mark(even, PROMINENCE_DB * NEPERS_PER_DB, _REACH, lobes)
    return lobes


@_compiled
def _mark(level: NDArray[np.float64], fall: float, reach: int, lobes: NDArray[np.bool_]) -> None:
    frames, bins = level.shape
    for frame in range(frames):
        row = level[frame]
        for top in range(1, bins - 1):
            if row[top] < row[top - 1] or row[top] <= row[top + 1]:
                continue
            foot = row[top] - fall
            left = top
            while left > 0 and top - left < reach and foot < row[left] <= row[top]:
                left -= 1
            right = top
            while right < bins - 1 and right - top < reach and foot < row[right] <= row[top]:
                right += 1
            if row[left] <= foot and row[right] <= foot:
                for band in range(left + 1, right):
                    lobes[frame, band] = True
