"""Tones made to measure, and the tables that every spectral test needs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from synth_app.spectral.config import SpectralConfig
from synth_app.spectral.mel import MelTable, mel_table
from synth_app.spectral.stft import hann, stft

Wave = NDArray[np.float64]


@pytest.fixture(scope="session")
def config() -> SpectralConfig:
    return SpectralConfig()


@pytest.fixture(scope="session")
def table(config: SpectralConfig) -> MelTable:
    return mel_table(config)


@pytest.fixture
def harmonic_tone(config: SpectralConfig) -> Callable[..., Wave]:
    """``harmonic_tone(pitch, rng, decay_per_s=0)``: up to 20 partials of random level and phase, RMS 0.2."""

    def make(pitch: float, rng: np.random.Generator, decay_per_s: float = 0.0) -> Wave:
        seconds = np.arange(config.samples) / config.sample_rate_hz
        base_hz = hz(pitch)
        wave = np.zeros(config.samples)
        for partial in range(1, partials_of(pitch) + 1):
            level = rng.uniform(0.1, 1.0) / np.sqrt(partial)
            wave += level * np.cos(2 * np.pi * base_hz * partial * seconds + rng.uniform(0, 2 * np.pi))
        wave *= np.exp(-decay_per_s * seconds)
        return 0.2 * wave / np.sqrt(np.mean(np.square(wave)))

    return make


@pytest.fixture
def convergence(config: SpectralConfig) -> Callable[[Wave, Wave], float]:
    """Spectral convergence of a decoded note: norm of the difference of magnitudes over the norm of the original's.

    Frames that see the padding or the built-in fade are left out.
    """

    def measure(original: Wave, decoded: Wave) -> float:
        a, b = (np.abs(stft(wave, config))[config.pad_frames : -3] for wave in (original, decoded))
        return float(np.linalg.norm(a - b) / np.linalg.norm(a))

    return measure


@pytest.fixture
def partial_levels_db(config: SpectralConfig) -> Callable[[Wave, float, int], Wave]:
    """``partial_levels_db(wave, pitch, start)``: the level of each partial in half a second, those worth hearing."""

    def measure(wave: Wave, pitch: float, start: int) -> Wave:
        length = 8192
        power = np.square(np.abs(np.fft.rfft(wave[start : start + length] * hann(length))))
        centres = np.rint(hz(pitch) * np.arange(1, partials_of(pitch) + 1) * length / config.sample_rate_hz)
        return np.array([10 * np.log10(power[int(c) - 3 : int(c) + 4].sum()) for c in centres])

    return measure


def hz(pitch: float) -> float:
    return float(440.0 * 2.0 ** ((pitch - 69.0) / 12.0))


def partials_of(pitch: float) -> int:
    return min(20, int(7000 / hz(pitch)))
