"""A held note that does not end: the walk through its own sustain.

The model paints three seconds of a held note. A key may be down for longer. What follows is made of the same frames,
in an endless order that does not repeat (``wander``), with three corrections:

- *level*: each band's line through the held frames is taken out, and its slope goes on instead, so that a struck note
  keeps dying, to silence, and a bowed one keeps (``trend``);
- *joins*: where the path leaves the note's own order, the difference between what would have come and what comes is
  carried over and let die away within a few frames; and no frame differs more from the one before than all but the
  greatest hundredth of the note's own do, so nothing steps, at the entry least of all;
- *noise*: bands that belong to no peak keep their own statistics but get phases that never come back: their step of
  phase is the frame's own plus a random one in proportion to how much that band's steps vary by themselves.

Phase needs no correction. The picture holds the *step* of phase, and read backwards a steady sound's steps are the
same; the decoder's running sums carry every partial over every join (``synth_app.spectral.streaming``).

To enter at frame ``h`` of a note that a :class:`~synth_app.spectral.streaming.StreamingDecoder` plays: have its state
after frame ``h - 1`` (a fork kept from the note's own decoding, or a fresh one that has ``skip``-ped the note's frames
up to ``h``), and ``push`` what :meth:`SustainWalk.next` returns. The first sample so made follows the ``h`` hops that
were made before it; the three frames before ``h`` overlap into it, which is why they must have passed through the
decoder and why nothing clicks.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from synth_app.dsp.peaks import peak_lobes
from synth_app.dsp.trend import NEPERS_PER_DB, Trend, audibility, fit_trend
from synth_app.dsp.wander import Wander

Single = NDArray[np.float32]
Real = NDArray[np.float64]

FRAMES_PER_S = 31.25
"""Of the models this program trains and imports: hops of 512 samples at 16 kHz."""

SILENCE_DB = 80.0
"""A note this far under its loudest band is silent."""

_JOIN_FRAMES = 4.0  # a difference at a join is half gone after two frames and gone after four
_LAG_KEPT = 0.9  # of the level's own slope at the entry, in each frame after it
_UNIFORM = 12.0**0.5  # width of a uniform distribution over its standard deviation
_MOSTLY = 0.5  # a band belongs to a peak if it does in so many of the frames
_FRESH = 0.35  # random step of phase of a band that belongs to no peak, in spreads of its own steps


def _compiled(function: Any) -> Any:
    return numba.njit(cache=True, nogil=True, error_model="numpy")(function)


class Sustain:
    """What there is to walk on in a note's picture: most of the work, done beforehand.

    Args:
        log_mel: natural log of mel power of the note, ``[frames, bins]``, from its first frame on, at least up to
            ``last_frame``.
        inst_freq: units of pi a hop, same shape.
        first_frame, last_frame: the held frames to walk on, half-open: after the attack, and before the release is
            seen (its window looks 64 ms ahead, so some three frames before the release frame).
        frames_per_s: of the picture.
        drift: what to add to the steps of bands that belong to a peak, units of pi ``[bins]``: the note's partials as
            they are heard (:meth:`~synth_app.spectral.streaming.StreamingDecoder.drift`), whatever leads them later.

    Attributes:
        trend: of the held frames. steps: of phase, float32 ``[frames, bins]``; lobes: which belong to a peak.
        spread: random step of phase of each band. distances: how unlike the held frames are, ``[frames, frames]``.
        last_level: of the last held frame, ``[bins]``. loudest: log-mel of the loudest band up to there.
        heard: the bands that are. limit: RMS over those of the greatest change from frame to frame but for a hundredth.

    Raises:
        ValueError: when the shapes differ or there are fewer than 8 held frames.
    """

    __slots__ = ("distances", "heard", "last_level", "limit", "lobes", "loudest", "spread", "steps", "trend")

    def __init__(
        self,
        log_mel: NDArray[np.floating],
        inst_freq: NDArray[np.floating],
        first_frame: int,
        last_frame: int,
        frames_per_s: float = FRAMES_PER_S,
        drift: Single | None = None,
    ) -> None:
        if log_mel.shape != inst_freq.shape or log_mel.ndim != 2:
            raise ValueError(f"expected two [frames, bins], got {log_mel.shape} and {inst_freq.shape}")
        self.trend = fit_trend(log_mel, first_frame, last_frame, frames_per_s)
        self.steps: Single = np.array(inst_freq[first_frame:last_frame], np.float32)
        self.lobes = peak_lobes(log_mel[first_frame:last_frame])
        if drift is not None:
            self.steps += np.where(self.lobes.mean(axis=0) > _MOSTLY, drift, np.float32(0.0))
        turns = _phasors(self.steps)
        self.spread: Real = _FRESH * _circular_spread(turns)
        self.last_level: Real = np.array(log_mel[last_frame - 1], np.float64)
        self.loudest = float(log_mel[:last_frame].max())
        self.heard = audibility(self.trend.mean, self.loudest) > 0.0
        if not self.heard.any():  # the note has died: all of it is as quiet
            self.heard[:] = True
        held = np.asarray(log_mel[first_frame:last_frame], np.float64)[:, self.heard]
        self.limit = float(np.percentile(np.sqrt(np.square(np.diff(held, axis=0)).mean(axis=1)), 99))
        self.distances = _distances(self.trend, turns)

    @property
    def used_bytes(self) -> int:
        """Memory it takes."""
        return self.trend.residual.nbytes + self.steps.nbytes + self.lobes.nbytes + self.distances.nbytes


class SustainWalk:
    """Continues one held note for as long as it is asked to. Deterministic for a given ``rng``.

    Args:
        sustain: of the note.
        rng: draws the path and the fresh phases.
    """

    def __init__(self, sustain: Sustain, rng: np.random.Generator) -> None:
        self._rng = rng
        self._sustain, self._trend = sustain, sustain.trend
        self._loudest = sustain.loudest
        self._wander = Wander(sustain.distances, rng)
        self._level = sustain.last_level.copy()
        bins = len(self._level)
        self._fallen = np.zeros(bins)
        # The believed line and the fitted one meet in the middle of the frames, not where the walk begins.
        self._texture = self._trend.residual[-1].copy()
        self._lag = self._level - self._trend.end - self._texture
        self._offset, self._turn = np.zeros(bins), np.zeros(bins)
        self._age = _JOIN_FRAMES
        self._changing = 0  # frames left of a change of the note, in which steps may be as large as it needs

    def next(self, count: int) -> tuple[Single, Single]:
        """The next ``count`` frames: log-mel and instantaneous frequency, float32 ``[count, bins]`` each.

        However the frames are split over calls, they are the same.
        """
        log_mel = np.empty((count, len(self._level)), np.float32)
        inst_freq = np.empty_like(log_mel)
        for frame in range(count):
            self._go_on()
            fresh = self._rng.random(len(self._level), np.float32)
            place, left = self._wander.position, _share_left(self._age)
            held = self._sustain
            limit = np.inf if self._changing else held.limit
            _emit_level(
                self._trend.end, self._trend.decay, self._trend.residual[place], self._offset, left, held.heard, limit,
                self._fallen, self._lag, self._texture, self._level, log_mel[frame],
            )  # fmt: skip
            _emit_step(
                self._step(place), self._turn, left, held.lobes[place], held.spread, fresh, inst_freq[frame]
            )  # fmt: skip
        return log_mel, inst_freq

    def follow(self, sustain: Sustain, added: Real | None = None) -> None:
        """Go on, from the next frame, on as many other frames: the same note after a morph.

        ``added`` is what others had added to its levels ``[bins]`` and will not from now on: it goes on from there.
        The place on the path and the fall so far are kept; the change of level is spread over a few frames.
        """
        if added is not None:
            self._level = self._level + added
        self._sustain, self._trend = sustain, sustain.trend
        self._loudest = max(self._loudest, sustain.loudest)
        self._wander.retie(sustain.distances)
        self._texture = self._level - self._trend.end - self._fallen
        self._lag[:] = 0.0
        self._offset = self._texture - self._trend.residual[self._wander.position]
        self._turn[:] = 0.0
        self._age = 0.0
        self._changing = int(_JOIN_FRAMES) + 1

    @property
    def silent(self) -> bool:
        """Whether the note has died away: its loudest band is ``SILENCE_DB`` under the loudest it ever had."""
        return bool(self._level.max() < self._loudest - SILENCE_DB * NEPERS_PER_DB)

    @property
    def level(self) -> Single:
        """Log-mel of the last frame given out (the note's last held frame before any), ``[bins]``."""
        return self._level.astype(np.float32)

    @property
    def decay(self) -> Real:
        """By how much each band goes on falling, nepers of power a frame, ``[bins]``, never above 0."""
        return self._trend.decay

    def _step(self, position: int) -> Real:
        """The step of phase into a frame from where the path came: backwards it is the step out of it."""
        steps = self._sustain.steps
        return np.asarray(steps[position if self._wander.forward else min(position + 1, len(steps) - 1)], np.float64)

    def _go_on(self) -> None:
        """Take the next place on the path and, after a jump, carry over what differs."""
        residual, left = self._trend.residual, _share_left(self._age + 1.0)
        natural = self._wander.natural()
        level, step = residual[natural], self._step(natural)
        self._age += 1.0
        self._changing = max(0, self._changing - 1)
        if self._wander.step():
            place = self._wander.position
            self._offset = level + left * self._offset - residual[place]
            turn = step + left * self._turn - self._step(place)
            self._turn = turn - 2.0 * np.rint(turn / 2.0)
            self._age = 0.0


def _share_left(age: float) -> float:
    """How much of a join's difference is left after ``age`` frames: 1 to 0, smooth at both ends."""
    x = min(age / _JOIN_FRAMES, 1.0)
    return 1.0 - x * x * (3.0 - 2.0 * x)


def _distances(trend: Trend, turns: tuple[Single, Single]) -> Real:
    """How unlike frames are, ``[frames, frames]``: what is heard of their levels, and their steps."""
    heard = audibility(trend.mean, float(trend.mean.max()))
    levels = (trend.residual * np.sqrt(heard)).astype(np.float32)
    amplitude = np.exp(0.25 * (trend.mean - trend.mean.max())).astype(np.float32)
    weighed = np.concatenate([part * amplitude for part in turns], axis=1)
    return _mean_one(_distance(levels)) + _mean_one(_distance(weighed))


def _phasors(steps: Single) -> tuple[Single, Single]:
    """Cosine and sine of steps of phase given in units of pi."""
    angle = (steps * np.float64(np.pi)).astype(np.float32)
    return np.cos(angle), np.sin(angle)


def _circular_spread(phasors: tuple[Single, Single]) -> Real:
    """Standard deviation of each band's steps of phase, units of pi, ``[bins]``."""
    coherence = np.hypot(*(part.mean(axis=0, dtype=np.float64) for part in phasors))
    return np.asarray(np.sqrt(-2.0 * np.log(np.clip(coherence, 1e-3, 1.0))) / np.pi)


def _distance(features: Single) -> Real:
    """Euclidean distances between rows, ``[rows, rows]``."""
    product = (features @ features.T).astype(np.float64)
    square = np.diag(product)
    return np.asarray(np.sqrt(np.maximum(square[:, None] + square[None, :] - 2.0 * product, 0.0)))


def _mean_one(distance: Real) -> Real:
    return np.asarray(distance / max(float(distance.mean()), np.finfo(np.float64).tiny))


@_compiled
def _emit_level(
    end: Real,
    decay: Real,
    residual: Real,
    offset: Real,
    left: float,
    heard: NDArray[np.bool_],
    limit: float,
    fallen: Real,
    lag: Real,
    texture: Real,
    level: Real,
    log_mel: Single,
) -> None:
    """Where every band is in the next frame. ``fallen``, ``lag``, ``texture`` and ``level`` move on.

    The texture's change is scaled down where the whole step's RMS over the bands that are heard would pass ``limit``;
    what is left undone is done by the frames that follow.
    """
    bins = end.shape[0]
    change, drift, count = 0.0, 0.0, 0
    for b in range(bins):
        if heard[b]:
            change += (residual[b] + left * offset[b] - texture[b]) ** 2
            drift += (decay[b] + lag[b] * (_LAG_KEPT - 1.0)) ** 2
            count += 1
    step, room = np.sqrt(change / max(count, 1)), limit - np.sqrt(drift / max(count, 1))
    share = min(1.0, max(room, 0.1 * limit) / step) if step > 0.0 else 1.0
    for b in range(bins):
        texture[b] += share * (residual[b] + left * offset[b] - texture[b])
        fallen[b] += decay[b]
        lag[b] *= _LAG_KEPT
        level[b] = end[b] + fallen[b] + lag[b] + texture[b]
        log_mel[b] = level[b]


@_compiled
def _emit_step(
    step: Real,
    turn: Real,
    left: float,
    lobe: NDArray[np.bool_],
    spread: Real,
    fresh: Single,
    inst_freq: Single,
) -> None:
    """How every band's phase turns: as in the frame on the path, freshly where there is no peak.

    ``fresh`` is uniform in 0..1; shifted and scaled it has mean 0 and standard deviation ``spread``.
    """
    for b in range(step.shape[0]):
        inst_freq[b] = step[b] + (left * turn[b] if lobe[b] else spread[b] * (fresh[b] - 0.5) * _UNIFORM)
