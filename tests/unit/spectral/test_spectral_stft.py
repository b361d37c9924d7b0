"""Frames, padding and the overlap-add that undoes them."""

from __future__ import annotations

import numpy as np
import pytest

from synth_app.spectral.config import SpectralConfig
from synth_app.spectral.stft import istft, stft


@pytest.mark.parametrize("config", [SpectralConfig(), SpectralConfig.low_resolution()])
def test_a_note_is_four_seconds(config: SpectralConfig) -> None:
    assert config.samples == 64_000
    assert config.padded_samples == config.pad_samples + config.samples


def test_the_padding_fills_three_frames_and_six_hops(config: SpectralConfig) -> None:
    assert (config.pad_frames, config.pad_hops) == (3, 6)
    spectrum = stft(np.ones(config.samples), config)
    assert not spectrum[:3].any()
    assert np.abs(spectrum[3]).max() > 1.0


def test_round_trip_is_exact_up_to_the_fade(config: SpectralConfig) -> None:
    seconds = np.arange(config.samples) / config.sample_rate_hz
    wave = sum(np.sin(2 * np.pi * hz * seconds + hz) for hz in (220.0, 1234.5, 5000.0)) * np.hanning(config.samples)
    back = istft(stft(wave, config), config)[config.pad_samples :]
    whole = config.samples - 3 * config.hop_samples
    np.testing.assert_allclose(back[:whole], wave[:whole], atol=1e-5)  # what was lost is DC, which is not kept
    assert abs(back[-1]) < 1e-4


def test_columns_are_fourier_bins_from_one(config: SpectralConfig) -> None:
    wave = np.cos(2 * np.pi * 100 * config.sample_rate_hz / config.fft_size * np.arange(64_000) / 16_000)
    assert np.abs(stft(wave, config)[60]).argmax() == 99


def test_a_note_of_another_length_is_refused(config: SpectralConfig) -> None:
    with pytest.raises(ValueError, match="64000"):
        stft(np.zeros(63_999), config)


@pytest.mark.parametrize("wrong", [{"fft_size": 1024}, {"hop_samples": 256}, {"pad_samples": 100}])
def test_sizes_must_fit(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be"):
        SpectralConfig(**wrong)
