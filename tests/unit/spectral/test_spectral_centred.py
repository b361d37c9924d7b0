"""How much of a sound survives the centred picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from synth_app.spectral.codec import decode, encode
from synth_app.spectral.config import SpectralConfig
from synth_app.spectral.mel import MelTable
from synth_app.spectral.normaliser import Normaliser
from synth_app.spectral.stft import hann, stft

Make = Callable[..., Any]


@pytest.mark.parametrize("pitch", [40, 52, 64, 76])
@pytest.mark.parametrize(("decay_per_s", "loss"), [(0.0, 0.07), (3.0, 0.09)])
def test_harmonic_tones_come_back(
    pitch: int,
    decay_per_s: float,
    loss: float,
    harmonic_tone: Make,
    convergence: Make,
    config: SpectralConfig,
    table: MelTable,
) -> None:
    wave = harmonic_tone(pitch, np.random.default_rng(pitch), decay_per_s)
    back = decode(*encode(wave, "centred", config, table), "centred", config, table)
    assert convergence(wave, back) < loss
    fade = config.samples - 3 * config.hop_samples
    assert np.sqrt(np.mean(back[:fade] ** 2) / np.mean(wave[:fade] ** 2)) == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("pitch", [40, 64, 76])
def test_centred_keeps_more_than_magenta(
    pitch: int, harmonic_tone: Make, convergence: Make, config: SpectralConfig, table: MelTable
) -> None:
    wave = harmonic_tone(pitch, np.random.default_rng(pitch))
    loss = {
        convention: convergence(wave, decode(*encode(wave, convention, config, table), convention, config, table))
        for convention in ("magenta", "centred")
    }
    assert loss["centred"] < loss["magenta"] / 3


def test_pitch_is_kept_to_a_cent(harmonic_tone: Make, config: SpectralConfig, table: MelTable) -> None:
    wave = harmonic_tone(69.3, np.random.default_rng(5))
    back = decode(*encode(wave, "centred", config, table), "centred", config, table)

    def peak_hz(samples: Any) -> float:
        size = np.abs(np.fft.rfft(samples[8000:40768] * hann(32768), n=1 << 20))
        low, high = (int(f * (1 << 20) / config.sample_rate_hz) for f in (430, 470))
        return float((low + size[low:high].argmax()) * config.sample_rate_hz / (1 << 20))

    assert abs(1200 * np.log2(peak_hz(back) / peak_hz(wave))) < 1.0


def test_an_attack_stays_where_it_was(harmonic_tone: Make, config: SpectralConfig, table: MelTable) -> None:
    wave = harmonic_tone(60, np.random.default_rng(6), 2.0)
    wave[:8000] = 0.0
    back = decode(*encode(wave, "centred", config, table), "centred", config, table)
    before, after = np.mean(back[6000:7600] ** 2), np.mean(back[8200:9800] ** 2)
    assert 10 * np.log10(after / before) > 20.0
    assert after == pytest.approx(np.mean(wave[8200:9800] ** 2), rel=0.1)


def test_frames_in_the_padding_are_not_heard(harmonic_tone: Make, config: SpectralConfig, table: MelTable) -> None:
    log_mel, inst_freq = encode(harmonic_tone(60, np.random.default_rng(7)), "centred", config, table)
    wanted = decode(log_mel, inst_freq, "centred", config, table)
    log_mel[:3], inst_freq[:3] = np.random.default_rng(8).standard_normal((2, 3, 1024))
    np.testing.assert_array_equal(decode(log_mel, inst_freq, "centred", config, table), wanted)


def test_silence_stays_silent(config: SpectralConfig, table: MelTable) -> None:
    log_mel, inst_freq = encode(np.zeros(config.samples), "centred", config, table)
    assert not inst_freq.any()
    assert np.abs(decode(log_mel, inst_freq, "centred", config, table)).max() < 2e-3


def test_the_small_picture_works_too(harmonic_tone: Make) -> None:
    config = SpectralConfig.low_resolution()
    wave = harmonic_tone(72, np.random.default_rng(9))
    log_mel, inst_freq = encode(wave, "centred", config)
    assert log_mel.shape == inst_freq.shape == (256, 512)
    back = decode(log_mel, inst_freq, "centred", config)
    a, b = (np.abs(stft(w, config))[config.pad_frames : -3] for w in (wave, back))
    assert np.linalg.norm(a - b) / np.linalg.norm(a) < 0.07


def test_normaliser_has_magentas_range_and_comes_back() -> None:
    normaliser = Normaliser()
    log_mel, inst_freq = np.array([np.log(1e-6), 5.0, 99.0]), np.array([-1.0, 0.25, 1.5])
    magnitude, frequency = normaliser.normalise(log_mel, inst_freq)
    np.testing.assert_allclose(magnitude, [-0.8, 0.444405, 1.0], atol=1e-5)
    np.testing.assert_allclose(frequency, [-0.8, 0.2, 1.0], atol=1e-12)
    back = normaliser.denormalise(magnitude[:2], frequency[:2])
    np.testing.assert_allclose(back, [log_mel[:2], inst_freq[:2]], atol=1e-9)


def test_shapes_are_checked(config: SpectralConfig) -> None:
    with pytest.raises(ValueError, match="frames"):
        decode(np.zeros((128, 1024)), np.zeros((127, 1024)), "centred", config)
