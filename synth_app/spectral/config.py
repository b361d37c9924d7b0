"""The sizes of the spectral picture, in one frozen value that every function here takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PhaseConvention = Literal["magenta", "centred"]
"""How ``inst_freq`` is turned back into phase; see ``synth_app.spectral.inst_freq``."""


@dataclass(frozen=True, slots=True)
class SpectralConfig:
    """The geometry of a note's spectrogram. The defaults are GANSynth's ``mel_prog_hires``.

    Attributes:
        sample_rate_hz: rate of the waveform.
        fft_size: samples in a frame; also the length of the periodic Hann window.
        hop_samples: samples between frames; a quarter of ``fft_size``.
        frames: frames in a whole note.
        bins: linear bins and mel bands; half of ``fft_size`` (DC is dropped, Nyquist is kept).
        pad_samples: zeros put before the note, none after it.

    Raises:
        ValueError: when the sizes do not fit each other.
    """

    sample_rate_hz: int = 16_000
    fft_size: int = 2048
    hop_samples: int = 512
    frames: int = 128
    bins: int = 1024
    pad_samples: int = 3072

    def __post_init__(self) -> None:
        if self.fft_size != 2 * self.bins or self.fft_size != 4 * self.hop_samples:
            raise ValueError(f"fft_size must be twice bins and four hops, got {self}")
        if self.pad_samples % self.hop_samples or not 0 <= self.pad_samples < self.padded_samples:
            raise ValueError(f"pad_samples must be whole hops and leave room for a note, got {self}")

    @classmethod
    def low_resolution(cls) -> SpectralConfig:
        """GANSynth's ``mel_prog``-like variant: half the bands, twice the frames."""
        return cls(fft_size=1024, hop_samples=256, frames=256, bins=512, pad_samples=2304)

    @property
    def padded_samples(self) -> int:
        """Length of the overlap-added signal, padding included (67,072)."""
        return (self.frames - 1) * self.hop_samples + self.fft_size

    @property
    def samples(self) -> int:
        """Length of a whole note (64,000)."""
        return self.padded_samples - self.pad_samples

    @property
    def pad_frames(self) -> int:
        """Leading frames that see only padding (3): the first sample of the note enters the frame after them."""
        return self.pad_samples // self.hop_samples - self.fft_size // self.hop_samples + 1

    @property
    def pad_hops(self) -> int:
        """Hops of output that hold only padding (6)."""
        return self.pad_samples // self.hop_samples

    @property
    def nyquist_hz(self) -> float:
        """Half the sample rate."""
        return self.sample_rate_hz / 2
