"""A generator of pure tones, for tests of everything that comes after a generator.

The pitch is exact, the level is flat until the release frame, and the first latent value sets the level in dB, so that
two latents can be told apart by ear and by meter.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from synth_app.core.units import pitch_to_hz
from synth_app.render.ports import GeneratorInfo, SpectralFrames
from synth_app.spectral.config import SpectralConfig
from synth_app.spectral.mel import mel_table

SINE_INFO = GeneratorInfo(
    name="sines", model_id="sines", latent_size=4, lowest_pitch=24, highest_pitch=84, sample_rate_hz=16_000,
    fft_size=2048, hop_samples=512, frames=128, bins=1024, pad_frames=3, release_frame=98,
    phase_convention="centred", provider="sines (tests)",
)  # fmt: skip


class SineGenerator:
    """Renders one partial a note. ``calls`` counts renders; ``delay_s`` slows each one down."""

    info = SINE_INFO

    def __init__(self, delay_s: float = 0.0) -> None:
        self.delay_s = delay_s
        self.calls = 0
        config = SpectralConfig()
        forward = mel_table(config).dense_forward()
        bins_hz = (np.arange(config.bins) + 1) * config.sample_rate_hz / config.fft_size
        self._centres = forward.T @ bins_hz / np.maximum(forward.sum(axis=0), 1e-9)

    def render(
        self, latents: NDArray[np.float32], pitches: NDArray[np.int64], start_frame: int, stop_frame: int
    ) -> SpectralFrames:
        self.calls += 1
        if self.delay_s:
            time.sleep(self.delay_s)
        frames = np.arange(start_frame, stop_frame)
        log_mel = np.empty((len(pitches), len(frames), 1024), np.float32)
        inst_freq = np.empty_like(log_mel)
        for row, (latent, pitch) in enumerate(zip(latents, pitches, strict=True)):
            hz = pitch_to_hz(float(pitch))
            shape = -(((self._centres - hz) / 7.8125) ** 2)
            level = np.where(frames < 98, 0.0, -0.3 * (frames - 98)) + np.where(frames < 3, -30.0, 0.0)
            loud = 2.0 * np.log(60.0) + float(latent[0]) * np.log(10.0) / 10.0
            log_mel[row] = np.maximum(loud + shape[None, :] + level[:, None], -13.8)
            step = hz * 512 / 16_000 * 2.0
            inst_freq[row] = (step + 1.0) % 2.0 - 1.0
        return SpectralFrames(log_mel, inst_freq)

    def close(self) -> None:
        return
