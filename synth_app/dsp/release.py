"""The model's own release, from wherever a note is when its key is let go.

The model paints one release: of a key held three seconds. A key may be let go at any moment, and what the picture says
about the end then still holds as a difference: by how much each band falls below where it was held. So each band's
level is its level now plus that difference, with four corrections:

- *evened out*: a difference of two noisy frames is noisier than either, so differences are taken of power summed over
  neighbouring bands and then fitted with the nearest course that never rises (isotonic regression; the
  pool-adjacent-violators rule of M. Ayer et al., Annals of Mathematical Statistics 26, 1955);
- *the floor*: a band that is near the model's floor, or so quiet that the model's own errors are as loud, says nothing
  more; it goes on falling as the bands that still speak do, and not much more slowly than it fell so far;
- *the end*: after the model's last frame every band goes on as it was falling, at least so fast that the note ends;
- *struck notes*: a band falls at least as fast as it fell from now to the held frames, so a note let go early dies no
  later than it would have died by itself.

The window sees a key's release 64 ms before it and after it: the model's picture is of a release already blurred, and
overlapping frames blur it again. The tail therefore begins two frames after the release frame, where the window has
left the held part, and the decoder's overlap alone makes the transition.

To end a note at frame ``h``: with a decoder's state after frame ``h - 1`` and that frame's log-mel as ``level``,
``push`` what :meth:`ReleaseTail.next` returns until it says done, then take the decoder's ``tail``. What the note alone
says of its release, most of the work, can be had beforehand: :class:`Release`.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from synth_app.dsp.peaks import peak_lobes
from synth_app.dsp.trend import NEPERS_PER_DB

Single = NDArray[np.float32]
Real = NDArray[np.float64]

CONTEXT_FRAMES = 2
"""Frames before the release frame that a tail looks at, and needs."""

SMEAR_FRAMES = 2
"""Frames from the release frame on whose windows still see the held part."""

SILENCE_DB = 80.0
SILENT_LOG_MEL = -11.0
"""A tail has ended when its loudest band is this quiet, or ``SILENCE_DB`` under the note's loudest.

It is also the floor under which models are not trained to follow a note.
"""

LONGEST_TAIL_S = 8.0
"""After the model's last frame every band falls at least so fast that silence is reached within this time."""

_TRUSTED_LOG_MEL = SILENT_LOG_MEL + 12.0 * NEPERS_PER_DB  # below it the model's floor is near
_TRUSTED_DB = 45.0  # under the note's loudest: below it generators leave ghosts of partials behind
_EVEN_BANDS = 6  # on either side
_SLOPE_FRAMES = 12  # the last frames of the release, which say how it goes on
_CHORD_FRAMES = 12.0  # a slope between two frames this near is believed by half
_FRESH = 0.1  # random step of phase, units of pi, of a band that belongs to no peak, after the model's last frame


def _compiled(function: Any) -> Any:
    return numba.njit(cache=True, nogil=True, error_model="numpy")(function)


class Release:
    """What a note's picture says of its end, wherever that will be: most of the work, done beforehand.

    Args:
        log_mel: natural log of mel power of the note, ``[frames, bins]``; only the frames from ``release_frame -
            CONTEXT_FRAMES`` on are looked at.
        inst_freq: units of pi a hop, same shape.
        release_frame: the first frame of the model's own release, by window centre.
        frames_per_s: of the picture.

    Attributes:
        frame: ``release_frame``. held: level of the last held frames, float64 ``[bins]``. The rest is float32:
        even: levels of the release, evened out, ``[frames, bins]``; even_held: of the last held frames, ``[bins]``.
        difference: the release's levels over the held ones, never rising, ``[frames, bins]``.
        steps: of phase, ``[frames, bins]``. lobes: which bins belong to a peak.
        least: the slowest fall after the last frame, negative.

    Raises:
        ValueError: when the shapes differ or no frame of the release is there.
    """

    __slots__ = ("difference", "even", "even_held", "frame", "held", "least", "lobes", "steps")

    def __init__(
        self,
        log_mel: NDArray[np.floating],
        inst_freq: NDArray[np.floating],
        release_frame: int,
        frames_per_s: float = 31.25,
    ) -> None:
        first = release_frame + SMEAR_FRAMES
        if log_mel.shape != inst_freq.shape or first >= len(log_mel):
            raise ValueError(f"no release from frame {first} on in {log_mel.shape}, {inst_freq.shape}")
        self.frame = release_frame
        self.held: Real = np.asarray(log_mel[release_frame - CONTEXT_FRAMES : release_frame], np.float64).mean(axis=0)
        release = np.asarray(log_mel[first:], np.float64)
        even = _even_out(np.concatenate([self.held[None], release]))
        difference = even[1:] - even[0]
        _never_rising(difference)
        self.even_held, self.even = even[0].astype(np.float32), even[1:].astype(np.float32)
        self.difference: Single = difference.astype(np.float32)
        self.steps: Single = np.array(inst_freq[first:], np.float32)
        self.lobes = peak_lobes(release)
        self.least = -SILENCE_DB * NEPERS_PER_DB / (LONGEST_TAIL_S * frames_per_s)

    @property
    def used_bytes(self) -> int:
        """Memory it takes."""
        return sum(part.nbytes for part in (self.even, self.difference, self.steps, self.lobes))


