"""How the bands of a held note rise and fall: one smooth course for each, told apart from what moves about it.

A note that goes on must go on falling as it fell: a struck string by so many decibels a second, a bowed one not at
all. Two seconds of frames do not say that plainly. A band of breath wanders by 6 dB and its best line is off by several
decibels a second; a partial of a piano beats and may rise while the note dies; a band at the model's floor says
nothing. So each band's slope is its own least-squares slope, weighed by how sure it is, against the slope of the whole
note; and that against the slope of a longer stretch of the note (a posterior mean with Gaussian errors throughout).

Levels are natural logs of power, time is in frames, so slopes are nepers of power a frame; the constants are in dB and
seconds and say so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NEPERS_PER_DB = float(np.log(10.0)) / 10.0
"""Natural log of power in one decibel."""

AUDIBLE_DB = 60.0
"""Bands this far under the loudest are taken to say nothing about the note."""

STEADY_DB_PER_S = 1.5
"""A note that falls more slowly than this is held rather than struck, and is not let fall for ever."""

_SPREAD = 0.5  # how differently the bands of one note fall, as a part of its slope
_LEAST_SPREAD_DB_PER_S = 0.05
_BEND_DB = 1.5  # how far the end of a band's course lies from its line
_LEAST_SHARE = 0.5  # every band falls at least half as fast as its note
_WHOLE_DOUBT_DB_PER_S = 1.0  # how far the longer stretch's slope may be from the held part's
_NEAR_BANDS = 12  # on either side; a partial reaches over 9 bands at the bottom of the grid
_DEAD = 0.05  # audibility of the loudest band under which the note has died
_FRAMES_ALIKE = 5.0  # neighbouring frames share three quarters of their window: so many say one thing


@dataclass(frozen=True, slots=True, eq=False)
class Trend:
    """Where the bands of some frames are, where they go, and how they move about that.

    Attributes:
        mean: mean level, nepers of power, ``[bins]``.
        end: the believed level at the last frame, ``[bins]``.
        decay: the slope to go on with, nepers a frame, never above 0; almost 0 for a note that is held rather than
            struck, ``[bins]``.
        residual: the levels less each band's own parabola, ``[frames, bins]``.
    """

    mean: NDArray[np.float64]
    end: NDArray[np.float64]
    decay: NDArray[np.float64]
    residual: NDArray[np.float64]


def fit_trend(log_mel: NDArray[np.floating], first_frame: int, last_frame: int, frames_per_s: float) -> Trend:
    """Fit the lines of a note's held frames.

    Args:
        log_mel: natural log of mel power, ``[frames, bins]``, of the note from its first frame on.
        first_frame, last_frame: the held frames, half-open; at least 8 of them.
        frames_per_s: of the picture.

    Raises:
        ValueError: when there are too few frames.
    """
    if not 0 <= first_frame <= last_frame - 8 or last_frame > len(log_mel):
        raise ValueError(f"frames {first_frame}..{last_frame} of {len(log_mel)} are too few to walk on")
    levels = log_mel[:last_frame].astype(np.float64)
    mean, fitted, about_line = fit_lines(levels[first_frame:])
    bend, residual = straighten(about_line)
    trust = audibility(mean, float(levels.max()))
    whole = _whole_slope(levels, first_frame, trust, frames_per_s)
    # The bands of a struck note fall each in its own way; those of a held note do not fall.
    spread = _SPREAD * abs(whole) + _LEAST_SPREAD_DB_PER_S * NEPERS_PER_DB / frames_per_s
    speaks = np.minimum(2.0 * trust, 1.0)
    share = speaks * spread**2 / (spread**2 + slope_error(about_line) ** 2)
    slope = whole + share * (fitted - whole)
    # A partial that beats may rise while its note dies: it dies too.
    least = lasting_decay(np.asarray(_LEAST_SHARE * whole), frames_per_s)
    decay = np.minimum(lasting_decay(_of_the_loudest_near(slope, mean), frames_per_s), least)
    # The same for where it bends to: a partial is where its parabola ends, breath where its line does.
    doubt = residual.std(axis=0) * 3.0 * np.sqrt(_FRAMES_ALIKE / len(residual))
    bent = (_BEND_DB * NEPERS_PER_DB) ** 2
    end = mean + slope * ((len(residual) - 1) / 2.0) + bend * speaks * bent / (bent + doubt**2)
    return Trend(mean, end, decay, residual)


def fit_lines(
    levels: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Least-squares lines over the first axis: mean ``[...]``, slope a step ``[...]`` and residual, as ``levels``."""
    count = len(levels)
    time = (np.arange(count) - (count - 1) / 2.0).reshape(-1, *([1] * (levels.ndim - 1)))
    mean = levels.mean(axis=0)
    slope = (levels * time).sum(axis=0) / np.square(time).sum()
    return mean, slope, levels - mean - time * slope


