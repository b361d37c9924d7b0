"""Phase to instantaneous frequency, and back, in two conventions.

Instantaneous frequency is the phase's step from one frame to the next, in units of pi a hop, one value for each mel
band. Both conventions fit the same picture; they differ in what a band says about the bins it is made of.

"magenta" sums the *unwrapped* phases of a band's bins, weighted by the mel matrix, and differences the sum. The sum
mixes phases that have wound up by different amounts, so it cannot be undone exactly (signal to noise 3 dB on real
notes), but GANSynth's published weights speak it.

"centred" first refers the phase to the middle of the window, where the bins of one partial agree, by multiplying
Fourier bin k by (-1)^k. A band then says the angle of the mean phasor of its bins' steps, weighted by magnitude, and
every linear bin listens to its nearest band (20 dB and more on the same notes).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synth_app.spectral.mel import MelTable


def centre_signs(bins: int) -> NDArray[np.float64]:
    """(-1)^k for Fourier bins ``1..bins``: turns phase at the window's start into phase at its middle, and back."""
    return np.where(np.arange(1, bins + 1) % 2 == 1, -1.0, 1.0)


def magenta_inst_freq(spectrum: NDArray[np.complex128], table: MelTable) -> NDArray[np.float64]:
    """``[frames, bins]`` in units of pi a hop; the first frame holds the phase itself (0 behind the padding)."""
    mel_phase = table.lin_to_mel(np.unwrap(np.angle(spectrum), axis=0))
    unwrapped = np.unwrap(mel_phase, axis=0)
    return np.asarray(np.diff(unwrapped, axis=0, prepend=0.0) / np.pi)


def centred_inst_freq(spectrum: NDArray[np.complex128], table: MelTable) -> NDArray[np.float64]:
    """``[frames, bins]`` in -1..1, units of pi a hop.

    Where the frame before was silent the step is taken from phase zero, so the first sounding frame says its own
    phase and a sum that starts at zero finds it again.
    """
    centred = spectrum * centre_signs(spectrum.shape[1])
    before = np.concatenate([np.zeros_like(centred[:1]), centred[:-1]])
    size = np.abs(before)
    unit = np.divide(before, size, out=np.ones_like(before), where=size > 0.0)
    return np.asarray(np.angle(table.lin_to_mel(centred * unit.conj())) / np.pi)


def magenta_phase_step(inst_freq: NDArray[np.floating], table: MelTable) -> NDArray[np.float64]:
    """Radians by which each linear bin turns in each frame, ``[frames, bins]``, through the inverse mel table.

    The inverse is linear, so it commutes with the sum over time; mapping first is what lets phases be wrapped.
    """
    return table.mel_to_lin(inst_freq.astype(np.float64) * np.pi)


def centred_phase_step(inst_freq: NDArray[np.floating], table: MelTable) -> NDArray[np.float64]:
    """Radians by which each linear bin turns in each frame, ``[frames, bins]``, from its nearest band."""
    return np.asarray(inst_freq[:, table.nearest].astype(np.float64) * np.pi)