class ReleaseTail:
    """Ends one note. Deterministic for a given ``rng``.

    Args:
        level: log-mel of the last frame that was played, ``[bins]``.
        release: of the note.
        inst_freq_now: of the last frame that was played, ``[bins]``; kept for peaks that the release does not have.
        frame: index of the last frame that was played on the note's own timeline (beyond the release frame for a note
            that was walked on); the note's own decay is not known without it.
        loudest: log-mel of the loudest band the note ever had; the louder of now and the held frames when absent.
        rng: draws fresh phases for noise after the model's last frame; without it they go on as they went.

    Raises:
        ValueError: when the level has not as many bins as the release.
    """

    def __init__(
        self,
        level: NDArray[np.floating],
        release: Release,
        inst_freq_now: NDArray[np.floating] | None = None,
        frame: int | None = None,
        loudest: float | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:
        if level.shape != release.held.shape:
            raise ValueError(f"a level of {level.shape} does not fit a release of {release.held.shape}")
        self._level: Real = np.asarray(level, np.float64).copy()
        top = float(max(self._level.max(), release.held.max())) if loudest is None else loudest
        self._silence = max(top - SILENCE_DB * NEPERS_PER_DB, SILENT_LOG_MEL)
        self._falls = _falls(release, top)
        self._own = _own_decay(release, self._level, None if frame is None else release.frame - 1 - frame)
        self._fallen = np.zeros_like(self._level), np.zeros_like(self._level)
        self._start = self._level.copy()
        lobes = peak_lobes(self._level[None])[0]
        self._steps = _steps(lobes, release, inst_freq_now)
        self._noise = ~lobes
        self._rng = rng
        self._frame = 0

    @property
    def done(self) -> bool:
        """Whether the note has ended."""
        return bool(self._level.max() < self._silence)

    def next(self, count: int) -> tuple[Single, Single, bool]:
        """The next ``count`` frames: log-mel and instantaneous frequency, float32 ``[count, bins]`` each, and done.

        However the frames are split over calls, they are the same. After the end they go on, ever quieter.
        """
        log_mel = np.empty((count, len(self._level)), np.float32)
        inst_freq = np.empty_like(log_mel)
        for row in range(count):
            last = len(self._steps) - 1
            by_release, by_itself = self._fallen
            by_release += self._falls[min(self._frame, len(self._falls) - 1)]
            by_itself += self._own
            self._level = self._start + np.minimum(by_release, by_itself)
            log_mel[row] = self._level
            inst_freq[row] = self._steps[min(self._frame, last)]
            if self._frame > last and self._rng is not None:
                inst_freq[row, self._noise] += _FRESH * self._rng.standard_normal(int(self._noise.sum()), np.float32)
            self._frame += 1
        return log_mel, inst_freq, self.done


def _falls(release: Release, loudest: float) -> Real:
    """By how much each band falls in each frame of the release, and in every frame after: ``[frames + 1, bins]``, <= 0.

    ``loudest`` is the level of the note's loudest band.
    """
    falls = np.diff(np.minimum(release.difference, 0.0, dtype=np.float64), axis=0, prepend=0.0)
    trusted = release.even > max(_TRUSTED_LOG_MEL, loudest - _TRUSTED_DB * NEPERS_PER_DB)
    common = _common_falls(falls, trusted, np.exp(0.25 * (release.even_held - release.even_held.max())))
    fallen = np.zeros_like(release.held)
    for frame in range(len(falls)):
        at_least = np.minimum(common[frame], 0.5 * fallen / max(frame, 1))
        falls[frame] = np.where(trusted[frame], falls[frame], np.minimum(falls[frame], at_least))
        fallen += falls[frame]
    end = np.minimum(_end_slope(falls, trusted, common), release.least)
    return np.concatenate([falls, end[None]])


def _common_falls(falls: Real, trusted: NDArray[np.bool_], weight: Real) -> Real:
    """The fall of the note as a whole in each frame, ``[frames]``, by the bands that still speak.

    When hardly any does, it is what it was on average while they did.
    """
    speaking = trusted * weight
    share = speaking.sum(axis=1)
    common = (speaking * falls).sum(axis=1) / np.maximum(share, 1e-12)
    silent = share < 0.02 * weight.sum()
    if silent.all():
        return np.zeros(len(falls))
    common[silent] = common[~silent][-_SLOPE_FRAMES:].mean()
    return np.asarray(common)


def _end_slope(falls: Real, trusted: NDArray[np.bool_], common: Real) -> Real:
    """How each band goes on after the last frame: as lately, where it spoke lately, else as the note, ``[bins]``."""
    late, spoke = falls[-_SLOPE_FRAMES:], trusted[-_SLOPE_FRAMES:]
    count = spoke.sum(axis=0)
    own = (late * spoke).sum(axis=0) / np.maximum(count, 1)
    share = count / len(late)
    whole = float(common[-_SLOPE_FRAMES:].mean())
    # Never much slower than the note: one ringing band is more often a measurement's error than a sound.
    return np.asarray(np.minimum(share * own + (1.0 - share) * whole, 0.5 * whole))


def _own_decay(release: Release, level: Real, frames_left: int | None) -> Real:
    """Slope from the level now to the held level, ``[bins]``, <= 0; 0 where it is not known."""
    if frames_left is None or frames_left == 0:
        return np.zeros_like(level)
    slope = np.minimum((release.even_held - _even_out(level[None])[0]) / frames_left, 0.0)
    return np.asarray(slope * frames_left**2 / (frames_left**2 + _CHORD_FRAMES**2))


def _steps(lobes: NDArray[np.bool_], release: Release, now: NDArray[np.floating] | None) -> Single:
    """Steps of phase for the release: its own, but a peak that only the level now has keeps the step it had."""
    if now is None:
        return release.steps
    gone = lobes[None] & ~release.lobes
    return np.where(gone, np.asarray(now, np.float32), release.steps)


def _even_out(log_mel: Real) -> Real:
    """Log of the mean power of neighbouring bands under a triangle, ``[frames, bins]``."""
    power = np.exp(log_mel - log_mel.max())
    padded = np.pad(power, ((0, 0), (_EVEN_BANDS, _EVEN_BANDS)), mode="edge")
    bins = log_mel.shape[1]
    weights = 1.0 - np.abs(np.arange(-_EVEN_BANDS, _EVEN_BANDS + 1)) / (_EVEN_BANDS + 1.0)
    total = sum(weight * padded[:, at : at + bins] for at, weight in enumerate(weights))
    return np.asarray(np.log(np.maximum(total / weights.sum(), 1e-30)) + log_mel.max())


@_compiled
def _never_rising(course: Real) -> None:
    """Replace each column of ``[frames, bins]`` by the nearest course that never rises, in place."""
    frames, bins = course.shape
    mean, size = np.empty(frames), np.empty(frames, np.int64)
    for b in range(bins):
        blocks = 0
        for frame in range(frames):
            mean[blocks], size[blocks] = course[frame, b], 1
            blocks += 1
            while blocks > 1 and mean[blocks - 1] > mean[blocks - 2]:
                both = size[blocks - 2] + size[blocks - 1]
                mean[blocks - 2] = (mean[blocks - 2] * size[blocks - 2] + mean[blocks - 1] * size[blocks - 1]) / both
                size[blocks - 2] = both
                blocks -= 1
        frame = 0
        for block in range(blocks):
            for _ in range(size[block]):
                course[frame, b] = mean[block]
                frame += 1