def _of_the_loudest_near(slope: NDArray[np.float64], level: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean slope of neighbouring bands weighted by their power: a partial's skirts fall with its peak."""
    power = np.exp(level - level.max())
    triangle = 1.0 - np.abs(np.arange(-_NEAR_BANDS, _NEAR_BANDS + 1)) / (_NEAR_BANDS + 1.0)
    return np.convolve(slope * power, triangle, "same") / np.convolve(power, triangle, "same")


def straighten(residual: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Take each band's parabola out of what its line left: its height at the last frame, and the rest."""
    time = np.linspace(-1.0, 1.0, len(residual))[:, None]
    curve = time**2 - np.square(time).mean()
    size = (residual * curve).sum(axis=0) / np.square(curve).sum()
    return size * curve[-1, 0], residual - size * curve


def lasting_decay(slope: NDArray[np.float64], frames_per_s: float) -> NDArray[np.float64]:
    """The slope a note goes on with: never rising, and softly nothing below ``STEADY_DB_PER_S``.

    ``s^3 / (s^2 + steady^2)``: a fast decay stays what it is, the small slope of a held note (a measurement's error as
    like as not) all but vanishes, and there is no threshold that a morph could cross with a jump.
    """
    steady = STEADY_DB_PER_S * NEPERS_PER_DB / frames_per_s
    falling = np.minimum(slope, 0.0)
    return falling**3 / (falling**2 + steady**2)


def audibility(level: NDArray[np.floating], loudest: float) -> NDArray[np.float64]:
    """How much a band counts, 0..1: rises with its level in dB from ``AUDIBLE_DB`` under ``loudest``."""
    below_db = (level.astype(np.float64) - loudest) / NEPERS_PER_DB
    return np.asarray(np.clip(1.0 + below_db / AUDIBLE_DB, 0.0, 1.0))


def slope_error(residual: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard error of fitted slopes, nepers a frame, given that neighbouring frames are alike."""
    count = len(residual)
    return np.asarray(residual.std(axis=0) * np.sqrt(12.0 * _FRAMES_ALIKE / count) / count)


def _whole_slope(
    levels: NDArray[np.float64], first_frame: int, trust: NDArray[np.float64], frames_per_s: float
) -> float:
    """The slope of the whole note, its bands averaged in dB so that no single beating partial decides.

    Where the held frames are in doubt (few beats of a piano), a stretch half as long again decides more. A note that
    has died before it was held that long falls on as it fell from its loudest frame.
    """
    if trust.max() < _DEAD:
        loudest = int(np.argmax(levels.max(axis=1)))
        return float((levels[-1].max() - levels[loudest].max()) / max(1, len(levels) - 1 - loudest))
    weight = trust**2 / np.square(trust).sum()
    course = levels @ weight
    _, slope, residual = fit_lines(course[first_frame:])
    _, before, _ = fit_lines(course[max(0, first_frame - (len(course) - first_frame) // 2) :])
    sure, doubt = float(slope_error(residual)) ** 2, (_WHOLE_DOUBT_DB_PER_S * NEPERS_PER_DB / frames_per_s) ** 2
    return float((slope * doubt + before * sure) / (doubt + sure))
