"""The compiled inner loops of the streaming decoder: one pass over the bins of each frame, without the GIL.

They compute what ``mel``, ``inst_freq`` and ``locking`` define, in the same order and in float64 up to the last step,
so that a near tie between two peaks falls the same way in both. Power stands in for magnitude wherever only the order
or the energy matters.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from synth_app.spectral.locking import PULL

_TURN = 2.0 * np.pi
_POWER_FLOOR = 1e-6

Real = NDArray[np.float64]
Single = NDArray[np.float32]
Index = NDArray[np.int32]
Spectrum = NDArray[np.complex64]


def _compiled(function: Any) -> Any:
    return numba.njit(cache=True, nogil=True, error_model="numpy")(function)


@_compiled
def frame_power(log_mel: Single, band: Index, inverse: Real, mel_power: Real, power: Real) -> None:
    """Linear power of one frame, ``[bins]``, from log-mel ``[bins]``; ``mel_power`` is scratch of the same size."""
    for m in range(log_mel.shape[0]):
        mel_power[m] = np.exp(np.float64(log_mel[m]))
    for k in range(power.shape[0]):
        power[k] = mel_power[band[k, 0]] * inverse[k, 0] + mel_power[band[k, 1]] * inverse[k, 1] + _POWER_FLOOR


@_compiled
def turn_centred(inst_freq: Single, nearest: Index, phase: Real) -> None:
    """Add one frame's step to ``phase`` (radians, ``[bins]``, in place), each bin from its nearest band."""
    for k in range(phase.shape[0]):
        x = phase[k] + np.float64(inst_freq[nearest[k]]) * np.pi
        phase[k] = x - _TURN * np.rint(x / _TURN)


@_compiled
def turn_magenta(inst_freq: Single, band: Index, inverse: Real, phase: Real) -> None:
    """Add one frame's step to ``phase`` (radians, ``[bins]``, in place), through the inverse mel table."""
    for k in range(phase.shape[0]):
        first, second = np.float64(inst_freq[band[k, 0]]), np.float64(inst_freq[band[k, 1]])
        x = phase[k] + np.pi * (first * inverse[k, 0] + second * inverse[k, 1])
        phase[k] = x - _TURN * np.rint(x / _TURN)


@_compiled
def lock_to_peaks(power: Real, before: Real, turned: Real, phase: Real) -> None:
    """Pull the bins of each lobe towards their peak; see ``synth_app.spectral.locking``.

    Args:
        power: linear power of this frame, ``[bins]``.
        before: the same of the frame before; all zero at a note's start.
        turned: phases after this frame's step, ``[bins]``.
        phase: out, the locked phases, ``[bins]``.
    """
    bins = power.shape[0]
    for k in range(bins):
        here = power[k]
        right1 = power[k + 1] if k + 1 < bins else 0.0
        left1 = power[k - 1] if k >= 1 else 0.0
        leader, leader_power = k, -1.0
        if right1 > here:
            right2 = power[k + 2] if k + 2 < bins else 0.0
            right3 = power[k + 3] if k + 3 < bins else 0.0
            if right1 >= right2:
                leader, leader_power = k + 1, right1
            elif right2 >= right3:
                leader, leader_power = k + 2, right2
        if left1 > here:
            left2 = power[k - 2] if k >= 2 else 0.0
            left3 = power[k - 3] if k >= 3 else 0.0
            if left1 > left2:
                if left1 >= leader_power:
                    leader = k - 1
            elif left2 > left3 and left2 > left1 and left2 >= leader_power:
                leader = k - 2
        if leader == k:
            phase[k] = turned[k]
            continue
        now, then = power[leader], before[leader]
        if leader >= 1:
            now += power[leader - 1]
            then += before[leader - 1]
        if leader + 1 < bins:
            now += power[leader + 1]
            then += before[leader + 1]
        distance = turned[leader] - turned[k]
        distance -= _TURN * np.rint(distance / _TURN)
        phase[k] = turned[k] + PULL * (min(now, then) / max(now, then)) * distance


@_compiled
def polar(power: Real, phase: Real, signs: Single, out: Spectrum) -> None:
    """Write one frame's spectrum into columns ``1..bins`` of ``out`` ``[bins + 1]``; DC is 0."""
    out[0] = 0.0
    for k in range(power.shape[0]):
        size = np.float32(np.sqrt(power[k])) * signs[k]
        angle = np.float32(phase[k])
        out[k + 1] = complex(size * np.cos(angle), size * np.sin(angle))


@_compiled
def advance_centred(
    log_mel: Single,
    inst_freq: Single,
    band: Index,
    inverse: Real,
    nearest: Index,
    signs: Single,
    padding: int,
    phase: Real,
    before: Real,
    spectrum: Spectrum,
) -> None:
    """Move phase-locked bins over some frames, and write the spectra of the last ones.

    Args:
        log_mel, inst_freq: ``[frames, bins]``.
        band, inverse, nearest: of the mel table.
        signs: (-1)^k, ``[bins]``.
        padding: how many of these frames lie in the padding, where phase is zero and nothing has sounded.
        phase, before: the state, ``[bins]`` each: last phases (radians) and last linear power.
        spectrum: out, ``[heard, bins + 1]``: spectra of the last ``heard`` frames.
    """
    frames, bins = log_mel.shape
    mel_power, power, turned = np.empty(bins), np.empty(bins), np.empty(bins)
    for frame in range(frames):
        frame_power(log_mel[frame], band, inverse, mel_power, power)
        if frame < padding:
            phase[:] = 0.0
            before[:] = 0.0
        else:
            turned[:] = phase
            turn_centred(inst_freq[frame], nearest, turned)
            lock_to_peaks(power, before, turned, phase)
            before[:] = power
        row = frame - frames + spectrum.shape[0]
        if row >= 0:
            polar(power, phase, signs, spectrum[row])


@_compiled
def advance_magenta(
    log_mel: Single, inst_freq: Single, band: Index, inverse: Real, signs: Single, phase: Real, spectrum: Spectrum
) -> None:
    """As :func:`advance_centred` in Magenta's convention: nothing is locked and padding counts."""
    frames, bins = log_mel.shape
    mel_power, power = np.empty(bins), np.empty(bins)
    for frame in range(frames):
        turn_magenta(inst_freq[frame], band, inverse, phase)
        row = frame - frames + spectrum.shape[0]
        if row >= 0:
            frame_power(log_mel[frame], band, inverse, mel_power, power)
            polar(power, phase, signs, spectrum[row])


@_compiled
def overlap_add(grains: Single, window: Single, carry: Single, out: Single) -> None:
    """Window the grains of some frames and add them where they fall.

    Args:
        grains: ``[frames, length]``.
        window: ``[length]``.
        carry: what earlier frames left for these hops, ``[length - hop]``; replaced by what these leave.
        out: ``[frames * hop]``, the finished samples.
    """
    frames, length = grains.shape
    hop = length - carry.shape[0]
    for frame in range(frames):
        for n in range(hop):
            out[frame * hop + n] = carry[n] + grains[frame, n] * window[n]
        for n in range(length - 2 * hop):
            carry[n] = carry[n + hop] + grains[frame, n + hop] * window[n + hop]
        for n in range(length - 2 * hop, length - hop):
            carry[n] = grains[frame, n + hop] * window[n + hop]
