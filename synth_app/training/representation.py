"""Which picture of a sound the generator paints: the representations that the GANSynth paper compares, as one value.

Both channels always mean the same to the losses, log power (natural log) and an angle in units of pi:

* "mel-centred" (ours) and "mel-magenta" (the paper's IF-Mel): mel bands and instantaneous frequency, in the two
  conventions of ``synth_app.spectral.inst_freq``. These are what the instrument can decode.
* "if": Fourier bins and the step of each bin's phase from frame to frame (the paper's IF).
* "phase": Fourier bins and each bin's phase (the paper's Phase).

High frequency resolution (the paper's "+ H") is 128 frames of 1024 bins; without it there are 256 frames of 512.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from synth_app.core.errors import SettingsError
from synth_app.spectral.config import PhaseConvention, SpectralConfig
from synth_app.spectral.mel import band_centres_hz

Kind = Literal["mel-centred", "mel-magenta", "if", "phase"]
KINDS: tuple[Kind, ...] = ("mel-centred", "mel-magenta", "if", "phase")


@dataclass(frozen=True, slots=True)
class Representation:
    """What the picture's channels are, and how its resolution is divided between time and frequency.

    Raises:
        SettingsError: there is no such kind.
    """

    kind: Kind = "mel-centred"
    high_resolution: bool = True

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise SettingsError(f"There is no representation {self.kind!r}: choose one of {', '.join(KINDS)}.")

    @property
    def name(self) -> str:
        """For files: "centred", "magenta", "if", "phase", and "-low" without high resolution."""
        return self.kind.removeprefix("mel-") + ("" if self.high_resolution else "-low")

    @property
    def convention(self) -> PhaseConvention | None:
        """The instrument's name for it; ``None`` where the instrument has no decoder."""
        if not self.high_resolution:
            return None
        conventions: dict[Kind, PhaseConvention] = {"mel-centred": "centred", "mel-magenta": "magenta"}
        return conventions.get(self.kind)

    @property
    def mel(self) -> bool:
        """Whether the columns are mel bands, else they are Fourier bins."""
        return self.kind in ("mel-centred", "mel-magenta")

    @property
    def start(self) -> tuple[int, int]:
        """Rows and columns that a generator begins with: GANSynth's 2 x 16, or 4 x 8."""
        return (2, 16) if self.high_resolution else (4, 8)

    def spectral(self, blocks: int) -> SpectralConfig:
        """The geometry after so many resolutions: 128 x 1024, or 256 x 512, for seven."""
        rows, columns = (size << (blocks - 1) for size in self.start)
        hop = columns // 2
        pad_hops = 6 if self.high_resolution else 9
        return SpectralConfig(
            fft_size=2 * columns, hop_samples=hop, bins=columns, frames=rows, pad_samples=pad_hops * hop
        )

    def centres_hz(self, config: SpectralConfig) -> NDArray[np.float64]:
        """The frequency of each column, [bins]."""
        if self.mel:
            return band_centres_hz(config.bins, config.nyquist_hz)
        return np.asarray(np.arange(1, config.bins + 1) * (config.nyquist_hz / config.bins), np.float64)
