"""One partial, one phase: pulling the bins of a lobe towards their peak.

A decoder that sums instantaneous frequency bin by bin lets the bins of one partial drift apart, and after a change of
timbre it keeps whatever the old timbre left between them: the partial loses level and wavers. Identity phase locking
(J. Laroche & M. Dolson, "Improved phase vocoder time-scale modification of audio", IEEE Trans. Speech and Audio
Processing 7(3), 1999) gives all bins of a lobe the phase of its peak; referred to the window's middle those phases
are simply equal. But to lock at once is to forget: an attack, two beating partials or breath have true differences
inside a lobe, and the round trip of real notes pays for it.

So the lock here is a pull. In every frame each bin first turns by its own instantaneous frequency and then gives up a
share of its distance to the peak's phase:

    share = PULL * min(e0, e1) / max(e0, e1)

with ``e1`` the energy of the peak's three middle bins now and ``e0`` the energy of the same bins in the frame before.
A steady partial is pulled firmly (drift is undone within ten frames); an attack or noise, whose energy jumps, is left
almost alone. The rule looks only at this frame and the last, so whole notes and streams are one algorithm. The
figures behind it are in ``docs/adr/0002-peak-locked-phase.md``.

A bin follows the loudest peak that it can climb to within two bins, half the width of the Hann window's main lobe. A
peak moving by a bin inherits its phase from the lobe it was already part of.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PULL = 0.3
"""Share of its distance to the peak that a bin of a perfectly steady lobe gives up in a frame."""


@dataclass(frozen=True, slots=True, eq=False)
class LockPlan:
    """Who follows whom, and how firmly; it depends on magnitudes only, so it is ready before any phase is.

    Attributes:
        leader: int64 ``[frames, bins]``, the peak each bin follows; its own index where it follows none.
        share: float64 ``[frames, bins]``, 0..PULL, the part of the distance given up (0 where it follows none).
    """

    leader: NDArray[np.int64]
    share: NDArray[np.float64]


def plan_locking(magnitude: NDArray[np.float64], before: NDArray[np.float64] | None = None) -> LockPlan:
    """Find the peaks, their lobes and their steadiness.

    Args:
        magnitude: ``[frames, bins]``, linear.
        before: ``[bins]``, magnitudes of the frame before the first; silence when absent.
    """
    bins = magnitude.shape[1]
    follows = _climb(magnitude)
    leader = np.arange(bins) + follows
    previous = np.concatenate([(np.zeros(bins) if before is None else before)[None], magnitude[:-1]])
    now, then = _core_energy(magnitude), _core_energy(previous)
    steadiness = np.minimum(now, then) / np.maximum(np.maximum(now, then), np.finfo(np.float64).tiny)
    share = np.where(follows != 0, PULL * np.take_along_axis(steadiness, leader, axis=1), 0.0)
    return LockPlan(leader, share)


def accumulate(step: NDArray[np.float64], plan: LockPlan | None) -> NDArray[np.float64]:
    """Sum phase steps over time, wrapped in every frame and pulled as ``plan`` says.

    Args:
        step: radians, ``[frames, bins]``; the phase before the first frame is zero.
        plan: of the same frames; None sums every bin by itself.

    Returns:
        Radians, ``[frames, bins]``.
    """
    phase = np.zeros_like(step)
    last = np.zeros(step.shape[1])
    for frame in range(step.shape[0]):
        last = wrap(last + step[frame])
        if plan is not None:
            last = last + plan.share[frame] * wrap(last[plan.leader[frame]] - last)
        phase[frame] = last
    return phase


def wrap(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same angle in -pi..pi."""
    return angle - 2.0 * np.pi * np.rint(angle / (2.0 * np.pi))


def _climb(magnitude: NDArray[np.float64]) -> NDArray[np.int64]:
    """Offset -2..2 from each bin to the peak it follows, ``[frames, bins]``; 0 for peaks and for loners."""
    m = np.pad(magnitude, ((0, 0), (3, 3)))
    bins = magnitude.shape[1]

    def at(offset: int) -> NDArray[np.float64]:
        return m[:, 3 + offset : 3 + offset + bins]

    def peak(offset: int) -> NDArray[np.bool_]:
        return (at(offset) > at(offset - 1)) & (at(offset) >= at(offset + 1))

    up, up2 = at(1) > at(0), (at(1) > at(0)) & (at(2) > at(1))
    down, down2 = at(-1) > at(0), (at(-1) > at(0)) & (at(-2) > at(-1))
    right = np.where(up & peak(1), 1, np.where(up2 & peak(2), 2, 0))
    left = np.where(down & peak(-1), -1, np.where(down2 & peak(-2), -2, 0))
    right_peak = np.where(right == 0, -1.0, np.where(right == 1, at(1), at(2)))
    left_peak = np.where(left == 0, -1.0, np.where(left == -1, at(-1), at(-2)))
    return np.where(left_peak >= right_peak, left, right)


def _core_energy(magnitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """Energy of each bin and its two neighbours, ``[frames, bins]``."""
    power = np.pad(np.square(magnitude), ((0, 0), (1, 1)))
    return np.asarray(power[:, :-2] + power[:, 1:-1] + power[:, 2:])
