"""The decoder as a graph says what the decoder says: both conventions, any rate, any number of notes."""

from __future__ import annotations

import numpy as np
import pytest

from synth_app.adapters.generator_onnx_cpu import CPU, open_session
from synth_app.adapters.onnx_writer_decoder import write_decoder
from synth_app.spectral.codec import decode, encode
from synth_app.spectral.config import PhaseConvention, SpectralConfig
from synth_app.spectral.streaming import StreamingDecoder

CONFIG = SpectralConfig(fft_size=256, hop_samples=64, frames=40, bins=128, pad_samples=384)
FULL_SCALE = 1e-4


def wave(kind: str) -> np.ndarray:
    """Some sound, at most full scale."""
    rng, t = np.random.default_rng(3), np.arange(CONFIG.samples) / CONFIG.sample_rate_hz
    if kind == "noise":
        return rng.uniform(-1.0, 1.0, len(t))
    partials = sum(np.sin(2 * np.pi * 440.0 * k * t * (1.0 + 0.01 * np.sin(30.0 * t))) / k for k in range(1, 9))
    return 0.4 * partials * np.exp(-5.0 * t)


@pytest.mark.parametrize("convention", ["centred", "magenta"])
@pytest.mark.parametrize("rate_factor", [1, 3])
def test_it_decodes_as_the_reference_does(convention: PhaseConvention, rate_factor: int) -> None:
    session = open_session(write_decoder(CONFIG, convention, rate_factor), [CPU], 1)
    pictures = [encode(wave(kind), convention, CONFIG) for kind in ("partials", "noise", "partials")]
    inputs = {
        name: np.stack([picture[i] for picture in pictures]).astype(np.float32)
        for i, name in enumerate(("log_mel", "inst_freq"))
    }
    log_mel, inst_freq, samples = session.run(["picture_log_mel", "picture_inst_freq", "samples"], inputs)
    assert np.array_equal(log_mel, inputs["log_mel"].astype(np.float16))
    assert np.array_equal(inst_freq, inputs["inst_freq"].astype(np.float16))
    assert samples.shape == (3, rate_factor * CONFIG.samples)
    for note in range(3):
        kept = log_mel[note].astype(np.float64), inst_freq[note].astype(np.float64)
        assert np.abs(samples[note] - streamed(kept, convention, rate_factor)).max() < FULL_SCALE
        if rate_factor == 1:
            pad = CONFIG.pad_frames * CONFIG.hop_samples if convention == "centred" else 0
            reference = decode(*kept, convention, CONFIG)
            assert np.abs(samples[note] - reference)[pad:].max() < FULL_SCALE, "the padding's frames are not rendered"
    assert np.array_equal(samples[0], samples[2])


def streamed(picture: tuple[np.ndarray, np.ndarray], convention: PhaseConvention, rate_factor: int) -> np.ndarray:
    """As the instrument decodes on a processor."""
    start = CONFIG.pad_frames if convention == "centred" else 0
    decoder = StreamingDecoder(CONFIG, convention, rate_factor, start)
    samples = np.concatenate([decoder.push(*(x[start:] for x in picture)), decoder.tail()])
    return samples[(CONFIG.pad_hops - start) * decoder.hop_samples :]


def test_equal_neighbours_follow_the_same_peaks() -> None:
    """Plateaus and silence, where one bit decides who leads."""
    log_mel = np.full((1, CONFIG.frames, CONFIG.bins), -13.8, np.float32)
    log_mel[:, :, 20:25] = 1.0
    log_mel[:, ::2, 60] = 3.0
    inst_freq = np.random.default_rng(0).uniform(-1.0, 1.0, log_mel.shape).astype(np.float16).astype(np.float32)
    session = open_session(write_decoder(CONFIG, "centred", 1), [CPU], 1)
    [samples] = session.run(["samples"], {"log_mel": log_mel, "inst_freq": inst_freq})
    kept = log_mel[0].astype(np.float16).astype(np.float64), inst_freq[0].astype(np.float64)
    assert np.abs(samples[0] - streamed(kept, "centred", 1)).max() < FULL_SCALE
