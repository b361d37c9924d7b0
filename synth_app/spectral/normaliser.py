"""The affine map between physical units and the generator's range of -1..1.

GANSynth's constants leave a margin: the data it was fitted on lies within +-0.8. One unit of normalised magnitude is
65.7 dB of power, and silence (``log 1e-6``) becomes -0.8.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Normaliser:
    """``normalised = clip(scale * x + offset, -1, 1)`` for each of the two channels. The defaults are GANSynth's."""

    log_mel_scale: float = 0.0661371661726
    log_mel_offset: float = 0.113718730221
    inst_freq_scale: float = 0.8
    inst_freq_offset: float = 0.0

    def normalise(
        self, log_mel: NDArray[np.floating], inst_freq: NDArray[np.floating]
    ) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Physical units to -1..1; values beyond the range are clipped."""
        return (
            np.clip(log_mel * self.log_mel_scale + self.log_mel_offset, -1.0, 1.0),
            np.clip(inst_freq * self.inst_freq_scale + self.inst_freq_offset, -1.0, 1.0),
        )

    def denormalise(
        self, log_mel: NDArray[np.floating], inst_freq: NDArray[np.floating]
    ) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """The generator's output to physical units."""
        return (
            (log_mel - self.log_mel_offset) / self.log_mel_scale,
            (inst_freq - self.inst_freq_offset) / self.inst_freq_scale,
        )
